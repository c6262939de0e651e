"""What the engines that speak HTTP share: a quick question, a client per event loop, silence."""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

Client = TypeVar("Client")
Item = TypeVar("Item")

CONNECT = 5.0
"""Seconds for a server to take a connection. How long it may then think is the loop's to say."""


def near(url: str) -> bool:
    """Whether a server is on this machine or in the same room, where no proxy is to be asked."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local"))


def ask(
    url: str,
    *,
    within: float = 0.5,
    headers: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Any:
    """The JSON that a server answers within so many seconds, the look-up of its name included.

    Loads no HTTP library. Raises `OSError` when there is no answer or a refusal, and `ValueError`
    when the answer is no JSON.
    """
    opener = build_opener(*([ProxyHandler({})] if near(url) else []))
    answers: SimpleQueue[Any] = SimpleQueue()

    def work() -> None:
        try:
            data = json.dumps(body).encode() if body is not None else None
            request = Request(url, data, {"Content-Type": "application/json", **(headers or {})})
            with opener.open(request, timeout=within) as response:
                answers.put(json.load(response))
        except (OSError, ValueError) as error:
            answers.put(error)
        except http.client.HTTPException as error:
            answers.put(ValueError(f"{type(error).__name__} instead of an answer"))

    # A thread, because nothing else bounds a name server that is silent.
    Thread(target=work, name="voice-kit-ask", daemon=True).start()
    try:
        answer = answers.get(timeout=within)
    except Empty:
        raise TimeoutError(f"no answer within {within:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


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


_quiet: ContextVar[bool] = ContextVar("voice_kit_quiet", default=False)


class _NotOurs(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _quiet.get()


_LOGGERS = (
    "LiteLLM httpx httpx2 openai openai._base_client openai._legacy_response openai._response "
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
