"""Routes by asking a language model: slower than examples, and at home in any language."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from typing import Any, cast

from voice_kit.think.protocols import LanguageModel
from voice_kit.types import Message, Route, RouteKind, Stops

ASKED = """Which way should a voice assistant answer what its user says? Reply with one word:
search – it needs facts of today from the web: weather, news, scores, prices, opening hours
skill – something is to be done now: time, date, timer, alarm, note, sum, unit, volume, open, stop
chat – anything else: talk, opinions, knowledge that does not change"""
LONGEST = 40
"""Characters of an answer that are looked at."""
SURE, UNSURE = 0.8, 0.0
"""Confidence in an answer of the right form, and in any other: a model does not tell its own."""
WORD = re.compile(r"\W*(chat|search|skill)\b", re.IGNORECASE)


class LLMRouter:
    """Asks a language model, which must be the one that is loaded anyway."""

    def __init__(self, model: LanguageModel) -> None:
        self.name = f"llm ({model.name})"
        self.stops: Stops = model.stops
        self._model = model

    def route(self, words: str) -> Any:
        """The way to answer these words; a coroutine for an async model."""
        asked = [Message("system", ASKED), Message("user", words)]
        answer = self._model.reply(asked)
        if self.stops == "async":
            return _read(cast(AsyncIterator[str], answer))
        text = ""
        with closing(cast(Any, answer)):
            for token in cast(Iterator[str], answer):
                text += token
                if len(text) > LONGEST:
                    break
        return _route(text)


async def _read(tokens: AsyncIterator[str]) -> Route:
    text = ""
    async with aclosing(cast(Any, tokens)):
        async for token in tokens:
            text += token
            if len(text) > LONGEST:
                break
    return _route(text)


def _route(text: str) -> Route:
    found = WORD.match(text)
    if found is None:
        return Route("chat", UNSURE, "the model named no way")
    return Route(cast(RouteKind, found[1].lower()), SURE, "the model says so")
