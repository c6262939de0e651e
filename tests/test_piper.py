"""Piper, on a voice with random weights."""

import ast
import logging
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tiny_piper import write_piper

from voice_kit.errors import EngineFailedError, LanguageError, MissingEngineError, SettingsError
from voice_kit.speak.tts_piper import Piper

pytestmark = [pytest.mark.models, pytest.mark.needs("piper")]

TEXT = "Hello there, my friend. How are you?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("piper") / "voices"
    write_piper(folder)
    write_piper(folder, "en_US-timed-low", timed=True)
    write_piper(folder, "fr_FR-tiny-low", espeak="fr")
    return folder


def said(piper, text):
    parts = list(piper.speak(text))
    assert "".join(part.text for part in parts) == text
    return parts


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_samples_are_those_of_pipers_own_voice(folder, speed):
    from piper import PiperVoice, SynthesisConfig

    own = PiperVoice.load(folder / "en_US-tiny-medium.onnx")
    chunks = own.synthesize(TEXT, SynthesisConfig(length_scale=1 / speed))
    expected = np.concatenate([chunk.audio_float_array for chunk in chunks])
    (speech,) = said(Piper("en_US-tiny-medium", path=str(folder), speed=speed), TEXT)
    assert speech.audio.rate == 22050
    assert speech.audio.seconds > 1
    assert np.array_equal(speech.audio.samples, expected)


def test_a_patched_voice_tells_where_its_words_are(folder):
    (speech,) = said(Piper("en_US-timed-low", path=str(folder)), TEXT)
    assert [word.text for word in speech.words] == TEXT.split()
    marks = [mark for word in speech.words for mark in (word.start, word.end)]
    assert marks == sorted(marks)
    assert marks[0] == 0
    assert marks[-1] == pytest.approx(speech.audio.seconds)


def test_other_voices_tell_no_times(folder):
    (speech,) = said(Piper("en_US-tiny-medium", path=str(folder)), TEXT)
    assert speech.words == ()


@pytest.mark.parametrize("text", ["", " \n", "...", "😀", "a\0b", "日本語", "x" * 3000])
def test_no_text_is_too_awkward(folder, text):
    for part in said(Piper("en_US-timed-low", path=str(folder)), text):
        assert np.isfinite(part.audio.samples).all()


def test_a_long_text_comes_in_steps_that_can_be_stopped_between(folder):
    speaking = Piper("en_US-tiny-medium", path=str(folder)).speak("On and on it goes. " * 100)
    assert len(next(speaking).text) <= 200
    speaking.close()
    assert list(speaking) == []


def test_threads_share_a_voice(folder):
    piper = Piper("en_US-tiny-medium", path=str(folder))
    texts = [f"Number {number}." for number in range(30)]

    def samples(text):
        return np.concatenate([part.audio.samples for part in said(piper, text)])

    alone = [samples(text) for text in texts]
    with ThreadPoolExecutor(30) as threads:
        together = list(threads.map(samples, texts))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_here_is_the_best_voice_of_the_language(folder, monkeypatch):
    assert Piper.here(path=str(folder)) == "en_US-tiny-medium"
    assert Piper.here(path=str(folder), language="fr") == "fr_FR-tiny-low"
    assert Piper(path=str(folder), language="fr").name == "piper:fr_FR-tiny-low"
    monkeypatch.setenv("VOICE_KIT_HOME", str(folder.parent))
    with pytest.raises(MissingEngineError, match=r"piper\.download_voices en_US-lessac-medium"):
        Piper.here()
    (folder.parent / "piper").symlink_to(folder)
    assert Piper.here() == "en_US-tiny-medium"
    assert {voice.language for voice in Piper.voices()} == {"en", "fr"}


def test_a_voice_may_be_a_file(folder):
    file = folder / "en_US-tiny-medium.onnx"
    assert Piper(str(file)).name == "piper:en_US-tiny-medium"


def test_what_it_cannot_do_is_said_when_it_is_chosen(folder):
    with pytest.raises(LanguageError, match='language = "fr"'):
        Piper("fr_FR-tiny-low", path=str(folder))
    with pytest.raises(MissingEngineError, match="download_voices nobody"):
        Piper("nobody", path=str(folder))
    with pytest.raises(MissingEngineError, match='device = "cpu"'):
        Piper("en_US-tiny-medium", path=str(folder), device="cuda:3")
    with pytest.raises(SettingsError, match="speed"):
        Piper("en_US-tiny-medium", path=str(folder), speed=0)


@pytest.mark.parametrize("ending", [".onnx", ".onnx.json"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"{}"])
def test_a_damaged_voice_is_named_with_the_fix(tmp_path, ending, content):
    write_piper(tmp_path)
    (tmp_path / f"en_US-tiny-medium{ending}").write_bytes(content)
    with pytest.raises((EngineFailedError, LanguageError), match="Try: "):
        Piper("en_US-tiny-medium", path=str(tmp_path))


def test_the_text_is_never_in_a_log(folder, caplog):
    with caplog.at_level(logging.DEBUG):
        said(Piper("en_US-tiny-medium", path=str(folder)), "My secret is blue.")
    assert "secret" not in caplog.text


SPEAKERS = {
    "espeak": """
        from voice_kit.speak.tts_espeak import Espeak
        say_espeak = lambda: sum(part.audio.seconds for part in Espeak().speak("Hello world"))
    """,
    "kokoro's phonemes": """
        from misaki.espeak import EspeakG2P
        g2p = EspeakG2P(language="fr-fr")
        say_phonemes = lambda: g2p("Bonjour le monde")[0]
    """,
    "piper": """
        from voice_kit.speak.tts_piper import Piper
        piper = Piper("en_US-tiny-medium", path=FOLDER)
        say_piper = lambda: sum(part.audio.seconds for part in piper.speak("Hello world"))
    """,
}


@pytest.mark.needs("kokoro")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("turn", range(3))
def test_three_espeaks_in_one_process_do_not_disturb_each_other(folder, turn):
    order = [*SPEAKERS][turn:] + [*SPEAKERS][:turn]
    lines = [f"FOLDER = {str(folder)!r}", *(textwrap.dedent(SPEAKERS[one]) for one in order)]
    lines += ["print((round(say_espeak(), 1), say_phonemes(), say_piper()))"] * 2
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == second
    length, phonemes, piper = ast.literal_eval(first)
    assert 0.5 < length < 1.2
    assert phonemes == "bɔ̃ʒˈuʁ lə mˈɔ̃d"
    assert piper == pytest.approx(1.3467573696145125)
