"""Answers that reach whoever is still sending: a connection that is closed on their hands takes its
answer with it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGERS = 10.0
"""Seconds in which they may come to their end."""
MOST = 200_000_000
"""Bytes that are let go by meanwhile."""


class LetBy:
    """The app; what it does not read of a request is let go by, for a while, once it has answered.

    A proxy, for one, sends all it has before it looks for an answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http" or not _has_body(scope):
            await self.app(scope, receive, send)
            return
        over = False

        async def reading() -> Message:
            nonlocal over
            message = await receive()
            over = not message.get("more_body", False)
            return message

        async def answering(message: Message) -> None:
            if over:
                await send(message)
            elif message["type"] == "http.response.start":
                MutableHeaders(scope=message)["connection"] = "close"
                await send(message)
            else:
                more = message.get("more_body", False)
                await send({**message, "more_body": True})
                if not more:
                    await _let_by(reading)
                    await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self.app(scope, reading, answering)


async def _let_by(receive: Receive) -> None:
    left = MOST
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGERS):
            while left > 0 and (message := await receive()).get("more_body"):
                left -= len(message["body"])


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
