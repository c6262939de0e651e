"""The two ends of a conversation of one question: a recording, and whoever takes the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio.awaited import Awaited
from voice_kit.serve.sound_out import RATE_OUT
from voice_kit.types import Audio, Samples

PIECE = RATE_OUT // 10
"""Samples that are taken at once."""


class Known:
    """A detector that has heard the whole recording already: it only looks up what it found."""

    direct = True

    def __init__(self, name: str, chances: NDArray[np.float32]) -> None:
        self.name, self._chances = name, chances

    def start(self) -> int:
        """The number of the first frame."""
        return 0

    def detect(
        self, frames: NDArray[np.float32], states: Sequence[Any]
    ) -> tuple[NDArray[np.float32], list[Any]]:
        """What it found in these frames."""
        found = [self._chances[at] if at < len(self._chances) else 0.0 for at in states]
        return np.array(found, np.float32), [at + 1 for at in states]


class Taker:
    """A loudspeaker whose sound somebody takes, as fast as they like. What they took was heard.

    Nothing is taken before `question_over`: until then the answer may still change.
    """

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._over = self._closed = False
        self._playbacks: list[Taken] = []

    def open(self, on_start: Callable[[float], None]) -> Taken:
        """A new playback."""
        playback = Taken(self.wake, on_start)
        self._playbacks.append(playback)
        return playback

    def question_over(self) -> None:
        """Let the answer be heard."""
        self._over = True
        self.wake()

    def close(self) -> None:
        """No more comes."""
        self._closed = True
        self.wake()

    def wake(self) -> None:
        """Have `sounds` look again."""
        self._changed.set()

    async def sounds(self) -> AsyncGenerator[Samples, None]:
        """The answer, 24 kHz, piece by piece, until it was closed and all was taken."""
        while True:
            self._changed.clear()
            samples = self._next() if self._over else None
            if samples is not None:
                yield samples
            elif self._closed and self._over:
                return
            else:
                await self._changed.wait()

    def _next(self) -> Samples | None:
        for playback in self._playbacks:
            samples = playback.take(PIECE)
            if len(samples):
                return samples
        return None


class Taken(Awaited):
    """The sound of one answer."""

    def __init__(self, wake: Callable[[], None], on_start: Callable[[float], None]) -> None:
        super().__init__(RATE_OUT, 0.0)
        self._tell, self._on_start = wake, on_start
        self._started = False

    def play(self, audio: Audio) -> None:
        """Append sound of any rate."""
        self._tape.add(audio)
        self._tell()

    def pause(self) -> None:
        """Give nothing, and keep the place."""
        self._tape.pause()

    def go_on(self) -> None:
        """Give again."""
        self._tape.go_on()
        self._tell()

    def duck(self, level: float) -> None:
        """Be so loud from now on."""
        self._tape.duck(level)

    def stop(self) -> None:
        """Give nothing any more."""
        self._tape.stop()
        self._wake()
        self._tell()

    def take(self, count: int) -> Samples:
        """The next samples: what is given is heard."""
        samples = self._tape.take(count)
        if len(samples) and not self._started:
            self._started = True
            self._on_start(self._loop.time())
        if self._tape.drained:
            self._wake()
        return samples

    @property
    def heard(self) -> float:
        """Seconds of the given sound that were taken."""
        return self._tape.played

    async def finished(self) -> None:
        """Return once all sound given so far was taken, or when it was stopped."""
        while not self._tape.stopped and not self._tape.drained:
            await self._changed.wait()

    async def settled(self) -> float:
        """`heard`, which is final at once."""
        return self.heard
