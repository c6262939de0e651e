"""A session's right to write down a conversation, which another session may take."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from voice_kit.think.history import estimated_tokens
from voice_kit.think.memory.kept import KeptHistory
from voice_kit.think.memory.store import Line, MemoryStoreError, Store

HANDS_OVER = 1.0
"""Seconds in which a session whose conversation another one takes may write what was heard."""


class TakenError(MemoryStoreError):
    """This session may write no more."""

    def __init__(self) -> None:
        super().__init__(
            "This conversation goes on in another window, or was deleted. Open it again there."
        )


class Hold:
    """Held by one session; all others that held the conversation have lost it.

    Make it on the event loop of that session. What was said before it was lost is still written.
    """

    def __init__(
        self,
        places: KeepsHolds,
        subject: str,
        conversation: str,
        let_go: Callable[[], None] | None = None,
    ) -> None:
        self.subject, self.id = subject, conversation
        self.name = name_of(subject, conversation)
        """What the store calls the conversation."""
        self.token = secrets.token_hex(8)
        self.at = time.time()
        """Since when it is held, in seconds since 1970, by the clock of whoever gives it."""
        self.until = math.inf
        """What was said from then on is not written."""
        self.certain = True
        """Whether the others were told, or are being told."""
        self.store: Store = Held(self, places.memory_of(self))
        """For this session's history; closing it lets go of nothing that others use."""
        self._places, self._let_go = places, let_go
        self._loop = asyncio.get_running_loop()
        self._told, self._over = let_go is not None, asyncio.Event()

    @property
    def lost(self) -> bool:
        """Whether it was taken, or the conversation was deleted: the session must end."""
        return self.until < math.inf

    def history(self, tokens: Callable[[str], int] = estimated_tokens) -> KeptHistory:
        """The conversation, where it ended. Blocks, as reading does: call it in a thread."""
        return KeptHistory(self.store, self.name, tokens=tokens)

    def lose(self, until: float) -> None:
        """Write nothing that was said from `until` on, and tell the session once. From any
        thread."""
        self.until = min(self.until, until)
        let_go, self._let_go = self._let_go, None
        if let_go is not None:
            with suppress(RuntimeError):  # its loop has ended, and so has the session
                self._loop.call_soon_threadsafe(let_go)

    async def hand_over(self) -> None:
        """Have its session end, and wait for that, but not long: what was heard is then written."""
        self.lose(math.inf)
        if self._told:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), HANDS_OVER)

    async def release(self) -> None:
        """The session has ended. May be called twice; never raises."""
        self._let_go = None
        try:
            await self._places.released(self)
        finally:
            self._over.set()


class KeepsHolds(Protocol):
    """Whoever gives holds."""

    def memory_of(self, hold: Hold) -> HeldMemory:
        """Where this one's conversation is written."""

    async def released(self, hold: Hold) -> None:
        """Forget this hold."""


class HeldMemory(Store, Protocol):
    """A store that knows holds."""

    def append_held(self, hold: Hold, lines: Sequence[Line]) -> None:
        """As `append`, and lists the conversation; raises `TakenError` where the hold is lost and
        one of these was said since."""

    def retitle(self, hold: Hold) -> None:
        """Have it titled by what it begins with now: something was forgotten."""


class Held:
    """A store for one session, of a conversation that it holds."""

    def __init__(self, hold: Hold, memory: HeldMemory) -> None:
        self.where = memory.where
        self._hold, self._memory = hold, memory
        self.last, self.facts, self.summary = memory.last, memory.facts, memory.summary
        self.names = memory.names

    def append(self, name: str, lines: Sequence[Line]) -> None:
        """Keep these. Raises `TakenError` for what was said after the hold was lost."""
        self._memory.append_held(self._hold, lines)

    def summarise(self, name: str, summary: Line) -> bool:
        """Keep this instead of the summary before, unless the hold is lost."""
        return not self._hold.lost and self._memory.summarise(name, summary)

    def forget(self, name: str, exchange: str) -> None:
        """Erase all lines and facts of an exchange, the summary, and a title that may tell."""
        self._memory.forget(name, exchange)
        self._memory.retitle(self._hold)

    def forget_everything(self, name: str) -> None:
        """Erase this conversation, its facts, its summary and a title that was made of it."""
        self._memory.forget_everything(name)
        self._memory.retitle(self._hold)

    def close(self) -> None:
        """Nothing: the store is everybody's."""


def name_of(subject: str, conversation: str) -> str:
    """What the store calls a conversation."""
    return f"{subject}/{conversation}"
