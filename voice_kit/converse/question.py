"""A question under way, as the brain that answers it sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from voice_kit.converse.line import Line
from voice_kit.converse.steps import StageFailedError, call, stream
from voice_kit.settings import Settings
from voice_kit.think.history import History
from voice_kit.types import Message

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Question:
    """What was said, and what may be asked of the loop about it: a `Thought`."""

    words: str
    settings: Settings
    history: History
    llm: Line[Any]
    certain: asyncio.Event
    tell: Callable[..., None]
    acted: asyncio.Event = field(default_factory=asyncio.Event)
    """Set before a tool is used."""
    by: str = ""
    """Who answers; empty for the language model."""

    def prompt(self, *, results: bool = False) -> list[Message]:
        """The persona, the conversation so far as it fits, and the question."""
        known = self.history.prompt(self.settings.persona, self.settings.memory.tokens, self.words)
        said = (message for message in known if results or message.role != "tool")
        return [*said, Message("user", self.words)]

    def model(self, messages: Sequence[Message], tools: Any = ()) -> AsyncGenerator[Any, None]:
        """What the language model says to this."""
        llm = self.llm.current
        usable = (tools,) if tools and getattr(llm, "calls_tools", False) else ()
        return stream("llm", llm, lambda: llm.reply(messages, *usable), self.settings.timeouts.llm)

    async def run(self, engine: object, work: Callable[[], T | Awaitable[T]], seconds: float) -> T:
        """What `work` gives back. Raises `VoiceKitError`."""
        try:
            return await call("tool", engine, work, seconds)
        except StageFailedError as failure:
            raise failure.cause from failure
