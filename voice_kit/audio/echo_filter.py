"""Learns how our own voice comes back into the microphone, and takes it out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voice_kit.types import FRAME, Samples

BLOCKS = 18
"""Frames of the past that may still be heard: 0.58 s, for 0.25 s of delay and a room."""
FORGET = 0.9995
"""How much of what was learnt is believed after a frame: all of it is open again in a minute."""
FOUND, ELSEWHERE, FADING = 16, 0.01, 0.3
"""After so many frames it is known when our voice comes back. How likely it comes at other times,
and how much of it one frame later."""
NOISE = 0.5
"""How much the estimate of all that is no echo moves with a frame."""


class EchoFilter:
    """An adaptive filter that goes on learning while someone speaks over us.

    A partitioned-block frequency-domain Kalman filter: Enzner and Vary (2006), "Frequency-Domain
    Adaptive Kalman Filter for Acoustic Echo Control in Hands-Free Telephones", and Kuech et al.
    (2014), "State-Space Architecture of the Partitioned-Block-Based Acoustic Echo Controller".
    How sure it is of each part of the path decides how much it learns from an error; speech that
    is no echo makes the error large and unlikely, so that little is learnt from it.
    """

    def __init__(self) -> None:
        bins = FRAME + 1
        self._played = np.zeros((BLOCKS, bins), np.complex64)  # spectra, the newest first
        self._path = np.zeros((BLOCKS, bins), np.complex64)
        self._doubt = np.ones((BLOCKS, bins), np.float32)  # variance of each part of the path
        self._other: NDArray[np.float32] | None = None  # power of what is no echo
        self._last: Samples = np.zeros(FRAME, np.float32)
        self._frames = 0

    def doubt(self) -> None:
        """The path may have changed."""
        self._doubt[:], self._frames = 1, 0

    def feed(self, heard: Samples, played: Samples) -> Samples:
        """What was heard, less our voice. All have shape (512,), 16 kHz."""
        block = np.concatenate((self._last, played))
        self._last = played
        self._played[1:] = self._played[:-1]
        self._played[0] = np.fft.rfft(block)
        echo = np.fft.irfft((self._played * self._path).sum(axis=0))[FRAME:].astype(np.float32)
        rest: Samples = heard - echo
        self._learn(rest)
        return rest

    def _learn(self, rest: Samples) -> None:
        error = np.fft.rfft(np.concatenate((np.zeros(FRAME, np.float32), rest)))
        power = (np.abs(error) ** 2).astype(np.float32)
        if self._other is None:
            self._other = power
        self._other = (1 - NOISE) * self._other + NOISE * power
        known = (np.abs(self._played) ** 2 * self._doubt).sum(axis=0)
        gain = self._doubt * self._played.conj() / (known + 2 * self._other + 1e-8)
        step = np.fft.irfft(self._path + gain * error, axis=1)
        step[:, FRAME:] = 0  # a path of this length only
        self._path = np.fft.rfft(step, axis=1).astype(np.complex64)
        sure = 1 - 0.5 * (gain * self._played).real
        self._doubt = (
            FORGET**2 * sure * self._doubt + (1 - FORGET**2) * np.abs(self._path) ** 2 + 1e-10
        ).astype(np.float32)
        self._frames += 1
        if self._frames == FOUND:
            self._find()

    def _find(self) -> None:
        """Doubt less of those parts of the path where little was found: an echo has one delay."""
        found = np.square(np.abs(self._path)).mean(axis=1)
        for block in range(1, BLOCKS):
            found[block] = max(found[block], FADING * found[block - 1])
        likely = ELSEWHERE + found / (found.max() + 1e-12)
        self._doubt = np.minimum(self._doubt, likely[:, np.newaxis]).astype(np.float32)
