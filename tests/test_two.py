"""Two assistants talk with each other: each hears what the other one plays."""

import numpy as np
import pytest

from voice_kit.converse.virtual import run
from voice_kit.settings import Settings
from voice_kit.types import Interrupted, TurnFinished
from voice_kit.workshop.two import Interviewer, guests, talk_together

SETTINGS = Settings(llm="handbook", tts="espeak", judge="silence").changed({"hear.stop": 0.7})


@pytest.fixture(scope="module")
def together():
    one, other = guests(SETTINGS, ["What is latency?"], voice="espeak:en-us+f3", told=True)
    events = {"one": [], "other": []}
    one.talk.observers.append(events["one"].append)
    other.talk.observers.append(events["other"].append)
    opening = "Hello. What is voice activity detection?"
    sound = run(talk_together(one, other, opening, turns=4), fast=True)
    return events, sound


def finished(events):
    return [event for event in events if isinstance(event, TurnFinished)]


def test_each_answers_what_the_other_one_said(together):
    events, _ = together
    opening, second, *_ = finished(events["one"])
    first_answer, second_answer = finished(events["other"])[:2]
    assert opening.said_heard == "Hello. What is voice activity detection?"
    assert first_answer.heard == opening.said_heard
    assert "detector" in first_answer.said_heard
    assert second.heard == first_answer.said_heard
    assert second.said_heard == "What is latency?"
    assert second_answer.heard == "What is latency?"


def test_they_are_polite_to_each_other(together):
    events, _ = together
    all_of_them = [*events["one"], *events["other"]]
    assert finished(all_of_them)
    assert not [event for event in all_of_them if isinstance(event, Interrupted)]


def test_what_both_said_can_be_heard(together):
    _, sound = together
    spoken = np.abs(sound.samples) > 0.01
    assert 10 < sound.seconds < 60
    assert 0.3 < spoken.mean() < 1
    assert spoken[: sound.rate].any()  # the opening


def test_two_who_have_nothing_to_say_are_ended_by_the_clock():
    one, other = guests(SETTINGS, [], voice="espeak", told=True)
    one.talk.observers.clear()  # the other one is told nothing
    sound = run(talk_together(one, other, "Hello.", turns=4, limit=5.0), fast=True)
    assert sound.seconds == pytest.approx(5, abs=2)


def test_the_interviewer_goes_by_what_was_said_and_not_by_how_often_it_is_asked():
    from voice_kit.types import Message

    model = Interviewer(["One?", "Two?"])
    said = [Message("user", "Hi."), Message("assistant", "One?"), Message("user", "Yes.")]
    assert [*model.reply(said)] == [*model.reply(said)] == ["Two?"]
    assert [*model.reply([*said, Message("assistant", "Two?")])] == ["Thank you, and goodbye."]
