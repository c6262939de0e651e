"""Whole conversations in which the assistant hears itself: real detector, real voice."""

import pytest

from voice_kit.engines import make
from voice_kit.settings import Settings
from voice_kit.sounds import clip
from voice_kit.workshop.echo_rooms import Room, people, responses
from voice_kit.workshop.echo_trials import Lab
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
@pytest.mark.parametrize("name", ["interruption_latency", "interruption_hold_on", "free_train"])
def test_somebody_who_speaks_over_the_echo_stops_it(lab, persons, over, name):
    trial = lab.over(place(-12.0, 0.15), persons[name], over, 5.0, guard=True)
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
