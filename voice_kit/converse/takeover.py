"""Engines that take over while a conversation is recorded, or replayed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from voice_kit.converse import steps
from voice_kit.converse.kept import Kept, Reel, traits
from voice_kit.converse.tape import Tape, key
from voice_kit.converse.taped import Taped
from voice_kit.types import Stops


class Loading:
    """Makes an engine that takes over, and tapes it; or tells that it did."""

    stops: Stops = "async"
    in_loop_time = True

    def __init__(
        self, stage: str, make: Callable[..., Any], reel: Reel, tape: Tape | None = None
    ) -> None:
        """`make` gives the engine, and is told its name where that is on the tape."""
        self._stage, self._make, self._reel, self._tape = stage, make, reel, tape or Tape()

    async def __call__(self) -> Taped:
        """The engine."""
        name, made = key("load", self._stage), list[Any]()

        async def load() -> dict[str, Any]:
            made.append(await steps.call(self._stage, self._make, self._make, None))
            return traits(made[0])

        if left := self._tape.next(name):
            step = left.popleft()
            await asyncio.sleep(step.cost or 0.0)
            step.fail()
            known = step.gave
            make = partial(self._make, known["name"])
            return Taped(self._stage, known, None, self._reel, make=make, tape=self._tape)
        known = await Kept(self._reel, name).step(load)
        return Taped(self._stage, known, made[0], self._reel)
