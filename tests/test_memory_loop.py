"""The loop with a conversation that is kept: talked to, ended, and begun again."""

import asyncio
from dataclasses import replace

from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.line import Line
from voice_kit.converse.virtual import run
from voice_kit.settings import Settings
from voice_kit.think.brain import Acting
from voice_kit.think.memory import make_history
from voice_kit.think.memory.skills import memory_skills
from voice_kit.think.skills import Skills
from voice_kit.think.tools import Tools
from voice_kit.types import Failed, Route, TurnFinished
from voice_kit.workshop.fakes import Script, scripted


class Acts:
    name, stops, direct = "acts", "steps", True

    def route(self, words):
        return Route("skill", 1.0, "always")


def talked(settings, *lines, during=None):
    """Type these lines, one after the other was answered; the conversation, what happened, and
    what the model was told."""
    history = make_history(settings)
    skills = Skills(memory_skills(history))
    engines = scripted(Script(), {line: f"You said {line}." for line in lines})
    acting = Acting(Acts(), skills, Tools(skills.tools))
    engines = replace(engines, brain=Line("brain", acting))
    events = []

    async def scene():
        talk = Conversation(
            engines, SilentSpeaker(16_000), settings, history=history, observers=[events.append]
        )
        async with asyncio.timeout(1000), talk:
            for line in lines:
                talk.type(line)
                await talk.idle()
                if during:
                    during(history)

    run(scene(), fast=True)
    history.close()
    return history, events, engines.llm.current.prompts


def kept(tmp_path):
    return Settings().changed({"memory.store": f"sqlite:{tmp_path / 'memory.sqlite'}"})


def test_a_conversation_goes_on_after_the_program_was_started_again(tmp_path):
    talked(kept(tmp_path), "hello", "remember that my cat is called Miso")
    _, events, prompts = talked(kept(tmp_path), "we both like fish, my cat and I")
    assert not [event for event in events if isinstance(event, Failed)]
    (prompt,) = prompts
    assert [message.content for message in prompt[1:3]] == ["hello", "You said hello."]
    assert "“my cat is called Miso”" in prompt[0].content
    history, events, prompts = talked(kept(tmp_path), "what is my cat called")
    said = [event.said_heard for event in events if isinstance(event, TurnFinished)]
    assert said == ["Your cat is called Miso."] and prompts == []
    assert len(history.lines) == 8


def test_forget_everything_leaves_nothing_of_a_spoken_conversation(tmp_path):
    secret = "zebra-umbrella-7041"
    lines = (f"hello {secret}", f"remember that my code is {secret}", "forget everything", "yes")
    _, events, _ = talked(kept(tmp_path), *lines)
    said = [event.said_heard for event in events if isinstance(event, TurnFinished)]
    assert said[-1] == "I have forgotten everything."
    files = list(tmp_path.iterdir())
    assert files
    assert not [path.name for path in files if secret.encode() in path.read_bytes()]
    assert make_history(kept(tmp_path)).lines == ()


def test_a_conversation_goes_on_without_its_store(tmp_path):
    (tmp_path / "memory.sqlite").write_bytes(b"no database" * 1000)
    history, events, _ = talked(kept(tmp_path), "hello", "and again")
    assert not [event for event in events if isinstance(event, Failed)]
    assert len(history.lines) == 4 and "Move it away" in history.problem


def test_nothing_that_was_said_is_logged_by_the_whole_loop(tmp_path, caplog):
    caplog.set_level("DEBUG")
    secret = "zebra-umbrella-7041"
    talked(kept(tmp_path), f"hello {secret}", f"remember that my code is {secret}", "forget that")
    assert secret not in caplog.text
