"""How much each may use: connections, time, sound, tools. Counted here, or by all gateways."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv6Address, ip_address
from typing import Any, NoReturn

from fastapi import Request

from voice_kit.serve.accounts import Accounts, Counts, count_of_all
from voice_kit.serve.config import Serve
from voice_kit.serve.doors import Guest
from voice_kit.serve.jwts import LOCAL
from voice_kit.serve.logs import happened
from voice_kit.serve.refused import OverLimit
from voice_kit.serve.shares import Shares
from voice_kit.types import RATE

SETTLES = 5.0
"""Seconds between two settlements of sound and tools with the other gateways."""
SESSION = "session:"
"""What an account begins with that is one session's alone."""


class Limits:
    """Says `OverLimit` to whoever wants more than their share. `told(code)` hears of each."""

    def __init__(
        self,
        serve: Serve,
        places: Counts | None = None,
        *,
        told: Callable[[str], Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._serve, self._clock = serve, clock
        self._places = places if serve.redis else None
        self.told = told
        self.open = 0
        """Connections that are open now."""
        self._open_by_address: Counter[str] = Counter()
        self._per_second = max(1.0, serve.connects_per_second)
        self._within = self._per_second / serve.connects_per_second  # 0.2 a second is 1 in 5 s
        self._connects = Shares(self._per_second, self._within)
        self._sound = Accounts("sound", serve.sound_per_minute, 60, self._places)
        self._tools = Accounts("tools", serve.tool_calls_per_minute, 60, self._places)
        self._lines = Shares(1, 10)  # a flood of them is not a flood of lines

    @asynccontextmanager
    async def connection(
        self, address: str | None, guest: Guest | None = None, *, brief: bool = False
    ) -> AsyncIterator[None]:
        """Room for one connection while this is open. Raises `OverLimit`.

        `guest` is None for one who has yet to say who they are. A `brief` one is a request of
        HTTP, of which there may be many a second.
        """
        key = address_key(address)
        if self.open >= self._serve.max_connections:
            self._refuse("too_many_connections", "This gateway is full. Try again soon.", 5)
        if self._open_by_address[key] >= self._serve.per_address:
            self._refuse(
                "too_many_connections_from_address",
                "Your address has too many connections open here. Close one.",
                1,
            )
        self.open += 1  # taken before anything is waited for, or many would take the last one
        self._open_by_address[key] += 1
        try:
            if not brief:
                await self._connects_now(key)
            yield
        finally:
            self.open -= 1
            self._open_by_address[key] -= 1
            if not self._open_by_address[key]:
                del self._open_by_address[key]

    async def _connects_now(self, key: str) -> None:
        wait = self._connects.add(key, 1, self._clock())
        if not wait and self._places is not None:  # nobody is refused for Redis' sake
            used = await count_of_all(self._places, f"connects:{key}", 1, self._within)
            wait = self._within if (used or 0.0) > self._per_second else 0.0
        if wait:
            self._refuse(
                "connecting_too_fast", "Your address connects too often. Wait a little.", wait
            )

    def lasts(self, guest: Guest, seconds: float = 0.0) -> float:
        """How long a session of this guest that is so old may go on: its limit, or their token's.
        All in seconds."""
        most = max(0.0, self._serve.session_minutes * 60 - seconds)
        return most if guest.expires is None else min(most, max(0.0, guest.expires - time.time()))

    def age(self, seconds: float, guest: Guest | None = None) -> None:
        """Raise `OverLimit` where a session is too old, or its guest's token has expired."""
        if seconds >= self._serve.session_minutes * 60:
            self._refuse(
                "session_too_long",
                f"A session ends after {self._serve.session_minutes:g} minutes. Connect again: "
                "the conversation goes on.",
                0,
            )
        if guest is not None and guest.expires is not None and time.time() >= guest.expires:
            self._refuse("token_expired", "Your token has expired. Sign in again.", 0, close=4401)

    def message(self, size: int) -> None:
        """Raise `OverLimit` where a message or request has too many bytes."""
        if size > self._serve.max_message:
            self._refuse(
                "message_too_big",
                f"A message has {self._serve.max_message:,} bytes at most. Send it in parts.",
                0,
                status=413,
                close=1009,
            )

    def account(self, guest: Guest, session: str = "") -> str:
        """Whose share is used: a guest's, by socket and HTTP together and however often they come,
        or a session's own where all who come show the same token."""
        alone = session and guest.subject == LOCAL
        return SESSION + session if alone else f"person:{guest.subject}"

    def sound(self, account: str, seconds: float) -> None:
        """Count the sound that was sent on an account. Raises `OverLimit` where it is too much."""
        if wait := self._add(self._sound, account, seconds):
            most = self._serve.sound_per_minute
            message = f"At most {most:g} seconds of sound are heard in a minute. Send it as spoken."
            self._refuse("too_much_sound", message, wait)

    def sound_left(self, account: str) -> float:
        """Seconds of sound that may still be sent on an account. Raises `OverLimit` where there
        are none, as the least sound would."""
        if not (left := self._sound.left(account, self._clock())):
            self.sound(account, 1 / RATE)
        return left

    def tool(self, account: str) -> None:
        """Count a tool's use. Raises `OverLimit` where there were too many."""
        if wait := self._add(self._tools, account, 1):
            most = self._serve.tool_calls_per_minute
            self._refuse("too_many_tool_calls", f"At most {most} tools are used a minute.", wait)

    def left(self, account: str) -> None:
        """A session has ended: forget what it has used, if that is nobody else's."""
        if account.startswith(SESSION):
            self._sound.forget(account)
            self._tools.forget(account)

    async def settle(self, every: float = SETTLES) -> None:
        """Count sound and tools together with the other gateways, until cancelled."""
        task = asyncio.current_task()
        while self._places is not None and not (task and task.cancelling()):
            await asyncio.sleep(every)  # redis-py now and then takes a cancellation for its own
            for accounts in (self._sound, self._tools):
                await accounts.settle(self._clock())

    def _add(self, accounts: Accounts, account: str, amount: float) -> float:
        return accounts.add(account, amount, self._clock(), alone=account.startswith(SESSION))

    def _refuse(self, code: str, message: str, retry_after: float, **how: int) -> NoReturn:
        if self.told is not None:
            self.told(code)
        if not self._lines.add(code, 1, self._clock()):
            happened("over_limit", level=logging.WARNING, code=code)
        raise OverLimit(code, message, retry_after, **how)


def address_key(address: str | None) -> str:
    """Whom an address stands for: an IPv6 network of 64 bits is one customer's."""
    try:
        found = ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> 64 << 64)}/64"


async def room(request: Request) -> AsyncIterator[None]:
    """Room for this request while this is open. Raises `OverLimit`."""
    address = request.client.host if request.client else None
    async with request.app.state.shared.limits.connection(address, brief=True):
        yield
