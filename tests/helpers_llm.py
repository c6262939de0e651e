"""Asks a language model, and looks closely at how it fails."""

import asyncio
import time
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


def is_closed_early(engine, server):
    """Take one token of a server that waits, and see the request closed after that."""

    async def scene():
        async with aclosing(engine.reply(QUESTION)) as stream:
            await anext(stream)
            assert not server.closed.is_set()
        assert await asyncio.to_thread(server.closed.wait, 5)

    asyncio.run(scene())


def is_cancelled_at_once(engine, server, path):
    """Cancel once the server has been asked, and see that nobody waits for it any longer."""

    async def scene():
        task = asyncio.create_task(tokens(engine))
        while not server.asked(path):
            await asyncio.wait([task], timeout=0.01)
        before = time.perf_counter()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.perf_counter() - before < 0.5
        assert await asyncio.to_thread(server.closed.wait, 5)

    asyncio.run(scene())
