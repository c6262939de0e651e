"""Lets a message through to a browser at most so many times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

MOST = 10.0
"""Messages a second, a third of the frames: all that goes to the page queues for one
connection, and what is to be heard at once must not wait behind what is only looked at."""


class Trickle:
    """Calls `send` when asked to, at once or a little later; what gathers meanwhile goes along."""

    def __init__(self, send: Callable[[], None]) -> None:
        self._send = send
        self._next = 0.0
        self._waiting = False

    def __call__(self) -> None:
        """There is something to send. Call on the event loop; without one it may have to wait
        for the next call."""
        if self._waiting:
            return
        wait = self._next - monotonic()
        if wait <= 0:
            self._now()
            return
        try:
            asyncio.get_running_loop().call_later(wait, self._now)
            self._waiting = True
        except RuntimeError:
            pass  # no loop: the next call takes it along

    def _now(self) -> None:
        self._waiting, self._next = False, monotonic() + 1 / MOST
        self._send()
