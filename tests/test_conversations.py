"""Scripted conversations: what must hold whenever people and the assistant speak."""

import asyncio

import pytest
from scenes import Scene, after

from voice_kit.audio.no_speaker import NoSpeaker
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.line import Engines
from voice_kit.converse.virtual import run
from voice_kit.hear.judge_text import TextJudge
from voice_kit.settings import Settings
from voice_kit.types import (
    Abandoned,
    EngineChanged,
    Failed,
    GateOpened,
    Interrupted,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    Transcribed,
    TurnEnded,
    TurnFinished,
    TurnStarted,
)
from voice_kit.workshop.fakes import (
    HummingVoice,
    Script,
    ScriptedModel,
    ScriptedTranscriber,
    scripted,
)

STORY = {"tell a story": "One two three four. Five six seven eight. Nine ten.", "stop": "Fine."}


def at_end(**changes):
    """Settings without early starts: an answer begins when its turn has ended."""
    return Settings().changed({"hear.eager": 0, **changes})


def test_a_spoken_question_gets_a_spoken_answer():
    scene = Scene(Script(), 0.5, ("hello", 1.0), 3.0, answers={"hello": "Hi there."})
    finished = scene.one(TurnFinished)
    assert (finished.heard, finished.said, finished.said_heard) == (
        "hello",
        "Hi there.",
        "Hi there.",
    )
    assert scene.memory == [("user", "hello"), ("assistant", "Hi there.")]
    assert scene.engines.tts.current.spoken == ["Hi there."]


def test_the_first_sound_comes_when_the_engines_are_done_and_not_a_millisecond_later():
    scene = Scene(Script(), 0.512, ("hello", 1.024), 3.0, settings=at_end())
    ended, first = scene.one(TurnEnded), scene.one(PlaybackStarted)
    assert ended.ended == pytest.approx(1.536)
    assert first.at - ended.at == pytest.approx(0.1 + 0.1 + 0.05, abs=1e-6)


def test_an_early_start_is_ready_when_the_turn_is_certain():
    scene = Scene(Script(), 0.512, ("hello", 1.024), 3.0)
    ended, first = scene.one(TurnEnded), scene.one(PlaybackStarted)
    assert first.at == pytest.approx(ended.at, abs=1e-6)
    assert scene.one(TurnStarted).eager
    assert len(scene.engines.stt.current.seconds) == 1


def test_nothing_is_heard_before_the_turn_is_certain():
    scene = Scene(Script(), 0.5, ("hello", 1.0), 3.0)
    assert scene.one(PlaybackStarted).at >= scene.one(GateOpened).at >= scene.one(TurnEnded).at


def test_an_early_start_leaves_no_trace_once_the_words_differ():
    scene = Scene(Script(), 0.5, ("set a timer for", 1.0), 0.3, ("ten minutes", 1.0), 3.0)
    assert scene.one(TurnFinished).heard == "set a timer for ten minutes"
    assert scene.memory[0] == ("user", "set a timer for ten minutes")
    assert len(scene.memory) == 2
    assert len(scene.all(Abandoned)) == 1
    assert len(scene.all(PlaybackStarted)) == 1


def test_an_early_start_is_reused_when_the_words_are_the_same_after_a_noise():
    script = Script()
    scene = Scene(script, 0.5, ("hello", 1.0), 0.3, ("", 0.2), 3.0)
    model = scene.engines.llm.current
    assert scene.one(TurnFinished).heard == "hello"
    assert len(model.prompts) == 1
    assert model.stopped == 0


def test_a_transcriber_that_is_slower_than_the_usual_wait_lets_the_judge_speak_all_the_same():
    script = Script()
    engines = scripted(script, stt=ScriptedTranscriber(script, delay=0.7), judge=TextJudge())
    parts = 0.5, ("one", 1.0), 4.0, ("set a timer for", 1.0), 1.4, ("ten minutes", 1.0), 4.0
    scene = Scene(script, *parts, engines=engines)
    assert [turn.heard for turn in scene.all(TurnFinished)] == [
        "one",
        "set a timer for ten minutes",
    ]


def test_an_engine_too_slow_for_the_longest_wait_is_not_started_early_again():
    script = Script()
    engines = scripted(script, stt=ScriptedTranscriber(script, delay=1.6))
    scene = Scene(script, 0.5, ("one", 1.0), 4.0, ("two", 1.0), 4.0, engines=engines)
    assert [event.eager for event in scene.all(TurnStarted)] == [True, False]


def test_a_slow_engine_that_can_be_taken_back_is_started_early_every_time():
    class Abortable(ScriptedTranscriber):
        def abort(self):
            pass

    script = Script()
    engines = scripted(script, stt=Abortable(script, delay=0.8))
    parts = 0.5, ("one", 1.0), 4.0, ("set a timer for", 1.0), 0.3, ("ten minutes", 1.0), 4.0
    scene = Scene(script, *parts, engines=engines)
    assert all(event.eager for event in scene.all(TurnStarted))
    ends = scene.all(TurnEnded)
    sounds = scene.all(PlaybackStarted)
    assert [turn.heard for turn in scene.all(TurnFinished)] == [
        "one",
        "set a timer for ten minutes",
    ]
    for ended, sound in zip(ends, sounds, strict=True):
        assert sound.at - ended.ended == pytest.approx(0.064 + 0.8 + 0.1 + 0.05, abs=1e-6)


def test_speech_that_goes_on_before_anything_was_heard_is_one_turn():
    script = Script()
    engines = scripted(script, llm=ScriptedModel({}, first=1.0))
    scene = Scene(
        script, 0.5, ("set a timer for", 1.0), 0.8, ("ten minutes", 1.0), 4.0, engines=engines
    )
    assert len(scene.all(TurnEnded)) == 2
    assert scene.one(TurnFinished).heard == "set a timer for ten minutes"
    assert scene.memory[0] == ("user", "set a timer for ten minutes")


def test_an_interruption_stops_the_sound_within_the_frame_that_decides_it():
    scene = Scene(Script(), 0.5, ("tell a story", 1.0), 2.0, ("stop", 1.0), 3.0, answers=STORY)
    interrupted = scene.one(Interrupted)
    paused = scene.one(PlaybackPaused)
    assert paused.at - 3.5 <= 0.064  # held as soon as there is a sound
    assert interrupted.at - 3.5 == pytest.approx(0.5, abs=0.064)  # stopped when it has lasted
    after = scene.speaker.rendered(paused.at + 0.001, 1.4)
    assert not after.samples.any()


def test_memory_keeps_what_was_heard_of_an_interrupted_answer_and_no_more():
    scene = Scene(Script(), 0.5, ("tell a story", 1.0), 2.0, ("stop", 1.0), 3.0, answers=STORY)
    first, second = scene.all(TurnFinished)
    assert first.interrupted
    assert not second.interrupted
    # The gate opens at 2.016; 1.5 s later, six words of 0.25 s had been heard.
    assert first.said_heard == "One two three four. Five six"
    assert scene.memory == [
        ("user", "tell a story"),
        ("assistant", "One two three four. Five six"),
        ("user", "stop"),
        ("assistant", "Fine."),
    ]
    prompt = scene.engines.llm.current.prompts[-1]
    assert prompt[-2].content == "One two three four. Five six"


def test_an_interruption_ends_the_work_of_every_engine():
    script = Script()
    model = ScriptedModel(STORY, token=0.5)
    scene = Scene(
        script,
        0.5,
        ("tell a story", 1.0),
        3.0,
        ("stop", 1.0),
        3.0,
        engines=scripted(script, llm=model),
    )
    assert scene.all(Interrupted)
    assert model.stopped == 1


def test_a_cough_lets_the_answer_go_on_from_the_same_word():
    scene = Scene(Script(), 0.5, ("tell a story", 1.0), 2.0, ("cough", 0.06), 6.0, answers=STORY)
    paused, resumed = scene.one(PlaybackPaused), scene.one(PlaybackResumed)
    assert 0.1 < resumed.at - paused.at < 0.4
    assert scene.one(TurnFinished).said_heard == STORY["tell a story"]
    assert not scene.all(Interrupted)


@pytest.mark.parametrize("word", ["mhm", "uh huh", "okay"])
def test_a_listener_who_says_go_on_is_not_interrupting(word):
    scene = Scene(Script(), 0.5, ("tell a story", 1.0), 2.0, (word, 0.3), 6.0, answers=STORY)
    assert scene.one(TurnFinished).said_heard == STORY["tell a story"]
    assert scene.all(PlaybackResumed)
    assert scene.memory[0] == ("user", "tell a story")
    assert len(scene.memory) == 2


def test_a_short_word_that_means_it_interrupts():
    scene = Scene(Script(), 0.5, ("tell a story", 1.0), 2.0, ("stop", 0.3), 4.0, answers=STORY)
    assert scene.one(Interrupted).reason == "its words"
    assert [message for role, message in scene.memory if role == "user"] == ["tell a story", "stop"]


def test_a_word_that_the_transcriber_is_not_sure_of_is_no_evidence():
    script = Script()
    engines = scripted(script, STORY, stt=ScriptedTranscriber(script, confident=False))
    scene = Scene(script, 0.5, ("tell a story", 1.0), 2.0, ("stop", 0.3), 6.0, engines=engines)
    assert not scene.all(Interrupted)
    assert scene.one(TurnFinished).said_heard == STORY["tell a story"]


def test_never_interrupted_means_that_the_next_turn_waits():
    settings = Settings().changed({"interrupt.mode": "never"})
    scene = Scene(
        Script(),
        0.5,
        ("tell a story", 1.0),
        2.0,
        ("stop", 1.0),
        6.0,
        answers=STORY,
        settings=settings,
    )
    assert not scene.all(Interrupted)
    assert not scene.all(PlaybackPaused)
    assert [turn.said_heard for turn in scene.all(TurnFinished)] == [STORY["tell a story"], "Fine."]


def test_any_sound_interrupts_when_that_is_wished():
    settings = Settings().changed({"interrupt.mode": "any"})
    scene = Scene(
        Script(),
        0.5,
        ("tell a story", 1.0),
        2.0,
        ("stop", 1.0),
        4.0,
        answers=STORY,
        settings=settings,
    )
    assert scene.one(Interrupted).at - 3.5 <= 0.064


def test_a_typed_line_is_answered_without_a_microphone():
    scene = Scene(
        Script(), 0.1, answers={"hello": "Hi."}, during=lambda talk, _: talk.type("hello")
    )
    assert scene.one(TurnFinished).said_heard == "Hi."
    assert scene.one(TurnStarted).typed


def test_a_typed_line_interrupts_what_is_being_said():
    def type_when_it_speaks(talk, events):
        def watch(event):
            if isinstance(event, PlaybackStarted) and event.turn == 1:
                asyncio.get_running_loop().call_later(1.1, talk.type, "stop")

        talk.observers.append(watch)

    scene = Scene(
        Script(), 0.5, ("tell a story", 1.0), 6.0, answers=STORY, during=type_when_it_speaks
    )
    first, second = scene.all(TurnFinished)
    assert first.interrupted
    assert first.said_heard == "One two three four."
    assert second.heard == "stop"


def test_words_that_are_none_are_not_answered():
    scene = Scene(Script(), 0.5, ("", 1.0), 3.0)
    assert not scene.all(TurnFinished)
    assert scene.memory == []


def test_two_questions_are_answered_one_after_the_other_with_the_first_in_memory():
    answers = {"one": "First.", "two": "Second."}
    scene = Scene(Script(), 0.5, ("one", 1.0), 3.0, ("two", 1.0), 3.0, answers=answers)
    assert [turn.said_heard for turn in scene.all(TurnFinished)] == ["First.", "Second."]
    prompt = scene.engines.llm.current.prompts[-1]
    assert [message.content for message in prompt[1:]] == ["one", "First.", "two"]


def test_settings_changed_in_mid_conversation_count_from_the_next_turn():
    def hurry(talk, events):
        def watch(event):
            if isinstance(event, TurnFinished):
                talk.settings = talk.settings.changed({"hear.stop": 0.256})

        talk.observers.append(watch)

    scene = Scene(Script(), 0.5, ("one", 1.0), 3.0, ("two", 1.0), 3.0, during=hurry)
    waits = [event.at - event.ended for event in scene.all(TurnEnded)]
    assert waits == pytest.approx([0.512, 0.256])


# Failures


class Broken:
    """Fails as told, for every stage at once."""

    name = "broken"
    stops = "async"
    in_loop_time = True

    def __init__(self, how):
        self.how = how

    async def _fail(self):
        if self.how == "hangs":
            await asyncio.Event().wait()
        raise RuntimeError("the secret words somebody said")

    async def transcribe(self, audio):
        await self._fail()

    async def reply(self, messages):
        await self._fail()
        yield ""

    async def speak(self, text):
        await self._fail()
        yield


@pytest.mark.parametrize("how", ["raises", "hangs"])
@pytest.mark.parametrize("stage", ["stt", "llm", "tts"])
def test_a_failure_is_spoken_and_the_next_engine_takes_over(stage, how):
    script = Script()
    good = {"stt": ScriptedTranscriber(script), "llm": ScriptedModel({}), "tts": HummingVoice()}
    engines = scripted(script, **{stage: Broken(how)}, then={stage: [lambda: good[stage]]})
    scene = Scene(script, 0.5, ("one", 1.0), 25.0, ("two", 1.0), 5.0, engines=engines)
    failed = scene.one(Failed)
    assert failed.stage == stage
    assert "Try" in failed.message
    assert "secret" not in failed.message
    assert scene.one(EngineChanged).stage == stage
    apology, answer = scene.all(TurnFinished)
    assert "orry" in apology.said_heard
    assert answer.said_heard == "You said two."


def test_a_dead_engine_that_two_turns_meet_is_replaced_once():
    class Dead(ScriptedModel):
        both = asyncio.Event()

        async def reply(self, messages):
            if self.prompts:
                self.both.set()
            self.prompts.append(list(messages))
            await self.both.wait()
            raise RuntimeError
            yield

    script = Script()
    spare, last = ScriptedModel({}, name="spare"), ScriptedModel({}, name="last")
    then = {"llm": [lambda: spare, lambda: last]}
    engines = scripted(script, llm=Dead({}), then=then)
    typed = after((1.6, lambda talk: talk.type("hello")))  # while it thinks about what it heard
    scene = Scene(script, 0.5, ("one", 1.0), 4.0, engines=engines, during=typed)
    assert len(scene.all(Failed)) == 2
    assert scene.one(EngineChanged).engine == "spare"
    assert engines.llm.current is spare and len(engines.llm.then) == 1


@pytest.mark.parametrize("stage", ["stt", "llm", "tts"])
def test_an_engine_that_never_returns_ends_its_turn_on_time(stage):
    script = Script()
    engines = scripted(script, **{stage: Broken("hangs")})
    settings = Settings().changed({f"timeouts.{stage}": 2.0})
    scene = Scene(script, 0.5, ("one", 1.0), 10.0, engines=engines, settings=settings)
    failed = scene.all(Failed)[0]
    assert failed.at == pytest.approx(1.5 + 0.064 + 2.0, abs=0.3)


def test_a_detector_that_fails_is_replaced_and_the_conversation_goes_on():
    class Deaf:
        name = "deaf"
        direct = True

        def start(self):
            return None

        def detect(self, frames, states):
            raise ValueError("no")

    script = Script()
    good = scripted(script)
    engines = Engines(
        type(good.vad)("vad", Deaf(), [lambda: good.vad.current]), good.stt, good.llm, good.tts
    )
    scene = Scene(script, 0.5, ("one", 1.0), 3.0, engines=engines)
    assert scene.one(Failed).stage == "vad"
    assert scene.one(TurnFinished).heard == "one"


def test_an_observer_that_fails_does_not_end_the_conversation(caplog):
    def break_things(talk, events):
        def broken(event):
            if isinstance(event, Transcribed):
                raise RuntimeError

        talk.observers.insert(0, broken)

    scene = Scene(Script(), 0.5, ("my secret", 1.0), 3.0, during=break_things)
    assert scene.one(TurnFinished).heard == "my secret"
    assert "Transcribed" in caplog.text
    assert "secret" not in caplog.text.replace("test_", "")


def test_the_same_sound_gives_the_same_events_every_time():
    def play():
        parts = [0.5, ("tell a story", 1.0), 2.0, ("mhm", 0.3), 1.0, ("stop", 1.0), 3.0]
        return Scene(Script(), *parts, answers=STORY).events

    first, again = play(), play()
    assert len(first) > 100
    assert [repr(event) for event in first] == [repr(event) for event in again]


def test_who_reads_is_answered_without_waiting_for_silent_sound():
    async def typing():
        events = []
        async with Conversation(
            scripted(Script(), {"hello": "One two three four five six."}),
            NoSpeaker(),
            observers=[events.append],
        ) as talk:
            talk.type("hello")
            await talk.idle()
        return asyncio.get_running_loop().time(), events

    seconds, events = run(typing(), fast=True)
    assert seconds < 0.3  # six words would last 1.5 s
    (finished,) = [event for event in events if isinstance(event, TurnFinished)]
    assert finished.said_heard == "One two three four five six."


def test_a_line_typed_after_the_end_is_no_error():
    scene = Scene(Script(), 0.5, ("hello", 1.0), 3.0)
    scene.talk.type("too late")
    assert scene.one(TurnFinished).heard == "hello"
