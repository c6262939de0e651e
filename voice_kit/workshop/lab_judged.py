"""Asks judges at the pauses of recordings, with the words so far, each of them once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from voice_kit.converse.steps import may_be_undone
from voice_kit.hear.protocols import Transcriber, TurnJudge
from voice_kit.types import Audio, Transcript
from voice_kit.workshop.lab_engines import timed


@dataclass(frozen=True, slots=True)
class Place:
    """A pause in a turn, to a fraction of a second: thresholds move it a little."""

    turn: str
    started: int
    """When the speech before it began, in quarters of a second."""
    ended: int
    """When it ended, in tenths."""


Opinion = Callable[[Place, Callable[[], Audio]], tuple[float, float]]
"""What a judge says at a pause after this sound: the chance that the turn is finished, and the
seconds until it says so."""


class Judged:
    """Asks a judge at every pause as a conversation would, once for each pause."""

    def __init__(self, judge: TurnJudge, heard: Heard, latency: float | None = None) -> None:
        self.judge = judge
        self.took: list[float] = []
        """Seconds from each pause to the judge's answer, its transcription included."""
        self._heard = heard
        self._latency = latency
        self._known: dict[Place, tuple[float, float]] = {}

    def usual_ms(self) -> int:
        """The median of these, in milliseconds."""
        return round(float(np.median(self.took)) * 1000)

    def __call__(self, place: Place, sound: Callable[[], Audio]) -> tuple[float, float]:
        """The chance that the turn is finished, and the seconds until it says so."""
        if place not in self._known:
            chance, took, said, audio = 0.5, 0.0, Transcript(""), sound()
            if self.judge.needs_words and self._heard.early:
                said, took = self._heard(place, audio)
            if said.text or not self.judge.needs_words:
                chance, more = timed(lambda: self.judge.finished(audio, said))
                took += more
            self.took.append(took)
            self._known[place] = chance, took if self._latency is None else self._latency
        return self._known[place]


class Heard:
    """What speech-to-text hears in a turn up to a pause, each transcribed once."""

    def __init__(
        self, stt: Transcriber | None, each: Callable[[int], None] = lambda count: None
    ) -> None:
        self.name = stt.name if stt else ""
        self.early = may_be_undone(stt)
        """Whether a conversation asks for the words so far; else a judge of words has none."""
        self._stt = stt
        self._each = each
        self._known: dict[Place, tuple[Transcript, float]] = {}

    def __call__(self, place: Place, audio: Audio) -> tuple[Transcript, float]:
        """The words so far, and how many seconds they took."""
        if place not in self._known:
            self._known[place] = self._transcribe(audio)
            self._each(len(self._known))
        return self._known[place]

    def whole(self, audio: Audio) -> Transcript:
        """The words of a whole sound."""
        return self._transcribe(audio)[0]

    def _transcribe(self, audio: Audio) -> tuple[Transcript, float]:
        if self._stt is None:
            return Transcript(""), 0.0
        stt = self._stt
        return timed(lambda: stt.transcribe(audio))
