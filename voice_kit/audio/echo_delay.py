"""Finds when our own voice comes back into the microphone, and how loud: as soon as it does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voice_kit.types import FRAME, RATE

CLEARLY = 2.0
"""So many times as high as any but the next, a peak is our voice."""
BEGINS, ENDS = round(0.01 * RATE), round(0.02 * RATE)
"""Samples before a peak and after it that belong to it: a vowel repeats itself, a room answers."""
AGAIN, LEAST = 3, 4
"""It must be there for so many frames, and heard in so many."""
SAME = round(0.004 * RATE)
"""Samples between two peaks that are one."""
ELSEWHERE, FADING = 0.05, 0.3
"""How loud our voice is at other times, as power, and one frame later: an echo has one delay, but a
far wall may give it back once more, after that delay is known."""
FAINT = 0.3
"""Where the spectra are softer, there is but noise."""


class EchoDelay:
    """Looks for the one delay at which all that is played comes back.

    The smoothed coherence transform: Carter, Nuttall and Cable (1973). Cross-correlation in which
    every frequency counts alike shows a click where our voice comes back; somebody else's voice
    has no such delay, and disturbs little. It may come back twice: of two loudspeakers, as loud as
    each other, one is found.
    """

    def __init__(self, blocks: int) -> None:
        self._cross = np.zeros((blocks, FRAME + 1), np.complex64)
        self._spectra = np.zeros((2, FRAME + 1), np.float32)  # power of what was heard, played
        self._played = np.zeros(blocks)
        self._frames = 0
        self._at = self._times = 0

    def feed(
        self, heard: NDArray[np.complex64], played: NDArray[np.complex64]
    ) -> NDArray[np.float32] | None:
        """How loud each block of what is played comes back, as power: shape (blocks,).

        None while that is not clear. Give it the next frame's spectrum, shape (513,), and those
        of what was played, the newest first, shape (blocks, 513).
        """
        self._cross += played.conj() * heard
        self._spectra += np.square(np.abs((heard, played[0])))
        self._played += np.square(np.abs(played)).sum(axis=1) / 2  # a block is two frames long
        self._frames += 1
        alike = self._cross / (np.sqrt(self._spectra[0] * self._spectra[1]) + FAINT)
        peaks = np.abs(np.fft.irfft(alike, axis=1)[:, :FRAME].ravel())
        at = int(peaks.argmax())
        highest, first = peaks[at], at // FRAME
        peaks[max(0, at - BEGINS) : at + ENDS] = 0
        second = int(peaks.argmax())  # another loudspeaker, or a wall
        peaks[max(0, second - BEGINS) : second + ENDS] = 0
        same = abs(at - self._at) < SAME
        clear = highest > CLEARLY * peaks.max() and self._frames >= first + LEAST
        self._times = (self._times + 1 if same else 1) if clear else 0
        self._at = at
        return self._powers(first) if self._times == AGAIN else None

    def _powers(self, first: int) -> NDArray[np.float32]:
        likely = np.full(len(self._played), ELSEWHERE)
        likely[first:] += FADING ** np.arange(len(likely) - first)
        likely[max(0, first - 1)] += FADING  # the highest peak may be a reflection
        powers: NDArray[np.float32] = likely * self._spectra[0].sum() / (likely @ self._played)
        return powers.astype(np.float32)
