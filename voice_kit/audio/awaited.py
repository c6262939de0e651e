"""What all playbacks share: someone waits until the sound was heard."""

from __future__ import annotations

import asyncio

from voice_kit.audio.tape import Tape


class Awaited:
    """A tape of which someone awaits the end, in the event loop's time."""

    def __init__(self, rate: int, fade: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._tape = Tape(rate, fade)
        self._changed = asyncio.Event()

    @property
    def heard(self) -> float:
        """Seconds of the given sound that have left the loudspeaker."""
        raise NotImplementedError

    async def finished(self) -> None:
        """Return once all sound given so far was heard, or when it was stopped.

        Raises `AudioError` when the loudspeaker is unplugged meanwhile.
        """
        target = self._tape.given
        while not self._tape.stopped and not self._closed():
            left = target - self.heard
            if left < 0.5 / self._tape.rate:
                return
            changed = self._changed
            try:
                async with asyncio.timeout(None if self._tape.paused else left):
                    await changed.wait()
            except TimeoutError:
                continue

    def _closed(self) -> bool:
        """Whether the loudspeaker was closed. Raises `AudioError` if it went by itself."""
        return False

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
