"""Answers that are poured out as they are made, and end when nobody takes them any more."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Response
from starlette.types import Receive, Scope, Send

from voice_kit.serve.problems import problem_of, told

log = logging.getLogger(__name__)

STALLED = 30.0
"""Seconds in which something must be taken, or nobody is thought to be there."""


class Pour:
    """Where an answer goes: `await pour(data)`. With the first of it the headers are sent."""

    def __init__(self, response: Response, send: Send) -> None:
        self.headers = response.headers
        """May be changed until something was poured."""
        self.begun = False
        self._response, self._send = response, send

    async def __call__(self, data: bytes) -> None:
        """Send this. Returns once there is room for more."""
        async with asyncio.timeout(STALLED):
            if not self.begun:
                self.begun = True
                await self._send(
                    {
                        "type": "http.response.start",
                        "status": self._response.status_code,
                        "headers": self._response.raw_headers,
                    }
                )
            if data:
                await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def all(self, data: bytes) -> None:
        """Send this, and it is all."""
        self.headers["content-length"] = str(len(data))
        await self(data)

    async def json(self, tree: Any) -> None:
        """Send this as JSON, and it is all."""
        await self.all(as_json(tree))


class Poured(Response):
    """What `work` pours. It is cancelled when the client is gone.

    What fails before anything was sent is told as a problem; after that the answer breaks off,
    so that nobody takes it for the whole.
    """

    def __init__(
        self, work: Callable[[Pour], Awaitable[None]], media_type: str = "application/json"
    ) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        async with asyncio.TaskGroup() as both:
            work = both.create_task(self._pour(Pour(self, send), scope, receive, send))
            watch = both.create_task(_until_gone(receive, work))
            work.add_done_callback(lambda _: watch.cancel())

    async def _pour(self, pour: Pour, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._work(pour)
            await pour(b"")
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except Exception as error:
            problem = problem_of(error)
            if not pour.begun and problem is not None:
                await told(problem)(scope, receive, send)
            elif problem is None and not isinstance(error, TimeoutError | OSError):
                raise
            else:
                log.warning("an answer broke off: %s", type(error).__name__)


def event(tree: dict[str, Any]) -> bytes:
    """One of the server-sent events that OpenAI's clients read as a stream."""
    return b"data: " + as_json(tree) + b"\n\n"


def as_json(tree: Any) -> bytes:
    """The same as JSON; half a surrogate pair, which cannot be sent, is “?”."""
    return json.dumps(tree, ensure_ascii=False).encode(errors="replace")


async def _until_gone(receive: Receive, work: asyncio.Task[None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    work.cancel()
