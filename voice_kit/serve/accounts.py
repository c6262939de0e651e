"""How much each has used lately: counted here at once, and settled with all gateways soon after."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from voice_kit.serve.shares import SLOTS, Shares

log = logging.getLogger(__name__)

SHARED_WAIT = 0.25
"""Seconds that the count of all gateways is waited for, at most."""


class Counts(Protocol):
    """What of `Places` is needed here."""

    async def count(self, key: str, amount: float, per_seconds: float) -> float | None:
        """Add this to the sliding count of all gateways, and say what it is now; None where they
        cannot be asked."""


async def count_of_all(places: Counts, key: str, amount: float, per_seconds: float) -> float | None:
    """What all gateways have counted, this included; None where they cannot be asked."""
    try:
        async with asyncio.timeout(SHARED_WAIT):
            return await places.count(key, amount, per_seconds)
    except Exception as error:
        log.warning("limits are counted by this gateway alone (%s)", type(error).__name__)
        return None


class Accounts:
    """A share for each key, of all gateways together where there are `places`.

    Nobody waits for the others' count. So each gateway gives as much as one may before they have
    settled, and never more; without the server that stays so.
    """

    def __init__(
        self, name: str, most: float, seconds: float, places: Counts | None = None
    ) -> None:
        self._name, self._most, self._seconds, self._places = name, most, seconds, places
        self._here = Shares(most, seconds)
        self._unsettled: dict[str, float] = {}
        self._used_up: dict[str, float] = {}  # until when, as all gateways have counted

    def __len__(self) -> int:
        return len(self._here)

    def add(self, key: str, amount: float, now: float, *, alone: bool = False) -> float:
        """0 where this still fits in, and it is counted; else the seconds until it might.

        `alone` is for a key that no other gateway has.
        """
        if (until := self._used_up.get(key, 0.0)) > now:
            return until - now
        wait = self._here.add(key, amount, now)
        if not wait and not alone and self._places is not None:
            self._unsettled[key] = self._unsettled.get(key, 0.0) + amount
        return wait

    def left(self, key: str, now: float) -> float:
        """How much would still fit in."""
        if self._used_up.get(key, 0.0) > now:
            return 0.0
        return max(0.0, self._most - self._here.used(key, now))

    def forget(self, key: str) -> None:
        """Count this key from nothing again."""
        self._here.forget(key)

    async def settle(self, now: float) -> None:
        """Tell the others what was used here, and learn who has used up their share elsewhere."""
        self._used_up = {key: until for key, until in self._used_up.items() if until > now}
        if self._places is None:
            return
        late = {key: min(mine, self._here.used(key, now)) for key, mine in self._unsettled.items()}
        self._unsettled = {key: mine for key, mine in late.items() if mine}  # not out of date
        for key, amount in list(self._unsettled.items()):
            name = f"{self._name}:{key}"
            used = await count_of_all(self._places, name, amount, self._seconds)
            if used is None:  # nor would the next be answered: all of it is told the next time
                return
            self._unsettled[key] -= amount  # more may have come meanwhile
            if used > self._most:  # about as long as it takes until so much is out of date
                wait = self._seconds * (used - self._most) / max(used, 1.0)
                self._used_up[key] = now + max(self._seconds / SLOTS, wait)
