"""Loudness above the noise: the simplest detector that works, and what it gets wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.hear.detection import finite
from voice_kit.types import FRAME, RATE

QUIETEST = -60.0
"""Floor of the noise floor, in dBFS: after digital silence a breath is not a shout."""


class Energy:
    """How far a frame is above the quietest of late. Anything loud is speech to it: a door, a dog.

    The noise floor falls at once to any quieter frame and rises by `rise` decibels a second, so a
    fan that is switched on is speech for a while and then is not. A frame `margin` decibels above
    the floor has probability 0.5; 3 dB more, 0.73.
    """

    name = "energy"
    direct = True

    def __init__(self, *, margin: float = 15.0, rise: float = 3.0) -> None:
        self._margin = margin
        self._rise = rise

    def start(self) -> float:
        """The state before any sound: a quiet room's noise floor, in dBFS."""
        return -50.0

    def detect(
        self, frames: NDArray[np.float32], states: Sequence[Any]
    ) -> tuple[NDArray[np.float32], list[Any]]:
        """Chance of speech for one frame of each stream; the states are noise floors in dBFS."""
        level = levels(frames)
        risen = np.array(states, np.float64) + self._rise * FRAME / RATE
        floor = np.maximum(np.minimum(risen, level), QUIETEST)
        chances = 1 / (1 + np.exp(-(level - floor - self._margin) / 3))
        return chances.astype(np.float32), floor.tolist()


def levels(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    """Loudness of each frame, in dBFS: shape (B, n) gives (B,). Silence is −120."""
    power = np.mean(np.square(finite(frames), dtype=np.float64), axis=1)
    decibels: NDArray[np.float64] = 10 * np.log10(np.maximum(power, 1e-12))
    return decibels
