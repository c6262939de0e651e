"""Plays one answer in a room, with someone who speaks over it or nobody, on a virtual clock.

Speech-to-text is the worst there can be: where nobody speaks, every sound that is transcribed
counts as words; where somebody does, none is, so that half a second of speech must do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.assistant import Assistant
from voice_kit.converse.line import Engines, Line
from voice_kit.converse.virtual import run
from voice_kit.hear.detection import at_16k
from voice_kit.hear.protocols import VoiceDetector
from voice_kit.settings import Settings
from voice_kit.speak.protocols import Synthesizer
from voice_kit.types import (
    RATE,
    Audio,
    Event,
    GateOpened,
    Interrupted,
    PlaybackPaused,
    Route,
    Stops,
    Transcript,
)
from voice_kit.workshop.echo_rooms import OpenMicrophone, Room, loudness
from voice_kit.workshop.fakes import ScriptedModel
from voice_kit.workshop.lab_engines import Repeating
from voice_kit.workshop.lab_interruptions import ANSWER, QUESTION
from voice_kit.workshop.lab_sounds import Recording

BEFORE, BEHIND = 0.3, 2.0
"""Seconds of quiet before the answer and behind it, or behind whoever interrupts it."""
SLACK = 1.3
"""So many times the answer's length is enough, even with pauses in it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What happened in one answer."""

    level: float
    delay: float
    room: str
    guard: bool
    person: str = ""
    """Who spoke over it; empty for nobody."""
    over: float = 0.0
    """Decibels of the person over the echo; with headphones, over what is played."""
    into: float = 0.0
    """Seconds into the answer at which the person began."""
    itself: bool = False
    """Whether the assistant interrupted or answered itself."""
    needless: int = 0
    """How often it paused though nobody spoke."""
    paused: float | None = None
    """Seconds from the person's first sound until it paused; None if it did not."""
    stopped: float | None = None
    """Seconds from the person's first sound until it stopped; None if it went on."""
    able: bool = True
    """Whether the same voice stops it where there is no echo and no guard."""


class Gullible:
    """Speech-to-text that hears words in everything, and is sure of them or not."""

    name = "gullible"
    stops: Stops = "async"
    in_loop_time = True

    def __init__(self, *, confident: bool) -> None:
        self._confident = confident

    async def transcribe(self, audio: Audio) -> Transcript:
        """Words that mean something."""
        return Transcript("Please wait a moment.", confident=self._confident)


class Talks:
    """A router of which everything is a chat."""

    name = "talks"
    stops: Stops = "never"
    direct = True

    def route(self, words: str) -> Route:
        """To talk."""
        return Route("chat", 1.0, "it is all talk")


class Lab:
    """Plays the same answer in rooms, with and without a guard."""

    def __init__(
        self, vad: VoiceDetector, tts: Synthesizer, settings: Settings | None = None
    ) -> None:
        settings = settings or Settings()
        self.settings = settings.changed({"partials": 0.0, "tools.search": "off"})
        self._vad = vad
        self._tts = Repeating(tts)
        sound = [at_16k(speech.audio) for speech in self._tts.speak(ANSWER)]
        self.voice = np.concatenate(sound)
        """The whole answer, 16 kHz."""

    def alone(self, *rooms: Room, guard: bool) -> Trial:
        """What happens when nobody speaks over the whole answer, in one room or, changing suddenly,
        one after the other."""
        room, seconds = rooms[-1], BEFORE + SLACK * len(self.voice) / RATE + BEHIND
        events = self._played(rooms, Audio.silence(seconds), guard=guard, confident=True)
        return _seen(Trial(room.level, room.delay, room.name, guard), events, float("inf"))

    def over(
        self, room: Room, person: Recording, over: float, into: float, *, guard: bool
    ) -> Trial:
        """What happens when a person speaks over the answer, so many decibels over the echo."""
        level = over + (room.level if np.isfinite(room.level) else 0.0)
        gain = 10 ** (level / 20) * loudness(self.voice) / loudness(person.audio.samples)
        before, behind = (Audio.silence(each).samples for each in (BEFORE + into, BEHIND))
        said = np.concatenate([before, gain * person.audio.samples, behind]).astype(np.float32)
        events = self._played([room], Audio(said, RATE), guard=guard, confident=False)
        blank = Trial(room.level, room.delay, room.name, guard, person.name, over, into)
        return _seen(blank, events, BEFORE + into)

    def engines(self, *, confident: bool) -> Engines:
        """Engines of one conversation, of which speech-to-text is sure of its words or not."""
        return Engines(
            Line("vad", self._vad),
            Line("stt", Gullible(confident=confident)),
            Line("llm", ScriptedModel({QUESTION: ANSWER}, first=BEFORE)),
            Line("tts", self._tts),
        )

    def _played(
        self, rooms: Sequence[Room], scene: Audio, *, guard: bool, confident: bool
    ) -> list[Event]:
        speaker, events = SilentSpeaker(RATE), list[Event]()
        paths = [room.path(self.voice) for room in rooms]
        lasts = BEFORE + len(self.voice) / RATE / len(rooms)
        settings = self.settings.changed({"interrupt.guard": guard})
        engines = self.engines(confident=confident)

        async def play(folder: Path) -> None:
            watching = [events.append]
            talk = Assistant(
                engines, speaker, settings, observers=watching, router=Talks(), folder=folder
            )
            async with talk:
                talk.type(QUESTION)
                await talk.listen(OpenMicrophone(FileMicrophone(scene), speaker, paths, lasts))
                talk.observers.clear()
                talk.hush()

        with TemporaryDirectory() as folder:
            run(play(Path(folder)), fast=True, cost=lambda stage, seconds: 0.0)
        return events


def _seen(trial: Trial, events: Sequence[Event], began: float) -> Trial:
    """With what happened, when somebody began to speak at this second."""
    for event in events:
        after = getattr(event, "at", 0.0) - began
        match event:
            case PlaybackPaused() if after < 0:
                trial = replace(trial, needless=trial.needless + 1)
            case PlaybackPaused() if trial.paused is None:
                trial = replace(trial, paused=after)
            case Interrupted() if after >= 0:
                first = after if trial.stopped is None else trial.stopped
                trial = replace(trial, stopped=first)
            case Interrupted():
                trial = replace(trial, itself=True)
            case GateOpened(turn=turn) if after < 0 and turn > 1:
                trial = replace(trial, itself=True)
    return trial
