"""The loop with a conversation that is kept: talked to, ended, and begun again."""

import asyncio
from dataclasses import replace

from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.assistant import Assistant
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.line import Line
from voice_kit.converse.virtual import run
from voice_kit.settings import Settings
from voice_kit.think.brain import Acting
from voice_kit.think.memory import KeptHistory, MemoryStoreError, make_history
from voice_kit.think.memory.ram_store import RamStore
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


def assisted(settings, tmp_path, *lines, history=None):
    """What happens when these lines are typed to the whole assistant, and what was written."""
    events, script = [], Script()

    async def scene():
        talk = Assistant(
            scripted(script),
            SilentSpeaker(16_000),
            settings,
            observers=[events.append],
            history=history,
            router=Talks(),
            folder=tmp_path / "home",
        )
        async with talk:
            for line in lines:
                talk.type(line)
                await talk.idle()

    run(scene(), fast=True)
    return [event for event in events if isinstance(event, Failed)]


class Talks(Acts):
    def route(self, words):
        return Route("chat", 1.0, "always")


def test_a_memory_that_cannot_be_opened_is_told_at_the_start_once_and_not_logged(tmp_path, caplog):
    (tmp_path / "memory.sqlite").write_bytes(b"no database" * 1000)
    (failed,) = assisted(kept(tmp_path), tmp_path, "hello", "and again")
    assert (failed.turn, failed.stage) == (0, "memory")
    assert failed.engine == str(tmp_path / "memory.sqlite")
    assert "Move it away" in failed.message
    assert not caplog.records


def test_a_disk_that_is_full_is_told_of_and_the_conversation_goes_on(tmp_path):
    class Full(RamStore):
        where = "a small disk"

        def append(self, name, lines):
            raise MemoryStoreError("The disk is full. Make room on it.")

    told = []
    history = KeptHistory(Full(), on_problem=told.append)
    (failed,) = assisted(Settings(), tmp_path, "hello", "and again", history=history)
    assert (failed.engine, failed.message) == ("a small disk", told[0])
    assert len(history.lines) == 4 and len(told) == 1


def test_a_memory_that_is_well_is_not_mentioned(tmp_path):
    assert assisted(kept(tmp_path), tmp_path, "hello") == []
    assert len(make_history(kept(tmp_path)).lines) == 2


def test_nothing_that_was_said_is_logged_by_the_whole_loop(tmp_path, caplog):
    caplog.set_level("DEBUG")
    secret = "zebra-umbrella-7041"
    talked(kept(tmp_path), f"hello {secret}", f"remember that my code is {secret}", "forget that")
    assert secret not in caplog.text
