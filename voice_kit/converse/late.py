"""How a replay sounds: on a loudspeaker like the recorded one, and both sides mixed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from math import inf
from statistics import median

import numpy as np

from voice_kit.audio.convert import convert
from voice_kit.audio.no_speaker import NoPlayback, NoSpeaker
from voice_kit.audio.speaker import SilentPlayback, SilentSpeaker
from voice_kit.types import (
    FRAME,
    RATE,
    Audio,
    Event,
    GateOpened,
    Misfire,
    PlaybackStarted,
    Samples,
    SpeechReady,
    SpeechStarted,
    TurnEnded,
)


class LateSpeaker(SilentSpeaker):
    """Is audible a while after it was given something, as a sound card is."""

    def __init__(self, late: float) -> None:
        super().__init__(RATE)
        self.late = late

    def open(self, on_start: Callable[[float], None]) -> SilentPlayback:
        loop = asyncio.get_running_loop()

        def later(at: float) -> None:
            if self.late:
                loop.call_later(self.late, on_start, at + self.late)
            else:
                on_start(at)

        return super().open(later)


class ReadSpeaker(NoSpeaker):
    """Counts all sound as heard at once, as for people who read, and keeps it to be heard."""

    def __init__(self) -> None:
        self._given: list[tuple[float, Audio]] = []

    def open(self, on_start: Callable[[float], None]) -> NoPlayback:
        return ReadPlayback(on_start, self._given)

    def rendered(self, origin: float, seconds: float) -> Audio:
        """Each sound from when it was given, or after the one before it: as long as that takes,
        which may be more than the `seconds` after the loop's time `origin`. 16 kHz."""
        sound = [np.zeros(0, np.float32)]
        length = 0
        for at, audio in self._given:
            quiet = max(0, round((at - origin) * RATE) - length)
            sound += [np.zeros(quiet, np.float32), convert(audio, RATE).samples]
            length += quiet + len(sound[-1])
        rest = max(0, round(seconds * RATE) - length)
        return Audio(np.concatenate([*sound, np.zeros(rest, np.float32)]), RATE)


class ReadPlayback(NoPlayback):
    """The sound of one answer that is read, kept with its time."""

    def __init__(self, on_start: Callable[[float], None], given: list[tuple[float, Audio]]) -> None:
        super().__init__(on_start)
        self._given = given

    def play(self, audio: Audio) -> None:
        self._given.append((asyncio.get_running_loop().time(), audio))
        super().play(audio)


def like(module: str, events: Sequence[Event]) -> LateSpeaker | ReadSpeaker:
    """A loudspeaker like that of this Python module, with which these events came about."""
    return ReadSpeaker() if module == NoSpeaker.__module__ else LateSpeaker(latency(events))


def latency(events: Sequence[Event]) -> float:
    """Seconds from a sound that may be heard to its first audible sample, as usual in these.

    One that was held because someone spoke first says nothing of it.
    """
    may, late, spoken = dict[int, float](), list[float](), 0.0  # until when someone spoke
    for event in events:
        match event:
            case SpeechStarted():
                spoken = inf
            case Misfire() | TurnEnded():
                spoken = event.at
            case GateOpened():
                may[event.turn] = event.at
            case SpeechReady() if event.turn in may:
                may.setdefault(-event.turn, event.at)
            case PlaybackStarted() if event.turn in may:
                ready = may.get(-event.turn, may[event.turn])
                late += [event.at - ready] if spoken <= ready else []
    usual = median(late) if late else 0.0
    return usual if usual > 1e-6 else 0.0


def mixed(theirs: Samples, arrivals: Sequence[float], ours: Samples) -> Audio:
    """Both sides as they were heard: our sound, and frames by their arrivals. 16 kHz."""
    sound = np.zeros(max([len(ours), *(round(at * RATE) for at in arrivals[-1:])]))
    sound[: len(ours)] += ours
    for number, at in enumerate(arrivals):
        last = min(len(sound), round(at * RATE))
        piece = theirs[number * FRAME : (number + 1) * FRAME]
        start = max(0, last - FRAME)
        sound[start:last] += piece[: last - start]
    return Audio(np.clip(sound, -1, 1).astype(np.float32), RATE)
