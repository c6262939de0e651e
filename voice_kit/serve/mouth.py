"""Numbers and sends text messages to one client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from voice_kit.serve import protocol
from voice_kit.serve.refused import OverLimit


@dataclass(slots=True)
class Answer:
    """One turn, as the client knows it."""

    response: str
    item: str
    question: str = ""
    """The item of what was said; empty where that was typed, or nothing was."""
    words: str = ""
    texts: list[str] = field(default_factory=list)
    open: bool = False
    done: bool = False
    playback: int = 0

    @property
    def part(self) -> dict[str, Any]:
        """Where in the conversation its words and sound belong."""
        where = {"response_id": self.response, "item_id": self.item}
        return {**where, "output_index": 0, "content_index": 0}


class Mouth:
    """Says one event after the other. It knows no conversation."""

    def __init__(self, put: Callable[[str | bytes], None]) -> None:
        self._put = put
        self._events = self._names = 0
        self._last = ""  # the last item of the conversation

    def say(self, kind: protocol.ServerEvent, /, **fields: Any) -> None:
        """Send a text message."""
        self._events += 1
        self._put(protocol.said(kind, f"event_{self._events}", **fields))

    def error(self, code: str, message: str, about: str | None = None, kind: str = "") -> None:
        """Something did not go well; the session goes on."""
        self.say("error", error=protocol.problem(code, message, about, kind))

    def over(self, limit: OverLimit, about: str | None = None) -> None:
        """The client wants more than its share."""
        self.error("rate_limit_exceeded", limit.message, about, "rate_limit_error")
        left = {"name": limit.code, "limit": 0, "remaining": 0, "reset_seconds": limit.retry_after}
        self.say("rate_limits.updated", rate_limits=[left])

    def name(self, kind: str) -> str:
        """A new name for an item or a response."""
        self._names += 1
        return f"{kind}_{self._names}"

    def typed(self, item: str, role: str, text: str) -> None:
        """A line was written into the conversation."""
        item = item or self.name("item")
        kind = "input_text" if role == "user" else "output_text"
        line = protocol.message_item(item, role, "completed", {"type": kind, "text": text})
        before, self._last = self._last or None, item
        self.say("conversation.item.added", item=line, previous_item_id=before)
        self.say("conversation.item.done", item=line, previous_item_id=before)
