"""The sound card's microphone, in frames."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio import card_devices as card
from voice_kit.audio.formats import to_float
from voice_kit.audio.resampler import Resampler
from voice_kit.errors import AudioError
from voice_kit.types import FRAME, RATE, Samples

PATIENCE = 2.0
"""Seconds without any sound, not even silence, after which a microphone counts as gone."""

KEPT = 312
"""Frames kept for a listener who is late: 10 s."""

SILENCE: Samples = np.zeros(FRAME, np.float32)
SILENCE.flags.writeable = False


class Microphone:
    """The sound card's microphone.

    ```python
    async with Microphone() as frames:
        async for frame in frames:
            ...
    ```

    Sound that is lost, because the listener was 10 s late or the machine too busy, becomes
    silence of the same length, so that counting samples still tells the time.
    """

    open_air = True
    """It hears the loudspeaker beside it; a file or a browser's microphone does not."""

    def __init__(self, device: int | str | None = None) -> None:
        self.device = device
        self.lost = 0.0
        """Seconds of sound that were lost."""
        self._lock = threading.Lock()
        self._kept: deque[Samples] = deque()
        self._owed = 0  # frames dropped, which the listener gets as silence first
        self._rest: Samples = np.zeros(0, np.float32)  # less than a frame
        self._gone = False
        self._waking = False
        self._end = 0.0  # of the last block, on the card's clock

    async def __aenter__(self) -> Microphone:
        """Start to listen. Raises `AudioError` when there is no microphone that can be used."""
        found = card.find("input", self.device)
        rate = RATE if card.can("input", found, RATE, 1) else found.rate
        channels = 1 if card.can("input", found, rate, 1) else min(found.inputs, 2)
        self._resampler = Resampler(rate, RATE)
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._stream = card.open_stream(
            "input",
            found,
            rate,
            channels,
            blocksize=round(rate * FRAME / RATE),
            latency="low",
            callback=self._hear,
            finished_callback=self._finish,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stream.close()

    async def __aiter__(self) -> AsyncIterator[Samples]:
        """The frames, as they come. Raises `AudioError` when the microphone is unplugged."""
        while True:
            frame = self._next()
            if frame is not None:
                yield frame
                continue
            if self._gone:
                raise AudioError("The microphone is gone. Plug it in and start again.")
            self._arrived.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._arrived.wait()
            except TimeoutError:
                self._gone = not self._kept  # or the event loop was busy for so long

    def _next(self) -> Samples | None:
        with self._lock:
            if self._owed:
                self._owed -= 1
                return SILENCE
            return self._kept.popleft() if self._kept else None

    def _hear(self, block: NDArray[Any], count: int, time: Any, status: Any) -> None:
        """Called by PortAudio, in its thread, with a block that it will overwrite."""
        sound = to_float(block, live=True)
        rate = self._resampler.source_rate
        if status.input_overflow and self._end:
            gap = min(max(0.0, time.inputBufferAdcTime - self._end), 10.0)
            self.lost += gap
            sound = np.concatenate([np.zeros(round(gap * rate), np.float32), sound])
        if time.inputBufferAdcTime:
            self._end = time.inputBufferAdcTime + count / rate
        with self._lock:
            self._keep(np.concatenate([self._rest, self._resampler.feed(sound)]))
        self._wake()

    def _keep(self, sound: Samples) -> None:
        whole = len(sound) - len(sound) % FRAME
        self._rest = sound[whole:]
        self._kept.extend(sound[:whole].reshape(-1, FRAME))
        while len(self._kept) > KEPT:
            self._kept.popleft()
            self._owed += 1
            self.lost += FRAME / RATE

    def _finish(self) -> None:
        """Called by PortAudio when the stream has ended, which nobody but us should do."""
        self._gone = True
        self._wake()

    def _wake(self) -> None:
        if not self._waking:  # else a busy loop would collect one call for each block
            self._waking = True
            with suppress(RuntimeError):  # the loop was closed: nobody listens
                self._loop.call_soon_threadsafe(self._awake)

    def _awake(self) -> None:
        self._waking = False
        self._arrived.set()
