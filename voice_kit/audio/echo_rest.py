"""Learns how much of our own voice the filter leaves over, and when: in bands, as power."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio.echo_filter import BLOCKS, YOUNG
from voice_kit.types import FRAME, RATE, Samples

Weights = NDArray[np.float64]
BANDS = 20
LOWEST, HIGHEST = 150, 7000
"""Between these two, in Hz, bands are as wide as the ear's."""
QUIET = 2e-4
"""Power that is there without us, −59 dBFS in the units of `powers`, until the noise is known."""
MEMORY = 0.95
"""How much of what was learnt counts a frame later: it spans 20 frames, 0.6 s."""
GAIN = 0.04
"""How much of the way to what was left the expectation goes at once."""
SINK = 0.3
"""And so much, of the part that is surely ours, while the filter learns the path and less was left:
it leaves less and less, and somebody who speaks meanwhile leaves more, never less."""
SOON, MOSTLY = 10, 0.3
"""So many frames in which so much is surely ours come first: of fewer, the filter knows only the
vowels in them."""
SOMEBODY = 0.1
"""How much a frame counts in which somebody speaks."""
MOST = 3.0
"""A frame counts as at most so many times what was expected: somebody may be speaking."""
LEAST = 0.003
"""So much of our voice, −25 dB, may always be left: no loudspeaker is linear."""


class EchoRest:
    """What is left of our voice, as a sum of what was played before, each frame weighed.

    The weights, one for each band and each frame of the past, are what makes the rest most likely
    (Itakura-Saito divergence): multiplicative updates as in Lefèvre, Bach and Févotte (2011),
    "Online Algorithms for Nonnegative Matrix Factorization with the Itakura-Saito Divergence".
    At first our voice is thought to come back as loud as it is played. That powers in bands are
    enough to tell an echo is from Faller and Tournery (2006), "Robust Acoustic Echo Control Using
    a Simple Echo Path Model".
    """

    def __init__(self) -> None:
        self._played = np.zeros((BLOCKS + 1, BANDS))
        self._played[-1] = 1.0  # what is there without us: noise
        self._weights = np.full((BLOCKS + 1, BANDS), 1.0 / BLOCKS)
        self._weights[-1] = QUIET * np.diff(_EDGES)
        self._more = self._weights**2  # evidence for larger weights
        self._less = np.ones((BLOCKS + 1, BANDS))  # and for smaller ones
        self._gain = np.ones((BLOCKS + 1, BANDS))  # of all weights but the noise: learns faster
        self._last: Samples = np.zeros(FRAME, np.float32)
        self._parts = self._played
        self._expected = self._left = np.ones(BANDS)
        self._least = np.zeros((BLOCKS, BANDS))
        self._share = 1.0
        self._learnt = YOUNG  # frames of ours from which the filter has learnt the path
        self._surely = np.zeros(BLOCKS + 1, bool)  # where our voice was found, not where it may be
        self._before: tuple[Weights, Weights] | None = None  # gain and weights, of what was known

    def share(self, left: Samples, played: Samples) -> float:
        """How much is left as a share of what is expected: as amplitude, averaged over bands."""
        self._played[1:-1] = self._played[:-2]
        self._played[0] = _powers(np.concatenate((self._last, played)))
        self._last = played
        self._parts = self._gain * self._played
        self._expected = (self._weights * self._parts).sum(axis=0)
        self._left = _powers(left) + 1e-9
        self._share = _amplitude(self._left / self._expected)
        least = (self._least * self._played[:-1]).sum(axis=0)
        return _amplitude(self._left / np.maximum(self._expected, least))

    def expect(self, power: NDArray[np.float32] | None) -> None:
        """Expect each frame of the past so loud, as power: shape (BLOCKS,). With None, as loud as
        before `expect_more`."""
        before, self._before = self._before, None
        if power is None:
            self._gain, self._weights = before or (self._gain, self._weights)
        else:
            self._weights[:-1] = np.minimum(1, power)[:, np.newaxis]
            self._gain[:] = 1
            self._least = LEAST * self._weights[:-1]
            self._learnt = 0
            self._surely = np.append(power > power.max() / 4, False)
        self._forget()

    def expect_more(self, share: float) -> None:
        """Expect so many times the amplitude of our voice, and that at any delay."""
        self._before = self._before or (self._gain.copy(), self._weights.copy())
        self._gain[:-1] *= share**2
        self._weights[:-1] = self._weights[:-1].mean(axis=0)
        self._forget()

    def _forget(self) -> None:
        """Weigh anew what is expected."""
        self._more = self._weights**2
        self._less[:] = 1

    def learn(self, *, somebody: bool) -> None:
        """Expect what was left the next time. What may be somebody's counts little."""
        count = SOMEBODY if somebody else 1.0
        rate: float | Weights = GAIN * count
        if self._learnt < YOUNG:
            ours = (self._weights * self._parts)[self._surely].sum(axis=0) / self._expected
            if self._learnt >= SOON and self._share < 1:
                rate = SINK * ours
            self._learnt += int(ours.mean() > MOSTLY)
        self._gain[:-1] *= self._share ** (2 * rate)
        surprise = np.minimum(self._left / self._expected, MOST)
        part = count * self._parts / self._expected
        self._more = MEMORY**count * self._more + self._weights**2 * part * surprise
        self._less = MEMORY**count * self._less + part
        self._weights = np.sqrt(self._more / self._less)


def _amplitude(powers: NDArray[np.float64]) -> float:
    return float(np.sqrt(powers).mean())


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


_MELS = np.linspace(_mel(LOWEST), _mel(HIGHEST), BANDS + 1)
_EDGES = np.rint((10 ** (_MELS / 2595) - 1) * 700 / RATE * 2 * FRAME).astype(int)


def _powers(samples: Samples) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(samples * np.hanning(len(samples)), 2 * FRAME)
    powers: NDArray[np.float64] = np.add.reduceat(np.abs(spectrum) ** 2, _EDGES)[:-1]
    return powers
