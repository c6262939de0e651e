"""What a loudspeaker plays, in step with a microphone: for whoever must tell the two apart."""

from __future__ import annotations

from collections import deque

import numpy as np
import soxr  # type: ignore[import-untyped]

from voice_kit.types import FRAME, RATE, Samples

LAG = 128
"""Samples that are kept ready, 8 ms: the loudspeaker may be that much later than the microphone."""
MOST = 3200
"""Samples that may wait, 0.2 s. With more of them the microphone has lost some of its own."""
BLOCKS = 512
"""Blocks of a loudspeaker that are kept for a microphone which has not been heard for long."""
TAPS = 65
"""Length of the filter that keeps what 16 kHz cannot hold from coming back as something else."""


class Tap:
    """Blocks as they are played go in, frames for the microphone's come out.

    Each frame begins where the one before ended, so that an echo always comes back equally late.
    What lacks becomes silence, and all that follows comes that much later. It delays by less than
    10 ms: the converter of `audio.convert` is better, but holds back up to 40, and an echo must
    never come before its sound.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._blocks: deque[Samples] = deque(maxlen=BLOCKS)
        self._low = _low_pass(rate)
        self._before: Samples = np.zeros(TAPS - 1, np.float32)
        self._stream = soxr.ResampleStream(rate, RATE, 1, dtype="float32", quality="QQ")
        self._ready: Samples | None = None

    def write(self, block: Samples) -> None:
        """This is played now, mono at the loudspeaker's rate. From any thread; takes no time."""
        self._blocks.append(block)

    def take(self) -> Samples:
        """What was played while the microphone heard its next frame: shape (512,), 16 kHz."""
        parts = [] if self._ready is None else [self._ready]
        while self._blocks:
            parts.append(self._converted(self._blocks.popleft()))
        ready = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        if self._ready is None or len(ready) > FRAME + MOST:
            ready = ready[-(FRAME + LAG) :]
        if len(ready) < FRAME:
            ready = np.pad(ready, (FRAME + LAG - len(ready), 0))
        self._ready = ready[FRAME:]
        return ready[:FRAME]

    def _converted(self, block: Samples) -> Samples:
        if self._rate == RATE:
            return block
        whole = np.concatenate((self._before, block))
        self._before = whole[-(TAPS - 1) :]
        low = np.convolve(whole, self._low, "valid").astype(np.float32)
        converted: Samples = self._stream.resample_chunk(low)
        return converted


def _low_pass(rate: int) -> Samples:
    """A windowed sinc up to 7.5 kHz."""
    at = np.arange(TAPS) - TAPS // 2
    cutoff = min(1.0, 2 * 7500 / rate)
    response = np.sinc(cutoff * at) * np.blackman(TAPS)
    low: Samples = (response / response.sum()).astype(np.float32)
    return low
