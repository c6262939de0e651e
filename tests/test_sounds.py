"""The recordings that come with the package."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from voice_kit import sounds
from voice_kit.errors import AudioError
from voice_kit.sounds import clip, clips
from voice_kit.types import RATE

HERE = Path(sounds.__file__).parent


def test_there_are_enough_clips_of_each_kind():
    kinds = Counter(each.kind for each in clips())
    assert sum(kinds.values()) >= 30
    assert kinds["question"] >= 10
    assert kinds["command"] >= 10
    assert kinds["pause"] >= 1
    assert kinds["interruption"] >= 2
    assert kinds["answer"] >= 2
    assert kinds["free"] >= 3
    assert {"backchannel_mhm", "noise_cough"} <= {each.name for each in clips()}


def test_files_and_list_agree_and_are_small():
    listed = {note["file"] for note in json.loads((HERE / "sounds.json").read_text("utf-8"))}
    assert listed
    assert listed == {path.name for path in HERE.glob("*.flac")}
    assert sum(path.stat().st_size for path in HERE.iterdir() if path.is_file()) < 3_000_000


@pytest.mark.parametrize("each", clips(), ids=lambda each: each.name)
def test_each_clip_is_speech_from_its_first_to_its_last_sample(each):
    audio = each.audio()
    assert audio.rate == RATE
    assert audio.seconds == pytest.approx(each.seconds, abs=1e-3)
    assert 0.2 < audio.seconds < 5
    assert 0.5 < np.abs(audio.samples).max() < 0.7
    edge = RATE // 100
    assert np.abs(audio.samples[:edge]).max() > 1e-3
    assert np.abs(audio.samples[-edge:]).max() > 1e-3
    assert each.licence
    assert bool(each.text) == (each.kind != "noise")


def test_the_licence_of_the_voices_lies_beside_them():
    notice = (HERE / "LICENSE.txt").read_text("utf-8")
    assert "Copyright (c) 1999-2016" in notice
    assert "Carnegie Mellon University" in notice
    voices = {each.voice.removeprefix("flite ") for each in clips() if each.voice}
    assert voices == {"slt", "rms", "awb", "kal16"}
    assert all(voice in notice for voice in voices)


def test_a_thinking_pause_is_silence_in_the_middle_of_a_sentence():
    audio = clip("pause_timer").audio()
    quiet = np.abs(audio.samples) < 1e-4
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet, [0]])))
    runs = edges.reshape(-1, 2)
    start, end = runs[np.diff(runs).argmax()]
    assert (end - start) / RATE == pytest.approx(0.7, abs=0.02)
    assert start > RATE // 2
    assert len(audio.samples) - end > RATE // 4


def test_an_unknown_clip_is_told_with_the_names():
    with pytest.raises(
        AudioError, match=r"no clip “question_vat”.*mean “question_vad”.*noise_cough"
    ):
        clip("question_vat")


@pytest.mark.needs("flite")
def test_making_them_again_gives_the_same_bytes():
    command = [sys.executable, "-m", "voice_kit.sounds.make", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"these differ: {done.stderr}"
