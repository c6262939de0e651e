"""Tools and questions for tests, run as the loop runs them."""

from __future__ import annotations

import asyncio

from voice_kit.converse.steps import StageFailedError, call, stream
from voice_kit.settings import Settings
from voice_kit.think.tools import tool
from voice_kit.types import Message


class Asked:
    """A question under way, without the rest of a conversation."""

    def __init__(self, words="", model=None, certain=True):
        self.words, self.settings, self.by = words, Settings(), ""
        self.certain, self.acted = asyncio.Event(), asyncio.Event()
        if certain:
            self.certain.set()
        self.told = []
        self._model = model

    def tell(self, event, *fields):
        self.told.append(event(1, 0.0, *fields))

    def prompt(self, *, results=False):
        return [Message("user", self.words)]

    def model(self, messages, tools=()):
        asked = (messages, tools) if tools and self._model.calls_tools else (messages,)
        return stream("llm", self._model, lambda: self._model.reply(*asked), 10.0)

    async def run(self, engine, work, seconds):
        try:
            return await call("tool", engine, work, seconds)
        except StageFailedError as failure:
            raise failure.cause from failure


def clock():
    return asyncio.get_running_loop().time()


@tool()
def weather(city: str, days: int = 1) -> str:
    """Tell the weather of a city.

    city: its name, as on a map
    days: how many days ahead
    """
    return f"Rain in {city} for {days} days."


QUESTION = [Message("system", "Be brief."), Message("user", "Will it rain in Bern?")]
