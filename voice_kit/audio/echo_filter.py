"""Learns how our own voice comes back into the microphone, and takes it out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio.echo_delay import EchoDelay
from voice_kit.types import FRAME, Samples

Spectra = NDArray[np.complex64]
BLOCKS = 18
"""Frames of the past that may still be heard: 0.58 s, for 0.25 s of delay and a room."""
FORGET = 0.9995
"""How much of what was learnt is believed after a frame: all of it is open again in a minute."""
NOISE = 0.5
"""How much the estimate of all that is no echo moves with a frame."""
YOUNG, AGAIN = 60, 4
"""In its first frames, 2 s, it learns with each new one from so many earlier ones again."""
AT_ONCE = 8
"""From so many it learns as soon as it is known when our voice comes back."""
LOUDER = 4
"""So many times the power that was found then is thought possible."""
FITS = 0.25
"""Our voice comes back as it was known if it does so by no more than this louder or softer."""


@dataclass(slots=True)
class Moment:
    """A frame, to be learnt from more than once."""

    heard: Samples
    played: Spectra
    """Spectra of what may be heard in it, the newest first: shape (BLOCKS, 513)."""
    other: NDArray[np.float32] | None
    """Power of what is no echo; None while nothing is known."""


class EchoFilter:
    """An adaptive filter that goes on learning while someone speaks over us.

    A partitioned-block frequency-domain Kalman filter: Enzner and Vary (2006), "Frequency-Domain
    Adaptive Kalman Filter for Acoustic Echo Control in Hands-Free Telephones", and Kuech et al.
    (2014), "State-Space Architecture of the Partitioned-Block-Based Acoustic Echo Controller".
    How sure it is of each part of the path decides how much it learns from an error; speech that
    is no echo makes the error large and unlikely, so that little is learnt from it.

    It learns once it is known when our voice comes back. Until then it takes out what it knew
    before: at first nothing. What is new is learnt sooner by going over the same seconds again and
    again.
    """

    def __init__(self, found: Callable[[NDArray[np.float32] | None], None]) -> None:
        """`found` is told how loud each block comes back, as power, once that is known; None if
        that is as it was."""
        bins = FRAME + 1
        self._found = found
        self._played = np.zeros((BLOCKS, bins), np.complex64)  # spectra, the newest first
        self._path = np.zeros((BLOCKS, bins), np.complex64)
        self._doubt = np.zeros((BLOCKS, bins), np.float32)  # variance of each part of the path
        self._last: Samples = np.zeros(FRAME, np.float32)
        self._kept = False  # what was known, the last time that it was looked for
        self.look_again()

    def look_again(self) -> None:
        """The path may have changed: look for it before anything else is learnt, and keep to what
        is known until then."""
        self._delay: EchoDelay | None = EchoDelay(BLOCKS)
        self._earlier = deque[Moment](maxlen=YOUNG)
        self._other: NDArray[np.float32] | None = None
        self._young = YOUNG
        self._alike = np.zeros(2)  # what was heard, and what was expected, against the latter

    def feed(self, heard: Samples, played: Samples) -> Samples:
        """What was heard, less our voice. All have shape (512,), 16 kHz."""
        block = np.concatenate((self._last, played))
        self._last = played
        self._played[1:] = self._played[:-1]
        self._played[0] = np.fft.rfft(block)
        now = Moment(heard, self._played.copy(), self._other)
        rest = self._left(now)
        if self._delay is not None:
            self._find(self._delay, heard, heard - rest)
        else:
            self._follow(now, rest)
        if self._young:
            self._earlier.append(now)
        return rest

    def _left(self, moment: Moment) -> Samples:
        echo = np.fft.irfft((moment.played * self._path).sum(axis=0))[FRAME:]
        return moment.heard - echo.astype(np.float32)

    def _follow(self, now: Moment, rest: Samples) -> None:
        """Learn from this moment, and how sure it is now."""
        gain = self._learn(now, rest)
        self._other = now.other
        sure = 1 - 0.5 * (gain * now.played).real
        self._doubt = (
            FORGET**2 * sure * self._doubt + (1 - FORGET**2) * np.abs(self._path) ** 2 + 1e-10
        ).astype(np.float32)
        if self._young:
            self._learn_again(AGAIN)
            self._young -= 1
        else:
            self._earlier.clear()

    def _learn(self, moment: Moment, rest: Samples) -> Spectra:
        """Improve the path by what is left of a moment; and how much was learnt."""
        error = _spectrum(rest)
        power = np.square(np.abs(error))
        before = power if moment.other is None else moment.other
        other = moment.other = ((1 - NOISE) * before + NOISE * power).astype(np.float32)
        known = (np.square(np.abs(moment.played)) * self._doubt).sum(axis=0)
        gain: Spectra = self._doubt * moment.played.conj() / (known + 2 * other + 1e-8)
        step = np.fft.irfft(gain * error, axis=1)
        step[:, FRAME:] = 0  # a path of this length only
        self._path += np.fft.rfft(step, axis=1).astype(np.complex64)
        return gain

    def _learn_again(self, times: int) -> None:
        """From so many earlier moments, evenly spread over all of them."""
        spread = (np.arange(times) + 0.5) / times * len(self._earlier)
        for at in dict.fromkeys(spread.astype(int) if self._earlier else ()):
            moment = self._earlier[at]
            self._learn(moment, self._left(moment))

    def _find(self, delay: EchoDelay, heard: Samples, echo: Samples) -> None:
        """Begin where our voice comes back, once that is known; or go on, if what was known still
        fits: somebody who says a word and falls silent has changed nothing. Not twice in a row: an
        echo may have come to the one that was known."""
        power = delay.feed(_spectrum(heard), self._played)
        self._alike += np.dot(heard, echo), np.dot(echo, echo)
        if power is None:
            return
        self._delay = None
        alike, known = self._alike
        self._kept = not self._kept and bool(abs(alike - known) < FITS * known)
        if self._kept:
            self._young = 0
            self._found(None)
        else:
            self._path[:] = 0
            self._doubt[:] = np.minimum(1, LOUDER * power)[:, np.newaxis]
            self._learn_again(AT_ONCE)
            self._found(power)


def _spectrum(frame: Samples) -> Spectra:
    spectrum: Spectra = np.fft.rfft(np.pad(frame, (FRAME, 0))).astype(np.complex64)
    return spectrum
