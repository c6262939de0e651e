"""A message that is too big is let by, and told of like any other: its sender hears why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import PayloadTooBig
from websockets.frames import CloseCode
from websockets.server import ServerProtocol

SIZE = "voice_kit.size"
"""In an ASGI message: how many bytes were sent, of which none are here."""

LINGERS = 1.0
"""Seconds after which a connection with TLS is closed on somebody who sent too much."""


def message_of(message: Mapping[str, Any]) -> tuple[str | bytes, int]:
    """What a client has sent, and its bytes on the wire."""
    text = message.get("text")
    taken: str | bytes = (message.get("bytes") or b"") if text is None else text
    return taken, message.get(SIZE) or size_of(taken)


def size_of(message: str | bytes) -> int:
    """Its bytes on the wire."""
    if isinstance(message, bytes) or message.isascii():
        return len(message)
    return len(message.encode(errors="surrogatepass"))


class Unhurried(ServerProtocol):
    """Leaves it to the app to close a connection on which too much was sent."""

    def fail(self, code: CloseCode | int, reason: str = "") -> None:
        """Close it for every other reason."""
        if code != CloseCode.MESSAGE_TOO_BIG:
            super().fail(code, reason)


class Sockets(WebSocketsSansIOProtocol):
    """uvicorn's end of a socket, on which nothing more is read after a message that is too big.

    The app gets it as bytes without any, with its `SIZE`. What still comes is let by until the
    client has gone, or ten seconds after the app has closed, and with TLS `LINGERS`: a connection
    that is closed on the hands of somebody who sends takes its last words with it.
    """

    def __init__(self, *how: Any, **more: Any) -> None:
        super().__init__(*how, **more)
        self.conn = Unhurried(max_size=self.config.ws_max_size, logger=self.conn.logger)

    def data_received(self, data: bytes) -> None:
        """Take in what has come."""
        if self.conn.parser_exc is None:
            super().data_received(data)

    def handle_parser_exception(self) -> None:
        """Tell the app of what is wrong with it."""
        wrong = self.conn.parser_exc
        if not isinstance(wrong, PayloadTooBig):
            super().handle_parser_exception()
            return
        self.handle_events()  # what came before it
        self.frames = []
        self.conn.reader.discard()
        size = (wrong.size or 0) + (wrong.current_size or 0)
        message: Any = {"type": "websocket.receive", "bytes": b"", SIZE: size}
        self.queue.put_nowait(message)

    async def send(self, message: Any) -> None:
        """Send it. One who sends too much, and closes only when we do, is told that we have."""
        await super().send(message)
        closes = message["type"] == "websocket.close" and self.conn.parser_exc is not None
        if closes and not self.transport.is_closing():
            if self.transport.can_write_eof():
                self.transport.write_eof()
            else:  # TLS cannot end one direction, and who still sends loses what is on its way
                self.loop.call_later(LINGERS, self.transport.close)
