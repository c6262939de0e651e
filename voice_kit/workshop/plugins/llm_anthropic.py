"""Claude thinks: a remote language model that streams. Your words leave the room.

    pip install anthropic

    [project.entry-points."voice_kit.llm"]
    anthropic = "my_engines.llm_anthropic:Anthropic"

Then ANTHROPIC_API_KEY in the environment and `llm = "anthropic:NAME-OF-A-MODEL"`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from typing import Any

from voice_kit.errors import EngineFailedError, MissingEngineError, SettingsError
from voice_kit.types import Message, Stops


class Anthropic:
    """A model by its name. `longest` bounds an answer, in tokens. Cancelling ends the request."""

    stops: Stops = "async"

    def __init__(self, *, model: str = "", longest: int = 1000, base_url: str = "") -> None:
        self.name = f"anthropic:{model}" if model else "anthropic"
        try:
            import anthropic  # type: ignore[import-not-found,unused-ignore]
        except ImportError as error:
            raise MissingEngineError(self.name, fix="pip install anthropic") from error
        if not os.environ.get("ANTHROPIC_API_KEY"):
            raise MissingEngineError(self.name, fix="set ANTHROPIC_API_KEY to your key")
        if not model:
            raise SettingsError("anthropic needs a model. Try: llm = “anthropic:NAME-OF-A-MODEL”.")
        self._anthropic = anthropic
        self._model, self._longest, self._url = model, longest, base_url or None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Any = None

    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        """The answer, as it is made. The system prompt travels apart from the conversation."""
        if self._loop is not asyncio.get_running_loop():  # connections belong to their loop
            self._loop = asyncio.get_running_loop()
            self._client = self._anthropic.AsyncAnthropic(base_url=self._url, max_retries=0)
        system = "\n".join(m.content for m in messages if m.role == "system")
        said = [
            {"role": m.role, "content": m.content}
            for m in messages
            if m.role in ("user", "assistant") and m.content
        ]
        asked: dict[str, Any] = {"system": system} if system else {}
        try:
            async with self._client.messages.stream(
                model=self._model, max_tokens=self._longest, messages=said, **asked
            ) as stream:
                async for text in stream.text_stream:
                    yield text
        except self._anthropic.AnthropicError as error:
            problem, fix = type(error).__name__, "the key, the model's name and the network"
            raise EngineFailedError(self.name, problem, fix=fix) from error
