"""What is to be sent to a client: bounded, for a client may stop to read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

MOST = 4_000_000
"""Bytes that may wait: more than an answer's sound that is sent ahead."""
PATIENCE = 15.0
"""Seconds in which a client has to take in a message."""

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Outbox:
    """Messages in their order. One that is not taken in makes the client too slow."""

    def __init__(self, on_slow: Callable[[], None]) -> None:
        self._waiting: deque[str | bytes] = deque()
        self._size = 0
        self._on_slow = on_slow
        self._bell = asyncio.Event()
        self._sent = asyncio.Event()
        self._closed = False

    def put(self, message: str | bytes) -> None:
        """Send this once all before it was. Returns at once."""
        if self._closed:
            return
        self._size += len(message)
        if self._size > MOST:
            self._slow()
            return
        self._waiting.append(message)
        self._bell.set()

    def close(self) -> None:
        """Take nothing more."""
        self._closed = True
        self._bell.set()

    async def run(self, send: Send) -> None:
        """Send what is put in, until it is closed and empty, or the client is too slow."""
        loop = asyncio.get_running_loop()
        while self._waiting or not self._closed:
            self._bell.clear()
            if not self._waiting:
                await self._bell.wait()
                continue
            alarm = loop.call_later(PATIENCE, self._slow)
            try:
                while self._waiting:
                    message = self._waiting.popleft()
                    self._size -= len(message)
                    kind = "text" if isinstance(message, str) else "bytes"
                    await send({"type": "websocket.send", kind: message})
                    alarm.cancel()
                    alarm = loop.call_later(PATIENCE, self._slow)
            finally:
                alarm.cancel()

    def _slow(self) -> None:
        if not self._closed:
            self.close()
            self._waiting.clear()
            self._on_slow()
