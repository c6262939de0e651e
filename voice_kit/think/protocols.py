"""What the loop needs from what thinks, and what thinking may ask of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from voice_kit.settings import Settings
from voice_kit.types import Message, Stops

T = TypeVar("T")


class LanguageModel(Protocol):
    """Continues a conversation. May be called from several threads."""

    name: str
    stops: Stops

    def reply(self, messages: Sequence[Message]) -> Iterator[str] | AsyncIterator[str]:
        """The answer to the last message, token by token, as each is made.

        A plain generator, or for `stops = "async"` an async one. Closing it early ends the work.
        Yields only what is to be spoken: no thinking. Raises `VoiceKitError`.
        One that can use tools has `calls_tools = True`, takes them as a second argument, each a
        `Described`, and yields a `ToolCall` for each that it wants used.
        """


class Thought(Protocol):
    """A question under way: what was said, and what may be asked of the loop about it."""

    by: str
    """Who answers: set before the first token; empty for the language model."""
    acted: asyncio.Event
    """Set before anything is done that must not be done twice: the turn stands then, though
    nothing of it was heard yet."""

    @property
    def words(self) -> str:
        """What was said, or typed."""

    @property
    def settings(self) -> Settings:
        """Those of this turn."""

    @property
    def certain(self) -> asyncio.Event:
        """Set once the turn is certain. Whatever leaves a trace waits for this."""

    @property
    def tell(self) -> Callable[..., None]:
        """Lets observers know of an event: `tell(Event, *fields)`, those after `turn` and `at`."""

    def prompt(self, *, results: bool = False) -> list[Message]:
        """The persona, the conversation so far as it fits, and the question.

        What tools gave, which may be the words of strangers, is among it with `results` only: a
        model that is shown it has to be shown the calls before it, see `Message.result_of`.
        """

    def model(
        self, messages: Sequence[Message], tools: Sequence[Any] = ()
    ) -> AsyncGenerator[Any, None]:
        """What the language model says: tokens, and `ToolCall`s of these `Described` if it can.

        In bounded time, and stopped when the generator is closed. Its errors are the loop's: let
        them pass.
        """

    async def run(self, engine: object, work: Callable[[], T | Awaitable[T]], seconds: float) -> T:
        """What `work` gives back: called in a thread, or awaited for a `stops = "async"` engine.

        Raises `VoiceKitError` when it fails or takes longer than `seconds`.
        """


class Brain(Protocol):
    """Thinks of an answer. It belongs to one conversation."""

    name: str

    def answer(self, thought: Thought) -> AsyncGenerator[str, None]:
        """The answer, token by token. Closing it early ends all work on it."""


class Chat:
    """The plainest brain: it asks the language model."""

    name = "chat"

    def answer(self, thought: Thought) -> AsyncGenerator[str, None]:
        """What the language model says."""
        return thought.model(thought.prompt())
