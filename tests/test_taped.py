"""An engine that is recorded is to the loop what it is without that."""

import asyncio

from voice_kit.converse.kept import Nowhere, traits
from voice_kit.converse.tape import key
from voice_kit.converse.taped import Taped
from voice_kit.types import Message

ASKED = [Message("user", "What is latency?")]


class Elsewhere:
    """A model for which another answers now and then, as a gateway's own does for a cluster's."""

    stops = "async"

    def __init__(self, name="handbook", calls_tools=False):
        self.name, self.calls_tools = name, calls_tools

    async def reply(self, messages, tools=()):
        yield "Greetings."


class Noted(Nowhere):
    """Knows the keys of what was kept."""

    def __init__(self):
        self.keys = []

    def put(self, line):
        self.keys += [line["key"]] if "key" in line else []


async def answer(model):
    return [token async for token in model.reply(ASKED)]


def test_what_an_engine_can_do_by_now_it_can_do_while_it_is_recorded():
    model = Elsewhere()
    taped = Taped("llm", traits(model), model, Nowhere())
    assert (taped.name, taped.calls_tools) == ("handbook", False)
    model.name, model.calls_tools = "ray:far", True
    assert (taped.name, taped.calls_tools) == ("ray:far", True)


def test_its_answers_are_found_under_the_name_with_which_the_recording_began():
    model, noted = Elsewhere(), Noted()
    taped = Taped("llm", traits(model), model, noted)
    for model.name in ("handbook", "ray:far"):
        assert asyncio.run(answer(taped)) == ["Greetings."]
    assert noted.keys == [key("llm", "handbook", ASKED)] * 2


def test_a_replay_goes_by_what_was_recorded_whatever_it_has_to_ask():
    recorded, other = Elsewhere("handbook"), Elsewhere("another", calls_tools=True)
    taped = Taped("llm", traits(recorded), None, Nowhere(), make=lambda: other)
    assert asyncio.run(answer(taped)) == ["Greetings."]
    assert (taped.name, taped.calls_tools) == ("handbook", False)
