"""Conversations, their sessions and limits, in a Redis that many gateways share."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from voice_kit.serve import scripts
from voice_kit.serve.hold import HANDS_OVER, Hold, name_of
from voice_kit.serve.places import (
    PAGE,
    AwayError,
    ConversationInfo,
    UnknownConversationError,
    checked,
    new_id,
)
from voice_kit.serve.redis_memory import KEPT, WAIT, SharedMemory
from voice_kit.serve.redis_pages import HeldPages
from voice_kit.serve.redis_upkeep import Upkeep
from voice_kit.serve.windows import sliding, window
from voice_kit.think.memory.redis_connect import RedisUrl
from voice_kit.think.memory.redis_store import key, keys
from voice_kit.think.memory.store import MemoryStoreError

LAST = (0.0, 1.0, 2.0)
"""Seconds before each attempt when the gateway ends."""

LOOK = 0.02
"""Seconds between two looks at whether another gateway has let go of a conversation."""

log = logging.getLogger(__name__)


class RedisPlaces:
    """What all gateways with this Redis share. While it is away each goes on alone."""

    def __init__(self, url: str, keep: float = 0.0) -> None:
        """`keep` as in `make_places`, in seconds. Raises `ValueError` and `MissingEngineError`."""
        self.gateway = secrets.token_hex(8)
        self.memory = SharedMemory(url, keep, self.gateway)
        self._url, self._keep_ms = RedisUrl(url), round(keep * 1000)
        self._breaker = self.memory.breaker
        self._redis: Any = None
        self._holds: dict[str, Hold] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def problem(self) -> str:
        """Why nothing is written there right now, with the fix; empty when all is well."""
        return self.memory.problem

    async def __aenter__(self) -> RedisPlaces:
        self._redis = self._url.awaited(WAIT / 2)  # it is tried twice
        upkeep = Upkeep(self._redis, self.memory, self._holds, self._reach)
        self._tasks = [asyncio.create_task(each) for each in (upkeep.listen(), upkeep.mend())]
        return self

    async def __aexit__(self, *error: object) -> None:
        ending = set(self._tasks)
        while ending:  # redis-py now and then takes a cancellation for its own
            for task in ending:
                task.cancel()
            _, ending = await asyncio.wait(ending, timeout=0.1)
        for wait in LAST:
            await asyncio.sleep(wait if self.memory.unwritten else 0)
            with suppress(MemoryStoreError):
                await asyncio.to_thread(self.memory.flush)
        if lost := self.memory.unwritten:
            log.error("%d lines or notes could not be written: Redis is away", lost)
        with suppress(Exception):
            await self._redis.aclose()
        with suppress(MemoryStoreError):
            await asyncio.to_thread(self.memory.close)

    async def conversations(
        self, subject: str, most: int = PAGE, after: str = ""
    ) -> list[ConversationInfo]:
        """Those of this guest, last changed first; of those that are only here while it is
        away."""
        here = [ConversationInfo(i, *rest) for i, rest in self.memory.known(subject).items()]
        here.sort(key=lambda info: -info.changed)
        try:
            there = await self._eval(
                scripts.LIST, scripts.listing(subject), most, after, self._keep_ms
            )
        except AwayError:
            return here[:most]
        if there is None:
            raise UnknownConversationError
        return [_info(row) for row in there]

    async def open(self, subject: str, conversation: str | None = None) -> ConversationInfo:
        """What is known of it; a new one for None, without asking the server."""
        now = time.time()
        if conversation is None:
            return ConversationInfo(new_id(subject), "", now, now)
        known = checked(subject, conversation)
        try:
            row = await self._eval(scripts.ONE, scripts.listing(subject), known)
        except AwayError:
            here = self.memory.known(subject).get(known, ("", now, now))
            return ConversationInfo(known, *here)
        return _info([row[0], row[1], row[2] or now, row[3] or now])

    async def take(
        self, subject: str, conversation: str, let_go: Callable[[], None] | None = None
    ) -> Hold:
        """Serve it from here on; the other gateways learn of it, if need be when Redis is back."""
        name = name_of(subject, checked(subject, conversation))
        if before := self._holds.get(name):
            await before.hand_over()
        else:
            await self._handed_over(name)
        hold = Hold(self, subject, conversation, let_go)
        former = self._holds.get(hold.name)
        self._holds[hold.name] = hold
        try:
            given = hold.token, self.gateway, hold.name
            hold.at = float(await self._eval(scripts.TAKE, keys(hold.name, "holder"), *given))
        except AwayError:
            hold.certain = False
        if former is not None:
            former.lose(hold.at)
        return hold

    async def rename(self, subject: str, conversation: str, title: str) -> ConversationInfo:
        """As its owner calls it from now on."""
        known, now = checked(subject, conversation), f"{time.time():.6f}"
        await self._eval(scripts.RENAME, scripts.listing(subject), known, now, title)
        return await self.open(subject, known)

    async def delete(self, subject: str, conversation: str) -> bool:
        """Erase all that is kept of it, and end its session, wherever."""
        name = name_of(subject, checked(subject, conversation))
        there = bool(await self._eval(scripts.DELETE, keys(name, "holder", *KEPT), name))
        if hold := self._holds.pop(name, None):
            hold.lose(0)
        listed = await self._eval(scripts.UNLIST, scripts.listing(subject), conversation)
        try:  # once more, with what waits here and the server's own files
            await asyncio.to_thread(self.memory.forget_everything, name)
        except MemoryStoreError as error:
            raise AwayError(str(error)) from error
        return there or bool(listed)

    async def count(self, key: str, amount: float, per_seconds: float) -> float | None:
        """How much was counted under this key within about the last `per_seconds`, with this."""
        number, over = window(time.time(), per_seconds)
        this, last = (
            f"voice-kit:{{count:{key}:{per_seconds:g}}}:{n}" for n in (number, number - 1)
        )

        async def counted() -> float:
            async with self._redis.pipeline(transaction=False) as both:
                both.incrbyfloat(this, amount)
                both.expire(this, int(2 * per_seconds) + 1)
                both.get(last)
                current, _, before = await both.execute()
            return sliding(float(before or 0), float(current), over)

        try:
            return float(await self._asked(counted))
        except AwayError:
            return None

    def pages(self, subject: str, hold: Hold | None) -> HeldPages:
        """Notes and timers of the conversation, or of a guest's questions outside of any."""
        name, since = (hold.name, hold.at) if hold else (name_of(subject, ""), time.time())
        return self.memory.pages.of(name, since)

    def memory_of(self, hold: Hold) -> SharedMemory:
        """Where all conversations are."""
        return self.memory

    async def released(self, hold: Hold) -> None:
        """Forget this hold, here and there."""
        if self._holds.get(hold.name) is hold:
            del self._holds[hold.name]
        if not hold.lost:
            with suppress(AwayError):
                await self._eval(scripts.RELEASE, [key(hold.name, "holder")], hold.token)

    async def _handed_over(self, name: str) -> None:
        """Have the session at another gateway end, and wait for that as for one of ours."""
        where, ends = keys(name, "holder"), time.monotonic() + HANDS_OVER
        with suppress(AwayError):
            listen = await self._eval(scripts.ASK, where, name, self.gateway)
            few = 0 if self._url.kind == "cluster" else 1  # where a node knows its own clients only
            held = listen >= few
            while held and time.monotonic() < ends:
                await asyncio.sleep(LOOK)
                held = await self._eval(scripts.HELD_NOW, where)

    async def _reach(self) -> None:
        await self._eval(scripts.ONE, scripts.listing(self.gateway), "")

    async def _eval(self, script: str, where: list[str], *given: object) -> Any:
        return await self._asked(lambda: self._redis.eval(script, len(where), *where, *given))

    async def _asked(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """What the server answers, within `WAIT`. Raises `AwayError`."""
        if self._breaker.away:
            raise AwayError(self._breaker.problem)
        try:
            async with asyncio.timeout(WAIT):
                answer = await ask()
        except self.memory.unreached as error:
            self._breaker.failed(error)
            raise AwayError(self._breaker.problem) from error
        except self.memory.refused as error:  # its memory is full, say: it can be reached
            raise AwayError(self.memory.explained(error)) from error
        self._breaker.worked()
        return answer


def _info(row: list[Any]) -> ConversationInfo:
    return ConversationInfo(row[0], row[1], float(row[2]), float(row[3]))
