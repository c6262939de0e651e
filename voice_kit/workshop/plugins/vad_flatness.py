"""A detector of your own: a voice has pitch and formants, so its spectrum is not flat.

    [project.entry-points."voice_kit.vad"]
    flatness = "my_engines.vad_flatness:Flatness"

Then `vad = "flatness"`, and if you like `[options.flatness]` with `quietest = -45`.
It needs numpy alone. A fan does not fool it, as it fools loudness; music does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.types import FRAME, RATE


class Flatness:
    """How far the spectrum between 100 and 4000 Hz is from flat, smoothed over a few frames.

    Flatness is the geometric over the arithmetic mean of the power, in decibels: about −2.5 for
    noise, below −10 for a vowel. Frames below `quietest` dBFS are never speech.
    """

    name = "flatness"

    def __init__(self, *, middle: float = -6.0, quietest: float = -50.0) -> None:
        self._middle = middle
        self._quietest = quietest
        places = np.fft.rfftfreq(FRAME, 1 / RATE)
        self._band = (places >= 100) & (places <= 4000)
        self._window = np.hanning(FRAME)

    def start(self) -> float:
        """The state before any sound: the last probability."""
        return 0.0

    def detect(
        self, frames: NDArray[np.float32], states: Sequence[Any]
    ) -> tuple[NDArray[np.float32], list[Any]]:
        """Chance of speech for one frame of each stream; the states are the last chances."""
        sound = np.nan_to_num(frames.astype(np.float64))
        loudness = 10 * np.log10(np.mean(sound**2, axis=1) + 1e-12)
        power = np.abs(np.fft.rfft(sound * self._window, axis=1)[:, self._band]) ** 2 + 1e-12
        flatness = 10 * (np.mean(np.log10(power), axis=1) - np.log10(np.mean(power, axis=1)))
        now = 1 / (1 + np.exp(np.clip(flatness - self._middle, -30, 30)))
        now[loudness < self._quietest] = 0.0
        chances = 0.5 * now + 0.5 * np.asarray(states, np.float64)
        return chances.astype(np.float32), chances.tolist()
