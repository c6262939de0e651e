"""A judge of your own: most people lower their voice's loudness before they have finished.

    [project.entry-points."voice_kit.judge"]
    falling = "my_engines.judge_falling:Falling"

Then `judge = "falling"`, and if you like `[options.falling]` with `fall = 4`.
It needs numpy alone, and no words: it judges in any language, and not very well.
"""

from __future__ import annotations

import numpy as np

from voice_kit.types import Audio, Stops, Transcript

BLOCK = 0.02
LAST = 0.3


class Falling:
    """How much softer the last 0.3 s of speech are than those before, in decibels.

    `fall` decibels of it are as good as not, twice as many rather an end.
    """

    name = "falling"
    stops: Stops = "steps"
    needs_words = False
    direct = True

    def __init__(self, *, fall: float = 3.0) -> None:
        self._fall = fall

    def finished(self, audio: Audio, transcript: Transcript) -> float:
        """The chance, in [0.1, 0.9], that nothing more comes; 0.5 for too little sound."""
        size = round(BLOCK * audio.rate)
        blocks = audio.samples[: len(audio.samples) // size * size].reshape(-1, size)
        power = np.square(blocks, dtype=np.float64).mean(axis=1)
        spoken = power[power > power.max(initial=0.0) / 1000]
        last = round(LAST / BLOCK)
        if len(spoken) < 2 * last:
            return 0.5
        fell = 10 * np.log10(spoken[:-last].mean() / spoken[-last:].mean())
        return float(np.clip(0.5 + 0.2 * (fell / self._fall - 1), 0.1, 0.9))
