"""One deployment of a Ray cluster as an engine; while it is away, the gateway's own in its place.

A call that is given up is cancelled there too: who merely leaves a stream keeps its replica at work
(measured). One that its replica did not outlive is made once more, by another replica, unless
something of the answer has come. Where there is none, the gateway's own engine answers, until the
cluster does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from voice_kit.converse.steps import StageFailedError, call, name_of, stream
from voice_kit.errors import EngineFailedError, VoiceKitError
from voice_kit.serve.pool import closed
from voice_kit.serve.ray_app import ReplicaError
from voice_kit.serve.ray_cluster import FIX, Deployment

LOOK = 0.25
"""Seconds between two looks at whether there is still somebody who could answer."""
MOST = 3
"""How often a cluster is asked for one answer, where the gateway can give it, too."""
_DONE: Any = object()


class _GoneError(Exception):
    """Nobody is there who could answer a call."""


class _BackError(Exception):
    """Somebody is there again, and nothing of the answer has come from here."""


class Far:
    """One deployment as an engine, with the gateway's own in its place while it is away."""

    def __init__(self, handle: Any, stage: str, about: dict[str, Any], here: Any = None) -> None:
        """Without a handle it is away until it is met; without anybody `here`, its calls fail
        then."""
        self.there, self.here = Deployment(stage, handle, about), here

    @property
    def name(self) -> str:
        """Of the engine that answers for now."""
        return name_of(self.here) if self.away and self.here is not None else self.there.name

    @property
    def away(self) -> bool:
        """Whether the gateway's own engine answers."""
        return self.there.away

    def close(self) -> None:
        """Look for it no more, and end what stands in for it."""
        self.there.closed()
        closed(self.here)

    async def once(self, method: str, *about: Any) -> Any:
        """What a method gives. Raises `EngineFailedError`."""
        async with aclosing(self.each(method, *about, whole=True)) as one:
            return await anext(one)

    async def each(
        self, method: str, *about: Any, whole: bool = False
    ) -> AsyncGenerator[Any, None]:
        """Each item that a method yields, or the `whole` that it gives. Raises
        `EngineFailedError`."""
        came, asked = False, 0
        while True:
            if self.away and self.here is None:
                raise EngineFailedError(self.name, "it is gone for now", fix=FIX)
            if self.away:
                answer = self._from_here(method, about[0], whole, asked)
            else:
                asked += 1
                answer = self._from_there(method, about, whole)
            try:
                async with aclosing(answer) as items:
                    async for item in items:
                        came = True
                        yield item
                return
            except _BackError:
                continue
            except _GoneError as gone:
                last = asked > 1
                if came or last or (self.here and self.there.empty):
                    self.there.gone(str(gone))
                if came or (last and self.here is None):
                    raise EngineFailedError(self.there.name, str(gone), fix=FIX) from gone

    async def _from_there(
        self, method: str, about: Sequence[Any], whole: bool
    ) -> AsyncGenerator[Any, None]:
        from ray.exceptions import RayError, TaskCancelledError
        from ray.serve.exceptions import RayServeException

        coming = self.there.handle.options(method_name=method, stream=not whole).remote(*about)
        try:
            if whole:
                yield await _first(coming, self._nobody)
                return
            item = await _first(anext(coming, _DONE), self._nobody)
            while item is not _DONE:
                yield item
                item = await anext(coming, _DONE)
        except TaskCancelledError as error:
            raise EngineFailedError(self.name, "its call was ended there", fix=FIX) from error
        except (RayError, RayServeException, ReplicaError) as error:
            cause = getattr(error, "cause", error)
            if isinstance(cause, ReplicaError):
                raise VoiceKitError(str(cause)) from error
            raise _GoneError(type(error).__name__) from error
        finally:
            coming.cancel()

    async def _from_here(
        self, method: str, about: Any, whole: bool, asked: int
    ) -> AsyncGenerator[Any, None]:
        stage, here, ask = self.there.stage, self.here, getattr(self.here, method)
        over = partial(self._somebody, asked)
        try:
            if whole:
                yield await _first(call(stage, here, lambda: ask(about), None), over)
                return
            async with aclosing(stream(stage, here, lambda: ask(about), None)) as items:
                item = await _first(anext(items, _DONE), over)
                while item is not _DONE:
                    yield item
                    item = await anext(items, _DONE)
        except StageFailedError as failure:
            raise failure.cause from failure

    def _nobody(self) -> Exception | None:
        gone = self.here is not None and (self.away or self.there.empty)
        return _GoneError("no replica runs") if gone else None

    def _somebody(self, asked: int) -> Exception | None:
        return None if self.away or asked >= MOST else _BackError()


async def _first(coming: Awaitable[Any], over: Callable[[], Exception | None]) -> Any:
    """The first thing that comes. Ray would wait for the next replica to start, and a gateway's own
    engine may have many to answer: what `over` gives is raised instead, as soon as it does."""
    waiting = asyncio.ensure_future(coming)
    try:
        while not (await asyncio.wait([waiting], timeout=LOOK))[0]:
            if (problem := over()) is not None:
                raise problem
        return waiting.result()
    finally:
        waiting.cancel()
        await asyncio.wait([waiting])
        if not waiting.cancelled():
            waiting.exception()
