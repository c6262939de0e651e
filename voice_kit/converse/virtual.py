"""An event loop whose clock is virtual: an hour of conversation takes as long as its engines."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from voice_kit.converse.steps import Clock

T = TypeVar("T")
_DONE: Any = object()

Cost = Callable[[str, float], float]
"""How long a step of a stage takes on the virtual clock: (stage, seconds measured) -> seconds."""


def as_measured(stage: str, seconds: float) -> float:
    """A step takes as long as it took."""
    return seconds


class VirtualLoop(Clock, asyncio.SelectorEventLoop):
    """Skips every wait: when nothing is to be done, its clock leaps to the next timer.

    Everything that goes by the loop's time (sleeps, timeouts, a `FileMicrophone`, a
    `SilentSpeaker`) keeps its order and its seconds. Blocking engines run where they are called
    and cost what `cost` says; while an asynchronous one is waited for, the clock runs like ours.
    """

    def __init__(self, cost: Cost = as_measured) -> None:
        self.cost = cost
        self._now = 0.0
        self._holds = 0
        super().__init__(_Leaping(self))

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    async def steps(self, stage: str, start: Callable[[], Iterator[T]]) -> AsyncGenerator[T, None]:
        """Each item of a blocking generator, computed here and now."""
        items = start()
        try:
            while True:
                began = time.perf_counter()
                item = next(items, _DONE)
                await asyncio.sleep(self.cost(stage, time.perf_counter() - began))
                if item is _DONE:
                    return
                yield item
        finally:
            if hasattr(items, "close"):
                items.close()

    @contextmanager
    def real_time(self) -> Iterator[None]:
        """While this lasts, the clock runs like ours: something outside is being waited for."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1


class _Leaping(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or self._loop._holds:
            began = time.perf_counter()
            ready = super().select(timeout)
            if self._loop._holds:
                self._loop._now += time.perf_counter() - began
            return ready
        ready = super().select(0)
        if not ready:
            self._loop._now += max(0.0, timeout)
        return ready


def run(work: Coroutine[Any, Any, T], *, fast: bool = False, cost: Cost = as_measured) -> T:
    """`asyncio.run`, on the virtual clock when `fast`."""
    factory = (lambda: VirtualLoop(cost)) if fast else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)
