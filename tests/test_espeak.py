"""espeak-ng in this process."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import espeakng_loader
import numpy as np
import pytest

from voice_kit.errors import LanguageError, MissingEngineError, SettingsError
from voice_kit.speak.tts_espeak import Espeak

AWKWARD = {
    "only space": " \n ",
    "an emoji": "😀",
    "emoji made of several": "family 👨‍👩‍👧‍👦!",
    "a NUL in the middle": "one\0two three",
    "a command character": "\x01" + "50S hello",
    "a lone surrogate": "a \ud800 b",
    "markup": "<speak>hi</speak> & [[h@l'oU]]",
    "another script": "日本語 and ελληνικά",
    "one endless word": "x" * 6000,
    "six thousand characters": "This is a long story, and it goes on. " * 160,
}


def said(espeak, text):
    parts = list(espeak.speak(text))
    assert "".join(part.text for part in parts) == text
    return parts


def samples(parts):
    return np.concatenate([part.audio.samples for part in parts])


def alike(one, other):
    """Two readings of a text are never the same samples: the library's flutter goes on.

    In 3,000 readings the lengths of one text lay up to 0.9 % apart; another text's differ by more.
    """
    return abs(len(one) - len(other)) < 0.02 * len(one)


def test_a_sentence_becomes_sound_of_about_its_length():
    (speech,) = said(Espeak(), "What is the time in Paris?")
    assert speech.audio.rate == 22050
    assert speech.audio.samples.dtype == np.float32
    assert 1 < speech.audio.seconds < 3
    assert 0.05 < np.abs(speech.audio.samples).max() <= 1


def test_every_word_is_placed_in_the_sound_and_none_twice():
    text = "I am in the house. I don't know what it's for, and it costs 3.50 dollars."
    (speech,) = said(Espeak(), text)
    assert " ".join(word.text for word in speech.words) == text
    marks = [mark for word in speech.words for mark in (word.start, word.end)]
    assert marks == sorted(marks)
    assert marks[0] >= 0
    assert marks[-1] == pytest.approx(speech.audio.seconds)
    assert all(word.end - word.start > 0.02 for word in speech.words)


def test_the_words_times_are_where_the_sound_is():
    (speech,) = said(Espeak(), "Yes. No.")
    yes, no = speech.words
    loud = np.abs(speech.audio.samples) > 0.02
    heard = np.flatnonzero(loud[round(no.start * 22050) :])
    assert yes.end == no.start
    assert heard[0] / 22050 < 0.2, "“No” does not begin where it is said to begin"


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD.keys())
def test_no_text_is_too_awkward(text):
    parts = said(Espeak(), text)
    assert parts
    for part in parts:
        assert np.isfinite(part.audio.samples).all()


def test_what_follows_a_nul_is_spoken_too():
    whole, cut = (samples(said(Espeak(), text)) for text in ("one\0two three", "one"))
    assert len(whole) > 1.5 * len(cut)


def test_a_command_character_does_not_change_the_speed_for_those_after_it():
    before = samples(said(Espeak(), "hello world"))
    said(Espeak(), "\x01" + "400S hello")
    assert alike(samples(said(Espeak(), "hello world")), before)


def test_an_empty_text_has_no_sound():
    assert said(Espeak(), "") == []


def test_a_long_text_comes_in_steps_that_can_be_stopped_between():
    speaking = Espeak().speak("This is a long story, and it goes on. " * 160)
    first = next(speaking)
    speaking.close()
    assert len(first.text) <= 400
    assert first.text.endswith(". ")
    assert list(speaking) == []


def test_twice_the_speed_is_about_half_as_long():
    text = "The quick brown fox jumps over the lazy dog."
    ordinary, fast = (samples(said(Espeak(speed=speed), text)) for speed in (1.0, 2.0))
    assert 0.4 < len(fast) / len(ordinary) < 0.65


@pytest.mark.parametrize("language", ["en", "fr", "it", "es", "de", "no", "zh", "pt", "hi", "yue"])
def test_each_language_has_a_voice_of_its_own(language):
    voices = {voice.name for voice in Espeak.voices() if voice.language == language}
    assert Espeak(language=language).name.removeprefix("espeak:") in voices
    assert samples(said(Espeak(language=language), "Berlin 3")).size > 1000


def test_two_voices_side_by_side_each_keep_their_own():
    english, german = Espeak(), Espeak(language="de")
    first = samples(said(english, "Hand in hand, 1999"))
    assert not alike(first, samples(said(german, "Hand in hand, 1999")))
    assert alike(first, samples(said(english, "Hand in hand, 1999")))


def test_a_language_it_does_not_know_is_said_when_it_is_chosen():
    with pytest.raises(LanguageError, match="“xx”"):
        Espeak(language="xx")
    with pytest.raises(MissingEngineError, match=r"“nobody”.*voice-kit voices"):
        Espeak("nobody")
    with pytest.raises(SettingsError, match="speed"):
        Espeak(speed=0)


def test_every_listed_voice_can_be_chosen():
    voices = Espeak.voices()
    assert len(voices) > 100
    for voice in voices:
        assert Espeak(voice.name).name == f"espeak:{voice.name}"


def test_a_hundred_threads_at_once_each_get_their_own_sentence():
    espeak = Espeak()
    texts = [f"Number {number} is here." for number in range(100)]
    alone = [samples(said(espeak, text)) for text in texts]
    with ThreadPoolExecutor(100) as threads:
        together = list(threads.map(lambda text: samples(said(espeak, text)), texts))
    assert all(alike(one, other) for one, other in zip(alone, together, strict=True))


@pytest.mark.parametrize("folder", ["with spaces", "mit Ümläuten 日本", "x" * 90 + "/" + "y" * 90])
def test_the_data_may_lie_in_any_folder(tmp_path, folder):
    package = tmp_path / folder / "espeakng_loader"
    shutil.copytree(Path(espeakng_loader.__file__).parent, package, symlinks=True)
    script = (
        f"import sys; sys.path.insert(0, {str(package.parent)!r})\n"
        "from voice_kit.speak.tts_espeak import Espeak\n"
        "import espeakng_loader; print(espeakng_loader.__file__)\n"
        "print(sum(len(part.audio.samples) for part in Espeak().speak('Hello world')))"
    )
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(package.parent)!r})\n{script}",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    where, length = run.stdout.split("\n")[:2]
    assert where.startswith(str(tmp_path))
    assert int(length) > 10_000


def test_listing_voices_does_not_load_the_library():
    script = (
        "from voice_kit.speak import tts_espeak\n"
        "assert tts_espeak.Espeak.voices()\n"
        "assert tts_espeak._library is None"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
