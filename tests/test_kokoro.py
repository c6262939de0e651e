"""Kokoro, on a network with random weights."""

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from tiny_kokoro import SPEED, VOICES, make_kokoro, raw_voice

from voice_kit.errors import EngineFailedError, LanguageError, MissingEngineError, SettingsError
from voice_kit.speak.heard import heard_text
from voice_kit.speak.kokoro_files import VOICES as PUBLISHED
from voice_kit.speak.tts_kokoro import Kokoro
from voice_kit.types import Audio, Speech

pytestmark = [
    pytest.mark.models,
    pytest.mark.needs("kokoro"),
    pytest.mark.timeout(300),  # torch and spaCy take half a minute to import on a busy machine
    pytest.mark.filterwarnings("ignore::UserWarning:torch", "ignore::FutureWarning:torch"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_kokoro(tmp_path_factory.mktemp("kokoro") / "tiny")


@pytest.fixture(scope="module")
def english(folder):
    return Kokoro(path=str(folder), speed=SPEED, device="cpu")


def said(kokoro, text):
    import torch

    torch.manual_seed(1)  # breath and fricatives are made from noise
    parts = list(kokoro.speak(text))
    assert "".join(part.text for part in parts) == text
    return parts


def reference(folder, code, text, voice, g2p=None):
    """What kokoro's own pipeline makes of a text."""
    import kokoro
    import torch

    network = kokoro.KModel("tiny", str(folder / "config.json"), str(folder / "kokoro-v1_0.pth"))
    pipeline = kokoro.KPipeline("e" if g2p else code, repo_id="tiny", model=network.eval())
    pipeline.lang_code = code
    pipeline.g2p = g2p or pipeline.g2p
    pack = torch.load(folder / "voices" / f"{voice}.pt", weights_only=True)
    torch.manual_seed(1)
    return list(pipeline(text, voice=pack, speed=SPEED))


def test_english_samples_and_times_are_those_of_kokoros_own_pipeline(folder, english):
    text = "Hello, you there?"
    (speech,) = said(english, text)
    (result,) = reference(folder, "a", text, "af_heart", english._g2p)
    assert speech.audio.rate == 24_000
    assert np.array_equal(speech.audio.samples, result.audio.numpy())
    assert [word.text for word in speech.words] == text.split()
    assert [word.end for word in speech.words] == [token.end_ts for token in result.tokens]


def test_french_samples_are_those_of_kokoros_own_pipeline(folder):
    text = "Ça va, mes amis."
    kokoro = Kokoro(path=str(folder), language="fr", speed=SPEED, device="cpu")
    (speech,) = said(kokoro, text)
    (result,) = reference(folder, "f", text, "ff_siwis")
    assert kokoro.name == "kokoro:ff_siwis"
    assert np.array_equal(speech.audio.samples, result.audio.numpy())
    assert [word.text for word in speech.words] == text.split()


def test_word_times_run_forward_and_stay_inside_the_sound(english):
    text = "It cost 3.50 (so) - right?"
    (speech,) = said(english, text)
    marks = [mark for word in speech.words for mark in (word.start, word.end)]
    assert marks == sorted(marks)
    assert marks[0] >= 0
    assert marks[-1] <= speech.audio.seconds
    assert all(word.end > word.start for word in speech.words)
    assert " ".join(word.text for word in speech.words) == text
    assert heard_text([speech], speech.words[2].end) == "It cost 3.50"


def test_a_decimal_is_one_number(english):
    phonemes, _ = english._g2p("It costs 3.50 now.")
    assert "pYnt fˈIv" in phonemes


@pytest.mark.parametrize("text", ["", " \n", "...", "\u200b", "—"])
def test_what_has_no_sound_is_silence(english, text):
    parts = said(english, text)
    assert sum(part.audio.seconds for part in parts) < 0.1


@pytest.fixture
def steps(english, monkeypatch):
    """The phonemes of each step, which is then not computed: long ones take long."""
    seen = []

    def said(text, phonemes, tokens):
        seen.append(phonemes)
        return Speech(text, Audio.silence(1))

    monkeypatch.setattr(english, "_said", said)
    return seen


def test_a_text_beyond_510_phonemes_is_cut_and_all_of_it_spoken(english, steps):
    text = "7777777 " * 24
    whole, _ = english._g2p(text)
    said(english, text)
    assert len(text) < 200 < 510 < len(whole)
    assert len(steps) > 1
    assert all(len(phonemes) <= 510 for phonemes in steps)
    assert sum(len(phonemes) for phonemes in steps) > 0.98 * len(whole)


def test_closing_the_generator_ends_the_work(english, steps):
    speaking = english.speak("Hi there. " * 100)
    next(speaking)
    speaking.close()
    assert list(speaking) == []
    assert len(steps) == 1


def test_a_voice_without_a_header_is_the_same_voice(folder, english, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    raw_voice(copy, "af_heart")
    (copy / "voices" / "af_heart.pt").unlink()
    raw = Kokoro("af_heart", path=str(copy), speed=SPEED, device="cpu")
    (one,), (other,) = said(raw, "Hi."), said(english, "Hi.")
    assert np.array_equal(one.audio.samples, other.audio.samples)


def test_two_voices_are_mixed(folder, english):
    mixed = Kokoro("af_heart,am_michael", path=str(folder), speed=SPEED, device="cpu")
    (one,), (other,) = said(mixed, "Hi."), said(english, "Hi.")
    assert mixed.name == "kokoro:af_heart,am_michael"
    assert not np.array_equal(one.audio.samples, other.audio.samples)


def test_the_real_voices_have_the_shape_that_is_read(english, require):
    require("voices")
    from voice_kit.speak.tts_kokoro import _read_voice

    voices = Path(__file__).parents[2] / "shared" / "models" / "kokoro_voices"
    files = sorted(voices.glob("*.bin"))
    assert files
    for file in files:
        assert _read_voice(file).shape == (510, 1, 256) == english._voice.shape


def test_here_names_a_voice_of_the_language_and_downloads_nothing(folder):
    assert Kokoro.here(path=str(folder)) == "af_heart"
    assert Kokoro.here(path=str(folder), language="it") == "if_sara"
    with pytest.raises(MissingEngineError, match="ef_dora"):
        Kokoro.here(path=str(folder), language="es")


def test_here_finds_the_hugging_face_cache(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(MissingEngineError, match="330 MB"):
        Kokoro.here()
    assert not any(voice.here for voice in Kokoro.voices())
    snapshot = tmp_path / "hub" / "models--hexgrad--Kokoro-82M" / "snapshots" / "abc"
    shutil.copytree(folder, snapshot)
    assert Kokoro.here() == "af_heart"
    assert {voice.name for voice in Kokoro.voices() if voice.here} == set(VOICES)
    assert Kokoro(speed=SPEED, device="cpu").name == "kokoro:af_heart"


def test_voices_are_listed_with_language_and_gender(folder):
    voices = {voice.name: voice for voice in Kokoro.voices(path=str(folder))}
    assert len(voices) == len(PUBLISHED) == 54
    assert (voices["if_sara"].language, voices["if_sara"].gender) == ("it", "female")
    assert (voices["bm_george"].language, voices["bm_george"].gender) == ("en", "male")
    assert voices["if_sara"].here
    assert not voices["bm_george"].here


def test_missing_weights_and_no_network_are_one_sentence_with_the_fix(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(MissingEngineError, match=r"config\.json.*network"):
        Kokoro("af_heart")
    with pytest.raises(MissingEngineError, match="voices/af_heart"):
        Kokoro("af_heart", path=str(tmp_path))
    with pytest.raises(MissingEngineError, match="voice-kit voices"):
        Kokoro("af_nobody")


@pytest.mark.parametrize("file", ["config.json", "kokoro-v1_0.pth", "voices/af_heart.pt"])
@pytest.mark.parametrize("content", [b"", b"\x80garbage", b"{}"])
def test_damaged_files_are_named_with_the_fix(folder, tmp_path, file, content):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / file).write_bytes(content)
    with pytest.raises(EngineFailedError, match="damaged"):
        Kokoro(path=str(copy), device="cpu")


def test_what_it_cannot_do_is_said_when_it_is_chosen(folder):
    with pytest.raises(LanguageError, match="“de”"):
        Kokoro(path=str(folder), language="de")
    with pytest.raises(SettingsError, match="speed"):
        Kokoro(path=str(folder), speed=0)
    with pytest.raises(MissingEngineError, match=r"cuda:77.*cpu"):
        Kokoro(path=str(folder), device="cuda:77")


HABITS = """
    import logging, signal, socket, sys, warnings
    from loguru import logger

    reached = []
    sys.addaudithook(lambda event, args: reached.append((event, args)) if event in (
        "socket.connect", "socket.getaddrinfo") else None)
    logger.remove()
    kept = []
    mine = logger.add(kept.append, format="{message}")

    def world():
        return (
            list(logger._core.handlers), list(logging.root.handlers), logging.root.level,
            logging.getLogger("voice_kit").level, signal.getsignal(signal.SIGINT),
            socket.getdefaulttimeout(),
        )

    before = world()
    from voice_kit.speak.tts_kokoro import Kokoro
    kokoro = Kokoro(path=PATH, speed=8.0, device="cpu")
    parts = list(kokoro.speak("My secret, see you."))
    assert sum(len(part.audio.samples) for part in parts) > 1000
    assert world() == before, (world(), before)
    assert "add" not in vars(logger) and "remove" not in vars(logger)
    logger.info("still here")
    assert kept == ["still here\\n"], kept
    assert not reached, reached
    print(type(kokoro._g2p).__name__, [word.text for part in parts for word in part.words])
"""


def test_loading_it_changes_no_logging_and_reaches_for_no_network_and_prints_nothing(folder):
    script = f"PATH = {str(folder)!r}\n{textwrap.dedent(HABITS)}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout == "EspeakWords ['My', 'secret,', 'see', 'you.']\n"


def test_with_spacys_english_it_takes_misakis_dictionaries_offline(folder, tmp_path, monkeypatch):
    make_spacy_english(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    kokoro = Kokoro(path=str(folder), speed=SPEED, device="cpu")
    (speech,) = said(kokoro, "Don't stop, see?")
    assert type(kokoro._g2p).__name__ == "G2P"
    assert [word.text for word in speech.words] == ["Don't", "stop,", "see?"]
    assert speech.words[-1].end <= speech.audio.seconds


def make_spacy_english(folder):
    """A package en_core_web_sm whose tagger has learnt nothing."""
    import spacy
    from spacy.tokens import Doc
    from spacy.training import Example

    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec")
    nlp.add_pipe("tagger")
    words, tags = ["See", "you", "."], ["VB", "PRP", "."]
    example = Example(nlp.make_doc("See you ."), Doc(nlp.vocab, words=words, tags=tags))
    nlp.initialize(lambda: [example])
    package = folder / "en_core_web_sm"
    package.mkdir()
    nlp.to_disk(package / "en_core_web_sm-1.0")
    meta = json.loads((package / "en_core_web_sm-1.0" / "meta.json").read_text())
    meta |= {"name": "core_web_sm", "version": "1.0"}
    (package / "meta.json").write_text(json.dumps(meta))
    (package / "__init__.py").write_text(
        "from spacy.util import load_model_from_init_py\n"
        "def load(**overrides):\n    return load_model_from_init_py(__file__, **overrides)\n"
    )
    info = folder / "en_core_web_sm-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: en_core_web_sm\nVersion: 1.0\n")
