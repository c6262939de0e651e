"""What is kept of conversations, and how they go on."""

from __future__ import annotations

from collections.abc import Callable

from voice_kit.errors import SettingsError
from voice_kit.settings import Settings, home
from voice_kit.think.history import estimated_tokens
from voice_kit.think.memory.kept import KeptHistory
from voice_kit.think.memory.ram_store import RamStore
from voice_kit.think.memory.store import Line, MemoryStoreError, Store, exported

__all__ = [
    "KeptHistory",
    "Line",
    "MemoryStoreError",
    "Store",
    "exported",
    "make_history",
    "make_store",
]


def make_store(where: str) -> Store:
    """The store at “sqlite:PATH” or “redis://HOST:PORT/0”. Nothing is opened yet.

    Redis may also be “redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/0” or
    “redis+cluster://HOST:PORT,HOST:PORT”.

    "" is this program's own memory, until it ends; a mere “sqlite:” is `memory.sqlite` in
    VOICE_KIT_HOME or ~/.voice-kit. Raises `SettingsError`, and `MissingEngineError` where redis-py
    is missing.
    """
    if not where:
        return RamStore()
    kind, _, path = where.partition(":")
    if kind == "sqlite":
        from voice_kit.think.memory.sqlite_store import SqliteStore

        return SqliteStore(path.removeprefix("//") or home() / "memory.sqlite")
    if kind.partition("+")[0] in ("redis", "rediss", "unix"):
        from voice_kit.think.memory.redis_store import RedisStore

        try:
            return RedisStore(where)
        except ValueError as error:
            raise SettingsError(_fix(kind)) from error
    raise SettingsError(_fix(kind))


def make_history(
    settings: Settings,
    *,
    tokens: Callable[[str], int] = estimated_tokens,
    on_problem: Callable[[str], None] | None = None,
) -> KeptHistory:
    """The conversation that these settings name, where it ended; a new one if none is kept.

    Raises like `make_store`. A store that fails raises nothing: see `KeptHistory.problem`.
    """
    store = make_store(settings.memory.store)
    return KeptHistory(store, settings.memory.name, tokens=tokens, on_problem=on_problem)


def _fix(kind: str) -> str:
    return (
        f"memory.store cannot be used: “{kind}:…” is no place that is known. "
        "Try sqlite:memory.sqlite or redis://localhost:6379/0."
    )
