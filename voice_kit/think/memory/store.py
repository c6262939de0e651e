"""What a place that keeps conversations has to do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from voice_kit.errors import VoiceKitError
from voice_kit.types import Message, ToolCall

Role = Literal["user", "assistant", "tool", "fact", "summary"]


class MemoryStoreError(VoiceKitError):
    """What is kept cannot be read or written. Its text never holds what people said."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something that is kept: what was said, a fact to remember, or a summary."""

    exchange: str
    """What belongs to one question and its answer shares this; of a summary, the last exchange
    that it covers."""
    role: Role
    text: str
    at: float
    """When, in seconds since 1970."""


def used(call: ToolCall, result: str) -> str:
    """The text of the line that keeps what a tool gave to a call: JSON."""
    kept = {"tool": call.tool, "arguments": dict(call.arguments), "id": call.id, "result": result}
    return json.dumps(kept, ensure_ascii=False, default=str)


def said(line: Line) -> Message:
    """What was said on a line; of a tool, what it gave and to which call."""
    try:
        kept = json.loads(line.text) if line.role == "tool" else None
        call = ToolCall(kept["tool"], dict(kept["arguments"]), kept["id"]) if kept else None
        return Message(line.role, kept["result"] if kept else line.text, result_of=call)  # type: ignore[arg-type]
    except (ValueError, TypeError, KeyError):  # written by hand, or by another program
        return Message(line.role, line.text)  # type: ignore[arg-type]


class Store(Protocol):
    """Keeps conversations by name. Used from several threads, and by several processes at once.

    Its methods block and raise `MemoryStoreError`. Giving the same line twice keeps it once.
    """

    where: str
    """Where that is, as people know it; without a password."""

    def append(self, name: str, lines: Sequence[Line]) -> None:
        """Keep these, after what is there: all of them or, when it raises, none."""

    def last(self, name: str, count: int | None = None) -> list[Line]:
        """The last lines that were said, or all of them, oldest first."""

    def facts(self, name: str) -> list[Line]:
        """What is to be remembered, oldest first."""

    def summary(self, name: str) -> Line | None:
        """What the oldest lines were about, if that was written."""

    def summarise(self, name: str, summary: Line) -> bool:
        """Keep this instead of the summary before; whether the exchange it covers is still there.

        Where that was forgotten, or by another writer, nothing is kept.
        """

    def forget(self, name: str, exchange: str) -> None:
        """Erase all lines and facts of an exchange, and the summary, which may tell of them."""

    def forget_everything(self, name: str) -> None:
        """Erase this conversation, its facts and its summary."""

    def names(self) -> list[str]:
        """The conversations that are kept, in alphabetical order."""

    def close(self) -> None:
        """Let go of the file or the connection. May be called twice."""


def exported(store: Store, name: str) -> str:
    """All that is kept of a conversation, as JSON. Raises `MemoryStoreError`."""
    summary = store.summary(name)
    tree: dict[str, Any] = {
        "name": name,
        "lines": [{"at": _day(line.at), "role": line.role, "text": line.text}
                  for line in store.last(name)],
        "facts": [{"at": _day(line.at), "text": line.text} for line in store.facts(name)],
        "summary": summary.text if summary else "",
    }  # fmt: skip
    return json.dumps(tree, ensure_ascii=False, indent=2) + "\n"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
