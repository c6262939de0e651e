"""A microphone at the other end of a socket: time is counted in its samples."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from functools import partial

import numpy as np

from voice_kit.audio.formats import to_float
from voice_kit.audio.resampler import Resampler
from voice_kit.serve.patience import Patience
from voice_kit.serve.protocol import OUT_RATE, Silence, Sound
from voice_kit.types import FRAME, RATE, Samples

IDLE = 1.5
"""Seconds without sound from a client after which what was said so far is all."""
LOST = 313
"""Frames, 10 s: where more than these are missing, the client has begun to count anew."""
FULL_SCALE = np.float32(1 / 32768)
SWALLOW = 16
"""Frames heard in a row before others have a turn, when they come all at once."""


class SocketMicrophone:
    """Frames as they come in, shape (512,), 16 kHz. Their numbers are the clock."""

    def __init__(self) -> None:
        self.heard = 0
        """Frames that were given on."""
        self.lost = 0
        """Frames that were missing, by their numbers, and became silence."""
        # An int is so many frames of silence; None is where a turn ends, whatever follows.
        self._queue: deque[Samples | int | None] = deque()
        self._next: int | None = None
        self._part: Samples = np.zeros(0, np.float32)
        self._resampler = Resampler(OUT_RATE, RATE)
        self._bell: asyncio.Future[bool] | None = None
        self._since = 0.0  # when it began to wait for sound, in loop time
        self.closed = False

    def take(self, message: Sound | Silence) -> None:
        """Hear these frames in the place that their number gives them."""
        count = message.count if isinstance(message, Silence) else len(message.frames)
        missing, known = self._place(message.number, count)
        self.lost += missing
        if missing:
            self._queue.append(missing)
        if isinstance(message, Silence):
            self._queue.append(count - known)
        else:
            self._queue.extend(message.frames[known:] * FULL_SCALE)
        self._next = (message.number + count) & 0xFFFFFFFF if count > known else self._next
        self._ring(True)

    def seconds(self, message: Sound | Silence) -> float:
        """How much sound this message is, with what is missing before it."""
        count = message.count if isinstance(message, Silence) else len(message.frames)
        missing, known = self._place(message.number, count)
        return (missing + count - known) * FRAME / RATE

    def _place(self, number: int, count: int) -> tuple[int, int]:
        """How many frames are missing before these, and how many of these are there already."""
        if number == self._next or self._next is None or not number:
            return 0, 0
        gap = (number - self._next) & 0xFFFFFFFF
        again = -gap & 0xFFFFFFFF
        if again <= LOST:
            return 0, min(again, count)
        return (gap, 0) if gap <= LOST else (0, 0)

    def pcm(self, data: bytes, rate: int = OUT_RATE) -> None:
        """Hear int16 samples of any length."""
        if rate != self._resampler.source_rate:
            self._resampler = Resampler(rate, RATE)
        samples = self._resampler.feed(to_float(np.frombuffer(data, "<i2")))
        whole = np.concatenate([self._part, samples])
        frames = len(whole) // FRAME
        self._queue.extend(whole[: frames * FRAME].reshape(-1, FRAME))
        self._part = whole[frames * FRAME :]
        self._ring(True)

    def finish(self) -> None:
        """What came so far is all of a turn."""
        rest = np.concatenate([self._part, self._resampler.end()])
        missing = -len(rest) % FRAME
        self._queue.extend(np.pad(rest, (0, missing)).reshape(-1, FRAME))
        self._part = rest[:0]
        self._queue.append(None)
        self._ring(True)

    def clear(self) -> None:
        """Forget what was not given on yet."""
        self._queue.clear()
        self._part = self._part[:0]

    def close(self) -> None:
        """Nothing more comes."""
        self.closed = True
        self._ring(True)

    async def ready(self) -> bool:
        """Wait for sound, however long; False once nothing comes any more."""
        while not self._queue and not self.closed:
            await self._wait()
        return bool(self._queue)

    async def frames(self) -> AsyncGenerator[Samples, None]:
        """Every frame, until a turn ends by what its speaker says, none has come for a while, or
        nothing more comes."""
        silence: Samples = np.zeros(FRAME, np.float32)
        with Patience(IDLE, self._waits, partial(self._ring, False)):
            while self._queue or (not self.closed and await self._wait()):
                burst = 0
                while self._queue:
                    first = self._queue.popleft()
                    if first is None:
                        return
                    if isinstance(first, int):
                        if first > 1:
                            self._queue.appendleft(first - 1)
                        if first < 1:
                            continue
                        first = silence
                    self.heard += 1
                    burst += 1
                    if not burst % SWALLOW:
                        await asyncio.sleep(0)
                    yield first

    def _waits(self) -> float | None:
        return self._since if self._bell else None

    async def _wait(self) -> bool:
        loop = asyncio.get_running_loop()
        self._bell, self._since = loop.create_future(), loop.time()
        try:
            return await self._bell
        finally:
            self._bell = None

    def _ring(self, came: bool) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(came)
