"""Voices that are made slower between two sentences."""

import numpy as np
import pytest
from tiny_kokoro import SPEED, make_kokoro
from tiny_piper import write_piper

from voice_kit.speak.pace import SLOWEST, change_pace

pytestmark = [
    pytest.mark.models,
    pytest.mark.timeout(300),  # torch takes half a minute to import on a busy machine
    pytest.mark.filterwarnings("ignore::UserWarning:torch", "ignore::FutureWarning:torch"),
]
TEXT = "The quick brown fox jumps over the lazy dog."


def seconds(voice):
    return sum(part.audio.seconds for part in voice.speak(TEXT))


@pytest.mark.needs("piper")
def test_piper_is_slower_from_its_next_sentence_on(tmp_path):
    from voice_kit.speak.tts_piper import Piper

    write_piper(tmp_path)
    voice = Piper("en_US-tiny-medium", path=str(tmp_path))
    usual = seconds(voice)
    assert change_pace(voice, -5)
    assert voice.speed == SLOWEST
    assert seconds(voice) == pytest.approx(usual / SLOWEST, rel=0.1)
    again = Piper("en_US-tiny-medium", path=str(tmp_path), speed=SLOWEST)
    parts = zip(voice.speak(TEXT), again.speak(TEXT), strict=True)
    assert all(np.array_equal(one.audio.samples, other.audio.samples) for one, other in parts)


@pytest.mark.needs("kokoro")
def test_kokoro_is_slower_from_its_next_sentence_on(tmp_path):
    from voice_kit.speak.tts_kokoro import Kokoro

    voice = Kokoro(path=str(make_kokoro(tmp_path / "tiny")), speed=SPEED, device="cpu")
    usual = seconds(voice)
    assert change_pace(voice, -4)
    assert voice.speed < SPEED
    assert seconds(voice) > 1.3 * usual
