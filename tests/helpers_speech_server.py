"""A small real server on this machine that speaks, or misbehaves as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

Answer = Callable[["Request", asyncio.StreamWriter], Coroutine[Any, Any, None]]


@dataclass
class Request:
    """What the client sent."""

    line: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class SpeechServer:
    """Answers every request with `answer`, and remembers them."""

    answer: Answer
    url: str = ""
    connections: int = 0
    requests: list[Request] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a client has closed a connection."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := (await reader.readline()).decode().strip():
                headers = {}
                while header := (await reader.readline()).decode().strip():
                    name, _, value = header.partition(": ")
                    headers[name.lower()] = value
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.requests.append(Request(line, headers, json.loads(body or b"{}")))
                self.asked.set()
                await self.answer(self.requests[-1], writer)
                if writer.is_closing():
                    return
        self.left.set()
        writer.close()


@contextlib.asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[SpeechServer]:
    """A server at `.url` for as long as the block runs."""
    speaking = SpeechServer(answer)
    server = await asyncio.start_server(speaking._serve, "127.0.0.1", 0)
    speaking.url = "http://127.0.0.1:{1}".format(*server.sockets[0].getsockname())
    try:
        yield speaking
    finally:
        server.close()


def begin(writer: asyncio.StreamWriter, kind: str = "application/octet-stream") -> None:
    """The head of a good answer, whose body comes in chunks."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head.encode())


async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
    """One chunk, on its way before this returns."""
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))
    await writer.drain()


def chunks(*parts: bytes) -> Answer:
    """Answers with these chunks."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        begin(writer)
        for part in parts:
            await send(writer, part)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    return answer


def status(code: int) -> Answer:
    """Refuses, repeating in the body what was sent to it, as some servers do."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        body = json.dumps({"detail": request.body}).encode()
        writer.write(b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n%b" % (code, len(body), body))
        await writer.drain()

    return answer


def hangs(*first: bytes) -> Answer:
    """Sends these chunks (without any: nothing at all), and then nothing more."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        if first:
            begin(writer)
        for part in first:
            await send(writer, part)

    return answer


def dies(*first: bytes) -> Answer:
    """Sends these chunks and breaks off in the middle of the next."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        begin(writer)
        for part in first:
            await send(writer, part)
        writer.write(b"ffff\r\nhalf")
        await writer.drain()
        writer.close()

    return answer
