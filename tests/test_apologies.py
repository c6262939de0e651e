"""Failures are spoken."""

import pytest

from voice_kit.speak.aloud import aloud
from voice_kit.speak.apologies import LANGUAGES, apology
from voice_kit.speak.split import sentences


def test_there_are_five_languages():
    assert {"en", "fr", "it", "es", "de"} == LANGUAGES


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("stage", ["stt", "llm", "tts", "vad"])
def test_each_apology_is_one_short_speakable_sentence(stage, language):
    said = apology(stage, language)
    assert list(sentences([said], language)) == [said]
    assert aloud(said, language) == said
    assert len(said) <= 60


def test_each_stage_and_language_has_its_own_words():
    known = [apology(s, lang) for s in ("stt", "llm", "tts", "vad") for lang in LANGUAGES]
    assert len(set(known)) == len(known) == 20


def test_an_unknown_language_hears_english():
    assert apology("stt", "ja") == apology("stt", "en") == "Sorry, I could not hear that."


def test_an_unknown_stage_names_nothing():
    assert apology("vad") == apology("router") == "Sorry, something went wrong."
