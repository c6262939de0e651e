"""Smart Turn on a tiny network of its shape, whose answer to every sound is known."""

import subprocess
import sys
import threading

import numpy as np
import pytest
import tiny_smart_turn

from voice_kit.audio.convert import convert
from voice_kit.engines import LINE, choose, make, names
from voice_kit.errors import EngineFailedError, LanguageError, MissingEngineError
from voice_kit.hear.judge_smart_turn import MODELS, REPO, SmartTurn
from voice_kit.hear.judge_smart_turn_features import features
from voice_kit.settings import Settings
from voice_kit.sounds import clip
from voice_kit.types import RATE, Audio, Transcript

WHOLE = 8 * RATE
NOTHING = Transcript("")


def sigmoid(value):
    return 1 / (1 + np.exp(-value))


def weights(*columns):
    """The mean of the features in these columns: 100 of them are a second."""
    taken = np.zeros((1, 80, 800), np.float32)
    taken[..., slice(*columns)] = 1
    return taken / taken.sum()


@pytest.fixture
def speech():
    return clip("question_barge_in").audio()


@pytest.fixture
def nothing_here(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("VOICE_KIT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path


def by_transformers(samples):
    from transformers import WhisperFeatureExtractor

    made = WhisperFeatureExtractor(chunk_length=8)(
        samples,
        sampling_rate=RATE,
        max_length=WHOLE,
        truncation=True,
        padding="max_length",
        do_normalize=True,
        return_tensors="np",
    )
    return made.input_features


@pytest.mark.parametrize("seconds", [0.5, 2.0, 8.0])
def test_its_features_are_those_of_transformers(speech, seconds):
    samples = np.tile(speech.samples, 5)[: round(seconds * RATE)]
    padded = np.pad(samples, (WHOLE - len(samples), 0))
    expected = by_transformers(padded)
    assert features(samples).dtype == np.float32
    assert features(samples).shape == expected.shape == (1, 80, 800)
    assert expected.std() > 0.2, "there was nothing to compare"
    assert np.abs(features(samples) - expected).max() < 1e-4


def test_quiet_is_put_before_a_short_sound_and_never_after_it(speech):
    made = features(speech.samples[:RATE])[0]
    nothing = made[:, 300:301]
    assert np.abs(made[:, 2:690] - nothing).max() < 1e-4, "seven seconds of nothing come first"
    assert (made[:, 705:] - nothing).max() > 0.5


def test_of_a_long_sound_only_the_last_eight_seconds_count(speech):
    end = np.tile(speech.samples, 5)[:WHOLE]
    noise = np.random.default_rng(1).uniform(-1, 1, 3 * RATE).astype(np.float32)
    whole = np.concatenate([noise, end])
    assert np.array_equal(features(whole), features(end))
    assert not np.allclose(features(np.concatenate([end, noise])), features(end))


@pytest.mark.parametrize("columns", [(0, 400), (700, 800)])
def test_it_says_what_its_network_says_of_these_features(tmp_path, speech, columns):
    judge = SmartTurn(
        model=str(tiny_smart_turn.make(tmp_path / "tiny.onnx", weights(*columns), 0.3))
    )
    padded = np.pad(speech.samples, (WHOLE - len(speech.samples), 0))
    expected = sigmoid(0.3 + by_transformers(padded)[..., slice(*columns)].mean())
    assert judge.finished(speech, NOTHING) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_sound_of_another_rate_is_heard_alike(tmp_path, speech, rate):
    judge = SmartTurn(
        model=str(tiny_smart_turn.make(tmp_path / "tiny.onnx", 4 * weights(600, 800)))
    )
    as_heard = judge.finished(speech, NOTHING)
    other = judge.finished(convert(speech, rate), NOTHING)
    wrong = judge.finished(Audio(convert(speech, rate).samples, RATE), NOTHING)
    assert other == pytest.approx(as_heard, abs=0.02 if rate > 8_000 else 0.2)
    assert abs(wrong - as_heard) > abs(other - as_heard)


def test_of_silence_it_cannot_tell(tmp_path):
    judge = SmartTurn(model=str(tiny_smart_turn.make(tmp_path / "tiny.onnx", weights(0, 800), 5.0)))
    assert judge.finished(Audio.silence(1.0), NOTHING) == 0.5
    assert judge.finished(Audio.silence(0.0), NOTHING) == 0.5


def test_a_sound_full_of_holes_still_gets_a_chance(tmp_path, speech):
    judge = SmartTurn(model=str(tiny_smart_turn.make(tmp_path / "tiny.onnx", weights(0, 800))))
    broken = speech.samples.copy()
    broken[100] = np.nan
    assert 0 <= judge.finished(Audio(broken, RATE), NOTHING) <= 1


def test_several_threads_may_ask_at_once(tmp_path, speech):
    judge = SmartTurn(model=str(tiny_smart_turn.make(tmp_path / "tiny.onnx", weights(600, 800))))
    alone, together = judge.finished(speech, NOTHING), []
    ask = [
        threading.Thread(target=lambda: together.append(judge.finished(speech, NOTHING)))
        for _ in range(4)
    ]
    for thread in ask:
        thread.start()
    for thread in ask:
        thread.join()
    assert together == [alone] * 4


def test_what_is_no_network_is_refused_in_a_sentence(tmp_path):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"this is no network")
    with pytest.raises(MissingEngineError, match="cannot be read as a network") as caught:
        SmartTurn(model=str(bad))
    assert "\n" not in str(caught.value)
    assert str(bad) in str(caught.value)


def test_a_network_that_takes_something_else_is_refused(tmp_path):
    other = tiny_smart_turn.make(tmp_path / "v2.onnx", weights(0, 800), name="input_values")
    with pytest.raises(MissingEngineError, match="Smart Turn v3"):
        SmartTurn(model=str(other))


def test_a_network_of_another_size_fails_with_the_fix(tmp_path, speech):
    small = tiny_smart_turn.make(tmp_path / "small.onnx", np.ones((1, 80, 700)))
    judge = SmartTurn(model=str(small))
    with pytest.raises(EngineFailedError, match="another judge"):
        judge.finished(speech, NOTHING)


def test_what_is_no_chance_is_not_passed_on(tmp_path, speech):
    path = tiny_smart_turn.make(tmp_path / "raw.onnx", weights(0, 800), 7.0, sigmoid=False)
    with pytest.raises(EngineFailedError, match="no chance"):
        SmartTurn(model=str(path)).finished(speech, NOTHING)


def test_without_any_network_here_it_says_how_to_get_one(nothing_here):
    with pytest.raises(MissingEngineError, match="voice-kit models fetch smart-turn:v3"):
        SmartTurn.here()
    choice = choose("judge", Settings())
    assert not choice.spec.startswith("smart-turn")
    assert "smart-turn:v3.2-cpu" in choice.better


def test_named_but_offline_it_says_so_in_a_sentence(nothing_here):
    for model in ("", MODELS[0]):
        with pytest.raises(MissingEngineError, match="with a network, once") as caught:
            SmartTurn(model=model)
        assert "\n" not in str(caught.value)


def test_a_name_that_is_neither_file_nor_model_is_refused_without_a_download(nothing_here):
    with pytest.raises(MissingEngineError, match=r"v3\.2-cpu"):
        SmartTurn(model="v9")
    with pytest.raises(MissingEngineError):
        SmartTurn.here(model="nowhere.onnx")


def test_a_download_is_found_in_the_cache_of_hugging_face(nothing_here, speech):
    hub = nothing_here / "hub" / f"models--{REPO.replace('/', '--')}"
    snapshot = hub / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (hub / "refs").mkdir()
    (hub / "refs" / "main").write_text("abc")
    tiny_smart_turn.make(snapshot / "smart-turn-v3.1-cpu.onnx", weights(0, 800))
    assert SmartTurn.here() == "v3.1-cpu"
    assert choose("judge", Settings()).spec == "smart-turn:v3.1-cpu"
    judge = make("judge", "smart-turn:v3.1-cpu", Settings())
    assert judge.name == "smart-turn:v3.1-cpu"
    assert 0 < judge.finished(speech, NOTHING) < 1
    tiny_smart_turn.make(snapshot / "smart-turn-v3.2-cpu.onnx", weights(0, 800))
    assert SmartTurn.here() == "v3.2-cpu", "the newer network is the better one"


def test_a_file_put_there_by_hand_is_found(nothing_here):
    folder = nothing_here / "home" / "smart-turn"
    folder.mkdir(parents=True)
    tiny_smart_turn.make(folder / "smart-turn-v3.0.onnx", weights(0, 800))
    assert SmartTurn.here() == "v3.0"
    assert SmartTurn().name == "smart-turn:v3.0"


def test_an_option_may_name_the_file(nothing_here):
    path = tiny_smart_turn.make(nothing_here / "mine.onnx", weights(0, 800))
    settings = Settings().changed({"options.smart-turn": {"model": str(path)}})
    choice = choose("judge", settings)
    assert choice.spec == f"smart-turn:{path}"
    assert make("judge", choice.spec, settings).name == "smart-turn:mine"


def test_it_is_the_first_judge_in_line_and_refuses_languages_it_does_not_know(nothing_here):
    assert "smart-turn" in names("judge")
    assert LINE["judge"][0] == "smart-turn"
    assert LINE["judge"][-1] == "silence"
    with pytest.raises(LanguageError):
        choose("judge", Settings(language="sw", judge="smart-turn"))
    assert choose("judge", Settings(language="sw")).spec == "silence"


def test_finding_it_loads_no_library(nothing_here):
    code = (
        "from voice_kit.hear.judge_smart_turn import SmartTurn; import sys\n"
        "try: SmartTurn.here()\n"
        "except Exception: pass\n"
        "print(sorted({'onnxruntime', 'huggingface_hub', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
