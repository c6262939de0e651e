"""Whisper: the filter of its inventions, its models' places, and faster-whisper on random weights.

There are no real weights here. What the filter sees is scripted, with numbers such as Whisper
gives; what the adapter hears is compared with faster-whisper on the same random model.
"""

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tiny_whisper
from helpers_hear import voice

from voice_kit.audio.convert import convert
from voice_kit.errors import LanguageError, MissingEngineError, SettingsError, VoiceKitError
from voice_kit.hear import stt_whisper
from voice_kit.hear.detection import stretches
from voice_kit.hear.stt_whisper import LANGUAGES, FasterWhisper
from voice_kit.hear.stt_whisper_inventions import (
    INVENTIONS,
    has_words,
    invented,
    spoken_in,
    too_long_for,
    well_known,
)
from voice_kit.hear.stt_whisper_models import (
    BEST_ON_CPU,
    BEST_ON_GPU,
    REPOS,
    cached,
    folder_of,
    in_cache,
)
from voice_kit.hear.vad_energy import Energy
from voice_kit.settings import hub_cache
from voice_kit.types import RATE, Audio, Transcript

# The filter, on scripted segments


@dataclass(frozen=True)
class Scripted:
    text: str
    start: float = 0.0
    end: float = 2.0
    avg_logprob: float = -0.3
    no_speech_prob: float = 0.1
    compression_ratio: float = 0.9


def spoken(seconds):
    """A voice detector that heard this much speech wherever it is asked."""
    return lambda start, end: seconds


def never(start, end):
    raise AssertionError("no need to ask the voice detector")


@pytest.mark.parametrize(
    "text",
    [
        " Thanks for watching!",
        " Thank you.",
        " you",
        " Bye.",
        " Subtitles by the Amara.org community",
        " Sous-titrage Société Radio-Canada",
        " Merci d’avoir regardé cette vidéo !",
        " Sottotitoli creati dalla comunità Amara.org",
        " Grazie per la visione!",
        " ¡Gracias por ver el video!",
        " Subtítulos realizados por la comunidad de Amara.org",
        " Untertitelung des ZDF, 2020",
        " Vielen Dank fürs Zuschauen!",
        " Obrigado por assistir.",
        " Продолжение следует...",
        "ご視聴ありがとうございました",
        "字幕由Amara.org社区提供",
    ],
)
def test_what_videos_end_with_is_invented_when_nobody_spoke(text):
    assert well_known(text)
    assert invented(Scripted(text), spoken(0.0))


def test_whoever_says_thank_you_is_heard():
    assert not invented(Scripted(" Thank you."), spoken(0.5))
    assert not invented(Scripted(" Vielen Dank fürs Zuschauen!"), spoken(1.4))


def test_a_click_is_too_short_to_have_said_thank_you():
    assert invented(Scripted(" Thank you."), spoken(0.1))


def test_a_normal_sentence_is_believed_without_asking_the_voice_detector():
    assert not invented(Scripted(" What time is it?"), never)


def test_a_whispered_sentence_is_believed_although_the_voice_detector_heard_nothing():
    assert not invented(Scripted(" Turn the light off.", avg_logprob=-0.6), spoken(0.0))


def test_what_whisper_itself_doubts_twice_is_invented():
    doubted = Scripted(" The first of the.", no_speech_prob=0.8, avg_logprob=-1.3)
    assert invented(doubted, never)


@pytest.mark.parametrize("doubt", [{"no_speech_prob": 0.8}, {"avg_logprob": -1.3}])
def test_what_whisper_doubts_once_needs_a_voice(doubt):
    doubted = Scripted(" I am going to the shop.", **doubt)
    assert invented(doubted, spoken(0.1))
    assert not invented(doubted, spoken(1.5))


def test_a_loop_is_invented_however_much_was_spoken():
    assert invented(Scripted(" no" * 60, compression_ratio=9.0), spoken(20.0))


@pytest.mark.parametrize(
    "text", ["[Music]", " (sighs)", "♪ la la la ♪", " ...", "*coughs*", "♪", ""]
)
def test_notes_are_no_words(text):
    assert not has_words(text)
    assert invented(Scripted(text), never)


def test_a_note_beside_words_does_not_take_them_away():
    assert not invented(Scripted(" (coughs) Play some music."), never)


def test_signs_of_chinese_take_as_long_to_say_as_syllables():
    assert too_long_for("ご視聴ありがとうございました", 0.5)
    assert not too_long_for("ご視聴ありがとうございました", 1.5)


def test_ordinary_commands_are_no_known_inventions():
    for text in ("Stop.", "Yes.", "What is the time?", "Set a timer.", "Thank the chef for me."):
        assert not well_known(text)
    assert len(INVENTIONS) > 90


def test_speech_is_counted_where_the_segment_is():
    quiet = np.zeros(RATE, np.float32)
    loud = voice(1).samples
    listened = []

    def detector():
        listened.append(1)
        return Energy()

    speech = spoken_in(np.concatenate([quiet, loud, quiet]), detector)
    assert not listened
    assert speech(0.0, 0.9) == 0
    assert speech(1.0, 2.0) > 0.3
    assert speech(-1.0, 9.0) == pytest.approx(speech(0.9, 2.2), abs=0.05)
    assert len(listened) == 1


# Names and places


def put_in_cache(cache, *models):
    for model in models:
        folder = cache / f"models--{REPOS[model].replace('/', '--')}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text("abc")
        (folder / "snapshots" / "abc").mkdir(parents=True)
        for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt"):
            (folder / "snapshots" / "abc" / name).touch()


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_the_names_are_those_of_faster_whisper():
    from faster_whisper.tokenizer import _LANGUAGE_CODES
    from faster_whisper.utils import _MODELS

    assert REPOS == _MODELS
    assert set(_LANGUAGE_CODES) == LANGUAGES
    sizes = {name.removesuffix(".en") for name in REPOS}
    assert set(BEST_ON_CPU) < sizes
    assert set(BEST_ON_GPU) < sizes


def test_on_a_processor_the_quick_model_is_the_best(downloads):
    put_in_cache(downloads, "large-v3", "small.en", "base.en", "base")
    assert cached("en", gpu=False) == "base.en"
    assert cached("fr", gpu=False) == "base"


def test_on_a_card_the_large_model_is_the_best(downloads):
    put_in_cache(downloads, "large-v3-turbo", "small.en", "base.en", "distil-large-v3")
    assert cached("en", gpu=True) == "large-v3-turbo"


def test_a_model_that_knows_only_english_is_not_offered_for_french(downloads):
    put_in_cache(downloads, "small.en", "distil-large-v3")
    assert cached("fr", gpu=True) == ""
    with pytest.raises(MissingEngineError, match="whisper:base "):
        FasterWhisper.here(language="fr", device="cpu")


def test_a_half_downloaded_model_is_not_here(downloads):
    put_in_cache(downloads, "base.en")
    snapshot = in_cache(REPOS["base.en"])
    assert snapshot is not None
    (snapshot / "model.bin").unlink()
    assert in_cache(REPOS["base.en"]) is None


def test_without_a_model_the_fix_names_the_download(downloads):
    fix = r"voice-kit models fetch whisper:base\.en \(downloads"
    with pytest.raises(MissingEngineError, match=fix):
        FasterWhisper.here(device="cpu")
    with pytest.raises(MissingEngineError, match="downloads"):
        FasterWhisper(device="cpu")


def test_asking_what_is_here_is_quick_and_loads_nothing():
    code = (
        "import sys, time; from voice_kit.hear.stt_whisper import FasterWhisper as W\n"
        "from voice_kit.errors import MissingEngineError\n"
        "try: W.here()\n"
        "except MissingEngineError: pass\n"
        "print(sorted({'ctranslate2', 'faster_whisper', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"XDG_CACHE_HOME": "/x"},
        {"HF_HOME": "/h"},
        {"HUGGINGFACE_HUB_CACHE": "/o"},
        {"HF_HUB_CACHE": "/c", "HF_HOME": "/h"},
    ],
)
def test_the_cache_is_where_hugging_face_has_it(environment, monkeypatch):
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code = "from huggingface_hub.constants import HF_HUB_CACHE; print(HF_HUB_CACHE)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert hub_cache() == Path(done.stdout.strip())


@pytest.mark.parametrize("name", ["huge", "./nowhere", "~/nowhere", "/nowhere/at/all", "a/b/c"])
def test_a_name_that_does_not_exist_is_answered_with_those_that_do(name):
    with pytest.raises(MissingEngineError, match=r"tiny\.en, tiny, base\.en.*large-v3-turbo"):
        FasterWhisper(model=name, device="cpu")


def test_a_download_that_fails_says_what_else_can_be_done(downloads):
    with pytest.raises(MissingEngineError, match="with a network, once"):
        folder_of("tiny.en")  # the tests have no network


def test_an_english_model_refuses_french_and_names_one_that_knows_it(downloads):
    with pytest.raises(LanguageError, match=r"whisper:base$"):
        FasterWhisper(model="base.en", language="fr")
    with pytest.raises(LanguageError, match=r"whisper:large-v3$"):
        FasterWhisper(model="distil-large-v3", language="fr")


def test_a_language_that_nobody_speaks_is_refused(downloads):
    with pytest.raises(LanguageError, match="one of af, am"):
        FasterWhisper(model="base", language="xx")


# faster-whisper, on random weights


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    pytest.importorskip("transformers", reason="no transformers in this Python: run make test")
    return tiny_whisper.make(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def tiny_english(tmp_path_factory):
    pytest.importorskip("transformers", reason="no transformers in this Python: run make test")
    return tiny_whisper.make(tmp_path_factory.mktemp("whisper"), multilingual=False)


models = [pytest.mark.models, pytest.mark.needs("torch")]


def marked(test):
    for mark in models:
        test = mark(test)
    return test


@cache
def loaded(folder, **options):
    return FasterWhisper(**{"model": str(folder), "device": "cpu", "filtered": False, **options})


@cache
def faster_whisper(folder):
    from faster_whisper import WhisperModel

    return WhisperModel(str(folder), device="cpu", compute_type="int8")


def hiss(seconds=3.0, seed=0, rate=RATE):
    random = np.random.default_rng(seed)
    return Audio(random.normal(0, 0.1, round(seconds * rate)).astype(np.float32), rate)


SOUNDS = {
    "hum": voice(3),
    "hiss": hiss(3),
    "long": hiss(40, seed=1),
    "other rate": voice(2, 48_000),
}


def reference(folder, audio, **options):
    options = {"language": "en", "beam_size": 1, **options}
    segments, _ = faster_whisper(folder).transcribe(
        convert(audio, RATE).samples,
        temperature=0.0,
        condition_on_previous_text=False,
        **options,
    )
    return list(segments)


@marked
@pytest.mark.parametrize("sound", sorted(SOUNDS))
@pytest.mark.parametrize("language", ["en", "fr"])
def test_it_writes_what_faster_whisper_writes(tiny, sound, language):
    expected = "".join(s.text for s in reference(tiny, SOUNDS[sound], language=language)).strip()
    transcript = loaded(tiny, language=language).transcribe(SOUNDS[sound])
    assert transcript.text == expected
    assert len(expected) > 3
    assert transcript.language == language


@marked
def test_the_language_reaches_the_model(tiny):
    english, french = (loaded(tiny, language=language) for language in ("en", "fr"))
    assert english.transcribe(hiss()).text != french.transcribe(hiss()).text


@marked
def test_the_sound_reaches_the_model(tiny_english):
    engine = loaded(tiny_english)  # each processor rounds its own way: two may have the same words
    sounds = [hiss(seconds, seed=seconds) for seconds in (3, 5, 10, 20, 28)]
    assert len({engine.transcribe(sound).text for sound in sounds}) > 1


@marked
def test_words_have_the_places_that_faster_whisper_gives_them(tiny):
    segments = reference(tiny, hiss(4), word_timestamps=True)
    expected = [(w.word.strip(), w.start, w.end) for s in segments for w in s.words]
    words = loaded(tiny, words=True).transcribe(hiss(4)).words
    assert [(word.text, word.start, word.end) for word in words] == expected
    assert expected


@marked
def test_a_wider_beam_reaches_the_model(tiny):
    expected = "".join(s.text for s in reference(tiny, voice(3), beam_size=4)).strip()
    assert loaded(tiny, beam=4).transcribe(voice(3)).text == expected


@marked
def test_the_filter_is_applied_to_what_faster_whisper_writes(tiny):
    segments = reference(tiny, hiss(3))
    assert segments
    assert all(invented(segment, spoken(0.0)) for segment in segments)  # random weights doubt
    transcript = loaded(tiny, filtered=True).transcribe(hiss(3))
    assert transcript == Transcript("", "en", confident=False)


@marked
def test_random_words_are_not_trusted(tiny):
    transcript = loaded(tiny).transcribe(hiss())
    assert transcript.text
    assert not transcript.confident


@marked
def test_words_that_whisper_is_sure_of_are_trusted(tiny, monkeypatch):
    monkeypatch.setattr(stt_whisper, "SURE", -99.0)
    assert loaded(tiny).transcribe(hiss()).confident


@marked
def test_it_calls_itself_by_its_folder(tiny, tiny_english):
    assert loaded(tiny).name == "whisper:tiny"
    assert loaded(tiny_english).name == "whisper:tiny.en"


@marked
def test_a_multilingual_folder_may_have_any_name_and_an_english_one_refuses_french(
    tiny_english, tmp_path
):
    renamed = shutil.copytree(tiny_english, tmp_path / "mine")
    with pytest.raises(LanguageError, match=r"whisper:base$"):
        loaded(renamed, language="fr")


@marked
def test_a_folder_without_a_tokenizer_is_refused_before_the_network_is_tried(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "half")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(MissingEngineError, match=r"has tokenizer\.json too"):
        loaded(folder)


@marked
@pytest.mark.parametrize("file", ["model.bin", "config.json", "tokenizer.json"])
def test_a_damaged_folder_gives_a_sentence(tiny, tmp_path, file):
    folder = shutil.copytree(tiny, tmp_path / "damaged")
    (folder / file).write_bytes((folder / file).read_bytes()[:50])
    with pytest.raises(MissingEngineError, match="cannot be read"):
        loaded(folder)


@marked
def test_a_way_to_compute_that_the_processor_lacks_is_answered_with_those_it_has(tiny):
    with pytest.raises(SettingsError, match=r"auto, float32, int8"):
        loaded(tiny, compute="int3")
    assert loaded(tiny, compute="float32").transcribe(hiss()).text


@marked
@pytest.mark.parametrize("device", ["tpu", "cuda:x"])
def test_a_device_that_does_not_exist_is_answered_with_those_that_may(tiny, device):
    with pytest.raises(SettingsError, match="auto, cpu, cuda"):
        loaded(tiny, device=device)


@marked
def test_auto_takes_the_processor_where_there_is_no_card(tiny):
    import ctranslate2

    if ctranslate2.get_cuda_device_count():
        pytest.skip("there is a card here")
    assert loaded(tiny, device="auto").transcribe(hiss()).text
    with pytest.raises(MissingEngineError, match="device “cpu”"):
        loaded(tiny, device="cuda")


@marked
def test_auto_leaves_a_card_that_cannot_compute_and_says_why(tiny, caplog):
    """No card here: this one takes the model, and fails at the first sound as cards do."""

    class Broken:
        def transcribe(self, samples, **options):
            raise RuntimeError("Library libcublas.so.12 is not found")

    class OneCard:
        @staticmethod
        def get_cuda_device_count():
            return 1

    def load(where, index):
        return Broken() if where == "cuda" else where

    assert FasterWhisper._placed(load, "auto", OneCard) == "cpu"
    assert "libcublas" in caplog.text
    assert FasterWhisper._placed(load, "cpu", OneCard) == "cpu"
    with pytest.raises(RuntimeError, match="libcublas"):
        FasterWhisper._placed(load, "cuda:0", OneCard)


@marked
@pytest.mark.parametrize(("device", "card"), [("auto", 0), ("cuda", 0), ("cuda:1", 1)])
def test_a_card_that_computes_is_used(tiny, device, card):
    class TwoCards:
        @staticmethod
        def get_cuda_device_count():
            return 2

    def load(where, index):
        asked.append((where, index))
        return faster_whisper(tiny)

    asked = []
    assert FasterWhisper._placed(load, device, TwoCards) is faster_whisper(tiny)
    assert asked == [("cuda", card)]


# Bad sound


@marked
@pytest.mark.parametrize(
    "silence", [Audio.silence(0), Audio.silence(3), Audio.silence(1, 48_000), hiss(0.001)]
)
def test_silence_and_next_to_nothing_give_an_empty_text(tiny, silence):
    assert loaded(tiny, filtered=True).transcribe(silence) == Transcript("", "en", confident=False)


@marked
def test_broken_samples_are_heard_as_silence(tiny):
    broken, mended = hiss().samples.copy(), hiss().samples.copy()
    broken[100:110], mended[100:110] = np.nan, 0
    broken[200:210], mended[200:210] = np.inf, 0
    engine = loaded(tiny)
    assert engine.transcribe(Audio(broken, RATE)) == engine.transcribe(Audio(mended, RATE))


@marked
@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_a_sound_of_any_rate_is_heard(tiny, rate):
    assert loaded(tiny).transcribe(hiss(rate=rate)).text


@marked
def test_an_impossible_rate_is_refused(tiny):
    with pytest.raises(VoiceKitError, match="0 samples per second"):
        loaded(tiny).transcribe(Audio(hiss().samples, 0))


def test_a_long_sound_is_cut_where_it_is_quiet_and_nothing_is_lost():
    samples = np.random.default_rng(1).normal(0, 0.1, 700 * RATE).astype(np.float32)
    samples[285 * RATE : 286 * RATE] = 0
    pieces = list(stretches(samples, 300))
    np.testing.assert_array_equal(np.concatenate([piece for _, piece in pieces]), samples)
    assert len(pieces) == 3
    assert max(len(piece) for _, piece in pieces) <= 300 * RATE
    assert 285 < pieces[1][0] < 286
    starts = np.cumsum([0, *(len(piece) / RATE for _, piece in pieces)])[:-1]
    np.testing.assert_allclose([start for start, _ in pieces], starts)


@marked
def test_words_of_a_long_sound_keep_their_places(tiny, monkeypatch):
    monkeypatch.setattr(stt_whisper, "LONGEST", 10)
    sound = hiss(28)
    expected = [
        pytest.approx(start + word.start)
        for start, piece in stretches(sound.samples, 10)
        for segment in reference(tiny, Audio(piece, RATE), word_timestamps=True)
        for word in segment.words
    ]
    starts = [word.start for word in loaded(tiny, words=True).transcribe(sound).words]
    assert starts == expected
    assert starts[-1] > 9


@marked
def test_it_may_be_called_from_several_threads(tiny):
    engine = loaded(tiny)
    sounds = [hiss(1 + seed / 2, seed) for seed in range(4)]
    expected = [engine.transcribe(sound).text for sound in sounds]
    found = [""] * len(sounds)

    def work(place):
        found[place] = engine.transcribe(sounds[place]).text

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(sounds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


@marked
def test_loading_reaches_for_no_network(tiny):
    """The suite fails any test that tries; here the hub is not switched off beforehand."""
    code = (
        "import socket, sys\n"
        "def refuse(*_, **__): sys.exit('it reached for the network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from voice_kit.hear.stt_whisper import FasterWhisper\n"
        "print(FasterWhisper(model=sys.argv[1], device='cpu').name)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny)], capture_output=True, text=True, env=environment
    )
    assert (done.stdout.strip(), done.returncode) == ("whisper:tiny", 0), done.stderr
