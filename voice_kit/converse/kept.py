"""Keeps the calls of engines while they are made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from voice_kit.converse.steps import StageFailedError, name_of
from voice_kit.converse.tape import plain
from voice_kit.errors import VoiceKitError
from voice_kit.types import Speech


class Reel(Protocol):
    """Where it is kept."""

    def put(self, line: dict[str, Any]) -> None:
        """Keep a line."""

    def put_sound(self, speech: Speech) -> str:
        """Keep a sound, and say where it is."""

    def next_call(self) -> int:
        """The number of another call."""


class Kept:
    """One call, in progress."""

    def __init__(self, reel: Reel, key: str) -> None:
        self._reel, self._number = reel, reel.next_call()
        reel.put({"call": self._number, "key": key})

    def put(self, cost: float | None, **step: Any) -> None:
        """Keep a step."""
        self._reel.put({"of": self._number, "cost": cost, **step})

    def gave(self, cost: float | None, value: Any) -> None:
        """Keep what a step gave."""
        sound = self._reel.put_sound(value) if isinstance(value, Speech) else ""
        self.put(cost, gave=plain(value, sound))

    def raised(self, cost: float | None, error: Exception) -> None:
        """Keep that a step failed."""
        ours = isinstance(error, VoiceKitError)
        self.put(cost, raised=type(error).__name__, message=str(error) if ours else None)

    async def step(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """What `work` gives, kept with its time."""
        loop = asyncio.get_running_loop()
        began, waited = loop.time(), list[bool]()
        loop.call_soon(waited.append, True)

        def cost() -> float | None:
            return loop.time() - began if waited else None

        try:
            value = await work()
        except StopAsyncIteration:
            self.put(cost(), end=True)
            raise
        except asyncio.CancelledError:
            self.put(cost(), cut=True)
            raise
        except StageFailedError as failure:
            self.raised(cost(), failure.cause)
            raise failure.cause from failure
        except Exception as error:
            self.raised(cost(), error)
            raise
        self.gave(cost(), value)
        return value


class Nowhere:
    """Keeps nothing."""

    def put(self, line: dict[str, Any]) -> None:
        """Nothing."""

    def put_sound(self, speech: Speech) -> str:
        """Nothing."""
        return ""

    def next_call(self) -> int:
        """Always the same."""
        return 0


def traits(engine: Any) -> dict[str, Any]:
    """What of an engine the loop goes by."""
    return {
        "name": name_of(engine),
        "direct": bool(getattr(engine, "direct", False)),
        "needs_words": bool(getattr(engine, "needs_words", False)),
        "speculative": bool(getattr(engine, "speculative", True)),
        "partials": bool(getattr(engine, "partials", True)),
        "calls_tools": bool(getattr(engine, "calls_tools", False)),
        "stoppable": hasattr(engine, "abort") or getattr(engine, "stops", "") == "async",
        "aborts": hasattr(engine, "abort"),
    }
