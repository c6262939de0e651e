"""What the loop needs from an engine that thinks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Protocol

from voice_kit.types import Message, Stops


class LanguageModel(Protocol):
    """Continues a conversation. May be called from several threads."""

    name: str
    stops: Stops

    def reply(self, messages: Sequence[Message]) -> Iterator[str] | AsyncIterator[str]:
        """The answer to the last message, token by token, as each is made.

        A plain generator, or for `stops = "async"` an async one. Closing it early ends the work.
        Yields only what is to be spoken: no thinking. Raises `VoiceKitError`.
        """
