"""The words so far while someone speaks: confirmed, affordable, and never in the way."""

import pytest
from scenes import Scene

from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.ahead import Ahead
from voice_kit.converse.assistant import Assistant
from voice_kit.converse.captions import Captions
from voice_kit.converse.virtual import run
from voice_kit.hear.partials import affordable, confirmed
from voice_kit.settings import Settings
from voice_kit.types import Partial, PlaybackStarted, TurnFinished
from voice_kit.workshop.fakes import Script, ScriptedModel, ScriptedTranscriber, scripted

WORDS = [("what", 0.6), ("time", 0.6), ("is", 0.6), ("it", 0.6)]


def written_along(stt_delay, *parts, every=0.5):
    script = Script()
    engines = scripted(script, stt=ScriptedTranscriber(script, stt_delay))

    def watch(talk, events):
        talk.observers.append(Captions(talk))

    settings = Settings().changed({"partials": every})
    return Scene(script, 0.512, *parts, 3.0, engines=engines, settings=settings, during=watch)


@pytest.mark.parametrize(
    ("before", "now", "both"),
    [
        ("", "what", ""),
        ("what time", "What time, is it", "What time,"),
        ("what thyme is", "what time is", "what"),
        ("what", "", ""),
    ],
)
def test_only_what_two_passes_agree_on_is_confirmed(before, now, both):
    assert confirmed(before, now) == both


def test_a_pass_that_can_be_stopped_may_take_all_the_time_there_is():
    assert affordable(0.5, 0.5, stoppable=True)
    assert not affordable(0.6, 0.5, stoppable=True)
    assert affordable(0.1, 0.5, stoppable=False)
    assert not affordable(0.2, 0.5, stoppable=False)


def test_the_words_so_far_are_told_while_their_speaker_goes_on():
    scene = written_along(0.05, *WORDS)
    told = [event.text for event in scene.all(Partial)]
    assert told == ["what", "what time", "what time is"]
    assert scene.one(TurnFinished).heard == "what time is it"
    assert scene.all(Partial)[-1].at < 0.512 + 2.4


def test_the_words_before_a_speaker_went_on_are_among_them():
    script, events = Script(), []

    def watch(talk, _):
        talk.observers += [Captions(talk), events.append]

    halves = (0.5, ("set an alarm", 1.2), 0.6, ("for seven tomorrow", 1.6), 3.0)
    engines = scripted(script, llm=ScriptedModel({}, first=1.0))
    Scene(script, *halves, engines=engines, during=watch)
    said = [event.text for event in events if isinstance(event, Partial)]
    assert "set an alarm" in said
    assert said[-1] == "set an alarm for seven tomorrow"


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.5), (0.5, 0.0)])
def test_an_assistant_writes_along_or_not_as_its_settings_say_by_then(before, after, tmp_path):
    script, events, turns = Script(), [], []

    async def talk():
        none = Settings().changed({"partials": before, "router": "off"})
        more = {"observers": [events.append], "folder": tmp_path}
        async with Assistant(scripted(script), SilentSpeaker(16_000), none, **more) as talk:
            for partials in (before, after):
                talk.settings = talk.settings.changed({"partials": partials})
                await talk.listen(FileMicrophone(script.sound(0.512, *WORDS, 3.0)))
                await talk.idle()
                turns.append([event.text for event in events if isinstance(event, Partial)])
                events.clear()

    run(talk(), fast=True)
    assert [bool(each) for each in turns] == [bool(before), bool(after)]


def test_a_transcriber_that_cannot_keep_up_is_left_alone():
    scene = written_along(0.9, *WORDS)
    passes = scene.engines.stt.current.seconds
    assert not scene.all(Partial)
    assert len(passes) == 2, "one to learn what it costs, and the early start"
    assert scene.one(TurnFinished).heard == "what time is it"


def test_no_pass_delays_the_answer():
    silent = written_along(0.15, *WORDS, every=0)
    assert not silent.all(Partial)
    along = written_along(0.15, *WORDS)
    assert along.all(Partial)
    assert along.one(PlaybackStarted).at == pytest.approx(silent.one(PlaybackStarted).at)


@pytest.mark.parametrize("ahead", [False, True])
def test_one_that_cannot_be_stopped_and_takes_as_long_for_a_word_as_for_a_tale_holds_nothing_up(
    ahead,
):
    class LikeWhisper(ScriptedTranscriber):
        stoppable = False

    def watch(talk, events):
        if ahead:
            Ahead.of(talk)
        talk.observers.append(Captions(talk))

    script = Script()
    stt = LikeWhisper(script, 0.3)
    parts = 0.512, ("a long tale", 6.0), 4.0, ("a word", 0.6), 3.0
    scene = Scene(script, *parts, engines=scripted(script, stt=stt), during=watch)
    assert [event.heard for event in scene.all(TurnFinished)] == ["a long tale", "a word"]
    assert len(stt.seconds) == 2, "0.3 s for 6 s of sound are no 0.03 s for 0.6 s of it"


def test_a_new_turn_begins_without_the_words_of_the_last():
    scene = written_along(0.05, *WORDS, 3.0, ("good", 0.6), ("day", 1.2))
    texts = [event.text for event in scene.all(Partial)]
    assert texts[3:] == ["good", "good day"]


def test_a_transcriber_that_fails_in_a_pass_fails_only_there():
    class Once(ScriptedTranscriber):
        async def transcribe(self, audio):
            if not self.seconds:
                self.seconds.append(0)
                raise RuntimeError
            return await super().transcribe(audio)

    script = Script()
    engines = scripted(script, stt=Once(script, 0.05))
    scene = Scene(
        script,
        *(0.512, *WORDS, 3.0),
        engines=engines,
        during=lambda talk, events: talk.observers.append(Captions(talk)),
    )
    assert scene.one(TurnFinished).heard == "what time is it"
    assert scene.all(Partial)


@pytest.mark.parametrize("says", ["speculative", "partials"])
def test_a_transcriber_whose_call_costs_is_not_asked_along_the_way(says):
    script = Script()
    stt = ScriptedTranscriber(script, 0.05)
    setattr(stt, says, False)
    scene = Scene(
        script,
        *(0.512, *WORDS, 3.0),
        engines=scripted(script, stt=stt),
        during=lambda talk, events: talk.observers.append(Captions(talk)),
    )
    assert len(stt.seconds) == 1
    assert scene.one(TurnFinished).heard == "what time is it"
