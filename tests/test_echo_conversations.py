"""Whole conversations in which the assistant hears itself: real detector, real voice."""

import numpy as np
import pytest
from helpers_recording import nobody

from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.assistant import Assistant
from voice_kit.converse.differs import difference
from voice_kit.converse.recorded import read_recording
from voice_kit.converse.recording import Recorder
from voice_kit.converse.replay import replay
from voice_kit.converse.virtual import run
from voice_kit.engines import make
from voice_kit.settings import Settings
from voice_kit.sounds import clip
from voice_kit.types import RATE, Audio, Interrupted
from voice_kit.workshop.echo_rooms import OpenMicrophone, Room, people, responses
from voice_kit.workshop.echo_trials import Lab, Talks
from voice_kit.workshop.lab_interruptions import QUESTION
from voice_kit.workshop.lab_sounds import kit

HEADPHONES = Room(float("-inf"))


@pytest.fixture(scope="module")
def lab():
    settings = Settings()
    return Lab(make("vad", "silero", settings), make("tts", "espeak", settings), settings)


@pytest.fixture(scope="module")
def persons():
    found = {person.name: person for person in people(kit())}
    assert clip("interruption_latency").name in found
    return found


def place(level, delay, name="a room"):
    return Room(level, delay, name, responses(None)[name])


def test_without_a_guard_it_interrupts_itself(lab):
    trial = lab.alone(place(-12.0, 0.15), guard=False)
    assert trial.itself
    assert trial.needless > 3


@pytest.mark.parametrize(
    ("level", "delay", "name"),
    [(-6.0, 0.05, "no room"), (-12.0, 0.25, "a room"), (-20.0, 0.15, "a room")],
)
def test_the_assistant_does_not_interrupt_itself(lab, level, delay, name):
    trial = lab.alone(place(level, delay, name), guard=True)
    assert not trial.itself
    assert trial.needless <= 1


@pytest.mark.parametrize("over", [-6.0, 0.0, 6.0])
@pytest.mark.parametrize("name", ["interruption_latency", "free_train"])
@pytest.mark.parametrize("into", [0.7, 5.0])
def test_somebody_who_speaks_over_the_echo_stops_it(lab, persons, over, name, into):
    trial = lab.over(place(-12.0, 0.15), persons[name], over, into, guard=True)
    assert not trial.itself
    assert trial.stopped is not None
    assert trial.stopped < persons[name].audio.seconds + 0.5


@pytest.mark.parametrize("into", [1.0, 3.0])
def test_with_headphones_the_guard_changes_next_to_nothing(lab, persons, into):
    person = persons["interruption_latency"]
    with_it, without = (lab.over(HEADPHONES, person, -12.0, into, guard=on) for on in (True, False))
    assert without.stopped is not None
    assert with_it.paused <= without.paused + 0.05
    assert with_it.stopped <= without.stopped + 0.2


@pytest.mark.parametrize("before", [HEADPHONES, place(-20.0, 0.05, "no room")])
def test_where_the_echo_changes_it_soon_knows_its_own_voice_again(lab, before):
    assert lab.alone(before, place(-12.0, 0.2), guard=True).needless <= 4


def test_a_recording_holds_what_was_heard_without_our_voice_and_replays_to_the_same(
    lab, persons, tmp_path
):
    said, quiet = persons["interruption_latency"].audio.samples, Audio.silence(5).samples
    scene = Audio(np.concatenate([quiet, 0.5 * said, quiet[: 2 * RATE]]), RATE)
    path = place(-12.0, 0.15).path(lab.voice)

    async def hold():
        with Recorder(tmp_path / "talk") as recorder:
            engines = recorder.engines(lab.engines(confident=False))
            speaker = SilentSpeaker(RATE)
            talk = Assistant(engines, speaker, lab.settings, router=Talks(), folder=tmp_path)
            recorder.follow(talk)
            async with talk:
                talk.type(QUESTION)
                frames = OpenMicrophone(FileMicrophone(scene), speaker, [path])
                await talk.listen(frames, recorder.microphone)
                talk.hush()

    run(hold(), fast=True, cost=lambda stage, seconds: 0.0)
    before = read_recording(tmp_path / "talk")
    (interrupted,) = [each for each in before.events if isinstance(each, Interrupted)][:1]
    assert 5 < interrupted.at < 7, "the guard did not tell who spoke: this tests nothing"
    assert np.abs(before.samples[2 * RATE : 4 * RATE]).max() < 0.01
    assert difference(before.events, replay(before, make=nobody).events) == ""
