"""What a gateway does with Redis all the time: hear what others take, hand over what waits."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from voice_kit.serve.hold import Hold
from voice_kit.serve.places import AwayError
from voice_kit.serve.redis_memory import AGAIN, SharedMemory
from voice_kit.think.memory.store import MemoryStoreError

MEND = 0.5
"""Seconds between two attempts to write what could not be written."""
LISTENED = 5.0
"""Seconds without news after which it is asked whether the server still talks to us."""

log = logging.getLogger(__name__)


class Upkeep:
    """Two tasks that run as long as the gateway does."""

    def __init__(
        self,
        redis: Any,
        memory: SharedMemory,
        holds: Mapping[str, Hold],
        reach: Callable[[], Awaitable[None]],
    ) -> None:
        """`holds` are those of this process, by name; `reach` raises `AwayError`."""
        self._redis, self._memory, self._holds, self._reach = redis, memory, holds, reach

    async def listen(self) -> None:
        """Hear which conversations go on elsewhere."""
        while True:
            try:
                await self._redis.initialize()  # or a Cluster does not know whom to subscribe at
                async with self._redis.pubsub() as news:
                    await news.subscribe(f"voice-kit:gateway:{self._memory.gateway}")
                    await self._hear(news)
            except self._memory.unreached as error:
                self._memory.breaker.failed(error)
            except Exception as error:
                log.warning("no news from the other gateways (%s)", type(error).__name__)
            await asyncio.sleep(AGAIN)

    async def mend(self) -> None:
        """Hand over what could not be, once Redis is back."""
        while True:
            await asyncio.sleep(MEND)
            if self._memory.breaker.away:
                continue
            uncertain = [hold for hold in self._holds.values() if not hold.certain]
            behind = self._memory.unwritten or self._memory.pages.blind or uncertain
            if not (self._memory.breaker.problem or behind):
                continue
            try:
                await self._reach()
                await self._ask(uncertain)
                await asyncio.to_thread(self._memory.flush)
            except (MemoryStoreError, AwayError):
                log.debug("Redis is still away")

    async def _hear(self, news: Any) -> None:
        asked = False
        while True:
            said = await news.get_message(timeout=LISTENED)
            if said is None and asked:
                raise ConnectionError("no answer")
            if asked := said is None:
                await news.ping()
            elif said["type"] == "subscribe":  # again, where it was cut off
                await self._ask(list(self._holds.values()))  # what was said while nobody listened
            elif said["type"] == "message":
                about = json.loads(said["data"])
                hold = self._holds.get(about["name"])
                if hold is not None and hold.token == about["token"]:
                    hold.lose(float(about["stop"]))

    async def _ask(self, holds: Iterable[Hold]) -> None:
        """Learn which of these were taken, and tell the others what we took."""
        for hold in holds:
            await asyncio.to_thread(self._memory.hold, hold)
