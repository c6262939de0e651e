"""Sounds to hear, for the tests of detectors and transcribers."""

from pathlib import Path

import numpy as np
import pytest

from voice_kit.types import RATE, Audio

SHIPPED = Path(__file__).parents[1] / "voice_kit" / "sounds"
SHARED = Path(__file__).parents[2] / "shared" / "sounds"


def sounds(folder, *patterns):
    """Some recordings of a folder, 16 kHz, by name; skips where there are none."""
    from faster_whisper.audio import decode_audio

    files = sorted(file for pattern in patterns for file in folder.glob(pattern))
    if not files:
        pytest.skip(f"no {' or '.join(patterns)} in {folder.name}")
    return {file.stem: Audio(decode_audio(str(file)), RATE) for file in files}


def voice(seconds=1.0, rate=RATE, seed=1):
    """A hum with harmonics, in syllables: enough like speech to move every detector."""
    time = np.arange(round(seconds * rate)) / rate
    hum = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 4 * time), 0, 1)
    hiss = np.random.default_rng(seed).normal(0, 0.001, len(time))
    return Audio((0.15 * hum * syllables + hiss).astype(np.float32), rate)
