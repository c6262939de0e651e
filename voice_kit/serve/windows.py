"""How much there was lately, by the sliding window that two fixed ones make."""

from __future__ import annotations

from collections import OrderedDict

MOST = 50_000
"""Keys that are counted; the one that was counted longest ago makes room."""


def window(now: float, per_seconds: float) -> tuple[int, float]:
    """The number of the window that `now` is in, and how much of it is over, in [0, 1)."""
    number, over = divmod(now, per_seconds)
    return int(number), over / per_seconds


def sliding(before: float, current: float, over: float) -> float:
    """How much there was in the last window's length."""
    return before * (1 - over) + current


class Windows:
    """Counts in this process."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, tuple[int, float, float]] = OrderedDict()

    def count(self, key: str, amount: float, per_seconds: float, now: float) -> float:
        """As `Places.count`, at `now`, in seconds."""
        number, over = window(now, per_seconds)
        last, before, current = self._counts.pop(key, (number, 0.0, 0.0))
        if last != number:
            before, current = (current if last == number - 1 else 0.0), 0.0
        self._counts[key] = number, before, current + amount
        if len(self._counts) > MOST:
            self._counts.popitem(last=False)
        return sliding(before, current + amount, over)
