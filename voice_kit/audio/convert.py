"""From one sample rate to another."""

from __future__ import annotations

import soxr  # type: ignore[import-untyped]

from voice_kit.errors import AudioError
from voice_kit.types import Audio

QUALITY = "HQ"  # aliases stay below −100 dB; "VHQ" costs more and only helps 24-bit masters

LOWEST, HIGHEST = 1_000, 768_000


def convert(audio: Audio, rate: int) -> Audio:
    """The same sound at another rate, in Hz. Raises `AudioError` for an impossible rate."""
    check_rate(audio.rate)
    check_rate(rate)
    if audio.rate == rate or not len(audio.samples):
        return Audio(audio.samples, rate)
    return Audio(soxr.resample(audio.samples, audio.rate, rate, quality=QUALITY), rate)


def check_rate(rate: int) -> None:
    """Raise `AudioError` unless sound can have this rate."""
    if not LOWEST <= rate <= HIGHEST:
        raise AudioError(
            f"Sound cannot have {rate} samples per second. Use a rate between 8000 and 192000 Hz."
        )
