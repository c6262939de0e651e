"""Notes and timers in a Redis that many gateways share; while it is away, here."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, Protocol
from weakref import WeakValueDictionary

from voice_kit.serve import scripts
from voice_kit.think.memory.redis_store import keys
from voice_kit.think.memory.store import MemoryStoreError
from voice_kit.think.skills.pages import Edit
from voice_kit.think.tools import ToolError

FRESH = 10.0
"""Seconds after which whoever reads has it looked whether another gateway changed something."""
PATIENCE = 1.0
"""Seconds that a thread waits at most until a change is safe there."""


class Asks(Protocol):
    """Whoever talks with Redis."""

    def ask(self, script: str, where: Sequence[str], *given: object) -> Any:
        """What it answers. Blocks; raises `MemoryStoreError`."""


class HeldPages:
    """The pages of a conversation as whoever holds it knows them. What is changed counts at once,
    and is done in Redis a moment later, for which an event loop never waits; a thread does."""

    def __init__(self, name: str, shared: SharedPages) -> None:
        self.name, self._shared = name, shared
        self.since = 0.0
        """Since when it is held: what was deleted after that stays so."""
        self.edits: list[tuple[str, Edit]] = []
        """What was not done there yet, in order."""
        self.known = False
        """Whether it is known what stands there."""
        self._there: dict[str, str] = {}
        self._here: dict[str, str] = {}
        self._looked = -math.inf
        self._alone = threading.Lock()  # while Redis is asked
        self._lock = threading.RLock()  # for moments only

    def read(self, page: str) -> str:
        """The text, with all that was changed here."""
        if time.monotonic() > self._looked + FRESH:
            self._looked = time.monotonic()
            self._shared.soon(self)
        with self._lock:
            return self._here.get(page, "")

    def change(self, page: str, edit: Edit) -> None:
        """Change it here, and soon there: whoever says “Noted.” may be killed the next moment."""
        with self._lock:
            self._here[page] = edit(self._here.get(page, ""))
            self.edits.append((page, edit))
        handed_over = self._shared.soon(self)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            wait(handed_over, PATIENCE)

    def hand_over(self, redis: Asks, keep_ms: int) -> None:
        """Do there what was done here, and learn what others did. Raises `MemoryStoreError`."""
        where = keys(self.name, "holder", "pages")
        with self._alone:
            while self.edits:
                page, edit = self.edits[0]
                before = self._there.get(page, "")
                after = _edited(before, edit)
                now = redis.ask(
                    scripts.CHANGE, where, page, before, after, f"{self.since:.6f}", keep_ms
                )
                if now is not None:
                    self._there[page] = now
                if now in (None, after):  # it was deleted, or is done
                    with self._lock:
                        del self.edits[0]
            found = iter(redis.ask(scripts.PAGES, where[1:]))
            with self._lock:
                self._there = dict(zip(found, found, strict=True))
                self._here = dict(self._there)
                for page, edit in self.edits:  # which came meanwhile
                    self._here[page] = _edited(self._here.get(page, ""), edit)
            self._looked, self.known = time.monotonic(), True


class SharedPages:
    """Those of all conversations that are open here."""

    def __init__(self, redis: Asks, keep_ms: int) -> None:
        self._redis, self._keep_ms = redis, keep_ms
        self._open: WeakValueDictionary[str, HeldPages] = WeakValueDictionary()
        self._behind: set[HeldPages] = set()  # kept until they are handed over
        self._lock = threading.Lock()
        self._hands = ThreadPoolExecutor(1, "voice-kit pages")

    @property
    def unwritten(self) -> int:
        """Changes that are only here."""
        return sum(len(each.edits) for each in self._each())

    def of(self, name: str, since: float) -> HeldPages:
        """Those of this conversation, as they are now, for who holds it `since` then. Blocks."""
        with self._lock:
            pages = self._open.get(name) or HeldPages(name, self)
            self._open[name], pages.since = pages, max(pages.since, since)
        self._try(pages)
        return pages

    def soon(self, pages: HeldPages) -> list[Future[None]]:
        """Have them handed over by another thread; gives what is done when they are, or nothing."""
        with self._lock:
            self._behind.add(pages)
        try:
            return [self._hands.submit(self._try, pages)]
        except RuntimeError:  # the gateway ends, and flushes
            return []

    @property
    def blind(self) -> bool:
        """Whether there are some of which it is not known what stands there."""
        return not all(each.known for each in self._each())

    def flush(self) -> None:
        """Hand over what could not be, and look. Raises what the first that fails raises."""
        for pages in self._each():
            if pages.edits or not pages.known:
                self._hand_over(pages)

    def close(self) -> None:
        """End the thread, once it is done."""
        self._hands.shutdown(wait=False)

    def _each(self) -> list[HeldPages]:
        with self._lock:
            return list(self._open.values())

    def _try(self, pages: HeldPages) -> None:
        with suppress(MemoryStoreError):  # it is tried again when Redis is back
            self._hand_over(pages)

    def _hand_over(self, pages: HeldPages) -> None:
        try:
            pages.hand_over(self._redis, self._keep_ms)
        except MemoryStoreError:
            pages.known = False
            raise
        with self._lock:
            if not pages.edits:
                self._behind.discard(pages)


def _edited(text: str, edit: Edit) -> str:
    try:
        return edit(text)
    except ToolError:  # another gateway did it, or there is no room any more
        return text
