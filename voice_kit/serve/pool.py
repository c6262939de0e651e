"""Engines that many conversations share, though each of them can do one thing at a time."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from voice_kit.converse.line import LOADING
from voice_kit.converse.steps import StageFailedError, call
from voice_kit.hear.protocols import Transcriber
from voice_kit.types import Audio, Stops, Transcript

E = TypeVar("E")
MOST = max(1, min(4, (os.cpu_count() or 1) // 2))
"""Workers of a pool: each may keep a core or two busy."""
Waited = Callable[[float], object]


class Pool:
    """A transcriber in front of several, each of which hears one sound at a time.

    Whoever does not want an answer any more ends its own call, and nobody else's.
    """

    stops: Stops = "async"

    def __init__(
        self,
        first: Transcriber,
        another: Callable[[], Transcriber] | None = None,
        most: int = MOST,
        waited: Waited = lambda seconds: None,
    ) -> None:
        """More than the `first` are made by `another` once all are busy. `waited` is told how many
        seconds a sound waited for its worker."""
        self.name = first.name
        self.speculative = bool(getattr(first, "speculative", True))
        self._free, self._another, self.waited = [first], another, waited
        self._room = asyncio.Semaphore(most if another else 1)
        if hasattr(first, "abort"):  # which says that a call may begin early however long it takes
            self.abort = lambda: None  # `call` aborts the worker itself

    async def transcribe(self, audio: Audio) -> Transcript:
        """What is said, by the first worker that is free. Raises as it does."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with self._room:
            try:
                worker = self._free.pop() if self._free else await self._made()
                self.waited(loop.time() - began)
                try:
                    return await call("stt", worker, lambda: worker.transcribe(audio), None)
                finally:
                    self._free.append(worker)
            except StageFailedError as failure:
                raise failure.cause from failure

    async def _made(self) -> Transcriber:
        assert self._another is not None
        return await call("stt", None, self._another, LOADING)

    def close(self) -> None:
        """End those that have nothing to do."""
        for worker in self._free:
            closed(worker)


class Once(Generic[E]):
    """Makes an engine when it is first asked to; whoever asks later is given the same."""

    def __init__(self, make: Callable[[], E]) -> None:
        self._make: Callable[[], E] | None = make
        self._lock = threading.Lock()

    def __call__(self) -> E:
        """The engine. Blocks while it loads; raises if it cannot, and tries again next time."""
        with self._lock:
            if self._make is not None:
                self._engine, self._make = self._make(), None
            return self._engine

    _engine: E


def closed(engine: Any) -> None:
    """End what the engine has running, where there may be something."""
    if hasattr(engine, "close"):
        engine.close()


def pooled(
    engine: Any, another: Callable[[], Any] | None = None, waited: Waited = lambda seconds: None
) -> Any:
    """The engine, in a pool if it is one whose calls are ended by `abort`. One in which sounds wait
    for another, as they do in a batch, tells `waited` by itself."""
    if hasattr(engine, "abort"):
        return Pool(engine, another, waited=waited)
    if hasattr(engine, "waited"):
        engine.waited = waited
    return engine
