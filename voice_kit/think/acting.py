"""What a brain needs from those that decide what is to be done, and from what can be done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from typing import Any, Protocol

from voice_kit.types import Message, Route, Stops, ToolCall


class Router(Protocol):
    """Decides which way a question is answered.

    One that takes well under a millisecond says `direct = True`, as a detector does.
    """

    name: str
    stops: Stops

    def route(self, words: str) -> Route | Awaitable[Route]:
        """The way to answer `words`. A blocking method, or for `stops = "async"` a coroutine."""


class Described(Protocol):
    """A tool, as a language model is told of it."""

    @property
    def name(self) -> str:
        """By which it is called: letters, digits and underscores."""

    @property
    def description(self) -> str:
        """What it does, and when to use it."""

    @property
    def parameters(self) -> dict[str, Any]:
        """JSON Schema of its arguments: an object."""


class ToolCaller(Protocol):
    """A language model that can use tools."""

    name: str
    stops: Stops
    calls_tools: bool

    def reply(
        self, messages: Sequence[Message], tools: Sequence[Described] = ()
    ) -> Iterator[str | ToolCall] | AsyncIterator[str | ToolCall]:
        """As every model's; with tools, also a `ToolCall` for each that is to be used."""
