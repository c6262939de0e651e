"""A brain whose answers are kept, or told again without doing anything twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from voice_kit.converse.kept import Kept, Reel
from voice_kit.converse.plain import as_json
from voice_kit.converse.tape import Step, Tape, event_of, key
from voice_kit.converse.taped import LATE
from voice_kit.think.protocols import Brain, Chat, Thought
from voice_kit.types import Event


class TapedBrain:
    """A brain in front of another. Without another, it tells what is on its tape and uses no tool
    again: what was never asked is answered by talking."""

    def __init__(
        self,
        name: str,
        reel: Reel,
        brain: Brain | None = None,
        *,
        tape: Tape | None = None,
        another_model: bool = False,
    ) -> None:
        """With `another_model`, what the language model had its part in is answered anew."""
        self.name = name
        self._brain, self._reel, self._tape = brain or Chat(), reel, tape or Tape()
        if cutter := getattr(brain, "cutter", None):
            self.cutter = cutter
        self._another_model = another_model

    async def answer(self, thought: Thought) -> AsyncGenerator[str, None]:
        """The answer, token by token."""
        name, said = key("brain", self.name, thought.words), False
        steps = self._tape.next(name)
        if self._another_model and any(step.asked for step in steps):
            steps.clear()
        for step in steps:
            if step.cost is not None:
                try:
                    await asyncio.sleep(step.cost + LATE * step.cut)
                except asyncio.CancelledError:
                    if step.cut:
                        _tell_again(thought, step)
                    raise
            step.fail()
            thought.by = step.by or thought.by
            if step.gate:
                await thought.certain.wait()
            elif step.acted:
                thought.acted.set()
            elif step.told is not None:
                _tell_again(thought, step)
            elif step.gave is not None:
                said = True
                yield step.gave
            elif step.end:
                return
        if not said:
            kept = _Kept(Kept(self._reel, name), thought)
            async for token in kept.answer(self._brain):
                yield token


def _tell_again(thought: Thought, step: Step) -> None:
    if step.told is not None and (event := event_of(step.told)):
        _, _, *names = event.__dataclass_fields__
        thought.tell(type(event), *(getattr(event, name) for name in names))


class _Kept:
    """A question under way, as its brain sees it."""

    def __init__(self, kept: Kept, thought: Any) -> None:
        vars(self).update(_kept=kept, _thought=thought)
        self.begin()

    @property
    def certain(self) -> _Gate:
        """As the question's."""
        return _Gate(self._thought.certain, self)  # kept, it would keep the turn and its sound

    @property
    def acted(self) -> _Mark:
        """As the question's."""
        return _Mark(self._thought.acted, self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._thought, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._thought, name, value)

    def begin(self) -> None:
        """The next step begins."""
        vars(self)["_began"] = asyncio.get_running_loop().time()

    def put(self, **step: Any) -> None:
        """It ends, and another begins."""
        cost = asyncio.get_running_loop().time() - self._began
        self._kept.put(cost or None, **step, by=self._thought.by)
        self.begin()

    def model(self, *asked: Any) -> AsyncGenerator[Any, None]:
        """As the question does."""
        self.put(asked=True)
        answer: AsyncGenerator[Any, None] = self._thought.model(*asked)
        return answer

    def tell(self, kind: Callable[..., Event], *fields: Any) -> None:
        """As the question does."""
        task = asyncio.current_task()
        cut = task is not None and task.cancelling() > 0  # a tool that nobody waits for any more
        self.put(told=as_json(kind(0, 0.0, *fields)), cut=cut)
        self._thought.tell(kind, *fields)

    async def answer(self, brain: Brain) -> AsyncGenerator[str, None]:
        """The answer of `brain`."""
        mine: Any = self
        try:
            async with aclosing(brain.answer(mine)) as tokens:
                async for token in tokens:
                    self.put(gave=token)
                    yield token
                    self.begin()
        except asyncio.CancelledError:
            self.put(cut=True)
            raise
        except Exception as error:
            self._kept.raised(asyncio.get_running_loop().time() - self._began, error)
            raise
        self.put(end=True)


class _Gate:
    def __init__(self, certain: asyncio.Event, kept: _Kept) -> None:
        self.is_set = certain.is_set
        self._certain, self._kept = certain, kept

    async def wait(self) -> None:
        self._kept.put(gate=True)
        await self._certain.wait()
        self._kept.begin()


class _Mark:
    def __init__(self, acted: asyncio.Event, kept: _Kept) -> None:
        self.is_set = acted.is_set
        self._acted, self._kept = acted, kept

    def set(self) -> None:
        self._kept.put(acted=True)
        self._acted.set()
