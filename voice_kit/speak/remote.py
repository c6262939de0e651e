"""A server that speaks: one POST whose answer streams, and what can go wrong with it."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from voice_kit.errors import (
    EngineFailedError,
    EngineTimeoutError,
    MissingEngineError,
    VoiceKitError,
)
from voice_kit.types import Audio, Samples

if TYPE_CHECKING:
    import httpx

CONNECT = 5.0
"""Seconds for a server to take a connection."""

_FILES = (b"RIFF", b"ID3", b"OggS", b"fLaC", b'{"', b"<!", b"<html")
"""How an answer begins that is a file, an error or a page instead of plain samples."""

_PROBLEMS = {
    400: ("it did not take the request", "another model or voice"),
    401: ("it refused the key", "a valid api_key"),
    402: ("the account has no credit", "another engine"),
    403: ("it refused the key", "a valid api_key"),
    404: ("it has no such model or voice", "another model, voice or base_url"),
    422: ("it did not take the request", "another model or voice"),
    429: ("it takes no more requests for now", "another engine, or later"),
}


class Server:
    """One server's address and manners. A connection is kept for each event loop that asks."""

    def __init__(self, engine: str, url: str, headers: Mapping[str, str], timeout: float) -> None:
        self._engine = engine
        self._url = url.rstrip("/")
        self._headers = dict(headers)
        self._timeout = timeout
        self._kept: dict[
            asyncio.AbstractEventLoop, tuple[httpx.AsyncClient, AsyncGenerator[None, None]]
        ] = {}

    async def post(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """The answer's bytes as they come. Closing it closes the connection.

        Raises `VoiceKitError`, which never repeats what the server or the request says.
        """
        import httpx

        try:
            client = await self._client()
            async with client.stream("POST", self._url + path, json=body) as response:
                if response.status_code != 200:
                    raise self._refused(response.status_code)
                async for chunk in response.aiter_bytes():
                    yield chunk
        except httpx.HTTPError as error:
            raise self._broke(error) from error
        except httpx.InvalidURL as error:
            raise MissingEngineError(
                self._engine, fix="a base_url like http://host:port"
            ) from error

    def failed(self, problem: str, fix: str = "another engine, or later") -> EngineFailedError:
        """The error for an answer that cannot be used."""
        return EngineFailedError(self._engine, problem, fix=fix)

    async def _client(self) -> httpx.AsyncClient:
        import httpx

        loop = asyncio.get_running_loop()
        if loop not in self._kept:
            for ended in [other for other in self._kept if other.is_closed()]:
                del self._kept[ended]
            client = httpx.AsyncClient(
                headers=self._headers,
                timeout=httpx.Timeout(self._timeout, connect=min(CONNECT, self._timeout)),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
                trust_env=not near(self._url),
            )
            keeper = _until_the_loop_ends(client)
            await anext(keeper)
            self._kept[loop] = client, keeper
        return self._kept[loop][0]

    def _refused(self, status: int) -> VoiceKitError:
        problem, fix = _PROBLEMS.get(status, (f"status {status}", "another engine, or later"))
        return self.failed(problem, fix)

    def _broke(self, error: httpx.HTTPError) -> VoiceKitError:
        import httpx

        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol):
            fix = f"start the server at {self._url}, or set another base_url"
            return MissingEngineError(self._engine, fix=fix)
        if isinstance(error, httpx.TimeoutException):
            return EngineTimeoutError(self._engine, self._timeout, fix="another engine, or later")
        return self.failed("the connection broke")


async def _until_the_loop_ends(client: httpx.AsyncClient) -> AsyncGenerator[None, None]:
    try:
        yield  # asyncio.run closes every generator left, and with it the connections
    finally:
        await client.aclose()


def near(url: str) -> bool:
    """Whether a server is on this machine or in this room, where no proxy is to be asked."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local"))


class Pcm:
    """Sound from 16-bit samples that come in pieces of any length, even half a sample.

    The last hundredth of a second is kept back, so that there is always some to end with.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._bytes = b""
        self._beginning = b""

    def add(self, data: bytes, at_least: float = 0.04) -> Audio | None:
        """The sound so far and not given yet, or none while it is shorter than `at_least`."""
        self._bytes += data
        self._beginning += data[: max(0, 8 - len(self._beginning))]
        kept = self._rate // 100
        ready = len(self._bytes) // 2 - kept
        if ready < max(1, at_least * self._rate):
            return None
        sound, self._bytes = self._bytes[: 2 * ready], self._bytes[2 * ready :]
        return Audio(_samples(sound), self._rate)

    @property
    def begun(self) -> bool:
        """Whether there was any sound."""
        return bool(self._beginning)

    @property
    def is_a_file(self) -> bool:
        """Whether it is a file, a page or an error where plain samples were asked for."""
        return self._beginning.startswith(_FILES)

    def rest(self) -> Audio:
        """The sound that is left. Half a sample at the end is dropped."""
        sound, self._bytes = self._bytes, b""
        return Audio(_samples(sound[: len(sound) // 2 * 2]), self._rate)


def _samples(sound: bytes) -> Samples:
    return np.frombuffer(sound, "<i2").astype(np.float32) / np.float32(32768)
