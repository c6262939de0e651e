"""Clients: one for each event loop, closed with it, whose libraries log nothing that was said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Generic, TypeVar

from voice_kit.errors import MissingEngineError, VoiceKitError
from voice_kit.remote.servers import CONNECT, Server, near

Client = TypeVar("Client")
Item = TypeVar("Item")

KEPT = 60.0
"""Seconds that a connection is kept between two turns: opening one costs a tenth of a second."""


class PerLoop(Generic[Client]):
    """One client for each event loop that asks for it, closed when its loop or this object ends.

    A connection belongs to the loop that opened it, and each `asyncio.run` is a new loop.
    """

    def __init__(
        self, make: Callable[[], Client], close: Callable[[Client], Awaitable[None]]
    ) -> None:
        self._make = make
        self._close = close
        self._kept: dict[asyncio.AbstractEventLoop, tuple[Client, AsyncGenerator[None, None]]] = {}

    async def get(self) -> Client:
        """The client of the loop that runs now."""
        loop = asyncio.get_running_loop()
        if loop not in self._kept:
            for ended in [other for other in self._kept if other.is_closed()]:
                self._kept.pop(ended, None)
            client = self._make()
            keeper = _until_the_loop_ends(loop, self._kept, client, self._close)
            await anext(keeper)
            self._kept[loop] = client, keeper
        return self._kept[loop][0]


async def _until_the_loop_ends(
    loop: asyncio.AbstractEventLoop,
    kept: dict[asyncio.AbstractEventLoop, Any],
    client: Client,
    close: Callable[[Client], Awaitable[None]],
) -> AsyncGenerator[None, None]:
    try:
        yield  # asyncio.run closes every generator left, and a forgotten one is closed as well
    finally:
        kept.pop(loop, None)
        with quiet():
            await close(client)


class Http:
    """Requests to one server, by httpx. `timeout` bounds each wait, in seconds."""

    def __init__(self, server: Server, headers: Mapping[str, str], timeout: float) -> None:
        try:
            import httpx
        except ImportError as error:
            raise MissingEngineError(server.engine, fix="pip install httpx") from error
        self.server = server
        self._timeout = timeout
        far = not near(server.url)
        # Read once here: each reading of the certificates takes a tenth of a second.
        certificates = httpx.create_ssl_context(trust_env=far)

        def client() -> httpx.AsyncClient:
            return httpx.AsyncClient(
                headers=dict(headers),
                timeout=httpx.Timeout(timeout, connect=min(CONNECT, timeout)),
                limits=httpx.Limits(max_keepalive_connections=20, keepalive_expiry=KEPT),
                verify=certificates,
                trust_env=far,
            )

        self._clients = PerLoop(client, httpx.AsyncClient.aclose)

    def post(self, path: str, **content: Any) -> AsyncGenerator[bytes, None]:
        """The answer's bytes as they come. Closing it closes the request.

        `content` is what httpx takes: json, or data and files. Raises `VoiceKitError`.
        """
        return quietly(self._post(path, content))

    async def _post(self, path: str, content: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        client = await self._clients.get()
        try:
            async with client.stream("POST", self.server.url + path, **content) as response:
                if not response.is_success:
                    raise self.server.refused(response.status_code)
                async for part in response.aiter_bytes():
                    yield part
        except VoiceKitError:
            raise
        except Exception as error:
            raise self.server.problem(error, self._timeout) from error


_quiet: ContextVar[bool] = ContextVar("voice_kit_quiet", default=False)


class _NotOurs(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _quiet.get()


_LOGGERS = (
    "LiteLLM httpx httpx2 openai openai._base_client openai._legacy_response openai._response "
    "client mcp.client.client mcp.client.stdio mcp.client.streamable_http mcp.client.caching "
    "mcp.shared.jsonrpc_dispatcher mcp.shared.tool_name_validation mcp.os.posix.utilities "
    + " ".join(
        f"{core}.{part}"
        for core in ("httpcore", "httpcore2")
        for part in ("connection", "http11", "http2", "proxy", "socks")
    )
).split()


@cache
def _filter_once() -> None:
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_NotOurs())


@contextmanager
def quiet() -> Iterator[None]:
    """Keep HTTP libraries from logging what is done inside; what others do with them is logged.

    At debug level they write down whole requests, and with them what people said.
    """
    _filter_once()
    before = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(before)


async def quietly(items: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    """The same items, each fetched in `quiet()`. Closing it closes them."""
    try:
        while True:
            try:
                with quiet():
                    item = await anext(items)
            except StopAsyncIteration:
                return
            yield item
    finally:
        with quiet():
            await items.aclose()
