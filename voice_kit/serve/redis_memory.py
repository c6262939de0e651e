"""What is said and noted, in a Redis that many gateways share; while it is away, here."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from voice_kit.serve import scripts
from voice_kit.serve.hold import Hold, TakenError
from voice_kit.serve.places import title_of
from voice_kit.serve.redis_pages import SharedPages
from voice_kit.think.memory.redis_store import RedisStore, keys, written
from voice_kit.think.memory.store import Line, MemoryStoreError

T = TypeVar("T")

WAIT = 2.0
"""Seconds that anyone waits for the server."""
KEPT = "lines", "facts", "summary", "pages"
"""Kinds of what is kept of a conversation, in the order in which scripts want their keys."""
AGAIN = 1.0
"""Seconds without asking a server that did not answer."""

log = logging.getLogger(__name__)


class Breaker:
    """Keeps everybody from waiting for a server that did not answer a moment ago."""

    problem = ""
    """Why it cannot be reached, with the fix; empty when it can."""

    def __init__(self, where: str) -> None:
        self._where, self._again = where, 0.0

    @property
    def away(self) -> bool:
        """Whether not to ask it now."""
        return bool(self.problem) and time.monotonic() < self._again

    def failed(self, error: Exception) -> None:
        """It did not answer."""
        self._again = time.monotonic() + AGAIN
        if not self.problem:
            log.warning("Redis at %s is away (%s)", self._where, type(error).__name__)
        self.problem = (
            f"Redis at {self._where} cannot be reached ({type(error).__name__}). Start it; until "
            "then conversations are remembered by each gateway alone."
        )

    def worked(self) -> None:
        """It answered."""
        if self.problem:
            log.warning("Redis at %s is back", self._where)
        self.problem = ""


class SharedMemory(RedisStore):
    """Writes for those that hold a conversation, and lists it.

    What cannot be written now is kept, in order, and written by `flush` once it can.
    """

    def __init__(self, url: str, keep: float, gateway: str) -> None:
        """`keep` as in `make_places`, in seconds."""
        super().__init__(url, keep, WAIT / 2)  # it is tried twice
        import redis

        self.gateway, self.breaker = gateway, Breaker(self.where)
        self.unreached = (redis.ConnectionError, redis.TimeoutError, OSError,
                           redis.exceptions.ClusterError,
                           redis.exceptions.RedisClusterException)  # fmt: skip
        self.refused = (redis.RedisError,)
        self.pages = SharedPages(self, self._keep_ms)
        """Notes and timers."""
        self._refusal = ""
        self._unwritten: dict[str, list[tuple[Hold, Line]]] = {}
        self._backlog = threading.RLock()  # held for moments only
        self._writing = [threading.Lock() for _ in range(64)]

    @property
    def problem(self) -> str:
        """Why what is said is not written, with the fix; empty when all is well."""
        return self.breaker.problem or (self._refusal if self.unwritten else "")

    @property
    def unwritten(self) -> int:
        """Lines, and changes of notes and timers, that are only here."""
        with self._backlog:
            return sum(map(len, self._unwritten.values())) + self.pages.unwritten

    def append_held(self, hold: Hold, lines: Sequence[Line]) -> None:
        """Keep these, and list the conversation. When it raises they are kept here, and written
        later, unless it says that the hold is lost."""
        with self._backlog:
            waiting = self._unwritten.setdefault(hold.name, [])
            waiting += [(hold, line) for line in lines if (hold, line) not in waiting]
        self._write(hold.name)
        if any(line.at >= hold.until for line in lines):
            raise TakenError

    def flush(self) -> None:
        """Write what was kept here. Raises what the first that fails raises."""
        for name in list(self._unwritten):
            self._write(name)
        self.pages.flush()

    def ask(self, script: str, where: Sequence[str], *given: object) -> Any:
        """What one of our scripts answers. Raises `MemoryStoreError`."""
        return self._do(lambda: self._redis.eval(script, len(where), *where, *given))

    def close(self) -> None:
        """Let go of the connections."""
        self.pages.close()
        super().close()

    def hold(self, hold: Hold, lines: Sequence[Line] = ()) -> None:
        """Write those of these that may be, and hold on: tell whoever held it before, or learn
        that it was taken since."""
        pairs = [(("facts" if line.role == "fact" else "lines"), line) for line in lines]
        values = [text for kind, line in pairs for text in (kind, f"{line.at:.6f}", written(line))]
        where = keys(hold.name, "holder", *KEPT)
        given = hold.token, f"{hold.at:.6f}", self.gateway, hold.name, self._keep_ms
        until = self.ask(scripts.HOLD, where, *given, *values)
        hold.certain = True
        if until:
            hold.lose(float(until))
        kept = [line for line in lines if line.at < hold.until]
        if kept:
            words = next((line.text for line in kept if line.role == "user"), "")
            self._list(hold, max(line.at for line in kept), title_of(words))

    def last(self, name: str, count: int | None = None) -> list[Line]:
        """The last lines, with those that are only here; these alone while it is away."""
        with self._backlog:
            here = [line for _, line in self._unwritten.get(name, ()) if line.role != "fact"]
        try:
            there = super().last(name, count)
        except MemoryStoreError:
            if not here:
                raise
            there = []
        lines = list(dict.fromkeys([*there, *here]))
        return lines if count is None else lines[len(lines) - min(count, len(lines)) :]

    def forget(self, name: str, exchange: str) -> None:
        """Erase all lines and facts of an exchange, here too, and the summary."""
        self._strike(name, lambda line: line.exchange == exchange)
        super().forget(name, exchange)

    def forget_everything(self, name: str) -> None:
        """Erase this conversation, here too, its facts and its summary."""
        self._strike(name, lambda line: True)
        super().forget_everything(name)

    def retitle(self, hold: Hold) -> None:
        """Have it titled by what it begins with now: something was forgotten."""
        said = next((line.text for line in self.last(hold.name) if line.role == "user"), "")
        self.ask(scripts.RETITLE, scripts.listing(hold.subject), hold.id, title_of(said))

    def known(self, subject: str) -> dict[str, tuple[str, float, float]]:
        """Title, beginning and last change of this guest's conversations that are only here."""
        with self._backlog:
            found = {}
            for waiting in self._unwritten.values():
                lines = [line for _, line in waiting]
                if waiting and waiting[0][0].subject == subject:
                    words = next((line.text for line in lines if line.role == "user"), "")
                    found[waiting[0][0].id] = title_of(words), lines[0].at, lines[-1].at
            return found

    def _write(self, name: str) -> None:
        """Write what waits under this name, in order, each by the hold under which it was said."""
        with self._writing[hash(name) % len(self._writing)]:
            while True:
                with self._backlog:
                    waiting = self._unwritten.get(name, [])
                    if not waiting:
                        self._unwritten.pop(name, None)
                        return
                    hold = waiting[0][0]
                    lines = [line for whose, line in waiting if whose is hold]
                self.hold(hold, lines)
                self._strike(name, set(lines).__contains__)
                self._refusal = ""

    def _list(self, hold: Hold, at: float, title: str) -> None:
        given = hold.id, f"{at:.6f}", title, self._keep_ms
        self.ask(scripts.TOUCH, scripts.listing(hold.subject), *given)

    def _strike(self, name: str, which: Callable[[Line], bool]) -> None:
        with self._backlog:
            waiting = self._unwritten.get(name, [])
            waiting[:] = [(hold, line) for hold, line in waiting if not which(line)]

    def _do(self, work: Callable[[], T]) -> T:
        if self.breaker.away:
            raise MemoryStoreError(self.breaker.problem)
        try:
            done = super()._do(work)
        except MemoryStoreError as error:
            if isinstance(error.__cause__, self.unreached):
                self.breaker.failed(error.__cause__)
                raise MemoryStoreError(self.breaker.problem) from error
            self._refusal = str(error)  # it reads, say, and does not write
            raise
        self.breaker.worked()
        return done
