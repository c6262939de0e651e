"""Lets a message through to a browser at most so many times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

MOST = 10.0
"""Messages a second, a third of the frames: all that goes to the page queues for one
connection, and what is to be heard at once must not wait behind what is only looked at."""

SOON = 0.02
"""Seconds that even the first waits, for the same reason: what happens is told first to those who
look on, and only then does it sound."""


class Trickle:
    """Calls `send` when asked to, a little later; what gathers meanwhile goes along."""

    def __init__(self, send: Callable[[], None]) -> None:
        self._send = send
        self._next = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None  # on which a call is due

    def __call__(self) -> None:
        """There is something to send. Call on the event loop; without one it goes at once, or has
        to wait for the next call."""
        if self._loop is not None and not self._loop.is_closed():
            return
        wait = self._next - monotonic()
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            if wait <= 0:
                self._now()
        else:
            self._loop.call_later(max(wait, SOON), self._now)

    @property
    def waiting(self) -> bool:
        """Whether something is still to be sent."""
        return self._loop is not None

    def _now(self) -> None:
        self._loop, self._next = None, monotonic() + 1 / MOST
        self._send()
