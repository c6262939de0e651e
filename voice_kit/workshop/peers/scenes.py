"""One sound for all: questions whole, questions with pauses in them, and short answers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voice_kit.hear import backchannels
from voice_kit.sounds import Clip, clips
from voice_kit.types import RATE, Audio, Samples, Transcript

PAUSES = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
"""Seconds for which a speaker hesitates."""
REST = 1.7
"""Seconds after a question: every peer's answer has room in it."""
BEGIN = 1.0
"""Seconds before the first question."""
NOISE = 1e-4
"""How loud an empty room is, root mean square; Silero is not asked about digital silence."""

SETS = {
    "whole": "questions without a pause",
    "pauses": "questions with a pause of 150 to 400 ms in them",
    "short": "short answers and commands",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One turn of a scene, in seconds since the microphone opened."""

    set: str
    start: float
    end: float
    """When its true last sample is heard."""
    until: float
    """What happens before this belongs to it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A sound, and what is said in it."""

    sound: Samples
    turns: list[Asked]
    words: list[tuple[float, str]]
    """Each word, and when its last sample is heard. Words alone, in lower case: a mark behind the
    last would tell who reads it where the turn ends."""


def scene(
    sets: Sequence[str], turns: int, seed: int, rest: float = REST, begin: float = BEGIN
) -> Scene:
    """`turns` turns of each set, in an order that only the seed decides."""
    chosen: list[tuple[str, list[tuple[Audio, str]]]] = []
    for name in sets:
        of_set = _of(name)
        for index in range(turns):
            pause = PAUSES[(seed * turns + index) % len(PAUSES)] if name == "pauses" else 0.0
            clip = of_set[(seed * turns + index) % len(of_set)]
            chosen.append((name, with_pause(clip, pause)))
    random.Random(seed).shuffle(chosen)
    return laid_out(chosen, seed, rest, begin)


def laid_out(
    chosen: Sequence[tuple[str, list[tuple[Audio, str]]]],
    seed: int,
    rest: float = REST,
    begin: float = BEGIN,
) -> Scene:
    """These turns, one after another in a quiet room: of each its set, and what is said in it, as
    sounds (16 kHz) with their words. The first begins `begin` seconds after the room."""
    at = begin
    pieces: list[Samples] = [_quiet(at)]
    asked: list[Asked] = []
    words: list[tuple[float, str]] = []
    for name, parts in chosen:
        start = at
        for part, said in parts:
            words += _timed(said, at, part.seconds)
            at += part.seconds
        asked.append(Asked(name, start, at, at + rest))
        pieces += [*(part.samples for part, _ in parts), _quiet(rest)]
        at += rest
    sound = np.concatenate(pieces)
    noise = np.random.default_rng(seed).normal(0, NOISE, len(sound))
    return Scene(sound + noise.astype(np.float32), asked, words)


def with_pause(clip: Clip, pause: float) -> list[tuple[Audio, str]]:
    """The clip, broken where it is quietest near its middle, with the words of each part."""
    whole = clip.audio()
    if not pause:
        return [(whole, clip.text)]
    samples = whole.samples
    width = RATE // 50
    levels = np.convolve(np.square(samples), np.ones(width), "same")
    third = len(samples) // 3
    cut = third + int(np.argmin(levels[third:-third]))
    before, after = Audio(samples[:cut], RATE), Audio(samples[cut:], RATE)
    said = clip.text.split(" ")
    share = min(
        range(1, len(said)),
        key=lambda n: abs(_letters(said[:n]) - cut / len(samples) * _letters(said)),
    )
    return [
        (before, " ".join(said[:share])),
        (Audio.silence(pause), ""),
        (after, " ".join(said[share:])),
    ]


def _of(name: str) -> list[Clip]:
    kinds = {"whole": ("question",), "pauses": ("question",), "short": ("answer", "command")}
    found = [clip for clip in clips() if clip.kind in kinds[name]]
    return [clip for clip in found if name != "short" or clip.seconds <= 1.1]


def _timed(said: str, start: float, seconds: float) -> list[tuple[float, str]]:
    """Each word and when it ends, by its share of the letters."""
    words = said.split()
    total = _letters(words)
    return [
        (start + seconds * _letters(words[: index + 1]) / total, bare)
        for index, word in enumerate(words)
        if (bare := " ".join(backchannels.words(Transcript(word))))
    ]


def _letters(words: Sequence[str]) -> int:
    return sum(len(word) + 1 for word in words)


def _quiet(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)
