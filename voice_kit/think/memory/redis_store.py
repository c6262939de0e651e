"""Conversations in a Redis server, which several machines may share."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from voice_kit.think.memory.redis_connect import RedisUrl
from voice_kit.think.memory.store import Line, MemoryStoreError

T = TypeVar("T")

WAIT = 2.0
"""Seconds that the server may take to answer."""
KINDS = ("lines", "facts", "summary")
TRIES = 20
SUMMARISE = """
for _, line in ipairs(redis.call('lrange', KEYS[1], 0, -1)) do
    if cjson.decode(line).exchange == ARGV[1] then
        redis.call('del', KEYS[2])
        redis.call('rpush', KEYS[2], ARGV[2])
        if tonumber(ARGV[3]) > 0 then redis.call('pexpire', KEYS[2], ARGV[3]) end
        return 1
    end
end
return 0
"""


class RedisStore:
    """Keeps conversations in lists, one for the lines and one for the facts of each name.

    The keys of a name share a hash tag, so that a Cluster has them in one place. What is forgotten
    is deleted at once; where the server writes files of its own, it is told to write them anew,
    and does so in the background.
    """

    def __init__(
        self, url: str = "redis://localhost:6379/0", keep: float = 0.0, wait: float = 0.0
    ) -> None:
        """Opens no connection yet. `url` is as in `RedisUrl`. What is not written to for `keep`
        seconds is forgotten, 0 keeps it; the server may take `wait` to answer, 0 is `WAIT`.

        Raises `MissingEngineError` without redis-py, and `ValueError`.
        """
        self._url = RedisUrl(url)
        import redis

        self.where, self.keep, self._wait = self._url.where, keep, wait or WAIT
        clusters = redis.exceptions.RedisClusterException  # no RedisError
        self._errors = (redis.RedisError, clusters, OSError, ValueError, TypeError)
        self._lock = threading.Lock()
        self._client: Any = None  # made when it is used: that of a Cluster connects

    @property
    def _redis(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._url.blocking(self._wait)
            return self._client

    def append(self, name: str, lines: Sequence[Line]) -> None:
        """Keep these, after what is there: all of them or, when it raises, none."""

        def push() -> None:
            with self._redis.pipeline(transaction=True) as all_at_once:
                for line in lines:
                    kind = "facts" if line.role == "fact" else "lines"
                    all_at_once.rpush(key(name, kind), written(line))
                if self.keep:
                    for each in keys(name, *KINDS):
                        all_at_once.pexpire(each, self._keep_ms)
                all_at_once.execute()

        self._do(push)

    def last(self, name: str, count: int | None = None) -> list[Line]:
        """The last lines that were said, or all of them, oldest first."""
        if count == 0:
            return []
        return self._read(name, "lines", 0 if count is None else -count)

    def facts(self, name: str) -> list[Line]:
        """What is to be remembered, oldest first."""
        return self._read(name, "facts", 0)

    def summary(self, name: str) -> Line | None:
        """What the oldest lines were about, if that was written."""
        found = self._read(name, "summary", -1)
        return found[0] if found else None

    def summarise(self, name: str, summary: Line) -> bool:
        """Keep this instead of the summary before; whether what it covers is still there."""

        both = keys(name, "lines", "summary")
        values = summary.exchange, written(summary), self._keep_ms
        return bool(self._do(lambda: self._redis.eval(SUMMARISE, len(both), *both, *values)))

    def forget(self, name: str, exchange: str) -> None:
        """Erase all lines and facts of an exchange, and the summary, which may tell of them."""

        def erase() -> None:
            both = keys(name, "lines", "facts")
            found = [(each, line) for each in both for line in self._redis.lrange(each, 0, -1)]
            with self._redis.pipeline(transaction=True) as all_at_once:
                all_at_once.delete(key(name, "summary"))
                for each, line in found:
                    if _line(line).exchange == exchange:
                        all_at_once.lrem(each, 0, line)
                all_at_once.execute()
            self._rewrite_files(name)

        self._do(erase)

    def forget_everything(self, name: str) -> None:
        """Erase this conversation, its facts and its summary."""
        self._do(lambda: self._redis.delete(*keys(name, *KINDS)))
        self._do(lambda: self._rewrite_files(name))

    def names(self) -> list[str]:
        """The conversations that are kept, in alphabetical order."""
        pattern = key("*", "*")
        found = self._do(lambda: list(self._redis.scan_iter(match=pattern, count=1000)))
        parts = [each.removeprefix(PREFIX).partition("}:") for each in found]
        return sorted({_unescaped(name) for name, _, kind in parts if kind in KINDS})

    def close(self) -> None:
        """Let go of the connections. They are made again when they are needed."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            self._do(client.close)

    def _read(self, name: str, kind: str, first: int) -> list[Line]:
        def read() -> list[Line]:
            rows: list[str] = self._redis.lrange(key(name, kind), first, -1)
            # A push whose answer was lost is made again, and then stands there twice.
            return [_line(row) for row in dict.fromkeys(rows)]

        return self._do(read)

    @property
    def _keep_ms(self) -> int:
        return round(self.keep * 1000)

    def _rewrite_files(self, name: str) -> None:
        """Have the server's own files written anew, if it writes any and we may ask for it."""
        import redis

        server = self._redis
        if self._url.kind == "cluster":
            server = server.get_redis_connection(server.get_node_from_key(key(name, KINDS[0])))
        for _ in range(TRIES):
            try:
                about = server.info("persistence")
                if about.get("aof_enabled"):
                    server.bgrewriteaof()
                elif about.get("rdb_saves") or about.get("rdb_last_load_keys_loaded"):
                    server.bgsave(schedule=True)
                return
            except redis.ResponseError as error:
                if "in progress" not in str(error):  # not allowed, as with a rented server
                    return
                time.sleep(0.1)  # the one under way may hold what was just deleted

    def _do(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except self._errors as error:
            raise MemoryStoreError(self.explained(error)) from error

    def explained(self, error: Exception) -> str:
        """What went wrong, with the fix; never with what was to be written."""
        fix = "Start it, or name another in memory.store."
        return f"Redis at {self.where} failed ({type(error).__name__}). {fix}"


PREFIX = "voice-kit:{memory:"


def key(name: str, kind: str) -> str:
    """Under which a conversation's lines, facts, summary … are; the tag is in braces."""
    return f"{PREFIX}{name.replace('%', '%25').replace('}', '%7D')}}}:{kind}"


def keys(name: str, *kinds: str) -> list[str]:
    """The same for several."""
    return [key(name, kind) for kind in kinds]


def written(line: Line) -> str:
    """As it stands in a list."""
    return json.dumps(asdict(line), ensure_ascii=False)


def _line(text: str) -> Line:
    return Line(**json.loads(text))


def _unescaped(name: str) -> str:
    return name.replace("%7D", "}").replace("%25", "%")
