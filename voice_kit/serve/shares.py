"""How much of something there may be in a time, for each of many, in little memory."""

from __future__ import annotations

import math
from collections import OrderedDict, deque

REMEMBERED = 10_000
"""Keys whose counts are kept; the ones quiet for longest are forgotten."""
SLOTS = 20
"""Parts of the time that are counted as one: a count is exact to a twentieth of it."""


class Share:
    """At most so much in any so many seconds. What does not fit in is not counted."""

    def __init__(self, most: float, seconds: float) -> None:
        self.most, self.seconds = most, seconds
        self._slots: deque[tuple[int, float]] = deque()
        self._sum = 0.0

    def used(self, now: float) -> float:
        """What is counted still."""
        slot = math.floor(now * SLOTS / self.seconds)
        while self._slots and self._slots[0][0] < slot - SLOTS:
            self._sum -= self._slots.popleft()[1]
        if not self._slots:
            self._sum = 0.0  # without what rounding has left
        return self._sum

    def add(self, amount: float, now: float) -> float:
        """0 where this still fits in, and it is counted; else the seconds until it would."""
        slot, width = math.floor(now * SLOTS / self.seconds), self.seconds / SLOTS
        too_much = self.used(now) + amount - self.most
        if too_much > 1e-9:
            for index, counted in self._slots:
                too_much -= counted
                if too_much <= 1e-9:
                    return max(width, (index + SLOTS + 1) * width - now)
            return self.seconds
        if self._slots and self._slots[-1][0] == slot:
            self._slots[-1] = (slot, self._slots[-1][1] + amount)
        else:
            self._slots.append((slot, amount))
        self._sum += amount
        return 0.0


class Shares:
    """A share for each key. Those quiet for longest are forgotten first."""

    def __init__(self, most: float, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._kept: OrderedDict[str, Share] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, key: str, amount: float, now: float) -> float:
        """0 where this still fits in, else the seconds until it would."""
        share = self._kept.pop(key, None) or Share(self._most, self._seconds)
        self._kept[key] = share
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
        return share.add(amount, now)

    def used(self, key: str, now: float) -> float:
        """What is counted of this key still."""
        share = self._kept.get(key)
        return share.used(now) if share else 0.0

    def forget(self, key: str) -> None:
        """Count this key from nothing again."""
        self._kept.pop(key, None)
