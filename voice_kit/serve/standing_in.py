"""Engines asked one after the other, where no conversation is around them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, TypeVar

from voice_kit.converse.line import Line
from voice_kit.converse.steps import StageFailedError

T = TypeVar("T")


async def first_that_works(
    line: Line[Any],
    start: Callable[[Any], AsyncGenerator[T, None]],
    failed: Callable[[str], None],
) -> AsyncGenerator[T, None]:
    """The items of the first engine in line that gives any; `failed(stage)` hears of the others.

    Of one that fails in the midst nobody takes over: what was given cannot be taken back.
    """
    while True:
        begun = False
        try:
            async with aclosing(start(line.current)) as items:
                async for item in items:
                    begun = True
                    yield item
            return
        except StageFailedError as failure:
            failed(failure.stage)
            if begun or not await line.replace(failure):
                raise
