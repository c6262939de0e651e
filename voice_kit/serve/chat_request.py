"""What OpenAI's clients send to have a conversation continued."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator

from voice_kit.serve.fields import text_of
from voice_kit.serve.problems import Problem
from voice_kit.types import Message, ToolCall

LONGEST = 200_000
"""Characters of all messages."""
STOPS = 16
"""Texts that end an answer: four times as many as at OpenAI."""


class TextPart(BaseModel):
    """A part of a message. Only text is read here."""

    type: Literal["text"]
    text: str


class FunctionCall(BaseModel):
    """A function, and what with: JSON."""

    name: str
    arguments: str = "{}"


class CalledTool(BaseModel):
    """A call that a model made."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class ChatMessage(BaseModel):
    """One line of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    tool_calls: list[CalledTool] | None = None
    tool_call_id: str | None = None


class Function(BaseModel):
    """A function, as a model is told of it."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str = ""
    parameters: dict[str, Any] = {}


class OfferedTool(BaseModel):
    """A tool that the model may call."""

    type: Literal["function"]
    function: Function


class StreamOptions(BaseModel):
    """More about a stream."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """A conversation that is to be continued. What is not named here is not used."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=1000)
    model: str = ""
    """Any: the one that is here answers."""
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: str | list[str] | None = None
    """At most `STOPS`: each token is searched for all of them."""
    n: Literal[1] | None = None
    tools: list[OfferedTool] | None = Field(default=None, max_length=128)
    tool_choice: Literal["auto", "none"] | None = None

    @field_validator("stop")
    @classmethod
    def _few(cls, stop: str | list[str] | None) -> str | list[str] | None:
        if isinstance(stop, list) and len(stop) > STOPS:
            raise ValueError(f"An answer has at most {STOPS} stops")
        return stop

    @property
    def most(self) -> int | None:
        """Tokens that the answer may have."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> list[str]:
        """What ends the answer, and is no part of it."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [each for each in given if each]

    def offered(self) -> list[Offered]:
        """The tools that the model is told of."""
        functions = [tool.function for tool in self.tools or [] if self.tool_choice != "none"]
        empty = {"type": "object", "properties": {}}
        return [
            Offered(each.name, each.description, each.parameters or empty) for each in functions
        ]

    def as_messages(self) -> list[Message]:
        """The conversation as our engines read it. Raises `Problem`."""
        calls: dict[str, ToolCall] = {}
        lines = [_line(message, calls) for message in self.messages]
        if sum(len(line.content) for line in lines) > LONGEST:
            raise Problem(
                "The messages are too long. Send the last ones.",
                413,
                code="too_long",
                param="messages",
            )
        return lines


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool of the client's: a `Described`."""

    name: str
    description: str
    parameters: dict[str, Any]


def _line(message: ChatMessage, calls: dict[str, ToolCall]) -> Message:
    content = message.content or ""
    whole = content if isinstance(content, str) else "\n".join(part.text for part in content)
    text = text_of(whole, LONGEST + 1)
    match message.role:
        case "system" | "developer":
            return Message("system", text)
        case "tool":
            call = calls.get(message.tool_call_id or "")
            if call is None:
                raise Problem(
                    "A tool's message needs the tool_call_id of a call before it.", param="messages"
                )
            return Message("tool", text, result_of=call)
        case "assistant":
            made = [
                ToolCall(each.function.name, _arguments(each.function.arguments), each.id)
                for each in message.tool_calls or []
            ]
            calls |= {call.id: call for call in made}
            return Message("assistant", text, tuple(made))
    return Message("user", text)


def _arguments(text: str) -> dict[str, Any]:
    try:
        tree = json.loads(text or "{}")
    except ValueError:
        tree = None
    if not isinstance(tree, dict):
        raise Problem("The arguments of a tool call are no JSON object.", param="messages")
    return tree
