"""A small HTTP server on loopback that does what a test's script says, right or wrong."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Request:
    """What the client asked."""

    line: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"{}")


class Reply:
    """How a script answers: whole, in chunks, or badly."""

    def __init__(self, reader, writer, closed: threading.Event):
        self._reader, self._writer, self._closed = reader, writer, closed
        self.kept_alive = True

    async def json(self, data: Any, status: int = 200) -> None:
        await self.whole(json.dumps(data).encode(), status, "application/json")

    async def whole(self, body: bytes, status: int = 200, kind: str = "text/plain") -> None:
        await self._send(
            f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        await self._send(body)

    async def start(self, kind: str) -> None:
        await self._send(
            f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )

    async def chunk(self, data: bytes) -> None:
        await self._send(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        await self._send(b"0\r\n\r\n")

    async def raw(self, data: bytes) -> None:
        self.kept_alive = False
        await self._send(data)

    async def die(self) -> None:
        """Cut the connection in the middle."""
        self.kept_alive = False
        self._writer.close()

    async def until_the_client_closes(self) -> None:
        self.kept_alive = False
        while await self._reader.read(1024):
            pass
        self._closed.set()

    async def _send(self, data: bytes | str) -> None:
        self._writer.write(data.encode() if isinstance(data, str) else data)
        await self._writer.drain()


Script = Callable[[Request, Reply], Awaitable[None]]


class ScriptedServer:
    """Runs `answer(request, reply)` for each request, in a thread of its own.

    `with ScriptedServer(answer) as server:` gives `server.url`, the `requests` so far, `came`,
    which is set by the first of them, and `closed`, which is set when a client closes while a
    script waits for that. `connections` counts those ever made, `open_connections` those that are
    open now; `all_closed` is set while there is none.
    """

    def __init__(self, answer: Script):
        self._answer = answer
        self.requests: list[Request] = []
        self.came = threading.Event()
        self.closed = threading.Event()
        self.all_closed = threading.Event()
        self.all_closed.set()
        self.connections = self.open_connections = 0

    def __enter__(self):
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)))
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked(self, path: str) -> list[Request]:
        """The requests for a path."""
        return [request for request in self.requests if request.path == path]

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._connections: set[asyncio.Task] = set()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connection(self, reader, writer) -> None:
        task = asyncio.current_task()
        self._connections.add(task)
        self.connections += 1
        self.open_connections += 1
        self.all_closed.clear()
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                self.came.set()
                reply = Reply(reader, writer, self.closed)
                await self._answer(request, reply)
                if not reply.kept_alive:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            self.closed.set()
        except asyncio.CancelledError:
            pass
        finally:
            self.open_connections -= 1
            self._connections.discard(task)
            writer.close()
            if not self.open_connections:
                self.all_closed.set()


async def _read(reader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(first, method, path.partition("?")[0], headers, body)


def sends(*parts: bytes) -> Script:
    """Answers with these chunks."""

    async def answer(request: Request, reply: Reply) -> None:
        await reply.start("application/octet-stream")
        for part in parts:
            await reply.chunk(part)
        await reply.end()

    return answer


def refuses(status: int) -> Script:
    """Refuses, repeating in the body what was sent to it, as some servers do."""

    async def answer(request: Request, reply: Reply) -> None:
        await reply.json({"detail": request.body.decode(errors="replace")}, status)

    return answer


def hangs(*first: bytes) -> Script:
    """Sends these chunks (without any: nothing at all), and then nothing more."""

    async def answer(request: Request, reply: Reply) -> None:
        if first:
            await reply.start("application/octet-stream")
        for part in first:
            await reply.chunk(part)
        await reply.until_the_client_closes()

    return answer


def dies(*first: bytes) -> Script:
    """Sends these chunks and breaks off in the middle of the next."""

    async def answer(request: Request, reply: Reply) -> None:
        await reply.start("application/octet-stream")
        for part in first:
            await reply.chunk(part)
        await reply.raw(b"ffff\r\nhalf")
        await reply.die()

    return answer


def refusing_url() -> str:
    """An address of this machine where nothing listens."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
