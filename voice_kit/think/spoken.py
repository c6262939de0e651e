"""Keeps a model's thinking, and calls that it writes as text, out of what is said."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from voice_kit.types import ToolCall

PAIRS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<tool_call>", "</tool_call>"),
)
"""How models mark their thinking: Qwen and DeepSeek, …, Mistral, Kimi. And how most write a tool
call where the server does not take it out of the text: it is neither said nor done."""

# ASCII, or "ſ" and the Kelvin sign would count as "s" and "k".
_FLAGS = re.ASCII | re.IGNORECASE
_TAGS = [tag for pair in PAIRS for tag in pair]
_ANY_TAG = re.compile("|".join(map(re.escape, _TAGS)), _FLAGS)
_END = {start: re.compile(re.escape(end), _FLAGS) for start, end in PAIRS}


def _beginnings(tags: list[str]) -> re.Pattern[str]:
    """What may be the beginning of a tag, at the end of a text."""
    parts = {tag[:length] for tag in tags for length in range(1, len(tag))}
    longest_first = sorted(parts, key=len, reverse=True)
    return re.compile(rf"(?:{'|'.join(map(re.escape, longest_first))})\Z", _FLAGS)


_TAG_BEGINS = _beginnings(_TAGS)


class Spoken:
    """Passes on the tokens of one answer, less the thinking and the blanks before the first word.

    A token is held back only while its end may be the beginning of a tag. Thinking that is never
    closed lasts to the end; an end tag that nothing opened is dropped by itself.
    """

    def __init__(self) -> None:
        self._held = ""
        self._end: re.Pattern[str] | None = None  # what ends the thinking that we are in
        self._begun = False

    def feed(self, token: str) -> str:
        """What can be said now, often `token` itself, perhaps nothing."""
        text, said = self._held + token, ""
        while tag := (self._end or _ANY_TAG).search(text):
            said += "" if self._end else text[: tag.start()]
            self._end = None if self._end else _END.get(_spelt(tag[0]))
            text = text[tag.end() :]
        maybe = _TAG_BEGINS.search(text)
        whole = maybe.start() if maybe else len(text)
        said += "" if self._end else text[:whole]
        self._held = text[whole:]
        return self._from_first_word(said)

    def rest(self) -> str:
        """What was held back and turned out to be no tag. Call once, after the last token."""
        rest, self._held = ("" if self._end else self._held), ""
        return self._from_first_word(rest)

    def _from_first_word(self, text: str) -> str:
        if not self._begun:
            text = text.lstrip()
            self._begun = bool(text)
        return text


def _spelt(tag: str) -> str:
    return next(known for known in _TAGS if known.lower() == tag.lower())


async def only_spoken(
    tokens: AsyncGenerator[str | ToolCall, None],
) -> AsyncGenerator[str | ToolCall, None]:
    """The tokens of one answer, less the thinking, and its calls. Closing it closes `tokens`."""
    spoken = Spoken()
    async with aclosing(tokens):
        async for token in tokens:
            if isinstance(token, ToolCall):
                yield token
            elif text := spoken.feed(token):
                yield text
    if text := spoken.rest():
        yield text
