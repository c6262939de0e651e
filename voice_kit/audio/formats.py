"""Between the ways sound is written down: number formats and channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.errors import AudioError
from voice_kit.types import Samples


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
