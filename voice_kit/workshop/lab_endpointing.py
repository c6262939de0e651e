"""When does a turn end? Waits and judges, tried on recordings whose end is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from voice_kit.converse.steps import may_be_undone
from voice_kit.hear import endpointing
from voice_kit.hear.ears import Ears
from voice_kit.hear.protocols import Transcriber, TurnJudge
from voice_kit.settings import Settings
from voice_kit.settings.groups import Endpointing
from voice_kit.types import Audio, Paused, SpeechStarted, Transcript, TurnEnded
from voice_kit.workshop.lab_engines import timed
from voice_kit.workshop.lab_sounds import Turn

STARTS = (0.3, 0.5, 0.7)
STOPS = (0.128, 0.192, 0.256, 0.32, 0.384, 0.448, 0.512, 0.64, 0.8, 1.024, 1.28)
FINISHED = (0.128, 0.256, 0.32)
UNFINISHED = (0.8, 1.12)
"""What is tried for `hear.start_above`, `hear.stop` and, where a judge is asked, `hear.finished`
and `hear.unfinished`, beside the values of the settings."""
SILENCE = "silence"
WAIT = 0.35
"""Seconds of mean added wait at which the judges are compared."""


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


def quiet(chance: float, known: float, rules: Endpointing) -> float:
    """Seconds of quiet that end a turn of which a judge says `chance` after `known` of them.

    While its answer is outstanding the wait goes on, up to `rules.unfinished`.
    """
    if known >= rules.unfinished:
        return rules.unfinished
    return max(known, endpointing.wait(chance, rules))


def play(turn: Turn, rules: Endpointing, opinion: Opinion | None = None) -> list[TurnEnded]:
    """The turns that the assistant takes this one for, by these rules.

    At each pause the judge is asked, as in a conversation.
    """
    ears, ends, started = Ears(rules), list[TurnEnded](), 0.0
    for frame, chance in zip(turn.frames, turn.chances, strict=True):
        for event in ears.feed(frame, float(chance)):
            if isinstance(event, SpeechStarted):
                started = event.at
            elif isinstance(event, TurnEnded):
                ends.append(event)
            elif isinstance(event, Paused) and opinion is not None:
                place = Place(turn.name, round(started * 4), round(event.ended * 10))
                finished, took = opinion(place, ears.sound)
                ears.expect(quiet(finished, event.at - event.ended + took, rules))
    return ends


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


@dataclass(frozen=True, slots=True)
class Point:
    """How a way to wait does on all turns."""

    judge: str
    start_above: float
    stop: float
    finished: float
    unfinished: float
    turns: int
    cut_off: int
    """Turns that were taken for finished before their last speech."""
    missed: int
    """Turns in which nobody was heard."""
    pauses: int
    pauses_cut: int
    """Pauses inside turns, and those of them that were taken for the end."""
    added: float
    """Mean seconds from the last speech to the end of the turn, where it was not cut off."""
    added_p90: float
    usual: bool
    """Whether these are the settings as they are."""

    @property
    def share(self) -> float:
        """Turns cut off, of all."""
        return self.cut_off / self.turns if self.turns else 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain data, times in milliseconds."""
        data = {**asdict(self), "cut_off_share": round(self.share, 4)}
        for name in ("added", "added_p90"):
            seconds = data.pop(name)
            data[f"{name}_ms"] = None if np.isnan(seconds) else round(seconds * 1000, 1)
        return data


def score(
    turns: Sequence[Turn],
    rules: Endpointing,
    judge: str = SILENCE,
    opinion: Opinion | None = None,
    *,
    usual: bool = False,
) -> Point:
    """How these rules and this judge do on the turns."""
    cut_off = missed = pauses = pauses_cut = 0
    added: list[float] = []
    for turn in turns:
        ends = [event.at for event in play(turn, rules, opinion)]
        early = [at for at in ends if at < turn.ended]
        cut_off, missed = cut_off + bool(early), missed + (not ends)
        if ends and not early:
            added.append(ends[-1] - turn.ended)
        pauses += len(turn.pauses)
        pauses_cut += sum(
            any(pause.start < at <= pause.end for at in early) for pause in turn.pauses
        )
    return Point(
        judge=judge,
        start_above=rules.start_above,
        stop=rules.stop,
        finished=rules.finished,
        unfinished=rules.unfinished,
        turns=len(turns),
        cut_off=cut_off,
        missed=missed,
        pauses=pauses,
        pauses_cut=pauses_cut,
        added=float(np.mean(added)) if added else float("nan"),
        added_p90=float(np.quantile(added, 0.9)) if added else float("nan"),
        usual=usual,
    )


def sweep(
    turns: Sequence[Turn], judges: Mapping[str, Opinion | None], settings: Settings
) -> Iterator[Point]:
    """Every way to wait, judge by judge. The first of each judge are the settings as they are."""
    for judge, opinion in judges.items():
        for number, rules in enumerate(ways(settings.hear, judged=opinion is not None)):
            yield score(turns, rules, judge, opinion, usual=number == 0)


def ways(usual: Endpointing, *, judged: bool) -> Iterator[Endpointing]:
    """The rules to try: the usual ones, then every other."""
    yield usual
    starts = sorted({*STARTS, usual.start_above})
    stops = sorted({*STOPS, usual.stop})
    finished = sorted({*FINISHED, usual.finished}) if judged else [usual.finished]
    unfinished = sorted({*UNFINISHED, usual.unfinished}) if judged else [usual.unfinished]
    for start, stop, short, long in product(starts, stops, finished, unfinished):
        below = min(usual.stop_below, start - 0.15) if start != usual.start_above else None
        change = {"start_above": start, "stop": stop, "finished": short, "unfinished": long}
        rules = usual.model_copy(update=change | ({"stop_below": below} if below else {}))
        possible = not judged or short <= stop <= long
        if possible and rules != usual:
            yield rules
