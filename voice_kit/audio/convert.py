"""Between the ways sound is written down: number formats, channels and sample rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr  # type: ignore[import-untyped]
from numpy.typing import NDArray

from voice_kit.errors import AudioError
from voice_kit.types import Audio, Samples

QUALITY = "HQ"  # aliases stay below −100 dB; "VHQ" costs more and only helps 24-bit masters

LOWEST, HIGHEST = 1_000, 768_000


def convert(audio: Audio, rate: int) -> Audio:
    """The same sound at another rate, in Hz. Raises `AudioError` for an impossible rate."""
    check_rate(audio.rate)
    check_rate(rate)
    if audio.rate == rate or not len(audio.samples):
        return Audio(audio.samples, rate)
    return Audio(soxr.resample(audio.samples, audio.rate, rate, quality=QUALITY), rate)


class Resampler:
    """Converts a stream, block by block, to exactly what `convert` makes of the whole.

    It holds back a few hundredths of a second, which `end` gives out.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        check_rate(source_rate)
        check_rate(target_rate)
        self.source_rate, self.target_rate = source_rate, target_rate
        self._stream: Any = None

    def feed(self, samples: Samples) -> Samples:
        """What can be said so far; may be empty."""
        return self._chunk(samples, last=False)

    def end(self) -> Samples:
        """The rest. What is fed after this is a new sound."""
        rest = self._chunk(np.empty(0, np.float32), last=True)
        self._stream = None
        return rest

    def _chunk(self, samples: Samples, last: bool) -> Samples:
        if self.source_rate == self.target_rate:
            return samples
        if self._stream is None:
            self._stream = soxr.ResampleStream(
                self.source_rate, self.target_rate, 1, dtype="float32", quality=QUALITY
            )
        converted: Samples = self._stream.resample_chunk(
            np.ascontiguousarray(samples, np.float32), last=last
        )
        return converted


def to_float(array: NDArray[Any], *, live: bool = False) -> Samples:
    """Mono float32 in [-1, 1] from any usual number format, shape (n,) or (n, channels).

    Integers keep their own full scale, floats beyond it are clipped, channels are averaged.
    NaN and infinity raise `AudioError`, except in `live` sound, where they become silence.
    """
    array = np.asarray(array)
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0):
        raise AudioError(
            f"Sound cannot have the shape {array.shape}. Give it as (samples,) or "
            "(samples, channels)."
        )
    samples = _scaled(array)
    if array.dtype.kind == "f" and not np.isfinite(samples).all():
        if not live:
            raise AudioError(
                "The sound contains values that are not numbers (NaN or infinity). "
                "Export it again, as 16-bit WAV."
            )
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    if samples.ndim == 2:
        samples = samples.mean(axis=1, dtype=np.float32)
    return np.clip(samples, -1, 1)


def to_int16(samples: Samples) -> NDArray[np.int16]:
    """16-bit integers, the inverse of `to_float`. NaN and infinity become silence."""
    scaled = np.where(np.isfinite(samples), samples, np.float32(0)) * np.float32(32768)
    return np.clip(np.rint(scaled), -32768, 32767).astype(np.int16)


def check_rate(rate: int) -> None:
    """Raise `AudioError` unless sound can have this rate."""
    if not LOWEST <= rate <= HIGHEST:
        raise AudioError(
            f"Sound cannot have {rate} samples per second. Use a rate between 8000 and 192000 Hz."
        )


def _scaled(array: NDArray[Any]) -> NDArray[np.float32]:
    if array.dtype == np.uint8:
        return (array.astype(np.float32) - np.float32(128)) / np.float32(128)
    if array.dtype == np.int16:
        return array.astype(np.float32) / np.float32(32768)
    if array.dtype == np.int32:
        return (array / 2.0**31).astype(np.float32)
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # a huge float64 becomes infinity, which is refused
            return array.astype(np.float32)
    raise AudioError(
        f"Sound cannot be made of {array.dtype} numbers. Use int16, int32, uint8 or float32."
    )
