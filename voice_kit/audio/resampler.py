"""From one sample rate to another, while the sound comes in."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr  # type: ignore[import-untyped]

from voice_kit.audio.convert import QUALITY, check_rate
from voice_kit.types import Samples


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
