"""What skills may ask of the room they are used in."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo


def nothing() -> None:
    """Nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Room:
    """A clock, and what can be changed about our own voice. What is None cannot be done here.

    All but the clock is called on the event loop.
    """

    clock: Callable[[], float] = time.time
    """Seconds since 1970."""
    zone: tzinfo | None = None
    """Where the room is; None is this machine's own zone."""
    last_answer: Callable[[], str] = str
    """What we said last, as far as it was heard."""
    hush: Callable[[], None] = nothing
    """Leaves unsaid whatever still waits to be said, beside the answer under way."""
    change_volume: Callable[[int], bool] | None = None
    """Speaks louder from the next sentence on, by so many steps, or quieter; whether it could."""
    change_pace: Callable[[int], bool] | None = None
    """Speaks faster from the next sentence on, by so many steps, or slower; whether it could."""
    rephrase: Callable[[str], Awaitable[str]] | None = None
    """The same in other words."""

    def local(self, at: float | None = None) -> datetime:
        """The time here, now or at a moment in seconds since 1970."""
        return datetime.fromtimestamp(self.clock() if at is None else at, self.zone)
