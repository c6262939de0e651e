"""Two loudspeakers as one."""

from __future__ import annotations

from collections.abc import Callable

from voice_kit.audio.protocols import Playback, Speaker
from voice_kit.types import Audio


class Both:
    """Two loudspeakers that play the same: one to keep it, one to hear it. The second decides."""

    def __init__(self, first: Speaker, second: Speaker) -> None:
        self._speakers = first, second

    def open(self, on_start: Callable[[float], None]) -> Playback:
        """A playback on both."""
        first, second = self._speakers
        return _BothPlay(first.open(lambda _: None), second.open(on_start))


class _BothPlay:
    def __init__(self, first: Playback, second: Playback) -> None:
        self._first, self._second = first, second

    def play(self, audio: Audio) -> None:
        self._first.play(audio)
        self._second.play(audio)

    def pause(self) -> None:
        self._first.pause()
        self._second.pause()

    def go_on(self) -> None:
        self._first.go_on()
        self._second.go_on()

    def duck(self, level: float) -> None:
        self._first.duck(level)
        self._second.duck(level)

    def stop(self) -> None:
        self._first.stop()
        self._second.stop()

    @property
    def heard(self) -> float:
        return self._second.heard

    async def finished(self) -> None:
        await self._second.finished()

    async def settled(self) -> float:
        return await self._second.settled()
