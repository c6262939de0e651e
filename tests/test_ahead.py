"""Transcribing ahead of a pause: the same words sooner, stopped when it was in vain."""

import asyncio
import threading

import numpy as np
import pytest

from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.ahead import REST, Ahead
from voice_kit.converse.captions import Captions
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.timeline import Timeline
from voice_kit.converse.virtual import run
from voice_kit.errors import EngineFailedError
from voice_kit.hear.sleep import Sleep
from voice_kit.settings import Settings
from voice_kit.types import (
    FRAME,
    RATE,
    Abandoned,
    Audio,
    EngineChanged,
    Failed,
    FellAsleep,
    PlaybackStarted,
    Transcribed,
    Transcript,
    TurnFinished,
    TurnStarted,
    Woke,
)
from voice_kit.workshop.fakes import STEP, Script, ScriptedModel, ScriptedTranscriber, scripted

FRAME_SECONDS = FRAME / RATE
STT = 0.1
GAP = 2 * FRAME_SECONDS
"""One frame of this is wholly quiet, wherever frames begin: too short for a pause."""


class Fading:
    """Needs two more frames than it takes to fall silent, as Silero may: doubtful, then sure."""

    name = "fading"
    direct = True

    def start(self):
        return 0

    def detect(self, frames, states):
        loud = [float(np.mean(np.abs(each))) > 0.002 for each in frames]
        after = [2 if each else max(0, state - 1) for each, state in zip(loud, states, strict=True)]
        chances = {2: 1.0, 1: 0.9, 0: 0.1}
        return np.array([chances[each] for each in after], np.float32), after


class Spotter:
    """Hears the first line of the script, a frame after its end."""

    phrase = "hey computer"
    spoken = False

    def heard(self, frame):
        before, self.spoken = self.spoken, round(float(np.mean(frame)) / STEP) == 1
        return FRAME_SECONDS if before and not self.spoken else None

    def reset(self):
        self.spoken = False


class Talk:
    """One conversation on a virtual clock, with or without transcribing ahead."""

    def __init__(
        self,
        *parts,
        ahead=True,
        stt=None,
        llm=None,
        settings=None,
        then=(),
        sleeps=False,
        captions=False,
        rustle=None,
    ):
        self.events = []
        self.script = Script([Spotter.phrase] if sleeps else [])
        self.stt = (stt or ScriptedTranscriber)(self.script, STT)
        self.sound = self.script.sound(*parts, 3.0)
        if rustle is not None:
            self.sound.samples[rustle * FRAME : (rustle + 1) * FRAME] += 0.001
        self.llm = llm
        self.settings = Settings().changed({"hear.stop": 0.5, **(settings or {})})
        self.then = then
        self.sleep = Sleep(Spotter(), 2.0) if sleeps else None
        run(self._talk(ahead, captions), fast=True)

    async def _talk(self, ahead, captions):
        engines = scripted(self.script, stt=self.stt, llm=self.llm, then={"stt": self.then})
        engines.vad.current = Fading()
        self.timeline = Timeline()
        watch = [self.events.append, self.timeline]
        speaker = SilentSpeaker(16_000)
        async with Conversation(
            engines, speaker, self.settings, observers=watch, sleep=self.sleep
        ) as talk:
            self.ahead = Ahead.of(talk) if ahead else None
            talk.observers += [Captions(talk)] if captions else []
            await talk.listen(FileMicrophone(self.sound))
        assert len(asyncio.all_tasks()) == 1

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def heard(self):
        return [event.heard for event in self.of(TurnFinished)]


def test_the_words_are_there_sooner_by_the_frames_that_a_pause_takes_to_be_certain():
    ahead, without = (Talk(0.3, ("hello", 0.64), ahead=each) for each in (True, False))
    assert ahead.heard == without.heard == ["hello"]
    (sooner,), (later,) = ahead.of(Transcribed), without.of(Transcribed)
    # Two quiet frames make a pause of 64 ms; the doubtful one before them is known of already.
    assert later.at - sooner.at == pytest.approx(2 * FRAME_SECONDS)
    assert later.took == pytest.approx(STT)
    assert (ahead.ahead.begun, ahead.ahead.used) == (1, 1)
    assert len(ahead.stt.seconds) == 1


@pytest.mark.parametrize("frames", range(1, 17))
def test_what_was_begun_is_of_use_however_long_a_pause_takes_to_be_one(frames):
    settings = {"hear.eager": frames * FRAME_SECONDS}
    parts = 0.3, ("hello", 0.64)
    ahead, without = (Talk(*parts, ahead=each, settings=settings) for each in (True, False))
    assert ahead.heard == without.heard == ["hello"]
    assert (ahead.ahead.begun, ahead.ahead.used) == (1, 1)
    assert not ahead.of(Abandoned)
    (sooner,), (later,) = ahead.of(Transcribed), without.of(Transcribed)
    gained = min(frames * FRAME_SECONDS, STT)
    assert later.at - sooner.at == pytest.approx(gained)


def test_a_rustle_long_after_the_last_word_takes_nothing_away():
    settings = {"hear.eager": 0.4}
    first = round(0.96 / FRAME_SECONDS)
    talks = [Talk(0.32, ("hello", 0.64), settings=settings, rustle=first + n) for n in (5, 8, 11)]
    assert [(talk.ahead.begun, talk.ahead.used) for talk in talks] == [(1, 1)] * 3
    assert not any(talk.of(Abandoned) for talk in talks)


def test_what_its_speaker_had_said_before_going_on_is_transcribed_ahead_with_the_rest():
    parts = 0.32, ("set an alarm", 0.96), 0.64, ("for seven", 0.96)

    def talk(ahead):
        return Talk(*parts, llm=ScriptedModel({}, first=1.0), ahead=ahead)

    ahead, without = talk(True), talk(False)
    assert ahead.heard == without.heard == ["set an alarm for seven"]
    assert len(ahead.stt.seconds) == ahead.ahead.begun == ahead.ahead.used == 2
    sooner, later = ahead.of(Transcribed)[-1], without.of(Transcribed)[-1]
    assert later.at - sooner.at == pytest.approx(2 * FRAME_SECONDS)


def test_an_answer_begins_and_is_heard_no_sooner_than_its_pause_and_its_end_allow():
    ahead, without = (Talk(0.3, ("hello", 0.64), ahead=each) for each in (True, False))
    assert [event.at for event in ahead.of(TurnStarted)] == [
        event.at for event in without.of(TurnStarted)
    ]
    assert ahead.of(PlaybackStarted)[0].at == pytest.approx(without.of(PlaybackStarted)[0].at)


def test_speech_that_goes_on_stops_what_was_begun_and_leaves_nothing_but_what_it_cost():
    class Counting(ScriptedTranscriber):
        stopped = 0

        async def transcribe(self, audio):
            try:
                return await super().transcribe(audio)
            except asyncio.CancelledError:
                self.stopped += 1
                raise

    parts = 0.3, ("hello", 0.48), GAP, ("there", 0.64)
    talk = Talk(*parts, stt=Counting)
    assert talk.ahead.begun == 2
    assert talk.ahead.used == 1
    assert talk.stt.stopped == 1
    assert talk.heard == ["hello there"]
    (dropped,) = talk.of(Abandoned)
    assert (dropped.turn, dropped.worked) == (0, pytest.approx(FRAME_SECONDS))
    assert (talk.timeline.abandoned, talk.timeline.wasted) == (0, dropped.worked)


@pytest.mark.parametrize("delay", [0.05, 0.1], ids=["before the pause is certain", "after it"])
def test_a_start_that_is_dropped_has_cost_what_was_transcribed_ahead_of_it_too(delay):
    class Timed(ScriptedTranscriber):
        def __init__(self, script, usual):
            super().__init__(script, delay)

    parts = 0.3, ("hello", 0.64), 0.32, ("there", 0.64)
    ahead, without = (Talk(*parts, stt=Timed, ahead=each) for each in (True, False))
    assert ahead.ahead.used == ahead.ahead.begun == 2
    for talk in (ahead, without):
        (dropped,) = talk.of(Abandoned)
        assert (talk.timeline.abandoned, talk.timeline.wasted) == (1, dropped.worked)
    assert ahead.timeline.wasted == pytest.approx(without.timeline.wasted)
    assert without.timeline.wasted == pytest.approx(delay + 0.1 + 0.05)


def test_what_was_asked_for_is_stopped_when_its_turn_is_and_has_cost_as_much_as_without():
    class Slow(ScriptedTranscriber):
        finished = 0

        def __init__(self, script, usual):
            super().__init__(script, 1.4)

        def abort(self):
            """It can be stopped, so it begins early however slow it is."""

        async def transcribe(self, audio):
            heard = await super().transcribe(audio)
            self.finished += 1
            return heard

    parts = 0.3, ("hello", 0.64), 0.32, ("there", 0.64), 0.32, ("you", 0.64)
    ahead, without = (Talk(*parts, stt=Slow, ahead=each) for each in (True, False))
    assert ahead.heard == without.heard == ["hello there you"]
    assert ahead.stt.finished == without.stt.finished == 1
    sooner = 2 * FRAME_SECONDS
    assert [event.worked for event in ahead.of(Abandoned)] == pytest.approx(
        [event.worked + sooner for event in without.of(Abandoned)]
    )


def test_what_was_not_begun_ahead_is_counted_once():
    class Unstoppable(ScriptedTranscriber):
        stoppable = False

        def __init__(self, script, usual):
            super().__init__(script, 0.2)

    parts = 0.3, ("hello", 0.64), 0.4, ("there", 0.64)
    ahead, without = (Talk(*parts, stt=Unstoppable, ahead=each) for each in (True, False))
    assert ahead.ahead.begun == 0
    assert ahead.timeline.wasted == pytest.approx(without.timeline.wasted)
    assert 0.2 < without.timeline.wasted < 0.4


def test_what_is_said_while_it_sleeps_is_not_transcribed():
    secret = 0.96, ("a secret", 0.96), GAP, ("of ours", 0.96)
    asleep = Talk(*secret, sleeps=True)
    assert (asleep.ahead.begun, asleep.stt.seconds, asleep.of(Abandoned)) == (0, [], [])

    phrase = Spotter.phrase, 0.32
    talk = Talk(0.96, phrase, 1.28, ("hello", 0.64), 6.4, *secret, sleeps=True)
    assert [type(each) for each in talk.of(Woke | FellAsleep)] == [Woke, FellAsleep]
    assert talk.heard == ["hello"]
    assert (talk.ahead.begun, talk.ahead.used, len(talk.stt.seconds)) == (1, 1, 1)


def test_the_rest_of_the_breath_that_wakes_it_is_transcribed_ahead():
    parts = 0.96, (Spotter.phrase, 0.32), ("hello", 0.96)
    ahead, without = (Talk(*parts, sleeps=True, ahead=each) for each in (True, False))
    assert ahead.heard == without.heard == ["hello"]
    assert (ahead.ahead.begun, ahead.ahead.used) == (1, 1)
    assert ahead.of(Transcribed)[0].at < without.of(Transcribed)[0].at


def test_the_words_so_far_take_nothing_that_was_begun_for_the_answer():
    passes = 0
    for frames in range(10, 21):
        every = {"partials": frames * FRAME_SECONDS}  # a pass falls before the pause, on it, after
        talk = Talk(0.32, ("hello", 0.512), settings=every, captions=True)
        (written,) = talk.of(Transcribed)
        assert written.took == pytest.approx(STT - 2 * FRAME_SECONDS), frames
        passes += len(talk.stt.seconds) - 1
    assert passes >= 8


@pytest.mark.parametrize("eager", [0.064, 0.16, 0.3])
def test_no_word_is_lost_or_said_twice_however_long_a_pause_is(eager):
    for quiet in np.arange(1, 14) * FRAME_SECONDS:
        parts = 0.3, ("one", 0.48), float(quiet), ("two", 0.32), 1.4, ("three", 0.48)
        settings = {"hear.stop": 0.2, "hear.eager": eager}
        ahead, without = (Talk(*parts, ahead=each, settings=settings) for each in (True, False))
        assert " ".join(ahead.heard) == " ".join(without.heard) == "one two three", quiet


def test_at_most_so_many_are_begun_in_a_turn():
    parts = [part for _ in range(8) for part in (("word", 0.32), GAP)]
    assert Talk(0.3, *parts, settings={"eager_starts": 2}).ahead.begun == 2
    assert Talk(0.3, *parts, settings={"eager_starts": 5}).ahead.begun == 5


def test_nothing_is_begun_where_no_answer_may_begin_early():
    talk = Talk(0.3, ("hello", 0.64), settings={"hear.eager": 0})
    assert talk.ahead.begun == 0
    assert talk.heard == ["hello"]


def test_a_transcriber_whose_call_cannot_be_taken_back_is_called_once():
    class Paid(ScriptedTranscriber):
        speculative = False

    talk = Talk(0.3, ("hello", 0.64), stt=Paid)
    assert talk.ahead.begun == 0
    assert len(talk.stt.seconds) == 1
    assert talk.heard == ["hello"]


def test_who_has_written_it_down_is_named_as_it_calls_itself_by_then():
    class Lent(ScriptedTranscriber):
        @property
        def name(self):
            return f"after {len(self.seconds)}"

        @name.setter
        def name(self, name):
            """Nobody gives it one."""

    (written,) = Talk(0.3, ("hello", 0.64), stt=Lent).of(Transcribed)
    assert written.engine == "after 1"


def test_a_slow_transcriber_that_cannot_be_stopped_is_not_begun_in_vain():
    class Blocking:
        name, stops, direct = "blocking", "steps", True

        def __init__(self, script, delay):
            self.script, self.seconds = script, []

        def transcribe(self, audio):
            self.seconds.append(audio.seconds)
            return asyncio.ensure_future(self._slowly(audio))

        async def _slowly(self, audio):
            inner = ScriptedTranscriber(self.script, 0.3)
            return await inner.transcribe(audio)

    talk = Talk(0.3, ("hello", 0.64), 2.0, ("there", 0.64), stt=Blocking)
    assert talk.ahead.begun == 0
    assert talk.heard == ["hello", "there"]


def test_a_failure_ahead_is_told_once_it_matters_and_the_next_in_line_takes_over():
    class Broken(ScriptedTranscriber):
        async def transcribe(self, audio):
            raise EngineFailedError("broken", "it broke", fix="another")

    script = []

    def spare():
        return ScriptedTranscriber(script[0], STT)

    class Remembered(Broken):
        def __init__(self, lines, delay):
            script.append(lines)
            super().__init__(lines, delay)

    talk = Talk(0.3, ("hello", 0.64), 2.0, ("there", 0.64), stt=Remembered, then=[spare])
    (failed,) = talk.of(Failed)
    assert failed.stage == "stt"
    assert "broken" in failed.message
    assert len(talk.of(EngineChanged)) == 1
    assert talk.heard[-1] == "there"


def test_a_failure_ahead_that_nobody_asks_for_is_not_told():
    class Moody(ScriptedTranscriber):
        async def transcribe(self, audio):
            if not self.seconds:
                self.seconds.append(audio.seconds)
                raise EngineFailedError("moody", "it broke", fix="another")
            return await super().transcribe(audio)

    talk = Talk(0.3, ("hello", 0.48), GAP, ("there", 0.64), stt=Moody)
    assert talk.heard == ["hello there"]
    assert not talk.of(Failed)


def test_nothing_is_asked_of_a_transcriber_that_another_has_replaced():
    class Dying(ScriptedTranscriber):
        async def transcribe(self, audio):
            await super().transcribe(audio)
            raise EngineFailedError("dying", "it broke", fix="another")

    dying = []

    def made(script, delay):
        dying.append(Dying(script, delay))
        return dying[0]

    def spare():
        return ScriptedTranscriber(dying[0].script, STT)

    parts = 0.3, ("one", 0.64), 2.0, ("two", 0.64), 2.0, ("three", 0.64)
    talk = Talk(*parts, stt=made, then=[spare])
    assert talk.heard[-2:] == ["two", "three"]
    assert len(dying[0].seconds) == talk.ahead.begun == 1


def test_words_after_the_sound_that_was_begun_are_never_lost():
    """Whoever asks for more sound than quiet can have added gets all of it transcribed."""

    async def ask():
        script = Script()
        sound = script.sound(0.3, ("hello", 0.64), 0.2)
        async with Conversation(scripted(script), SilentSpeaker(16_000)) as talk:
            ahead = Ahead.of(talk)
            begun = Audio(sound.samples[: 20 * FRAME], RATE)
            more = script.say("there", (REST + 1) * FRAME_SECONDS)
            ahead._begin(begun)
            longer = Audio(np.concatenate([begun.samples, more.samples]), RATE)
            other = Audio(script.say("other", begun.seconds).samples, RATE)
            return [(await ahead.transcribe(each)).text for each in (longer, other, begun)]

    assert run(ask(), fast=True) == ["hello there", "other", "hello"]


def test_letting_go_of_a_call_that_waits_for_its_turn_ends_nobody_elses():
    class OneAtATime:
        name = "one at a time"
        stops = "never"

        def __init__(self):
            self.began, self.go_on, self.turn = [], threading.Event(), threading.Lock()
            self.aborted = 0

        def transcribe(self, audio):
            with self.turn:
                self.began.append(audio.seconds)
                loop.call_soon_threadsafe(started.set)
                self.go_on.wait(30)
            return Transcript("hello")

        def abort(self):
            self.aborted += 1

    async def scene():
        script = Script()
        async with Conversation(scripted(script, stt=engine), SilentSpeaker()) as talk:
            ahead = Ahead.of(talk)
            first = talk.begin(ahead.transcribe(Audio.silence(1.0)))
            await started.wait()
            second = talk.begin(ahead.transcribe(Audio.silence(2.0)))
            await asyncio.sleep(0)
            second.cancel()
            await asyncio.wait([second])
            engine.go_on.set()
            assert (await first).text == "hello"
            await ahead.transcribe(Audio.silence(3.0))

    engine = OneAtATime()
    with asyncio.Runner() as runner:
        loop, started = runner.get_loop(), asyncio.Event()
        runner.run(scene())
    assert (engine.began, engine.aborted) == ([1.0, 3.0], 0)
