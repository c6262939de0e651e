"""Notices that something is waited for in vain: one timer for many waits, most of them short."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Patience:
    """Calls `gone` when a wait has lasted for so many seconds, while this is open.

    A timer for each wait for a frame would cost a twentieth of what hearing the frame does.
    """

    def __init__(
        self, seconds: float, since: Callable[[], float | None], gone: Callable[[], object]
    ) -> None:
        """`since` says when the present wait began, in loop time; None while there is none."""
        self._seconds, self._since, self._gone = seconds, since, gone
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle

    def __enter__(self) -> None:
        self._timer = self._loop.call_later(self._seconds, self._look)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        since, left = self._since(), self._seconds
        if since is not None and (left := since + self._seconds - self._loop.time()) <= 0:
            self._gone()
            left = self._seconds
        self._timer = self._loop.call_later(left, self._look)
