"""A loudspeaker for people who read: all sound counts as heard at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voice_kit.types import Audio


class NoSpeaker:
    """Plays nothing and takes no time, so that typed lines are answered as fast as they can be."""

    def open(self, on_start: Callable[[float], None]) -> NoPlayback:
        """A new playback."""
        return NoPlayback(on_start)


class NoPlayback:
    """The sound of one answer that nobody hears. There is nothing to pause, duck or stop."""

    def __init__(self, on_start: Callable[[float], None]) -> None:
        self._on_start = on_start
        self.heard = 0.0

    def play(self, audio: Audio) -> None:
        """Count it as heard."""
        if not self.heard:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._on_start, loop.time())
        self.heard += audio.seconds

    def pause(self) -> None:
        """Nothing: it is over already."""

    go_on = stop = pause

    def duck(self, level: float) -> None:
        """Nothing: it is silent already."""

    async def finished(self) -> None:
        """At once, but after `on_start`."""
        await asyncio.sleep(0)

    async def settled(self) -> float:
        """`heard`, which is final at once."""
        return self.heard
