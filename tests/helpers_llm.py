"""Asks a language model, and looks closely at how it fails."""

import asyncio
from contextlib import aclosing

import pytest

from voice_kit.errors import EngineFailedError
from voice_kit.types import Message

SECRET = "my password is swordfish"
QUESTION = [Message("system", "Be brief."), Message("user", SECRET)]


async def tokens(engine, messages=QUESTION, into=None):
    """What it answers, token by token, also kept in `into`."""
    said = [] if into is None else into
    async with aclosing(engine.reply(messages)) as stream:
        async for token in stream:
            said.append(token)
    return said


def answer(engine):
    """The same in an event loop of its own."""
    return asyncio.run(tokens(engine))


def failure(engine, kind=EngineFailedError):
    """What was said before the error, and the error's sentence."""
    said = []
    with pytest.raises(kind) as caught:
        asyncio.run(tokens(engine, into=said))
    assert "\n" not in str(caught.value)
    assert "swordfish" not in str(caught.value)
    return said, str(caught.value)
