"""Tools: typed Python functions that a skill or a language model can use."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import to_json

from voice_kit.errors import EngineFailedError, EngineTimeoutError, VoiceKitError
from voice_kit.think.calls import UNREADABLE
from voice_kit.think.protocols import Thought
from voice_kit.think.signature import signature_of
from voice_kit.types import Source, Stops, ToolCall, ToolUsed

LONGEST = 4000
"""Characters of a result that a model is shown."""
SPOKEN = 1200
"""Characters of a result that are said aloud: a minute and more."""
BEGUN = "It was begun, and not waited for: it may be done."

Before = Callable[[ToolCall], object]
"""Told of a call before the tool is used. A `VoiceKitError` that it raises is said instead."""


class ToolError(VoiceKitError):
    """A tool could not do it. `str(error)` is one sentence, which is said aloud."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a tool."""

    said: str
    """Fit to be spoken."""
    data: Any = None
    """Plain data for a model, where that is more than is spoken."""
    sources: tuple[Source, ...] = ()
    worked: bool = True

    @property
    def told(self) -> str:
        """What a model is shown of it: the data as JSON, text as it is, `LONGEST` at most."""
        if self.data is None or isinstance(self.data, str):
            return _cut(self.data or self.said, LONGEST, " … (cut)")
        return _cut(to_json(self.data, fallback=str).decode(errors="replace"), LONGEST, " … (cut)")


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """A function that can be called by name with checked arguments."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of its arguments."""
    work: Callable[..., Any | Awaitable[Any]]
    checked: Callable[[Mapping[str, Any]], dict[str, Any]]
    """The arguments as `work` takes them. Raises `ToolError`."""
    seconds: float = 10.0
    """How long it may take."""
    asks: Callable[..., str] | None = None
    """The question to be answered with “yes” before it is done; None for what can be undone."""
    off: bool = False
    """Whether it touches the machine, and is off until `tools.allow` names it."""
    stops: Stops = "steps"
    outside: bool = False
    """Whether its results are the words of strangers."""


def tool(
    *,
    seconds: float = 10.0,
    asks: Callable[..., str] | None = None,
    off: bool = False,
    name: str = "",
    outside: bool = False,
) -> Callable[[Callable[..., Any]], Tool]:
    """Make a typed function with a docstring a `Tool`: `@tool()`. It may be a coroutine function.

    The model is told its first paragraph; the schema comes from its signature. It returns what is
    to be said, or a `Result`.
    """

    def made(function: Callable[..., Any]) -> Tool:
        title = name or function.__name__
        signature = signature_of(function, title)

        def checked(arguments: Mapping[str, Any]) -> dict[str, Any]:
            try:
                return signature.checked(arguments)
            except ValueError as error:
                raise ToolError(f"{title} cannot be used so: {error}.") from error

        return Tool(
            title,
            signature.description,
            signature.parameters,
            function,
            checked,
            seconds,
            asks,
            off,
            "async" if inspect.iscoroutinefunction(function) else "steps",
            outside,
        )

    return made


class Tools:
    """The tools that may be used, by name."""

    def __init__(
        self,
        tools: Iterable[Tool] = (),
        allow: Iterable[str] = (),
        more: Callable[[Collection[str]], Awaitable[Iterable[Tool]]] | None = None,
        before: Before | None = None,
    ) -> None:
        """Those that are `off` are left out unless they are in `allow`.

        `more` is asked by `ready()` for tools that come later, and told the names that are taken;
        `before` is told of each call, and may refuse it.
        """
        self._before = before or (lambda call: None)
        self._allow = set(allow)
        self._more = more
        tools = list(tools)
        self._known = {each.name for each in tools}  # those that are off as well
        self._own = self._tools = self._allowed(tools)

    def _allowed(self, tools: Iterable[Tool]) -> dict[str, Tool]:
        return {each.name: each for each in tools if not each.off or each.name in self._allow}

    def outside(self, call: ToolCall) -> bool:
        """Whether what this call gives was written by strangers."""
        return call.tool in self._tools and self._tools[call.tool].outside

    async def ready(self) -> None:
        """Let in the tools that `more` has by now. None of them takes the name of another."""
        if self._more is not None:
            late = [each for each in await self._more(self._known) if each.name not in self._known]
            self._tools = self._own | self._allowed(late)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def prepared(self, call: ToolCall) -> tuple[Tool, dict[str, Any]]:
        """The tool that is called, and its checked arguments. Raises `ToolError`."""
        if call.tool in self._known - self._tools.keys():
            raise ToolError(f"{call.tool} is switched off. To have it, name it in tools.allow.")
        if call.tool not in self._tools:
            known = ", ".join(self._tools) or "none"
            raise ToolError(f"There is no tool “{call.tool[:64]}” here. There are: {known}.")
        if not isinstance(call.arguments, Mapping) or UNREADABLE in call.arguments:
            raise ToolError(f"{call.tool} cannot be used so: its arguments are no JSON object.")
        found = self._tools[call.tool]
        return found, found.checked(call.arguments)

    async def use(self, thought: Thought, call: ToolCall, now: Callable[[], float]) -> Result:
        """What comes of a call, once the turn is certain. Never raises: a failure is a result.

        `now` is a clock in seconds. One under way when its turn ends is told of: it may be done.
        """
        await thought.certain.wait()
        began, result = now(), Result(BEGUN, worked=False)
        try:
            self._before(call)
            found, arguments = self.prepared(call)
            thought.acted.set()
            result = await _done(thought, found, arguments)
        except VoiceKitError as error:
            result = Result(_cut(str(error), SPOKEN, " …"), worked=False)
        finally:
            thought.tell(ToolUsed, call, result.said, now() - began, result.worked, result.sources)
        return result


async def _done(thought: Thought, found: Tool, arguments: dict[str, Any]) -> Result:
    spoken = found.name.replace("_", " ")
    work: Callable[[], Any] = lambda: _at_once(found, arguments)  # noqa: E731
    if found.stops == "async":
        work = lambda: _awaited(found, arguments)  # noqa: E731
    try:
        result: Result = await thought.run(found, work, found.seconds)
        return result
    except EngineTimeoutError as error:
        raise ToolError(
            f"{spoken} took longer than {found.seconds:g} seconds, so I did not wait for it."
        ) from error
    except EngineFailedError as error:
        if error.engine != found.name:
            raise
        raise ToolError(f"{spoken} went wrong and could not be done.") from error


def _at_once(found: Tool, arguments: dict[str, Any]) -> Result:
    try:
        return as_result(found.work(**arguments))
    except (SystemExit, KeyboardInterrupt, asyncio.CancelledError) as error:
        raise RuntimeError("a tool tried to end what uses it") from error


async def _awaited(found: Tool, arguments: dict[str, Any]) -> Result:
    try:
        return as_result(await found.work(**arguments))
    except (SystemExit, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise RuntimeError("a tool tried to end what uses it") from error


def as_result(given: Any) -> Result:
    """What a tool gave back, no longer than an ear and a model can bear."""
    if inspect.iscoroutine(given):
        given.close()
        raise TypeError("a tool gave a coroutine: write it as a coroutine function")
    if not isinstance(given, Result):
        if given is None:
            given = Result("Done.")
        elif isinstance(given, str | int | float):
            given = Result(str(given))
        else:
            data = json.loads(to_json(given, fallback=str))
            given = Result(to_json(data).decode(), data)
    _ = given.told  # what is no plain data fails here, and not where it is read
    said = _cut(str(given.said), SPOKEN, " … And so on.")
    whole = given.said if given.data is None and said != given.said else given.data
    bounded: Result = replace(given, said=said, data=whole)
    return bounded


def _cut(text: str, longest: int, rest: str) -> str:
    """The text, cut at a blank and with `rest` at its end if it is too long."""
    if len(text) <= longest:
        return text
    kept = text[: longest - len(rest)]
    return (kept[: kept.rfind(" ", longest // 2)] if " " in kept[longest // 2 :] else kept) + rest
