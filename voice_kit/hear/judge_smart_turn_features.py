"""What Whisper's encoder is given: the log-mel spectrogram of eight seconds, in numpy alone."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from voice_kit.types import RATE, Samples

SECONDS = 8
"""How much of the end of a turn the network hears."""
BANDS, HOP, WINDOW = 80, 160, 400
"""Bands of the mel scale; samples from one column to the next, and in each."""


def features(samples: Samples) -> NDArray[np.float32]:
    """The last 8 s of a sound at 16 kHz, shape (1, 80, 800); quiet comes before a shorter one.

    As `transformers.WhisperFeatureExtractor(chunk_length=8)` makes them with `do_normalize`, to
    within rounding. The network was trained on sounds that end where the speaker paused.
    """
    whole = SECONDS * RATE
    sound = samples[-whole:].astype(np.float64)
    sound = np.pad(sound, (whole - len(sound), 0))
    sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    padded = np.pad(sound, WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:-1]
    hann = np.hanning(WINDOW + 1)[:-1]
    power = np.abs(np.fft.rfft(windows * hann)) ** 2
    bands = np.log10(np.maximum(_mel() @ power.T, 1e-10))
    bands = (np.maximum(bands, bands.max() - 8.0) + 4.0) / 4.0
    features: NDArray[np.float32] = bands[np.newaxis].astype(np.float32)
    return features


@cache
def _mel() -> NDArray[np.float64]:
    """How much of each frequency is in each band, shape (80, 201): Slaney's mel scale and area."""
    frequencies = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    edges = _hertz(np.linspace(0, _mels(RATE / 2), BANDS + 2))
    slopes = edges[:, np.newaxis] - frequencies
    widths = np.diff(edges)[:, np.newaxis]
    filters = np.maximum(0, np.minimum(-slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]))
    area: NDArray[np.float64] = 2 / (edges[2:] - edges[:-2])
    weights: NDArray[np.float64] = filters * area[:, np.newaxis]
    return weights


STRAIGHT, STEP = 1000.0, np.log(6.4) / 27
"""Up to this many hertz the scale is straight, 200/3 Hz a mel; then each mel is a ratio."""


def _mels(hertz: float) -> float:
    return float(STRAIGHT * 3 / 200 + np.log(hertz / STRAIGHT) / STEP)


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    bend = STRAIGHT * 3 / 200
    curved: NDArray[np.float64] = STRAIGHT * np.exp(STEP * (mels - bend))
    return np.where(mels < bend, mels * 200 / 3, curved)
