"""Words that come back by the microphone while we say them."""

import pytest
from scenes import Scene

from voice_kit.hear.own_words import wants_us
from voice_kit.settings import Settings
from voice_kit.types import Interrupted, PlaybackResumed, Transcript
from voice_kit.workshop.fakes import Script

SAID = "Bats find their way by echoes, and ships measure how deep the sea is."


@pytest.mark.parametrize("heard", ["How deep the sea.", "sea is", "the SEA"])
def test_what_we_just_said_is_no_reason_to_stop(heard):
    assert not wants_us(Transcript(heard), SAID)


@pytest.mark.parametrize("heard", ["Stop.", "How deep is it?", "the sea, please"])
def test_one_word_more_than_ours_is_one(heard):
    assert wants_us(Transcript(heard), SAID)


def test_what_we_said_long_ago_may_be_asked_about():
    assert wants_us(Transcript("Bats?"), SAID)


def test_when_nothing_was_said_every_word_counts_but_a_backchannel():
    assert wants_us(Transcript("the sea"), "")
    assert not wants_us(Transcript("mhm"), "")
    assert not wants_us(Transcript(""), "")


@pytest.mark.parametrize("language", ["en", "fr", "it", "es", "de", "pt"])
@pytest.mark.parametrize("sound", ["Hmm.", "Mhm.", "Mm-hmm.", "Uh-huh.", "Mmm.", "Aha!"])
def test_a_sound_that_means_go_on_means_it_in_every_language(sound, language):
    assert not wants_us(Transcript(sound, language), "")


@pytest.mark.parametrize("said", ["D'accord.", "D’accord.", "Ah oui, d’accord."])
def test_an_apostrophe_may_be_written_either_way(said):
    assert not wants_us(Transcript(said, "fr"), "")
    assert wants_us(Transcript(f"{said} Stop.", "fr"), "")


@pytest.mark.parametrize("guard", [True, False])
def test_an_answer_goes_on_when_its_own_words_come_back_unless_nobody_guards_it(guard):
    scene = Scene(
        Script(),
        *(0.5, ("tell a story", 1.0), 2.0, ("a time", 0.3), 6.0),
        answers={"tell a story": "Once upon a time there was a small house by the sea."},
        settings=Settings().changed({"interrupt.guard": guard}),
    )
    assert bool(scene.all(Interrupted)) is not guard
    assert bool(scene.all(PlaybackResumed)) is guard
