"""Sound from the plain samples that a server streams."""

from __future__ import annotations

import numpy as np

from voice_kit.types import Audio, Samples

_FILES = (b"RIFF", b"ID3", b"OggS", b"fLaC", b'{"', b"<!", b"<html")
"""How an answer begins that is a file, an error or a page instead of plain samples."""


class Pcm:
    """Sound from 16-bit samples that come in pieces of any length, even half a sample.

    The last hundredth of a second is kept back, so that there is always some to end with.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._bytes = b""
        self._beginning = b""

    def add(self, data: bytes, at_least: float = 0.04) -> Audio | None:
        """The sound so far and not given yet, or none while it is shorter than `at_least`."""
        self._bytes += data
        self._beginning += data[: max(0, 8 - len(self._beginning))]
        kept = self._rate // 100
        ready = len(self._bytes) // 2 - kept
        if ready < max(1, at_least * self._rate):
            return None
        sound, self._bytes = self._bytes[: 2 * ready], self._bytes[2 * ready :]
        return Audio(_samples(sound), self._rate)

    @property
    def begun(self) -> bool:
        """Whether there was any sound."""
        return bool(self._beginning)

    @property
    def is_a_file(self) -> bool:
        """Whether it is a file, a page or an error where plain samples were asked for."""
        return self._beginning.startswith(_FILES)

    def rest(self) -> Audio:
        """The sound that is left. Half a sample at the end is dropped."""
        sound, self._bytes = self._bytes, b""
        return Audio(_samples(sound[: len(sound) // 2 * 2]), self._rate)


def _samples(sound: bytes) -> Samples:
    return np.frombuffer(sound, "<i2").astype(np.float32) / np.float32(32768)
