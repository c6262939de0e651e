"""The conversation so far, and how much of it a language model is shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from voice_kit.types import Message, ToolCall

Role = Literal["user", "assistant", "tool"]
MARKS = 4
"""Tokens that a message costs beside its words: who speaks, where it begins and ends."""


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has, without a tokenizer.

    Latin letters go four to a token, those of Greek, Cyrillic, Arabic or Indian scripts two,
    and Chinese, Japanese and Korean characters one.
    """
    latin = sum(character < "\u0250" for character in text)
    wide = sum(character >= "\u2e80" for character in text)
    return math.ceil(latin / 4 + (len(text) - latin - wide) / 2 + wide)


class History:
    """What was said on both sides, in order, as far as it was heard."""

    def __init__(self, tokens: Callable[[str], int] = estimated_tokens) -> None:
        """`tokens` counts those of a text; pass a model's own tokenizer to be exact."""
        self._tokens = tokens
        self._lines: list[Message] = []
        self._costs: list[int] = []  # tokens of each, counted once: no answer waits for that

    @property
    def lines(self) -> Sequence[Message]:
        """Every message so far, oldest first."""
        return tuple(self._lines)

    def add(self, role: Role, text: str, call: ToolCall | None = None) -> None:
        """Remember what was said, or what a tool gave to this call. Nothing said is nothing to
        remember."""
        if text.strip():
            self._lines.append(Message(role, text, result_of=call))
            self._costs.append(self._tokens(text) + MARKS)

    def prompt(self, persona: str, budget: int, about: str = "") -> list[Message]:
        """The persona, then the newest messages that fit into `budget` tokens, oldest first.

        `about` is the question, for a history that recalls what matters to it.

        The persona is not counted. A message is shown whole or not at all; the user's last one
        always is, even when it alone is over the budget. The first one shown is the user's,
        so that no answer appears without its question.
        """
        asked = [place for place, line in enumerate(self._lines) if line.role == "user"]
        if not asked:
            return [Message("system", persona)]
        last, left = asked[-1], budget - self._costs[asked[-1]]
        first = end = len(self._lines)
        for place in reversed(range(end)):
            left -= self._costs[place] if place != last else 0
            if left < 0:
                break
            first = place
        whole = [place for place in asked if place >= first]
        shown = self._lines[whole[0] :] if whole else [self._lines[last], *self._lines[first:]]
        return [Message("system", persona), *shown]
