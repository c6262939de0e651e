"""Conversations in a Redis server, which several machines may share."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from voice_kit.errors import MissingEngineError, install
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
        return 1
    end
end
return 0
"""


class RedisStore:
    """Keeps conversations in lists, one for the lines and one for the facts of each name.

    What is forgotten is deleted at once; where the server writes files of its own, it is told to
    write them anew, and does so in the background.
    """

    def __init__(self, url: str = "redis://localhost:6379/0") -> None:
        """Opens no connection yet. Raises `MissingEngineError` without redis-py."""
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as error:
            raise MissingEngineError("redis-py", fix=install("redis")) from error
        self.where = _without_password(url)
        self._errors = (redis.RedisError, OSError, ValueError, TypeError)
        self._redis: Any = redis.Redis.from_url(
            url,
            socket_timeout=WAIT,
            socket_connect_timeout=WAIT,
            retry=Retry(NoBackoff(), 1),  # for a connection that was closed while nobody spoke
            decode_responses=True,
        )

    def append(self, name: str, lines: Sequence[Line]) -> None:
        """Keep these, after what is there: all of them or, when it raises, none."""

        def push() -> None:
            with self._redis.pipeline(transaction=True) as all_at_once:
                for line in lines:
                    kind = "facts" if line.role == "fact" else "lines"
                    all_at_once.rpush(_key(name, kind), _written(line))
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

        keys, values = _keys(name, "lines", "summary"), (summary.exchange, _written(summary))
        return bool(self._do(lambda: self._redis.eval(SUMMARISE, len(keys), *keys, *values)))

    def forget(self, name: str, exchange: str) -> None:
        """Erase all lines and facts of an exchange, and the summary, which may tell of them."""

        def erase() -> None:
            keys = _keys(name, "lines", "facts")
            found = [(key, line) for key in keys for line in self._redis.lrange(key, 0, -1)]
            with self._redis.pipeline(transaction=True) as all_at_once:
                all_at_once.delete(*_keys(name, "summary"))
                for key, line in found:
                    if _line(line).exchange == exchange:
                        all_at_once.lrem(key, 0, line)
                all_at_once.execute()
            self._rewrite_files()

        self._do(erase)

    def forget_everything(self, name: str) -> None:
        """Erase this conversation, its facts and its summary."""
        self._do(lambda: self._redis.delete(*_keys(name, *KINDS)))
        self._do(self._rewrite_files)

    def names(self) -> list[str]:
        """The conversations that are kept, in alphabetical order."""
        keys = self._do(lambda: list(self._redis.scan_iter(match="voice-kit:*", count=1000)))
        return sorted({key.split(":", 2)[2] for key in keys if key.split(":", 2)[1] in KINDS})

    def close(self) -> None:
        """Let go of the connections. They are made again when they are needed."""
        self._do(self._redis.close)

    def _read(self, name: str, kind: str, first: int) -> list[Line]:
        def read() -> list[Line]:
            rows: list[str] = self._redis.lrange(_key(name, kind), first, -1)
            # A push whose answer was lost is made again, and then stands there twice.
            return [_line(row) for row in dict.fromkeys(rows)]

        return self._do(read)

    def _rewrite_files(self) -> None:
        """Have the server's own files written anew, if it writes any and we may ask for it."""
        import redis

        for _ in range(TRIES):
            try:
                about = self._redis.info("persistence")
                if about.get("aof_enabled"):
                    self._redis.bgrewriteaof()
                elif about.get("rdb_saves") or about.get("rdb_last_load_keys_loaded"):
                    self._redis.bgsave(schedule=True)
                return
            except redis.ResponseError as error:
                if "in progress" not in str(error):  # not allowed, as with a rented server
                    return
                time.sleep(0.1)  # the one under way may hold what was just deleted

    def _do(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except self._errors as error:
            fix = "Start it, or name another in memory.store."
            problem = type(error).__name__
            raise MemoryStoreError(f"Redis at {self.where} failed ({problem}). {fix}") from error


def _key(name: str, kind: str) -> str:
    return f"voice-kit:{kind}:{name}"


def _keys(name: str, *kinds: str) -> list[str]:
    return [_key(name, kind) for kind in kinds]


def _written(line: Line) -> str:
    return json.dumps(asdict(line), ensure_ascii=False)


def _line(text: str) -> Line:
    return Line(**json.loads(text))


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
