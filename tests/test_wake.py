"""Asleep until the wake phrase is said, and again after a while of quiet."""

import asyncio

import numpy as np
import pytest
from scenes import LONGEST, after

from voice_kit.audio.convert import convert
from voice_kit.audio.microphone import FileMicrophone, frames
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.captions import Captions
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.virtual import run
from voice_kit.errors import SettingsError
from voice_kit.hear.detection import Detection
from voice_kit.hear.ears import Ears
from voice_kit.hear.sleep import Sleep
from voice_kit.hear.vad_silero import Silero
from voice_kit.hear.wake_sphinx import SphinxWake
from voice_kit.settings import Settings
from voice_kit.sounds import clips
from voice_kit.types import (
    RATE,
    Audio,
    FellAsleep,
    FrameHeard,
    Interrupted,
    PlaybackStarted,
    SpeechStarted,
    Transcribed,
    TurnFinished,
    Woke,
)
from voice_kit.workshop.fakes import STEP, Script, scripted
from voice_kit.workshop.wake import noisy, wakes

PHRASE = "hey computer"


class Spotter:
    """Hears the line that is the phrase, two frames after its end, or more."""

    phrase = PHRASE

    def __init__(self, script, late=2):
        self.script, self.late, self.fed, self.resets = script, late, 0, 0
        self.spoken, self.since = 0, 0

    def heard(self, frame):
        self.fed += 1
        number = round(float(np.abs(frame).mean()) / STEP)
        if number and self.script.lines[number - 1] == PHRASE:
            self.spoken, self.since = self.spoken + 1, 0
        elif self.spoken:
            self.since += 1
        if self.spoken < 10 or self.since < self.late:
            return None
        self.spoken = 0
        return self.since * 512 / RATE

    def reset(self):
        self.spoken, self.resets = 0, self.resets + 1


class Bedroom:
    """A conversation that sleeps, and what happened in it."""

    def __init__(
        self, script, *parts, after_=3.0, during=None, answers=None, settings=None, late=2
    ):
        self.events, self.spotter = [], Spotter(script, late)
        self.engines = scripted(script, answers)
        sleep = Sleep(self.spotter, after_)

        async def play():
            settings_ = settings or Settings()
            talk = Conversation(
                self.engines,
                SilentSpeaker(16_000),
                settings_,
                observers=[self.events.append],
                sleep=sleep,
            )
            talk.observers.append(Captions(talk))
            async with asyncio.timeout(LONGEST), talk:
                if during:
                    during(talk, self.events)
                await talk.listen(FileMicrophone(script.sound(*parts)))
                await talk.idle()
            self.memory = [(each.role, each.content) for each in talk.history.lines]

        run(play(), fast=True)

    def all(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


def test_asleep_it_hears_frames_but_nothing_is_transcribed_answered_or_remembered():
    script = Script()
    room = Bedroom(script, 1.0, ("what time is it", 3.0), 3.0)
    assert room.all(FrameHeard)
    assert 90 < room.spotter.fed < 150, "it hears speech, and no quiet"
    assert not room.engines.stt.current.seconds
    assert not room.engines.llm.current.prompts
    assert not room.all(SpeechStarted) and not room.all(Transcribed)
    assert room.memory == []


HEY = (PHRASE, 0.8)
"""It begins and ends with a frame everywhere below, so that no frame has two lines in it."""


def test_the_question_in_the_same_breath_is_answered_without_the_phrase():
    script = Script()
    room = Bedroom(script, 0.96, HEY, ("what time is it", 1.0), 5.0)
    (woke,) = room.all(Woke)
    assert woke.ended == pytest.approx(1.76, abs=0.04)
    assert room.memory[0] == ("user", "what time is it")
    assert room.engines.llm.current.prompts[-1][-1].content == "what time is it"


def test_a_command_of_one_short_word_in_the_same_breath_is_answered():
    script = Script()
    room = Bedroom(script, 0.96, HEY, ("stop", 0.3), 5.0, late=6)
    assert room.memory[0] == ("user", "stop")


def test_the_question_in_the_same_breath_interrupts_what_is_being_said():
    script = Script()
    news = " ".join(["word"] * 40)  # ten seconds
    room = Bedroom(
        script,
        *(1.92, HEY, ("what time is it", 1.0), 5.0),
        during=after((0.5, lambda talk: talk.announce(news))),
    )
    (stopped,) = room.all(Interrupted)
    (woke,) = room.all(Woke)
    assert stopped.at < woke.at + 1.0
    assert room.memory[1] == ("user", "what time is it")


def test_what_was_said_before_the_phrase_is_not_meant_for_it():
    script = Script()
    said = ("and then he left", 0.96), HEY, ("what time is it", 1.0)
    room = Bedroom(script, 0.96, *said, 5.0)
    assert room.memory[0] == ("user", "what time is it")


def test_of_the_phrase_alone_nothing_is_transcribed():
    script = Script()
    room = Bedroom(script, 0.96, ("and then he left", 1.92), HEY, 4.0)
    assert room.all(Woke)
    assert not room.engines.stt.current.seconds


def test_the_phrase_alone_wakes_and_the_next_turn_is_answered():
    script = Script()
    room = Bedroom(script, 0.96, HEY, 1.5, ("what time is it", 1.0), 5.0)
    assert room.memory[0] == ("user", "what time is it")
    assert len(room.all(TurnFinished)) == 1


def test_awake_it_goes_on_without_the_phrase_and_may_hear_it_again():
    script = Script()
    asked = "what does hey computer mean"
    room = Bedroom(script, 0.96, HEY, ("hello", 1.0), 2.0, (asked, 1.0), 5.0)
    assert [text for role, text in room.memory if role == "user"] == ["hello", asked]


def test_it_sleeps_again_after_quiet_and_then_only_the_phrase_counts():
    script = Script()
    room = Bedroom(
        script,
        *(0.96, HEY, ("hello", 0.96), 8.96, ("is anyone there", 0.96), 2.88),
        *(HEY, ("again", 1.0), 3.0),
        after_=3.0,
    )
    assert [type(each) for each in room.all(Woke | FellAsleep)][:3] == [Woke, FellAsleep, Woke]
    assert [text for role, text in room.memory if role == "user"] == ["hello", "again"]
    assert room.spotter.resets >= 1


def test_it_does_not_sleep_while_it_speaks_or_someone_else_does():
    script = Script()
    long = " ".join(["word"] * 40)  # ten seconds
    room = Bedroom(script, 0.96, HEY, ("hello", 1.0), 25.0, answers={"hello": long}, after_=3.0)
    started = room.all(PlaybackStarted)[0].at
    (asleep,) = room.all(FellAsleep)
    assert asleep.at >= started + 10 + 3 - 0.1
    room = Bedroom(script, 0.96, HEY, ("a long story", 8.0), 2.0, after_=3.0)
    assert not room.all(FellAsleep)


def test_asleep_nothing_interrupts_what_it_says_of_its_own_accord():
    script = Script()
    news = " ".join(["word"] * 20)
    room = Bedroom(
        script,
        *(1.0, ("a conversation nearby", 2.0), 6.0),
        during=after((0.5, lambda talk: talk.announce(news))),
    )
    assert not room.all(Interrupted)
    assert room.memory == [("assistant", news)]


# PocketSphinx itself


@pytest.fixture(scope="module")
def spotter():
    return SphinxWake(PHRASE)


def say(text, voice="slt"):
    from voice_kit.sounds.make import flite

    return flite(voice, "-t", text)


def times(spotter, *sounds):
    """How often it wakes."""
    spotter.reset()
    quiet = np.zeros(RATE // 2, np.float32)
    whole = np.concatenate([quiet, *(piece for sound in sounds for piece in (sound, quiet))])
    return sum(spotter.heard(frame) is not None for frame in frames(Audio(whole, RATE)))


@pytest.mark.needs("flite")
@pytest.mark.parametrize("voice", ["slt", "rms", "awb"])
def test_it_hears_its_phrase_once_each_time_it_is_said(spotter, voice):
    phrase = say("Hey computer.", voice)
    assert times(spotter, phrase) == 1
    assert times(spotter, phrase, phrase, phrase) == 3
    assert times(spotter, say("Hey computer, what time is it?", voice)) == 1


def test_it_hears_it_in_no_other_speech_of_the_kit(spotter):
    """But for “a computer”, which sounds the same."""
    others = [clip for clip in clips() if "computer" not in clip.text]
    assert len(others) > 30
    assert times(spotter, *(convert(clip.audio(), RATE).samples for clip in others)) == 0


@pytest.mark.needs("flite")
def test_the_figures_count_each_wake_once_and_what_woke_nobody_not(spotter):
    phrase, other = say("Hey computer."), say("What is the time?")
    assert wakes(spotter, [phrase, other, phrase]) == 2
    assert wakes(spotter, [other]) == 0


@pytest.mark.parametrize("decibels", [20.0, 10.0])
def test_the_figures_noise_lies_as_far_below_the_speech_as_they_say(decibels):
    rng = np.random.default_rng(0)
    sound = np.concatenate([np.zeros(RATE), rng.standard_normal(RATE)]).astype(np.float32)
    noise = rng.standard_normal(RATE).astype(np.float32)
    added = noisy(sound, noise, decibels) - sound
    assert 10 * np.log10(np.mean(added**2)) == pytest.approx(-decibels, abs=0.1)
    assert noisy(sound, noise, None) is sound


@pytest.mark.needs("flite")
def test_what_was_heard_before_a_reset_counts_no_more(spotter):
    phrase = say("Hey computer.")
    half = len(phrase) // 2
    pieces = [list(frames(Audio(part, RATE))) for part in (phrase[:half], phrase[half:])]
    spotter.reset()
    assert sum(spotter.heard(frame) is not None for frame in pieces[0]) == 0
    spotter.reset()
    quiet = [np.zeros(512, np.float32)] * 20
    assert sum(spotter.heard(frame) is not None for frame in [*pieces[1], *quiet]) == 0


@pytest.mark.needs("flite")
def test_spoken_to_it_wakes_and_answers_the_question_of_the_same_breath():
    """The whole way: Silero, PocketSphinx for the phrase and for the question."""
    from voice_kit.converse.loading import load_engines

    events = []
    settings = Settings().changed({"stt": "sphinx", "llm": "handbook", "tts": "espeak"})
    sound = np.concatenate(
        [
            np.zeros(RATE, np.float32),
            say("What is a token?"),
            np.zeros(2 * RATE, np.float32),
            say("Hey computer, what is voice activity detection?"),
            np.zeros(3 * RATE, np.float32),
        ]
    )

    async def play():
        sleep = Sleep(SphinxWake(PHRASE), 10.0)
        engines, speaker = load_engines(settings), SilentSpeaker(16_000)
        observers = [events.append]
        async with Conversation(
            engines, speaker, settings, observers=observers, sleep=sleep
        ) as talk:
            await talk.listen(FileMicrophone(Audio(sound, RATE)))
            await talk.idle()

    run(play(), fast=True)
    assert len([event for event in events if isinstance(event, Woke)]) == 1
    (turn,) = [event for event in events if isinstance(event, TurnFinished)]
    assert "computer" not in turn.heard
    assert "voice activity detection" in turn.heard


@pytest.mark.needs("flite")
@pytest.mark.parametrize("voice", ["slt", "rms", "awb", "kal16"])
def test_after_a_long_quiet_it_still_hears_its_phrase(spotter, voice):
    """PocketSphinx learns how a voice sounds from what it hears last, quiet included."""
    phrase = say("Hey computer.", voice)
    sound = np.concatenate([np.zeros(40 * RATE, np.float32), phrase, np.zeros(RATE, np.float32)])
    sound += np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32) * 0.0005
    sleep, detection, ears = Sleep(spotter, 10.0), Detection(Silero()), Ears()
    woke = []
    for frame in frames(Audio(sound, RATE)):
        ears.feed(frame, detection.probability(frame))
        if sleep.feed(frame, ears.now, ears.speaking):
            woke.append(ears.now)
    (at,) = woke
    assert at == pytest.approx(40 + len(phrase) / RATE, abs=0.3)


@pytest.mark.parametrize(
    "phrase, why",
    [
        ("computer", "4 syllables"),
        ("hey kit", "4 syllables"),
        ("", "4 syllables"),
        ("hey qwrtzplk computer", "qwrtzplk"),
    ],
)
def test_a_phrase_that_cannot_work_is_refused_with_the_reason(phrase, why):
    with pytest.raises(SettingsError, match=why):
        SphinxWake(phrase)


def test_a_threshold_that_makes_no_sense_is_refused():
    with pytest.raises(SettingsError, match="1e-50"):
        SphinxWake(PHRASE, threshold=0)
