"""Any engine can be called from a cell, line by line: the asynchronous ones too."""

import asyncio

import numpy as np
import pytest

from voice_kit import Audio, Message, Speech, Transcript
from voice_kit.errors import EngineFailedError
from voice_kit.workshop import by_hand


class Remote:
    """An engine that is far away: everything is awaited."""

    name = "remote"
    stops = "async"

    def __init__(self):
        self.closed = False

    async def transcribe(self, audio):
        await asyncio.sleep(0)
        return Transcript(f"{len(audio.samples)} samples")

    async def reply(self, messages):
        try:
            for token in messages[-1].content.split():
                await asyncio.sleep(0)
                if token == "fail":
                    raise EngineFailedError("remote", "the server went away", fix="again")
                yield token
        finally:
            self.closed = True

    async def speak(self, text):
        for word in text.split():
            await asyncio.sleep(0)
            yield Speech(word, Audio(np.zeros(3, np.float32), 16_000))


def asked(text):
    return [Message("user", text)]


def test_what_is_awaited_comes_back_as_it_would_from_an_embedded_engine():
    engine = Remote()
    assert by_hand.transcribe(engine, Audio(np.zeros(7, np.float32), 16_000)).text == "7 samples"
    assert list(by_hand.reply(engine, asked("one two"))) == ["one", "two"]
    assert [speech.text for speech in by_hand.speak(engine, "a b")] == ["a", "b"]


def test_it_also_works_where_an_event_loop_runs_as_in_a_notebook():
    async def cell():
        return list(by_hand.reply(Remote(), asked("one two")))

    assert asyncio.run(cell()) == ["one", "two"]


def test_leaving_early_closes_the_engines_work():
    engine = Remote()
    tokens = by_hand.reply(engine, asked("one two three"))
    assert next(tokens) == "one"
    assert not engine.closed
    tokens.close()
    assert engine.closed


def test_an_error_comes_through_after_what_was_there():
    engine = Remote()
    tokens = by_hand.reply(engine, asked("one fail"))
    assert next(tokens) == "one"
    with pytest.raises(EngineFailedError, match="went away"):
        next(tokens)
    assert engine.closed
