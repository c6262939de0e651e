"""Rooms in which what a loudspeaker plays comes back into the microphone, and who speaks there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from voice_kit.audio.files import read
from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.hear.detection import at_16k
from voice_kit.types import FRAME, RATE, Audio, Samples
from voice_kit.workshop.lab_sounds import Recording

SPOKEN = (1.0, 4.0)
"""Seconds of speech of those who interrupt, at least and at most."""
NOISE = 3e-4
"""Root mean square of the noise of the microphone and the room, −70 dBFS."""
REVERBERATION = 0.4
"""Seconds in which the sound of the room without a recording decays by 60 dB: a living room."""
CLICK: Samples = np.ones(1, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """How what is played comes back into the microphone."""

    level: float
    """Decibels against what is played; −inf with headphones."""
    delay: float = 0.0
    """Seconds."""
    name: str = "no room"
    response: Samples = field(default_factory=lambda: CLICK, repr=False)
    """What comes of a click, from its first sound on. 16 kHz."""

    def path(self, voice: Samples) -> Samples:
        """What comes back of a click, when this voice is to come back at the level."""
        gain = 10 ** (self.level / 20) * loudness(voice)
        gain /= loudness(convolved(voice, self.response)[: len(voice)])
        late = np.zeros(round(self.delay * RATE), np.float32)
        return np.concatenate([late, gain * self.response]).astype(np.float32)


def responses(folder: Path | None) -> dict[str, Samples]:
    """What comes of a click: without a room, in one made of noise, and in those of the folder."""
    times = np.arange(round(REVERBERATION * RATE)) / RATE
    tail = np.random.default_rng(1).standard_normal(len(times))
    tail *= 10 ** (-3 * times / REVERBERATION) * 0.05
    tail[0] = 1.0
    found = {"no room": CLICK, "a room": tail.astype(np.float32)}
    for path in sorted((folder or Path()).glob("noise/rir*.wav")) if folder else []:
        samples = at_16k(read(path))
        first = int(np.argmax(np.abs(samples) > 0.1 * np.abs(samples).max()))
        found[path.stem] = samples[first : first + RATE // 2]
    return found


class OpenMicrophone:
    """A microphone that also hears what this loudspeaker plays, and a little noise."""

    open_air = True

    def __init__(
        self,
        frames: FileMicrophone,
        speaker: SilentSpeaker,
        paths: Sequence[Samples],
        lasts: float = 0.0,
    ) -> None:
        """Each of the `paths` holds for so many seconds, the last one for ever."""
        self._frames = frames
        self._speaker = speaker
        self._paths = paths
        self._lasts = lasts

    async def __aiter__(self) -> AsyncIterator[Samples]:
        coming = np.zeros(max(map(len, self._paths)) + FRAME - 1, np.float32)
        noise, index = np.random.default_rng(1), 0
        async for frame in self._frames:
            since = (self._frames.opened or 0.0) + index * FRAME / RATE
            number = int(index * FRAME / RATE / self._lasts) if self._lasts else 0
            path = self._paths[min(number, len(self._paths) - 1)]
            echo = convolved(self._speaker.rendered(since, FRAME / RATE).samples, path)
            coming[: len(echo)] += echo
            heard = frame + coming[:FRAME] + NOISE * noise.standard_normal(FRAME)
            coming, index = np.pad(coming[FRAME:], (0, FRAME)), index + 1
            yield heard.clip(-1, 1).astype(np.float32)


def people(recordings: Iterable[Recording]) -> Iterator[Recording]:
    """Those who say something that is long enough to be an interruption, cut to its beginning."""
    for recording in recordings:
        samples = recording.audio.samples
        loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
        said = samples[loud[0] : loud[-1] + 1][: round(SPOKEN[1] * RATE)]
        if recording.text and len(said) >= SPOKEN[0] * RATE:
            yield Recording(recording.name, recording.text, Audio(said, RATE), recording.kind)


def loudness(samples: Samples) -> float:
    """Root mean square of the speech in it: of frames at most 30 dB below the loudest."""
    frames = np.pad(samples, (0, -len(samples) % FRAME)).reshape(-1, FRAME)
    powers = np.square(frames).mean(axis=1)
    return float(np.sqrt(powers[powers > powers.max() / 1000].mean()))


def convolved(sound: Samples, response: Samples) -> Samples:
    """The whole of it: as long as both together, less one sample."""
    length = len(sound) + len(response) - 1
    size = 1 << (length - 1).bit_length()
    product = np.fft.rfft(sound, size) * np.fft.rfft(response, size)
    whole: Samples = np.fft.irfft(product, size)[:length].astype(np.float32)
    return whole
