"""Whatever thinks in the loop's turns, and what is said of its own accord."""

import asyncio
import threading

import pytest
from scenes import Scene, after

from voice_kit.converse.line import Line
from voice_kit.errors import EngineTimeoutError, VoiceKitError
from voice_kit.settings import Settings
from voice_kit.think.protocols import Chat
from voice_kit.types import (
    Abandoned,
    EngineChanged,
    Failed,
    FirstToken,
    GateOpened,
    Interrupted,
    PlaybackStarted,
    SpeechStarted,
    ToolCall,
    ToolUsed,
    TurnFinished,
)
from voice_kit.workshop.fakes import HummingVoice, Script, scripted


def with_brain(script, brain, *then, answers=None, **more):
    from dataclasses import replace

    engines = scripted(script, answers, **more)
    return replace(engines, brain=Line("brain", brain, then))


class Echoing:
    name = "echoing"

    async def answer(self, thought):
        yield f"You asked {thought.words}."


class Acting:
    """Uses a tool once it may, and says what came of it."""

    name = "acting"

    def __init__(self, tool):
        self.tool = tool
        self.asked = 0

    async def answer(self, thought):
        self.asked += 1
        await thought.certain.wait()
        try:
            result = await thought.run(self, self.tool, 2.0)
        except VoiceKitError as error:
            result = str(error)
        thought.tell(ToolUsed, ToolCall("tool", {}), result, 0.0)
        yield result


def test_a_brain_answers_in_the_models_place():
    script = Script()
    scene = Scene(script, ("hello", 1.0), 3.0, engines=with_brain(script, Echoing()))
    assert scene.memory == [("user", "hello"), ("assistant", "You asked hello.")]
    assert not scene.engines.llm.current.prompts


def test_a_brain_may_ask_the_model_whatever_it_likes():
    class Second:
        name = "second"

        async def answer(self, thought):
            async for token in thought.model([*thought.prompt()[:-1], thought.prompt()[-1]]):
                yield token.upper()

    script = Script()
    engines = with_brain(script, Second(), answers={"hello": "good day"})
    scene = Scene(script, ("hello", 1.0), 3.0, engines=engines)
    assert scene.memory[-1] == ("assistant", "GOOD DAY")


def test_a_brain_that_breaks_gives_way_to_the_next_one_and_a_sentence_is_said():
    class Broken:
        name = "broken"

        async def answer(self, thought):
            raise RuntimeError(thought.words)
            yield

    script = Script()
    engines = with_brain(script, Broken(), Chat, answers={"again": "yes"})
    scene = Scene(script, ("secret words", 1.0), 4.0, ("again", 1.0), 4.0, engines=engines)
    failed = scene.one(Failed)
    assert (failed.stage, failed.engine) == ("brain", "broken")
    assert "secret words" not in failed.message
    assert scene.one(EngineChanged).engine == "chat"
    assert [text for role, text in scene.memory if role == "assistant"] == [
        "Sorry, something went wrong.",
        "yes",
    ]


def test_a_tool_runs_once_and_only_when_the_turn_is_certain():
    ran = []
    script = Script()
    brain = Acting(lambda: ran.append("now") or "done")
    scene = Scene(
        script, ("set a", 0.6), 0.2, ("timer", 0.6), 3.0, engines=with_brain(script, brain)
    )
    assert brain.asked > len(ran) == 1, "it began early, or it would prove nothing"
    assert scene.one(ToolUsed).at >= scene.one(GateOpened).at
    assert scene.all(Abandoned)
    assert scene.memory == [("user", "set a timer"), ("assistant", "done")]


def test_a_tool_that_hangs_or_raises_ends_in_one_sentence_without_what_was_said():
    def raises():
        raise ValueError("secret words")

    script = Script()
    scene = Scene(script, ("go", 1.0), 4.0, engines=with_brain(script, Acting(raises)))
    assert "ValueError" in scene.one(ToolUsed).result
    assert "secret words" not in scene.one(ToolUsed).result


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_tool_that_hangs_is_given_up(asynchronous):
    from voice_kit.converse.question import Question

    release = threading.Event()

    class Hanging:
        name = "hanging"
        stops = "async" if asynchronous else "steps"

    async def never():
        await asyncio.get_running_loop().create_future()

    async def ask():
        question = Question("", Settings(), None, None, asyncio.Event(), print)
        with pytest.raises(EngineTimeoutError, match="hanging"):
            await question.run(Hanging(), never if asynchronous else release.wait, 0.05)

    try:
        asyncio.run(ask())
    finally:
        release.set()


def test_news_are_said_at_once_when_nobody_speaks_and_remembered_as_ours():
    script = Script()
    scene = Scene(script, 8.0, during=after((2.0, lambda talk: talk.announce("Time is up."))))
    assert scene.one(PlaybackStarted).at == pytest.approx(2.05, abs=0.05)
    assert scene.memory == [("assistant", "Time is up.")]
    assert scene.one(TurnFinished).heard == ""
    assert not scene.all(FirstToken), "the model was not asked"


def test_news_wait_until_the_speaker_was_answered():
    script = Script()
    scene = Scene(
        script, 1.0, ("hello", 2.0), 8.0, during=after((2.0, lambda talk: talk.announce("News.")))
    )
    assert [text for _, text in scene.memory] == ["hello", "You said hello.", "News."]
    first, second = scene.all(TurnFinished)
    assert scene.all(PlaybackStarted)[1].at >= first.at
    assert not second.interrupted


def test_news_wait_for_a_cough_to_be_over():
    script = Script()
    scene = Scene(
        script,
        1.0,
        ("", 0.07),
        4.0,
        during=after((1.05, lambda talk: talk.announce("News."))),
        settings=Settings().changed({"hear.misfire": 0.4}),
    )
    assert scene.all(SpeechStarted)
    assert scene.one(PlaybackStarted).at > 1.3
    assert [text for _, text in scene.memory] == ["News."]


def test_news_come_one_after_the_other_in_order():
    script = Script()

    def tell(talk):
        for number in ("One.", "Two.", "Three."):
            talk.announce(number)

    scene = Scene(script, 8.0, during=after((1.0, tell)))
    assert [text for _, text in scene.memory] == ["One.", "Two.", "Three."]
    assert [turn.interrupted for turn in scene.all(TurnFinished)] == [False] * 3


def test_news_can_be_interrupted():
    script = Script()
    long = "One two three four five six seven eight nine ten eleven twelve."
    scene = Scene(
        script,
        2.0,
        ("stop", 1.0),
        4.0,
        during=after((1.0, lambda talk: talk.announce(long))),
    )
    assert scene.one(Interrupted)
    heard = scene.memory[0][1]
    assert long.startswith(heard) and heard != long
    assert ("user", "stop") in scene.memory


def test_nothing_is_announced_after_the_end():
    script = Script()
    scene = Scene(script, 1.0)
    scene.talk.announce("Too late.")
    assert scene.memory == []


@pytest.mark.parametrize("part", ["__init__", "feed", "end"])
def test_a_cutter_that_fails_is_a_failure_of_the_brain_and_ends_no_conversation(part):
    class Cutter:
        def __init__(self, language):
            pass

        def feed(self, token):
            return []

        def end(self):
            return []

    def unfinished(*_):
        raise NotImplementedError

    setattr(Cutter, part, unfinished)
    brain = Echoing()
    brain.cutter = Cutter
    script = Script()
    scene = Scene(
        script, ("hello", 1.0), 8.0, ("again", 1.0), 8.0, engines=with_brain(script, brain)
    )
    assert [event.stage for event in scene.all(Failed)] == ["brain", "brain"]
    assert [text for role, text in scene.memory if role == "user"] == ["hello", "again"]


def test_a_voice_that_gives_no_speech_has_failed_and_ends_no_conversation():
    class Unfinished(HummingVoice):
        async def speak(self, text):
            yield None

    script = Script()
    engines = scripted(script, tts=Unfinished())
    scene = Scene(script, ("hello", 1.0), 8.0, ("again", 1.0), 8.0, engines=engines)
    assert {event.stage for event in scene.all(Failed)} == {"tts"}
    assert len(scene.all(TurnFinished)) == 2
