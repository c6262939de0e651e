"""Tools: typed Python functions that a skill or a language model can use."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError, create_model

from voice_kit.errors import VoiceKitError
from voice_kit.think.protocols import Thought
from voice_kit.types import Source, Stops, ToolCall, ToolUsed

LONGEST = 4000
"""Characters of a result that a model is shown."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """A function that can be called by name with checked arguments."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of its arguments."""
    work: Callable[..., str | Result | Awaitable[str | Result]]
    checked: Callable[[Mapping[str, Any]], dict[str, Any]]
    """The arguments as `work` takes them. Raises `ToolError`."""
    seconds: float = 10.0
    """How long it may take."""
    asks: Callable[..., str] | None = None
    """The question to be answered with “yes” before it is done; None for what can be undone."""
    off: bool = False
    """Whether it touches the machine, and is off until `tools.allow` names it."""
    stops: Stops = "steps"


def tool(
    *,
    seconds: float = 10.0,
    asks: Callable[..., str] | None = None,
    off: bool = False,
    name: str = "",
) -> Callable[[Callable[..., Any]], Tool]:
    """Make a typed function with a docstring a `Tool`: `@tool()`. It may be a coroutine function.

    The model is told its first paragraph; the schema comes from its signature. It returns what is
    to be said, or a `Result`.
    """

    def made(function: Callable[..., Any]) -> Tool:
        signature = inspect.signature(function, eval_str=True)
        fields: Any = {
            each.name: (each.annotation, ... if each.default is each.empty else each.default)
            for each in signature.parameters.values()
        }
        title = name or function.__name__
        model = create_model(title, __config__=ConfigDict(extra="forbid"), **fields)
        adapter = TypeAdapter(model)

        def checked(arguments: Mapping[str, Any]) -> dict[str, Any]:
            try:
                found = adapter.validate_python(dict(arguments))
            except ValidationError as error:
                problem = error.errors(include_input=False, include_url=False)[0]
                where = ".".join(map(str, problem["loc"])) or "the arguments"
                raise ToolError(f"{title} cannot be used so: {where}: {problem['msg']}.") from error
            return {each: getattr(found, each) for each in fields}

        description = inspect.getdoc(function) or ""
        if not description:
            raise TypeError(f"the tool {title} needs a docstring")
        return Tool(
            title,
            description.split("\n\n")[0],
            model.model_json_schema(),
            function,
            checked,
            seconds,
            asks,
            off,
            "async" if inspect.iscoroutinefunction(function) else "steps",
        )

    return made


class Tools:
    """The tools that may be used, by name."""

    def __init__(self, tools: Iterable[Tool] = (), allow: Iterable[str] = ()) -> None:
        """Those that are `off` are left out unless they are in `allow`."""
        allowed = set(allow)
        self._tools = {each.name: each for each in tools if not each.off or each.name in allowed}

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def prepared(self, call: ToolCall) -> tuple[Tool, dict[str, Any]]:
        """The tool that is called, and its checked arguments. Raises `ToolError`."""
        if call.tool not in self._tools:
            known = ", ".join(self._tools) or "none"
            raise ToolError(f"There is no tool “{call.tool}” here. There are: {known}.")
        found = self._tools[call.tool]
        return found, found.checked(call.arguments)

    async def use(self, thought: Thought, call: ToolCall, now: Callable[[], float]) -> Result:
        """What comes of a call, once the turn is certain. Never raises: a failure is a result.

        `now` is a clock in seconds, for how long it took.
        """
        await thought.certain.wait()
        began = now()
        try:
            found, arguments = self.prepared(call)
            given = await thought.run(found, lambda: found.work(**arguments), found.seconds)
            result = given if isinstance(given, Result) else Result(str(given))
        except VoiceKitError as error:
            result = Result(str(error), worked=False)
        thought.tell(
            ToolUsed, call, result.said[:LONGEST], now() - began, result.worked, result.sources
        )
        return result
