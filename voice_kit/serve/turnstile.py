"""Lets only so many requests compute at once: whoever talks live is not to wait for files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request

from voice_kit.serve.problems import Problem

WAIT = 10.0
"""Seconds that a request waits for its turn."""


class Turnstile:
    """`async with turnstile.turn():` is for one of `at_once`. Belongs to one event loop."""

    def __init__(self, at_once: int = 0) -> None:
        """Half of the machine's cores, unless it is told."""
        self._free = asyncio.Semaphore(at_once or max(1, (os.cpu_count() or 2) // 2))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[float]:
        """Seconds that this has waited. Raises `Problem` when it would be too many."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(WAIT):
                await self._free.acquire()
        except TimeoutError as error:
            busy = "Too much is being computed here. Try again in a moment."
            raise Problem(busy, 503, code="busy", retry_after=WAIT) from error
        try:
            yield loop.time() - began
        finally:
            self._free.release()


def turnstile_of(request: Request, name: str = "turnstile") -> Turnstile:
    """The one of this app that has this name."""
    state = request.app.state
    if not hasattr(state, name):
        setattr(state, name, Turnstile())
    found: Turnstile = getattr(state, name)
    return found
