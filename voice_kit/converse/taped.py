"""Engines whose answers, and how long they took, are kept; or are told from what was kept."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any

import numpy as np

from voice_kit.converse import steps
from voice_kit.converse.kept import Kept, Reel, traits
from voice_kit.converse.tape import Step, Tape, key, restored
from voice_kit.types import Audio, Message, Stops, Transcript

LATE = 0.05
"""Seconds after which a call that was cut short in the recording is known to be wanted now."""
_waited: ContextVar[float] = ContextVar("_waited", default=0.0)


def cost(stage: str, seconds: float) -> float:
    """What a step costs on a virtual clock: less than it took, if it was waited for already."""
    early = min(_waited.get(), seconds)
    _waited.set(_waited.get() - early)
    return seconds - early


class Taped:
    """An engine that tells what is on its tape in the time it took then, and asks another for all
    else, in the time that takes, which it keeps.

    It is awaited, whatever the other is, whose work is done as `steps` does it.
    """

    stops: Stops = "async"
    in_loop_time = True

    def __init__(
        self,
        stage: str,
        known: dict[str, Any],
        engine: Any,
        reel: Reel,
        *,
        make: Callable[[], Any] | None = None,
        tape: Tape | None = None,
    ) -> None:
        """`known` are the traits of the other, which is `engine`, or what `make` gives at the first
        question that needs it."""
        self._engine = None
        self._known, self._follows = known, engine is not None
        self._stage, self._make, self._reel, self._tape = stage, make, reel, tape or Tape()
        self._frames: tuple[Kept, deque[Step]] | None = None
        self.recorded: str = known["name"]
        """What it is called on the tape, for as long as it is recorded."""
        self.direct: bool = known["direct"]
        self.needs_words: bool = known["needs_words"]
        self.speculative: bool = known["speculative"]
        self.partials: bool = known.get("partials", True)
        self.stoppable: bool = known["stoppable"]
        """Whether a call that nobody waits for ends, or computes on."""
        if known["aborts"]:
            self.abort = lambda: None  # `steps` aborts the other one itself
        self._engine = engine

    name: Any = property(lambda self: self._trait("name"))  # protocols want one that can be set
    """Of whoever answers for now: where it runs elsewhere, that changes."""

    @property
    def calls_tools(self) -> bool:
        """Whether the other can use tools for now."""
        return bool(self._trait("calls_tools"))

    def _trait(self, name: str) -> Any:
        return (traits(self._engine) if self._follows else self._known)[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or self._engine is None:
            raise AttributeError(name)
        return getattr(self._engine, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """What is only the other's, such as how fast it speaks, is changed there."""
        other = self.__dict__.get("_engine")
        mine = name in self.__dict__ or other is None or not hasattr(other, name)
        object.__setattr__(self if mine else other, name, value)

    def start(self) -> Any:
        """As a detector does: a state that its own takes the place of."""
        return None

    def detect(self, frames: Any, states: Sequence[Any]) -> Any:
        """As a detector does. Frames come one by one: all are one call."""
        if self._frames is None:
            name = key("vad", self.recorded)
            self._frames = Kept(self._reel, name), self._tape.next(name)
        kept, left = self._frames
        if left:
            return self._told(left, lambda chance: (np.array([chance or 0.0]), list(states)))

        def work(engine: Any) -> Any:
            return engine.detect(frames, [engine.start() if s is None else s for s in states])

        return self._now(kept, work) if self.direct else kept.step(lambda: self._call(work))

    def transcribe(self, audio: Audio) -> Any:
        """As a transcriber does."""
        return self._once(lambda engine: engine.transcribe(audio), audio)

    def finished(self, audio: Audio, transcript: Transcript) -> Any:
        """As a judge does."""
        return self._once(lambda engine: engine.finished(audio, transcript), audio, transcript)

    def reply(self, messages: Sequence[Message], *tools: Any) -> AsyncGenerator[Any, None]:
        """As a language model does."""
        asked = (list(messages), *([tool.name for tool in each] for each in tools))
        name = key("llm", self.recorded, *asked)
        return self._steps(name, lambda engine: engine.reply(messages, *tools))

    def speak(self, text: str) -> AsyncGenerator[Any, None]:
        """As a voice does."""
        return self._steps(key("tts", self.recorded, text), lambda engine: engine.speak(text))

    def _once(self, work: Callable[[Any], Any], *asked: Any) -> Any:
        name = key(self._stage, self.recorded, *asked)
        if not self.direct:
            return self._first(self._steps(name, work, once=True))
        if left := self._tape.next(name):
            return self._told(left, lambda gave: restored(self._stage, gave, self._tape.folder))
        return self._now(Kept(self._reel, name), work)

    def _told(self, left: deque[Step], made: Callable[[Any], Any]) -> Any:
        """What the next step gave, or an awaitable of it where it took time."""
        step = left.popleft()

        async def later() -> Any:
            if step.cost is not None:
                await asyncio.sleep(step.cost + LATE * step.cut)
            step.fail()
            return made(step.gave)

        if step.cost is not None or not self.direct:
            return later()
        step.fail()
        return made(step.gave)

    def _now(self, kept: Kept, work: Callable[[Any], Any]) -> Any:
        """What an engine gives that is called in place."""
        try:
            value = work(self._other())
        except Exception as error:
            kept.raised(None, error)
            raise
        if inspect.isawaitable(value):
            return kept.step(lambda: value)
        kept.gave(None, value)
        return value

    async def _first(self, values: AsyncGenerator[Any, None]) -> Any:
        async with aclosing(values):
            return await anext(values)

    async def _steps(
        self, name: str, work: Callable[[Any], Any], *, once: bool = False
    ) -> AsyncGenerator[Any, None]:
        """What was given, then what is still to be given."""
        left, given, early, spent = self._tape.next(name), 0, 0.0, 0.0
        while left:
            step = left.popleft()
            spent += step.cost or 0.0
            if step.cut:
                early, spent = (step.cost or 0.0) + LATE, spent + LATE
                await asyncio.sleep(early)
                left = deque(list(self._tape.whole(name))[given:])
                continue
            if step.cost is not None:
                await asyncio.sleep(max(0.0, step.cost - early))
                early = max(0.0, early - step.cost)
            step.fail()
            if step.end:
                return
            yield restored(self._stage, step.gave, self._tape.folder)
            given += 1
        _waited.set(spent)  # it begins anew, and all this was waited for already
        kept = Kept(self._reel, name)
        if once:
            yield await kept.step(lambda: self._call(work))
            return
        engine = self._other()
        async with aclosing(steps.stream(self._stage, engine, lambda: work(engine), None)) as items:
            while True:
                try:
                    value = await kept.step(lambda: anext(items))
                except StopAsyncIteration:
                    return
                given -= 1
                if given < 0:
                    yield value

    async def _call(self, work: Callable[[Any], Any]) -> Any:
        engine = self._other()
        return await steps.call(self._stage, engine, lambda: work(engine), None)

    def _other(self) -> Any:
        if self._engine is None and self._make is not None:
            self._engine = self._make()
        return self._engine
