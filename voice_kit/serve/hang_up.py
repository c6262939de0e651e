"""Closes the socket of a client that reads nothing: it cannot be told, and is not waited for."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

NAME = "voice_kit.send"
PATIENCE = 5.0
"""Seconds in which it may still read why."""
LONGEST = 123
"""Bytes of a reason that fit into the frame which closes a socket."""


class Reachable:
    """The app, which can reach the server's own end of each socket."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] == "websocket":
            scope = {**scope, NAME: send}
        await self.app(scope, receive, send)


def hang_up(socket: Any, code: int, reason: str) -> None:
    """Say why, behind all that it has not read, and cut the connection 5 s later."""
    protocol = getattr(socket.scope.get(NAME), "__self__", None)
    transport = getattr(protocol, "transport", None)
    if protocol is None or transport is None or transport.is_closing():
        return
    connection = getattr(protocol, "conn", None)
    if connection is not None and not protocol.close_sent:
        connection.send_close(code, shortened(reason))
        transport.write(b"".join(connection.data_to_send()))
        protocol.close_sent = True
    transport.close()
    asyncio.get_running_loop().call_later(PATIENCE, transport.abort)


def shortened(reason: str) -> str:
    """As much of it as a socket can be closed with."""
    return reason.encode(errors="replace")[:LONGEST].decode(errors="ignore")
