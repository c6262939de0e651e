"""A detector on a whole sound, or on one stream of frames; and sound made fit to be heard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio.convert import convert
from voice_kit.hear.protocols import VoiceDetector
from voice_kit.types import FRAME, RATE, Audio, Samples

INAUDIBLE = 1e-4
"""A sound whose loudest sample is below this, −80 dBFS, is silence: nobody need listen to it."""
LOUDEST = 8.0
"""Lossy files swing a little above full scale; what is louder than this is no sound."""
BRIEF = 8192
"""For no more samples than this, BLAS wakes no threads to add up their squares."""


def probabilities(vad: VoiceDetector, audio: Audio) -> NDArray[np.float32]:
    """Chance of speech in each frame of 32 ms of a sound of any rate, from a fresh state.

    The last frame is filled up with silence; an empty sound has no frames.
    """
    samples = at_16k(audio)
    padded = np.pad(samples, (0, -len(samples) % FRAME)).reshape(-1, FRAME)
    stream = Detection(vad)
    return np.array([stream.probability(frame) for frame in padded], np.float32)


class Detection:
    """One stream of frames, and what its detector remembers of it."""

    def __init__(self, vad: VoiceDetector) -> None:
        self._vad = vad
        self._state: Any = vad.start()

    def probability(self, frame: Samples) -> float:
        """Chance, in [0, 1], that the next frame (shape (512,), 16 kHz) is speech."""
        chances, (self._state,) = self._vad.detect(frame[np.newaxis], [self._state])
        return float(chances[0])


def at_16k(audio: Audio) -> Samples:
    """The samples at 16 kHz, without what is no sound: NaN, infinity, absurd loudness."""
    if audio.rate != RATE:
        audio = convert(Audio(finite(audio.samples), audio.rate), RATE)
    return finite(audio.samples)


def stretches(samples: Samples, longest: float) -> Iterator[tuple[float, Samples]]:
    """A sound at 16 kHz in pieces of at most `longest` seconds, and the second each begins at.

    They are cut where it is quietest in the last tenth.
    """
    start, most, step = 0, round(longest * RATE), RATE // 5
    while len(samples) - start > most:
        late = samples[start + most * 9 // 10 : start + most]
        loudness = np.square(late[: len(late) // step * step].reshape(-1, step)).sum(axis=1)
        end = start + most * 9 // 10 + int(loudness.argmin()) * step + step // 2
        yield start / RATE, samples[start:end]
        start = end
    yield start / RATE, samples[start:]


def finite(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same samples, or a mended copy where some are NaN, infinite or absurdly loud.

    A network with a memory never recovers from one NaN.
    """
    soft = samples.size <= BRIEF and np.vdot(samples, samples) <= LOUDEST**2  # then each is, too
    if soft or np.abs(samples).max() <= LOUDEST:  # false for NaN
        return samples
    return np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0).clip(-LOUDEST, LOUDEST)
