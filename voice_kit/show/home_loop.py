"""The event loop that a widget lives on, for what a browser says on any thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress


class HomeLoop:
    """Calls things on the event loop on which it was made; at once while there is none."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        with suppress(RuntimeError):
            self.here()

    def here(self) -> None:
        """From now on, call on the event loop that runs here."""
        self._loop = asyncio.get_running_loop()

    def soon(self, call: Callable[..., object], *given: object) -> None:
        """Call this with what is given, from whatever thread."""
        if self._loop is None or not self._loop.is_running():
            call(*given)
        else:
            self._loop.call_soon_threadsafe(call, *given)
