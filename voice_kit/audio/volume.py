"""How loud we are: a loudspeaker played through a gain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from voice_kit.audio.formats import to_float
from voice_kit.audio.protocols import Playback, Speaker
from voice_kit.types import Audio, Samples

STEP = 10 ** (4 / 20)
"""One step louder: 4 dB, which is clearly heard."""
SOFTEST, LOUDEST = STEP**-5, STEP**3
KNEE = 0.7
"""Above this level sound that was made louder bends toward full scale, rather than break."""


class Volume:
    """A loudspeaker that can be made louder and quieter.

    It is a `Speaker` for the conversation; whatever needs the card itself, such as an echo guard,
    asks the loudspeaker inside.
    """

    def __init__(self, speaker: Speaker, gain: float = 1.0) -> None:
        self.speaker = speaker
        self.gain = gain
        """Times the usual loudness, for what is given to be played from now on."""

    def open(self, on_start: Callable[[float], None]) -> Playback:
        """A new playback. Raises `AudioError` if the card is gone."""
        return _Louder(self.speaker.open(on_start), self)

    def change(self, steps: int) -> bool:
        """Be so many steps louder, or quieter; False when it cannot be any more."""
        before = self.gain
        self.gain = min(max(before * STEP**steps, SOFTEST), LOUDEST)
        return abs(self.gain / before - 1) > 0.01


class _Louder:
    """The sound of one answer, through the gain."""

    def __init__(self, playback: Playback, volume: Volume) -> None:
        self._playback = playback
        self._volume = volume
        self.pause, self.go_on = playback.pause, playback.go_on
        self.duck, self.stop = playback.duck, playback.stop
        self.finished, self.settled = playback.finished, playback.settled

    def play(self, audio: Audio) -> None:
        """Append sound of any rate, as loud as it is to be now."""
        gain = self._volume.gain
        if gain != 1:
            audio = Audio(amplified(to_float(audio.samples, live=True), gain), audio.rate)
        self._playback.play(audio)

    @property
    def heard(self) -> float:
        """Seconds of the given sound that have left the loudspeaker."""
        return self._playback.heard


def amplified(samples: Samples, gain: float) -> Samples:
    """The same sound so many times as loud, without ever leaving [-1, 1]."""
    louder = samples * np.float32(gain)
    if gain <= 1:
        return louder
    over = np.abs(louder)
    bent = KNEE + (1 - KNEE) * np.tanh((over - KNEE) / (1 - KNEE))
    clipped: Samples = np.where(over > KNEE, np.sign(louder) * bent, louder).astype(np.float32)
    return clipped
