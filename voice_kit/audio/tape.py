"""The sound of one answer on its way to a sound card: arithmetic only, no clock and no card."""

from __future__ import annotations

from collections import deque

import numpy as np

from voice_kit.audio.convert import check_rate
from voice_kit.audio.formats import to_float
from voice_kit.audio.resampler import Resampler
from voice_kit.types import Audio, Samples

RAMP = 0.01
"""Seconds in which the loudness goes from nothing to all: a jump would click."""

SLICE = 0.05
"""Seconds converted at a time: a card must never wait for a whole answer to be converted."""

NOTHING: Samples = np.zeros(0, np.float32)


class Tape:
    """Sound given in pieces of any rate, taken in blocks of one rate, and counted.

    After `pause` and `stop` it fades out within `fade` seconds. The fading sound is not counted,
    and comes again after `go_on`. Use it from one thread, or under a lock.
    """

    def __init__(self, rate: int, fade: float = 0.0) -> None:
        check_rate(rate)
        self.rate = rate
        self.paused = False
        self.stopped = False
        self.given = 0.0
        """Seconds of sound that were added."""
        self._taken = 0
        self._played_at_stop = 0.0
        self._sources: deque[Audio] = deque()
        self._offset = 0  # into the first source
        self._resampler: Resampler | None = None
        self._ready: deque[Samples] = deque()
        self._gain = self._level = 1.0
        self._sounding = False  # whether the last sample taken was sound
        self._fade = round(fade * rate)
        self._fading = NOTHING
        self._faded = 0  # how long the fading sound was at first

    @property
    def played(self) -> float:
        """Seconds of the given sound that were taken."""
        if self.stopped:
            return self._played_at_stop
        return self.given if self.drained else min(self.given, self._taken / self.rate)

    @property
    def drained(self) -> bool:
        """Whether everything that was added was taken."""
        return not self._sources and not self._ready and self._resampler is None

    @property
    def idle(self) -> bool:
        """Whether `take` would give nothing now."""
        held = self.paused or self.stopped
        return not len(self._fading) if held else self.drained

    def add(self, audio: Audio) -> None:
        """Append sound. Values that are not numbers become silence."""
        check_rate(audio.rate)
        if not self.stopped and len(audio.samples):
            self._sources.append(audio)
            self.given += audio.seconds

    def take(self, count: int) -> Samples:
        """The next samples: `count` of them, or fewer when there are no more now."""
        if self.paused or self.stopped:
            fading, self._fading = self._fading[:count], self._fading[count:]
            self._sounding = False
            return fading
        samples = self._next(count)
        self._taken += len(samples)
        self._sounding = len(samples) == count
        return self._loud(samples)

    def pause(self) -> None:
        """Give nothing, and keep the place."""
        if not self.paused and not self.stopped:
            self._fade_out()
            self.paused = True

    def go_on(self) -> None:
        """Give again, from the sample where it paused."""
        if self.paused and not self.stopped:
            self.paused = False
            if self._faded:
                self._gain *= len(self._fading) / self._faded
            self._fading, self._faded = NOTHING, 0

    def duck(self, level: float) -> None:
        """Multiply by `level`, in [0, 1], from the next sample on, without a jump."""
        self._level = min(max(level, 0.0), 1.0)
        if not self._sounding:
            self._gain = self._level

    def stop(self) -> None:
        """Give nothing any more. What was taken stays counted."""
        if not self.stopped:
            if not self.paused:
                self._fade_out()
            self._played_at_stop = self.played
            self.stopped = True
            self._sources.clear()
            self._ready.clear()
            self._resampler = None

    def _fade_out(self) -> None:
        if self._fade and self._sounding:
            tail = self._next(self._fade)
            if len(tail):
                self._ready.appendleft(tail)
            falling = np.linspace(self._gain, 0, len(tail), endpoint=False, dtype=np.float32)
            self._fading = tail * falling
            self._faded = len(tail)

    def _loud(self, samples: Samples) -> Samples:
        if self._gain == self._level or not len(samples):
            return samples if self._gain == 1 else samples * np.float32(self._gain)
        steps = np.arange(1, len(samples) + 1, dtype=np.float32) / (RAMP * self.rate)
        if self._gain < self._level:
            gains = np.minimum(self._gain + steps, self._level)
        else:
            gains = np.maximum(self._gain - steps, self._level)
        self._gain = float(gains[-1])
        loud: Samples = (samples * gains).astype(np.float32)
        return loud

    def _next(self, count: int) -> Samples:
        parts: list[Samples] = []
        while count > 0 and (self._ready or self._convert()):
            part = self._ready.popleft()
            if len(part) > count:
                self._ready.appendleft(part[count:])
                part = part[:count]
            parts.append(part)
            count -= len(part)
        return np.concatenate(parts) if parts else NOTHING

    def _convert(self) -> bool:
        """Make more samples ready, perhaps none of them yet; False when there is no more."""
        source = self._sources[0] if self._sources else None
        if self._resampler and (source is None or source.rate != self._resampler.source_rate):
            self._ready.append(self._resampler.end())
            self._resampler = None
            return True
        if source is None:
            return False
        end = self._offset + max(1, int(SLICE * source.rate))
        piece = to_float(source.samples[self._offset : end], live=True)
        self._offset = end
        if end >= len(source.samples):
            self._sources.popleft()
            self._offset = 0
        if source.rate != self.rate and self._resampler is None:
            self._resampler = Resampler(source.rate, self.rate)
        self._ready.append(self._resampler.feed(piece) if self._resampler else piece)
        return True
