"""What went wrong once when several things happened at a time. Each name says what must hold."""

import asyncio
import contextlib
import gc
import threading
from dataclasses import dataclass, field

import numpy as np
import pytest
from rules import assert_every_turn_is_whole
from scenes import FarSpeaker, Faulty, Scene, after

from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse import given
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.plain import summary
from voice_kit.converse.timeline import Timeline
from voice_kit.converse.virtual import run
from voice_kit.errors import AudioError
from voice_kit.settings import Settings
from voice_kit.types import (
    RATE,
    Abandoned,
    Failed,
    FrameHeard,
    GateOpened,
    Interrupted,
    Judged,
    Misfire,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    SpeechReady,
    TurnEnded,
    TurnFinished,
    TurnStarted,
)
from voice_kit.workshop.fakes import (
    HummingVoice,
    Script,
    ScriptedJudge,
    ScriptedModel,
    ScriptedTranscriber,
    scripted,
)

LONG = " ".join(["One two three four."] * 8)  # 8 s
STORY = {"tell a story": LONG, "stop": "Fine.", "mhm": "Pardon?"}


def users(scene):
    return [text for role, text in scene.memory if role == "user"]


def assistants(scene):
    return [text for role, text in scene.memory if role == "assistant"]


def changed(**changes):
    return Settings().changed(changes)


class SlowTranscriber(ScriptedTranscriber):
    """Takes its time where its plan says so: a delay for each call, then the usual one."""

    def __init__(self, script, *delays, usual=0.1):
        super().__init__(script, usual)
        self.delays = list(delays)
        self.usual = usual

    async def transcribe(self, audio):
        self.delay = self.delays.pop(0) if self.delays else self.usual
        return await super().transcribe(audio)


# Interruptions whose words are late, lost, or followed by more


@pytest.mark.parametrize("how", ["raises", "hangs"])
@pytest.mark.parametrize("eager", [0.0, 0.064])
def test_an_answer_goes_on_when_what_may_interrupt_it_cannot_be_transcribed(how, eager):
    script = Script()
    stt = Faulty(ScriptedTranscriber(script), ["works", how])
    scene = Scene(
        script,
        *(0.5, ("tell a story", 1.0), 2.0, ("stop", 0.3), 20.0),
        engines=scripted(script, STORY, stt=stt),
        settings=Settings().changed({"hear.eager": eager, "timeouts.stt": 2}),
    )
    assert scene.one(Failed).stage == "stt"
    assert scene.one(PlaybackResumed).at > scene.one(PlaybackPaused).at
    assert scene.one(TurnFinished).said_heard == LONG


def test_a_click_does_not_let_the_answer_go_on_while_the_words_before_it_are_being_weighed():
    script = Script()
    scene = Scene(
        script,
        *(0.5, ("tell a story", 1.0), 2.0, ("stop", 0.3), 0.6, ("click", 0.06), 6.0),
        engines=scripted(script, STORY, stt=SlowTranscriber(script, 0.1, 1.5)),
        settings=Settings().changed({"hear.eager": 0}),
    )
    assert scene.one(Interrupted).reason == "its words"
    assert not scene.all(PlaybackResumed)
    assert users(scene) == ["tell a story", "stop"]


def test_two_short_interruptions_in_a_row_are_both_heard():
    script = Script()
    scene = Scene(
        script,
        *(0.5, ("tell a story", 1.0), 2.0, ("mhm", 0.3), 0.6, ("stop", 0.3), 6.0),
        engines=scripted(script, STORY, stt=SlowTranscriber(script, 0.1, 0.7, 0.1)),
        settings=Settings().changed({"hear.eager": 0}),
    )
    assert scene.one(Interrupted).reason == "its words"
    assert " ".join(users(scene)).endswith("stop")


def test_an_answer_does_not_go_on_under_someone_who_speaks_again():
    script = Script()
    scene = Scene(
        script,
        *(0.5, ("tell a story", 1.0), 2.0, ("mhm", 0.3), 0.6, ("wait a moment", 0.45), 6.0),
        engines=scripted(script, STORY, stt=SlowTranscriber(script, 0.1, 0.6, 0.1)),
        settings=Settings().changed({"hear.eager": 0}),
    )
    # “mhm” was said at 3.5 s and is known at 4.9 s, while “wait a moment” is being said
    assert not scene.all(PlaybackResumed)
    assert users(scene)[-1] == "wait a moment"


@pytest.mark.parametrize(
    "laugh",
    ["Ha ha ha.", "Hahaha!", "Heh.", "Haha, right.", "Hi hi hi hi", "Ah ah ah ah ah", "Jajaja"],
)
def test_a_laugh_lets_the_answer_go_on(laugh):
    scene = Scene(Script(), *(0.5, ("tell a story", 1.0), 2.0, (laugh, 0.3), 12.0), answers=STORY)
    assert scene.one(PlaybackResumed).at - scene.one(PlaybackPaused).at < 0.6
    assert not scene.all(Interrupted)
    assert scene.memory == [("user", "tell a story"), ("assistant", LONG)]


@pytest.mark.parametrize("words", ["He", "Hi", "Hi, he asked", "Ha ha, stop", "Hey", "Ohio"])
def test_words_that_only_begin_like_a_laugh_interrupt(words):
    scene = Scene(Script(), *(0.5, ("tell a story", 1.0), 2.0, (words, 0.3), 6.0), answers=STORY)
    assert scene.one(Interrupted).reason == "its words"


@pytest.mark.parametrize("word", ["Ha ha", "mhm"])
def test_laughter_that_goes_on_after_a_breath_counts_from_there(word):
    parts = (word, 0.4), 0.3, (word, 0.4), 0.3, (word, 0.4)
    scene = Scene(Script(), *(0.5, ("tell a story", 1.0), 2.0, *parts, 12.0), answers=STORY)
    assert not scene.all(Interrupted)
    assert scene.one(TurnFinished).said_heard == LONG
    parts = ("Ha ha", 0.4), 0.3, ("wait", 0.4)
    scene = Scene(Script(), *(0.5, ("tell a story", 1.0), 2.0, *parts, 6.0), answers=STORY)
    assert scene.one(Interrupted).reason == "its words"
    assert users(scene)[-1] == "Ha ha wait"
    parts = ("Ha ha", 0.4), 0.3, ("wait a moment", 0.7)
    scene = Scene(Script(), *(0.5, ("tell a story", 1.0), 2.0, *parts, 6.0), answers=STORY)
    assert scene.one(Interrupted).reason == "speech lasted 0.5 s"


def test_a_laugh_of_half_a_second_stops_the_answer_for_its_words_are_not_known_yet():
    scene = Scene(
        Script(), *(0.5, ("tell a story", 1.0), 2.0, ("Ha ha ha", 0.7), 6.0), answers=STORY
    )
    assert scene.one(Interrupted).reason == "speech lasted 0.5 s"


def test_an_answer_that_is_ready_while_someone_may_be_going_on_waits_with_its_first_sound():
    scene = Scene(
        Script(),
        *(0.5, ("one", 1.0), 0.65, ("click", 0.06), 4.0),
        settings=Settings().changed({"hear.eager": 0}),
    )
    assert scene.one(SpeechReady).at < scene.one(Misfire).at
    assert scene.one(PlaybackStarted).at == pytest.approx(scene.one(Misfire).at)
    assert scene.one(TurnFinished).said_heard == "You said one."


def test_a_failure_while_an_answer_is_held_is_told_once_it_goes_on():
    script = Script()
    tts = Faulty(HummingVoice(0.4), ["works", "works", "raises"])
    scene = Scene(
        script,
        *(0.5, ("tell a story", 1.0), 1.2, ("mhm", 0.3), 12.0),
        engines=scripted(script, STORY, tts=tts, then={"tts": [lambda: HummingVoice(0.1)]}),
    )
    assert scene.one(Failed).stage == "tts"
    assert scene.one(TurnFinished).said_heard.endswith("voice for a moment.")


def test_an_apology_can_be_interrupted():
    script = Script()
    stt = Faulty(ScriptedTranscriber(script), ["raises"])
    scene = Scene(
        script,
        *(0.5, ("tell a story", 1.0), 1.2, ("stop", 0.6), 6.0),
        engines=scripted(script, STORY, stt=stt),
    )
    first, second = scene.all(TurnFinished)
    assert first.interrupted
    assert "Sorry" in first.said_heard
    assert first.said_heard != first.said
    assert (second.heard, second.said_heard) == ("stop", "Fine.")


@pytest.mark.parametrize("at", [3.0, 3.7])
def test_a_new_mode_of_interruption_counts_from_the_next_answer_on(at):
    def never_from_now(talk):
        talk.settings = talk.settings.changed({"interrupt.mode": "never"})

    scene = Scene(
        Script(),
        *(0.5, ("tell a story", 1.0), 2.0, ("stop", 0.3), 12.0),
        answers=STORY,
        during=after((at, never_from_now)),  # before the word, or before it is understood
    )
    assert scene.one(Interrupted).reason == "its words"
    assert users(scene) == ["tell a story", "stop"]


def test_a_typed_line_that_is_not_answered_yet_gives_way_to_speech_in_every_mode():
    for mode in ("evidence", "any"):
        script = Script()
        model = ScriptedModel({}, first=1.5)
        scene = Scene(
            script,
            *(0.5, ("stop", 0.3), 8.0),
            engines=scripted(script, llm=model),
            settings=Settings().changed({"interrupt.mode": mode}),
            during=after((0.2, lambda talk: talk.type("typed"))),
        )
        assert users(scene) == ["typed", "stop"]
        assert assistants(scene)[-1] == "You said stop."


# Typed lines beside speech


def test_a_line_typed_while_someone_speaks_is_answered_and_not_cut_off_by_that_speech():
    scene = Scene(
        Script(),
        *(0.5, ("tell a story", 3.0), 12.0),
        answers=STORY,
        during=after((2.0, lambda talk: talk.type("typed"))),
    )
    assert not scene.all(Interrupted)
    assert scene.memory[:2] == [("user", "typed"), ("assistant", "You said typed.")]
    assert users(scene) == ["typed", "tell a story"]


def test_a_click_does_not_hold_an_answer_for_ever_while_an_apology_waits_behind_it():
    script = Script()
    stt = Faulty(ScriptedTranscriber(script), ["raises"])
    scene = Scene(
        script,
        *(0.5, ("lost", 2.0), 1.0, ("click", 0.06), 12.0),
        engines=scripted(script, {"typed": LONG}, stt=stt),
        during=after((2.0, lambda talk: talk.type("typed"))),
    )
    assert scene.all(PlaybackPaused)
    assert scene.all(PlaybackResumed)
    assert assistants(scene) == [LONG, "Sorry, I could not hear that."]


def test_a_noise_after_a_question_does_not_hold_a_typed_answer_for_ever():
    scene = Scene(
        Script(),
        *(0.5, ("one", 1.0), 0.3, ("", 0.2), 12.0),
        during=after((1.7, lambda talk: talk.type("typed"))),
    )
    assert scene.memory == [
        ("user", "typed"),
        ("assistant", "You said typed."),
        ("user", "one"),
        ("assistant", "You said one."),
    ]


def test_only_what_is_said_after_a_typed_line_counts_as_interrupting_its_answer():
    def play(more):
        return Scene(
            Script(),
            *(0.5, ("one", 1.0), 0.4, ("two", more), 12.0),
            answers={"typed": LONG},
            during=after((1.7, lambda talk: talk.type("typed"))),
        )

    assert play(0.8).one(Interrupted).at == pytest.approx(1.9 + 0.5, abs=0.1)
    assert play(0.4).all(Interrupted)[0].reason == "its words"


@pytest.mark.parametrize("at", [1.55, 1.6, 1.7, 1.9, 2.1])
def test_a_line_typed_while_an_early_start_works_is_answered_first(at):
    scene = Scene(
        Script(),
        *(0.5, ("tell a story", 1.0), 14.0),
        answers=STORY,
        during=after((at, lambda talk: talk.type("typed"))),
    )
    assert sorted(users(scene)) == ["tell a story", "typed"]
    assert "You said typed." in assistants(scene)


def test_what_was_asked_is_remembered_though_a_typed_line_came_before_its_words_were_known():
    script = Script()
    scene = Scene(
        script,
        *(0.5, ("tell a story", 1.0), 8.0),
        engines=scripted(script, STORY, stt=ScriptedTranscriber(script, 1.0)),
        settings=Settings().changed({"hear.eager": 0}),
        during=after((2.3, lambda talk: talk.type("typed"))),
    )
    assert scene.memory == [
        ("user", "tell a story"),
        ("user", "typed"),
        ("assistant", "You said typed."),
    ]


def test_a_line_typed_between_the_halves_of_a_turn_leaves_the_turn_whole():
    script = Script()
    engines = scripted(script, llm=ScriptedModel({}, first=1.0))
    scene = Scene(
        script,
        *(0.5, ("set a timer for", 1.0), 0.8, ("ten minutes", 1.0), 8.0),
        engines=engines,
        during=after((2.6, lambda talk: talk.type("typed"))),
    )
    assert users(scene) == ["typed", "set a timer for ten minutes"]


def test_an_empty_typed_line_interrupts_nobody():
    scene = Scene(
        Script(),
        *(0.5, ("tell a story", 1.0), 12.0),
        answers=STORY,
        during=after((3.0, lambda talk: talk.type("  "))),
    )
    assert scene.one(TurnFinished).said_heard == LONG


# Early starts


def test_an_early_start_overtaken_by_two_longer_ones_is_not_left_behind():
    script = Script()
    scene = Scene(
        script,
        *(0.5, ("one", 1.0), 0.2, ("", 0.2), 0.2, ("two", 1.0), 6.0),
        engines=scripted(script, stt=SlowTranscriber(script, 0.05, 0.4, 0.4)),
    )
    assert scene.one(TurnFinished).heard == "one two"


def test_an_early_start_does_not_outlive_the_turn_that_was_to_take_its_place():
    script = Script()
    scene = Scene(
        script,
        *(0.5, ("one", 1.0), 0.2, ("", 0.2), 0.7, ("two", 1.0), 6.0),
        engines=scripted(script, stt=SlowTranscriber(script, 0.05, 1.0)),
        settings=Settings().changed({"eager_starts": 1}),
    )
    assert scene.one(TurnFinished).heard == "one two"
    assert_every_turn_is_whole(scene.events)


def test_what_a_client_throws_away_in_a_pause_leaves_no_start_behind_that_never_ends():
    said = []

    def throw_away(talk):
        said.append(talk.ears.speaking)
        given.forget(talk)
        talk.announce("your tea is ready")

    breaths = [part for number in range(3) for part in ((f"word{number}", 0.4), 0.3)]
    scene = Scene(
        Script(),
        *(0.5, *breaths, 3.0, ("one", 0.4), 0.3, ("two", 0.4), 4.0),
        settings=changed(**{"hear.stop": 0.5, "eager_starts": 3}),
        during=after((2.5, throw_away)),
    )
    assert said == [True]
    assert "what was heard is no turn" in [event.reason for event in scene.all(Abandoned)]
    assert scene.memory[0] == ("assistant", "your tea is ready")
    assert users(scene) == ["one two"]
    started = [event.eager for event in scene.all(TurnStarted) if not event.typed]
    assert started == [True] * 5, "what was thrown away counts in the next turn"


def test_what_a_client_throws_away_is_not_put_before_the_next_question():
    script = Script()
    scene = Scene(
        script,
        *(0.5, ("set an alarm", 1.2), 0.6, ("uh", 0.4), 5.0, ("what time is it", 1.0), 4.0),
        engines=scripted(script, llm=ScriptedModel({}, first=1.0)),
        during=after((2.6, given.forget)),
    )
    assert users(scene) == ["what time is it"]


def test_speech_that_goes_on_while_an_early_start_waits_at_its_gate_drops_it_unheard():
    scene = Scene(Script(), 0.5, ("one", 1.0), 0.4, ("two", 1.0), 4.0)
    assert scene.one(TurnFinished).heard == "one two"
    ready = [event for event in scene.all(SpeechReady) if event.turn == 1]
    assert ready, "the early start was not ready yet: this tests nothing"
    assert [event.turn for event in scene.all(PlaybackStarted)] != [1]


def test_an_engine_that_fails_in_an_early_start_is_replaced_and_its_apology_never_heard():
    script = Script()
    good = ScriptedModel({})
    scene = Scene(
        script,
        *(0.5, ("one", 1.0), 0.4, ("two", 1.0), 4.0),
        engines=scripted(script, llm=Faulty(good, ["raises"]), then={"llm": [lambda: good]}),
    )
    assert scene.one(Failed).stage == "llm"
    assert scene.memory == [("user", "one two"), ("assistant", "You said one two.")]


def test_early_starts_come_again_after_a_transcription_that_failed():
    script = Script()
    stt = Faulty(ScriptedTranscriber(script), ["works", "raises"])
    scene = Scene(
        script,
        *(0.5, ("tell a story", 1.0), 2.0, ("stop", 0.3), 12.0, ("one", 1.0), 4.0),
        engines=scripted(script, STORY, stt=stt),
    )
    assert [event.eager for event in scene.all(TurnStarted)] == [True, True, True]


def test_a_turn_of_many_breaths_is_started_early_so_often_and_the_next_one_again():
    breaths = [part for number in range(5) for part in ((f"word{number}", 0.4), 0.3)]
    scene = Scene(
        Script(),
        *(0.5, *breaths, 4.0, ("one", 0.4), 0.3, ("two", 1.0), 4.0),
        settings=Settings().changed({"eager_starts": 2}),
    )
    started = [event.eager for event in scene.all(TurnStarted)]
    assert started == [True, True, False, True, True]
    assert users(scene) == ["word0 word1 word2 word3 word4", "one two"]


def test_no_early_start_begins_while_another_is_still_being_transcribed():
    script = Script()
    engines = scripted(script, stt=ScriptedTranscriber(script, 0.43))
    Scene(script, 0.5, ("one", 0.2), 0.1, ("two", 0.2), 0.1, ("three", 0.4), 4.0, engines=engines)
    assert len(engines.stt.current.seconds) == 2  # at the first breath, and at the end


def test_a_noise_that_went_on_is_not_put_before_the_next_question():
    script = Script()
    engines = scripted(script, stt=ScriptedTranscriber(script, 0.4))
    scene = Scene(
        script,
        *(0.5, ("", 1.0), 0.7, ("", 0.5), 4.0, ("one", 1.0), 4.0),
        engines=engines,
        settings=Settings().changed({"hear.eager": 0}),
    )
    assert users(scene) == ["one"]
    assert max(engines.stt.current.seconds) > 1.8, "the noises were not joined: this tests nothing"
    assert engines.stt.current.seconds[-1] < 1.5


def test_an_early_start_stands_though_the_next_one_never_learnt_its_words():
    script = Script()
    noise = ("", 0.16)
    scene = Scene(
        script,
        *(0.5, ("one", 1.0), 0.2, noise, 0.1, noise, 6.0),
        engines=scripted(script, stt=SlowTranscriber(script, 0.05, 2.0, 0.05)),
    )
    assert len(scene.engines.stt.current.seconds) == 3, "nothing was overtaken: this tests nothing"
    assert len(scene.engines.llm.current.prompts) == 1
    assert scene.one(TurnFinished).heard == "one"


# Turns that wait for one another


def test_who_waits_until_nobody_speaks_waits_for_the_next_answer_too():
    idle_at = []

    async def wait(talk):
        await talk.idle()
        idle_at.append(talk.now())

    def watch(talk, events):
        def ask(event):
            if isinstance(event, TurnFinished) and event.turn == 1:
                return
            if isinstance(event, GateOpened) and event.turn == 1:
                tasks.append(asyncio.get_running_loop().create_task(wait(talk)))

        talk.observers.append(ask)

    tasks = []
    scene = Scene(
        Script(),
        *(0.5, ("tell a story", 1.0), 2.0, ("stop", 1.0), 12.0),
        answers=STORY,
        settings=Settings().changed({"interrupt.mode": "never"}),
        during=watch,
    )
    assert idle_at[0] >= scene.all(TurnFinished)[-1].at


@pytest.mark.parametrize("leaving", [False, True], ids=["in the block", "while leaving it"])
def test_what_waits_to_be_said_is_forgotten_when_the_conversation_is_cancelled(leaving):
    complaints, events = [], []

    async def talking():
        script = Script()
        engines = scripted(script, STORY)
        async with Conversation(engines, SilentSpeaker(), observers=[events.append]) as talk:
            talk.type("tell a story")
            talk.announce("your tea is ready")
            if not leaving:
                await asyncio.Event().wait()

    async def scene():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        task = asyncio.create_task(talking())
        await asyncio.sleep(3.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(scene(), fast=True)
    assert [event.turn for event in events if isinstance(event, PlaybackStarted)] == [1]
    assert not complaints


@pytest.mark.parametrize("said", [0.4, 1.0])
def test_a_microphone_that_is_taken_away_in_mid_word_leaves_no_answer_held(said):
    events = []

    async def scene():
        script = Script()
        engines = scripted(script, STORY)
        sound = script.sound(2.0, ("stop", said), 6.0)
        async with Conversation(engines, SilentSpeaker(), observers=[events.append]) as talk:
            talk.type("tell a story")
            listening = talk.begin(talk.listen(FileMicrophone(sound)))
            await asyncio.sleep(1.9 + said)
            assert any(isinstance(event, PlaybackPaused) for event in events)
            listening.cancel()
            async with asyncio.timeout(60):
                await talk.idle()

    run(scene(), fast=True)
    assert [event.turn for event in events if isinstance(event, TurnFinished)] == [1, 2]


def test_what_waits_to_be_said_is_said_before_the_conversation_is_left():
    events = []

    async def talking():
        engines = scripted(Script(), STORY)
        async with Conversation(engines, SilentSpeaker(), observers=[events.append]) as talk:
            talk.type("hello")
            talk.announce("your tea is ready")
            talk.announce("it gets cold")

    run(talking(), fast=True)
    said = [event.said_heard for event in events if isinstance(event, TurnFinished)]
    assert said == ["You said hello.", "your tea is ready", "it gets cold"]


INTERRUPTS = {
    "hush at once": None,
    "hush": after((2.02, lambda talk: talk.hush())),
    "a typed line": after((2.02, lambda talk: talk.type("stop"))),
    "speech": None,
}


@pytest.mark.parametrize("how", INTERRUPTS)
def test_an_announcement_interrupted_before_its_first_sound_is_not_said_and_holds_up_nobody(how):
    script = Script()

    def announce(talk):
        talk.announce("your tea is ready")
        if how == "hush at once":
            talk.hush()

    def during(talk, events):
        after((2.0, announce))(talk, events)
        if INTERRUPTS[how]:
            INTERRUPTS[how](talk, events)

    speech = ("stop", 0.7) if how == "speech" else 0.7
    scene = Scene(
        script,
        *(2.1, speech, 5.0, ("hello", 1.0), 8.0),
        engines=scripted(script, STORY, tts=HummingVoice(delay=1.0)),
        during=during,
    )
    answers = ["You said hello."] if "hush" in how else ["Fine.", "You said hello."]
    assert assistants(scene) == answers
    assert scene.all(Interrupted)


@pytest.mark.parametrize("at", [3.3, 3.5, 3.9])
def test_a_small_word_answers_a_question_of_ours_though_it_comes_before_its_last_word(at):
    script = Script()
    sure = {"delete it": "Shall I really delete it now?"}
    scene = Scene(
        script,
        *(0.5, ("delete it", 1.0), at - 1.5, ("yes", 0.25), 5.0),
        engines=scripted(script, sure),
    )
    assert scene.all(PlaybackStarted)[0].at == pytest.approx(2.0, abs=0.1)
    assert users(scene) == ["delete it", "yes"]


def test_a_small_word_in_the_middle_of_a_question_of_ours_lets_it_go_on():
    script = Script()
    sure = {"delete it": "Shall I really delete it now, and all that belongs to it?"}
    scene = Scene(
        script,
        *(0.5, ("delete it", 1.0), 1.0, ("yes", 0.25), 5.0),
        engines=scripted(script, sure),
    )
    assert scene.all(PlaybackPaused) and users(scene) == ["delete it"]


def test_hush_lets_who_waited_have_the_floor():
    scene = Scene(
        Script(),
        *(0.5, ("tell a story", 1.0), 2.0, ("stop", 1.0), 12.0),
        answers=STORY,
        settings=Settings().changed({"interrupt.mode": "never"}),
        during=after((6.0, lambda talk: talk.hush())),
    )
    assert users(scene) == ["tell a story", "stop"]
    assert assistants(scene)[-1] == "Fine."


def test_memory_keeps_the_order_though_a_far_loudspeaker_needs_time_to_say_what_was_heard():
    def two_lines(talk):
        talk.type("first")
        asyncio.get_running_loop().call_later(0.05, talk.type, "second")

    speaker = FarSpeaker(0.15)
    scene = Scene(
        Script(),
        *(0.5, ("tell a story", 1.0), 12.0),
        answers=STORY,
        speaker=speaker,
        during=after((4.0, two_lines)),
    )
    assert users(scene) == ["tell a story", "first", "second"]
    prompt = scene.engines.llm.current.prompts[-1]
    assert [message.content for message in prompt[1:]] == [text for _, text in scene.memory[:-1]]


def test_a_monologue_is_not_joined_for_ever():
    script = Script()
    scene = Scene(
        script,
        *(0.5, ("radio", 40.0), 6.0),
        settings=Settings().changed({"hear.longest": 4.0}),
    )
    assert 2 * 4.0 <= max(scene.engines.stt.current.seconds) <= 2 * 4.0 + 0.3
    assert scene.all(TurnFinished)[-1].heard == "radio"


# Microphones


class Unplugged(FileMicrophone):
    """Breaks when its sound ends."""

    async def __aiter__(self):
        async for frame in super().__aiter__():
            yield frame
        raise AudioError("The microphone is gone. Plug it in and start again.")


def listened(sound, engines, microphone, settings=None):
    """Events of a conversation that goes on, typed, when its microphone has ended."""
    events = []

    async def scene():
        async with (
            asyncio.timeout(1000),
            Conversation(engines, SilentSpeaker(), settings, observers=[events.append]) as talk,
        ):
            with contextlib.suppress(AudioError):
                await talk.listen(microphone(sound))
            await talk.idle()
            talk.type("typed")

    run(scene(), fast=True)
    return events


@pytest.mark.parametrize("microphone", [FileMicrophone, Unplugged])
def test_what_was_said_when_the_microphone_ends_is_answered(microphone):
    script = Script()
    sound = script.sound(0.5, ("one", 1.0), 0.1, ("two", 1.0))
    events = listened(sound, scripted(script), microphone)
    finished = [event.heard for event in events if isinstance(event, TurnFinished)]
    assert finished == ["one two", "typed"]


@pytest.mark.parametrize("microphone", [FileMicrophone, Unplugged])
def test_an_answer_that_a_click_held_goes_on_when_the_microphone_ends(microphone):
    script = Script()
    sound = script.sound(0.5, ("tell a story", 1.0), 2.0, ("click", 0.06))
    events = listened(sound, scripted(script, STORY), microphone)
    assert [type(event) for event in events if "Playback" in type(event).__name__][:3] == [
        PlaybackStarted,
        PlaybackPaused,
        PlaybackResumed,
    ]
    assert next(event for event in events if isinstance(event, TurnFinished)).said_heard == LONG


def stalling(seconds, *after_seconds):
    """A microphone from which no frame comes for some seconds, after each of these."""

    class Stalling(FileMicrophone):
        async def __aiter__(self):
            heard = 0
            async for frame in super().__aiter__():
                heard += len(frame)
                yield frame
                if heard // 512 in [round(each * RATE / 512) for each in after_seconds]:
                    await asyncio.sleep(seconds)
                    self.opened += seconds  # what was said meanwhile is lost

    return Stalling


def test_a_microphone_that_goes_silent_is_told_once_and_the_conversation_recovers():
    scene = Scene(
        Script(),
        *(0.5, ("one", 1.0), 3.0, ("two", 1.0), 4.0),
        microphone=stalling(10.0, 3.2),
    )
    failed = scene.one(Failed)
    assert failed.stage == "microphone"
    assert "Try" in failed.message
    assert failed.at == pytest.approx(3.2 + 1.0, abs=0.05)
    assert users(scene) == ["one", "two"]
    question = scene.all(TurnEnded)[-1]
    assert question.ended == pytest.approx(0.5 + 1.0 + 3.0 + 1.0 + 10.0, abs=0.1)
    assert scene.all(PlaybackStarted)[-1].at - question.ended == pytest.approx(0.512, abs=0.05)


def test_a_microphone_that_goes_silent_again_is_told_of_again_and_as_soon():
    scene = Scene(Script(), 6.4, microphone=stalling(10.0, 3.2, 4.48))
    told = [failed.at for failed in scene.all(Failed)]
    assert told == pytest.approx([3.2 + 1.0, 10.0 + 4.48 + 1.0], abs=0.05)


def test_a_loop_that_was_held_up_is_no_silent_microphone():
    """By a cell of a notebook, say. What was said meanwhile waits, and none of it is lost."""
    events, script, wait = [], Script(), 0.3

    class HoldingUp(FileMicrophone):
        async def __aiter__(self):
            heard = 0
            async for frame in super().__aiter__():
                heard += 1
                if heard == 10:
                    threading.Event().wait(2 * wait)  # that nothing else runs is what is tested
                yield frame

    async def scene():
        rules = changed(**{"timeouts.vad": wait})
        engines = scripted(script)
        async with Conversation(engines, SilentSpeaker(), rules, observers=[events.append]) as talk:
            await talk.listen(HoldingUp(script.sound(0.1, ("one", 0.8), 0.5)))
            heard = sum(isinstance(event, FrameHeard) for event in events)
            assert talk.ears.now == pytest.approx(heard * 0.032)

    asyncio.run(scene())
    assert not [event for event in events if isinstance(event, Failed)]
    assert [event.heard for event in events if isinstance(event, TurnFinished)] == ["one"]


def test_a_microphone_that_has_ended_is_not_silent():
    script = Script()
    events = listened(
        script.sound(0.5, ("tell a story", 1.0)), scripted(script, STORY), FileMicrophone
    )
    assert next(event for event in events if isinstance(event, TurnFinished)).said_heard == LONG
    assert not [event for event in events if isinstance(event, Failed)]


def test_a_patience_changed_in_mid_sentence_counts_from_the_next_turn_on():
    def hurry(talk):
        talk.settings = talk.settings.changed({"hear.stop": 0.256})

    scene = Scene(
        Script(),
        *(0.5, ("one", 1.0), 3.0, ("two", 1.0), 3.0),
        during=after((1.0, hurry)),
    )
    waits = [event.at - event.ended for event in scene.all(TurnEnded)]
    assert waits == pytest.approx([0.512, 0.256])


def test_a_microphone_that_goes_silent_in_mid_sentence_does_not_hold_the_answer_for_ever():
    scene = Scene(
        Script(),
        *(0.5, ("tell a story", 1.0), 2.0, ("click", 0.06), 4.0),
        answers=STORY,
        microphone=stalling(60.0, 3.55),
    )
    assert scene.one(PlaybackResumed).at == pytest.approx(3.55 + 1.0, abs=0.05)
    assert scene.one(TurnFinished).said_heard == LONG


def test_a_slow_detector_is_no_silent_microphone():
    class Slow:
        name = "slow"

        def start(self):
            return None

        def detect(self, frames, states):
            return np.zeros(len(frames)), states

    script = Script()
    engines = scripted(script)
    engines.vad.current = Slow()
    events = []

    async def scene():
        async with Conversation(engines, SilentSpeaker(), observers=[events.append]) as talk:
            await talk.listen(FileMicrophone(script.sound(0.5)))

    run(scene(), fast=True, cost=lambda stage, _: 0.9 if stage == "vad" else 0.0)
    assert len([event for event in events if isinstance(event, FrameHeard)]) == 16
    assert not [event for event in events if isinstance(event, Failed)]


def test_times_agree_though_a_line_was_typed_long_before_the_microphone_opened():
    script = Script()
    events, kept = [], Timeline()

    async def scene():
        async with Conversation(
            scripted(script), SilentSpeaker(), observers=[events.append, kept]
        ) as talk:
            talk.type("typed")
            await talk.idle()
            await asyncio.sleep(100)
            await talk.listen(FileMicrophone(script.sound(0.512, ("one", 1.024), 3.0)))

    run(scene(), fast=True)
    assert kept.turns[-1].voice_to_voice == pytest.approx(0.512, abs=0.032)


# Loudspeakers, voices and models


def test_an_interruption_in_mid_sentence_closes_the_voice_and_the_model_behind_it():
    class Piecemeal(HummingVoice):
        closed = 0

        async def speak(self, text):
            try:
                for word in text.split():
                    async for speech in HummingVoice.speak(self, word):
                        yield speech
            except (GeneratorExit, asyncio.CancelledError):
                self.closed += 1
                raise

    script = Script()
    sentence = " ".join(["word"] * 30) + "."
    model = ScriptedModel({"tell a story": f"{sentence} {sentence}"}, token=0.02)
    voice = Piecemeal(delay=0.4)
    scene = Scene(
        script,
        *(0.5, ("tell a story", 1.0), 4.0, ("stop", 1.0), 6.0),
        engines=scripted(script, llm=model, tts=voice),
    )
    first, second = scene.all(TurnFinished)
    stopped = scene.one(Interrupted).at
    spoken = [event for event in scene.all(SpeechReady) if event.turn == 1]
    assert 0 < len(spoken) < 30, "it was in no sentence: this tests nothing"
    assert all(event.at <= stopped for event in spoken)
    assert (voice.closed, model.stopped) == (1, 1)
    assert first.interrupted and 0 < len(first.said_heard.split()) < 30
    assert second.said_heard == "You said stop."


class Unpluggable(SilentSpeaker):
    """Breaks at its n-th sound, or when its answer is waited for."""

    def __init__(self, break_at):
        super().__init__(16_000)
        self.break_at = break_at
        self.opened = 0

    def open(self, on_start):
        self.opened += 1
        if self.opened == self.break_at:
            raise AudioError("The loudspeaker is gone. Plug it in and start again.")
        return super().open(on_start)


@pytest.mark.parametrize("broken", [None, "stt", "llm"])
def test_a_loudspeaker_that_is_pulled_ends_the_turn_and_not_the_conversation(broken):
    script = Script()
    good = {"stt": ScriptedTranscriber(script), "llm": ScriptedModel({})}
    faulty = {broken: Faulty(good[broken], ["raises"])} if broken else {}
    scene = Scene(
        script,
        *(0.5, ("one", 1.0), 3.0, ("two", 1.0), 4.0),
        engines=scripted(script, **(good | faulty)),
        speaker=Unpluggable(1),
    )
    assert [event.stage for event in scene.all(Failed)] == [
        *([broken] if broken else []),
        "speaker",
    ]
    assert users(scene) == (["two"] if broken == "stt" else ["one", "two"])
    assert assistants(scene) == ["You said two."]


def test_a_sound_card_pulled_in_mid_answer_leaves_what_was_heard_in_memory():
    class Pulled(FarSpeaker):
        def open(self, on_start):
            playback = super().open(on_start)

            async def finished():
                await asyncio.sleep(1.1)
                raise AudioError("The loudspeaker is gone. Plug it in and start again.")

            playback.finished = finished
            return playback

    scene = Scene(Script(), 0.5, ("tell a story", 1.0), 4.0, answers=STORY, speaker=Pulled(0.0))
    assert scene.one(Failed).stage == "speaker"
    assert scene.memory == [("user", "tell a story"), ("assistant", "One two three four. One two")]
    assert scene.speaker._playbacks[0]._tape.stopped


def test_a_voice_that_fails_in_mid_answer_lets_what_was_said_be_heard_and_says_so():
    script = Script()
    tts = Faulty(HummingVoice(), ["works", "raises"])
    scene = Scene(
        script,
        *(0.5, ("tell a story", 1.0), 8.0, ("stop", 1.0), 4.0),
        engines=scripted(script, STORY, tts=tts, then={"tts": [HummingVoice]}),
    )
    assert assistants(scene) == [
        "One two three four. Sorry, I lost my voice for a moment.",
        "Fine.",
    ]


def test_the_only_voice_failing_leaves_a_short_answer_and_no_dead_end():
    script = Script()
    tts = Faulty(HummingVoice(), ["works", "raises"])
    scene = Scene(
        script,
        *(0.5, ("tell a story", 1.0), 4.0, ("stop", 1.0), 4.0),
        engines=scripted(script, STORY, tts=tts),
    )
    assert assistants(scene) == ["One two three four.", "Fine."]


def test_what_is_said_reads_as_one_text_when_the_voice_speaks_it_in_parts():
    class InParts(HummingVoice):
        async def speak(self, text):
            for word in text.split(" "):
                async for speech in super().speak(word):
                    yield type(speech)(f"{word} ", speech.audio)
            yield type(speech)("", speech.audio)

    script = Script()
    scene = Scene(
        script, 0.5, ("tell a story", 1.0), 30.0, engines=scripted(script, STORY, tts=InParts())
    )
    finished = scene.one(TurnFinished)
    assert finished.said == finished.said_heard == LONG


@pytest.mark.parametrize("answer", ["", "   ", "\n\n"])
def test_an_answer_without_a_word_is_an_apology_and_not_silence(answer):
    scene = Scene(Script(), 0.5, ("one", 1.0), 4.0, answers={"one": answer})
    assert "Sorry" in scene.one(TurnFinished).said_heard


# Observers


def test_a_timeline_that_comes_late_or_sees_only_a_part_keeps_what_it_sees():
    scene = Scene(
        Script(),
        *(0.5, ("tell a story", 1.0), 2.0, ("mhm", 0.3), 1.0, ("stop", 1.0), 4.0),
        answers=STORY,
    )
    assert len(scene.events) > 100
    for start in range(len(scene.events)):
        kept = Timeline()
        for event in scene.events[start:]:
            kept(event)
        assert kept.turns or start > len(scene.events) / 2
    for kind in {type(event) for event in scene.events}:
        kept = Timeline()
        for event in scene.events:
            if not isinstance(event, kind):
                kept(event)
        for turn in kept.turns:
            summary(turn)


@pytest.mark.parametrize(
    "kind", [TurnStarted, GateOpened, PlaybackStarted, TurnFinished, FrameHeard]
)
def test_an_observer_that_ends_the_program_ends_the_conversation_cleanly(kind, caplog):
    kept = Timeline()

    def leave(event):
        if isinstance(event, kind) and event.at > 1.0:
            raise SystemExit(3)

    def arrange(talk, events):
        talk.observers += [kept, leave]

    with pytest.raises(SystemExit):
        Scene(Script(), 0.5, ("one", 1.0), 4.0, during=arrange)
    assert not caplog.records


@pytest.mark.parametrize("kind", [TurnStarted, GateOpened, SpeechReady, Interrupted, TurnFinished])
def test_an_observer_that_always_fails_changes_nothing(kind):
    def play(broken):
        def arrange(talk, events):
            def fail(event):
                if isinstance(event, kind):
                    raise RuntimeError

            talk.observers.insert(0, fail if broken else lambda event: None)

        parts = [0.5, ("tell a story", 1.0), 2.0, ("stop", 1.0), 4.0]
        return Scene(Script(), *parts, answers=STORY, during=arrange).events

    assert [repr(event) for event in play(True)] == [repr(event) for event in play(False)]


def test_memory_waits_for_the_last_word_of_a_far_loudspeaker():
    class Acknowledging(SilentSpeaker):
        """Knows what was heard only once it has asked."""

        def open(self, on_start):
            playback = super().open(on_start)

            class Far:
                play, pause, go_on, stop = (
                    getattr(playback, name) for name in ("play", "pause", "go_on", "stop")
                )
                finished = playback.finished
                heard = 0.0

                async def settled(self):
                    await asyncio.sleep(0.1)
                    self.heard = playback.heard
                    return self.heard

            return Far()

    scene = Scene(
        Script(), 0.5, ("one", 1.0), 4.0, answers={"one": "Hi."}, speaker=Acknowledging(16_000)
    )
    assert scene.one(TurnFinished).said_heard == "Hi."


def test_a_detector_that_another_conversation_replaced_begins_with_a_state_of_its_own():
    class Own:
        direct = True

        def __init__(self, name):
            self.name = name

        def start(self):
            return self.name

        def detect(self, frames, states):
            assert states == [self.name]
            return np.zeros(len(frames)), states

    script = Script()
    engines = scripted(script)
    engines.vad.current = Own("first")

    def replace(talk):
        engines.vad.current = Own("second")

    scene = Scene(script, 2.0, engines=engines, during=after((1.0, replace)))
    assert not scene.all(Failed)


def test_a_detector_gets_back_what_it_remembered():
    class Counting:
        name = "counting"
        direct = True
        counted = 0

        def start(self):
            return 0

        def detect(self, frames, states):
            self.counted = states[0] + 1
            return np.zeros(len(frames)), [self.counted]

    script = Script()
    engines = scripted(script)
    engines.vad.current = Counting()
    scene = Scene(script, 1.024, engines=engines)
    assert engines.vad.current.counted == len(scene.all(FrameHeard)) == 32


def test_frames_that_come_late_do_not_turn_the_clock_back():
    class Late(FileMicrophone):
        async def __aiter__(self):
            async for frame in super().__aiter__():
                if asyncio.get_running_loop().time() == pytest.approx(1.024):
                    await asyncio.sleep(0.5)  # the next ones wait, and none is lost
                yield frame

    clocks = []

    def compare(talk, events):
        loop = asyncio.get_running_loop()
        talk.observers.append(lambda event: clocks.append(talk.now() - loop.time()))

    Scene(Script(), 4.0, microphone=Late, during=compare)
    assert len(clocks) == 125
    assert clocks == pytest.approx([clocks[0]] * len(clocks))


TALE = {"tell a story": "Once upon a time there was a small house by the sea. " * 3}


def test_coughs_one_after_the_other_are_no_interruption():
    cough = ("", 0.3)
    scene = Scene(
        Script(), *(0.5, ("tell a story", 1.0), 2.0, cough, 0.35, cough, 0.35, cough, 12.0),
        answers=TALE,
    )  # fmt: skip
    assert len(scene.all(PlaybackResumed)) >= 2
    assert not scene.all(Interrupted)


def test_scraps_of_its_own_words_are_no_interruption_however_many_come_back():
    scrap = ("a time", 0.2), 0.35
    scene = Scene(
        Script(), *(0.5, ("tell a story", 1.0), 2.0, *scrap, *scrap, *scrap, 12.0), answers=TALE
    )
    assert scene.all(PlaybackPaused)
    assert not scene.all(Interrupted)
    assert users(scene) == ["tell a story"]


@pytest.mark.parametrize("small", ["mhm", "a time", ""])
def test_who_may_never_interrupt_is_not_answered_when_they_want_nothing(small):
    scene = Scene(
        Script(),
        *(0.5, ("tell a story", 1.0), 2.0, (small, 0.6), 14.0, ("thanks", 1.0), 5.0),
        answers=TALE,
        settings=Settings().changed({"interrupt.mode": "never"}),
    )
    assert users(scene) == ["tell a story", "thanks"]
    assert not scene.all(PlaybackPaused)


@dataclass
class Slower(ScriptedTranscriber):
    """Its calls take so many seconds, one after the other; later ones as the last."""

    delays: list[float] = field(default_factory=list)

    async def transcribe(self, audio):
        self.delay = self.delays.pop(0) if self.delays[1:] else self.delays[0]
        return await super().transcribe(audio)


def test_an_answer_begun_early_does_not_play_over_who_has_begun_to_speak_again():
    script = Script()
    engines = scripted(script, stt=Slower(script, delays=[0.05, 0.6]))
    parts = 0.5, ("one", 1.0), 0.2, ("", 0.2), 0.55, ("two", 2.0), 6.0
    scene = Scene(script, *parts, engines=engines)
    began = 0.5 + 1.0 + 0.2 + 0.2 + 0.55
    played = [event.at for event in scene.all(PlaybackStarted)]
    assert played
    assert not [at for at in played if began + 0.1 < at < began + 2.0]


def test_a_question_long_after_a_noise_stopped_an_answer_is_judged_like_any_other():
    script = Script()
    engines = scripted(script, TALE, judge=ScriptedJudge({"what time is it": 1.0}))
    parts = 0.5, ("tell a story", 1.0), 2.0, ("", 0.8), 4.0, ("what time is it", 1.0), 3.0
    scene = Scene(script, *parts, engines=engines)
    assert scene.all(Interrupted)
    assert scene.all(Judged)[-1].finished == 1.0


def test_an_announcement_is_made_by_the_next_voice_when_the_first_fails():
    script = Script()
    engines = scripted(script, tts=Faulty(HummingVoice(), ["raises"]), then={"tts": [HummingVoice]})

    def announce(talk, events):
        talk.announce("Your tea is ready.")

    scene = Scene(script, 6.0, engines=engines, during=announce)
    assert assistants(scene) == ["Your tea is ready."]


def test_what_is_said_asleep_is_heard_by_nobody_when_the_frames_end():
    class Asleep:
        asleep = True

        def feed(self, frame, now, busy):
            return None

    events = []

    async def scene():
        script = Script()
        engines = scripted(script)
        watching = [events.append]
        talk = Conversation(engines, SilentSpeaker(), observers=watching, sleep=Asleep())
        async with talk:
            await talk.listen(FileMicrophone(script.sound(0.5, ("a secret", 1.0))))
        return engines.stt.current.seconds

    assert run(scene(), fast=True) == []
    assert not [event for event in events if isinstance(event, TurnEnded | TurnStarted)]


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_conversation_that_is_over_begins_no_turn_for_a_microphone_that_it_lets_go():
    events = []

    async def talking():
        script = Script()
        async with Conversation(
            scripted(script), SilentSpeaker(), observers=[events.append]
        ) as talk:
            talk.begin(talk.listen(FileMicrophone(script.sound(0.5, ("one", 5.0)))))
            await asyncio.Event().wait()

    async def scene():
        task = asyncio.create_task(talking())
        await asyncio.sleep(2.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gc.collect()

    run(scene(), fast=True)
    assert not [event for event in events if isinstance(event, TurnEnded | TurnStarted)]
