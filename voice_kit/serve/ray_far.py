"""One deployment of a Ray cluster as an engine; while it is away, the gateway's own in its place.

A call that is given up is cancelled there too: who merely leaves a stream keeps its replica at work
(measured). One that its replica did not outlive is made once more, by another replica, unless
something of the answer has come. Where there is none, the gateway's own engine answers, until the
cluster does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from typing import Any

from voice_kit.converse.steps import StageFailedError, call, name_of, stream
from voice_kit.errors import EngineFailedError, VoiceKitError
from voice_kit.serve.ray_app import ReplicaError
from voice_kit.serve.ray_cluster import FIX, Deployment

LOOK = 0.25
"""Seconds between two looks at whether there is still somebody who could answer."""
_DONE: Any = object()


class _GoneError(Exception):
    """Nobody is there who could answer a call."""


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
        close: Any = getattr(self.here, "close", None)
        if close is not None:
            close()

    async def once(self, method: str, *about: Any) -> Any:
        """What a method gives. Raises `EngineFailedError`."""
        async with aclosing(self.each(method, *about, whole=True)) as one:
            return await anext(one)

    async def each(
        self, method: str, *about: Any, whole: bool = False
    ) -> AsyncGenerator[Any, None]:
        """Each item that a method yields, or the `whole` that it gives. Raises
        `EngineFailedError`."""
        came = False
        for last in (False, True):
            if self.away:
                break
            try:
                async with aclosing(self._from_there(method, about, whole)) as items:
                    async for item in items:
                        came = True
                        yield item
                return
            except _GoneError as gone:
                problem = str(gone)
                if came or last or (self.here and self.there.empty):
                    self.there.gone(problem)
                if came or (last and self.here is None):
                    raise EngineFailedError(self.there.name, problem, fix=FIX) from gone
        if self.here is None:
            raise EngineFailedError(self.name, "it is gone for now", fix=FIX)
        async with aclosing(self._from_here(method, about[0], whole)) as items:
            async for item in items:
                yield item

    async def _from_there(
        self, method: str, about: Sequence[Any], whole: bool
    ) -> AsyncGenerator[Any, None]:
        from ray.exceptions import RayError, TaskCancelledError
        from ray.serve.exceptions import RayServeException

        asked = self.there.handle.options(method_name=method, stream=not whole).remote(*about)
        try:
            if whole:
                yield await self._first(asked)
                return
            item = await self._first(anext(asked, _DONE))
            while item is not _DONE:
                yield item
                item = await anext(asked, _DONE)
        except TaskCancelledError as error:
            raise EngineFailedError(self.name, "its call was ended there", fix=FIX) from error
        except (RayError, RayServeException, ReplicaError) as error:
            cause = getattr(error, "cause", error)
            if isinstance(cause, ReplicaError):
                raise VoiceKitError(str(cause)) from error
            raise _GoneError(type(error).__name__) from error
        finally:
            asked.cancel()

    async def _first(self, coming: Awaitable[Any]) -> Any:
        """The first thing that comes. Ray would wait for the next replica to start."""
        waiting = asyncio.ensure_future(coming)
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            while not (await asyncio.wait([waiting], timeout=LOOK if self.here else None))[0]:
                if self.away or self.there.empty:
                    raise _GoneError("no replica runs")
            return waiting.result()
        finally:
            waiting.cancel()

    async def _from_here(self, method: str, about: Any, whole: bool) -> AsyncGenerator[Any, None]:
        stage, ask = self.there.stage, getattr(self.here, method)
        try:
            if whole:
                yield await call(stage, self.here, lambda: ask(about), None)
                return
            async with aclosing(stream(stage, self.here, lambda: ask(about), None)) as items:
                async for item in items:
                    yield item
        except StageFailedError as failure:
            raise failure.cause from failure
