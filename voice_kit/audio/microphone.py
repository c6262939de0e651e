"""Where frames come from: a recording that plays as a live microphone would, or a real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import numpy as np

from voice_kit.audio.card_devices import Device, devices
from voice_kit.audio.card_microphone import Microphone
from voice_kit.audio.convert import convert
from voice_kit.types import FRAME, RATE, Audio, Samples

__all__ = ["Device", "FileMicrophone", "Microphone", "devices", "frames"]


def frames(audio: Audio) -> Iterator[Samples]:
    """The sound cut into frames: shape (512,), 16 kHz, the last one filled up with zeros."""
    samples = convert(audio, RATE).samples
    for start in range(0, len(samples), FRAME):
        frame = samples[start : start + FRAME]
        yield frame if len(frame) == FRAME else np.pad(frame, (0, FRAME - len(frame)))


class FileMicrophone:
    """A recording as a microphone: an async iterable of frames.

    Each frame comes when its last sample would have been spoken, in the event loop's time, or
    at once if it is `fast`. A consumer who is late finds the frames waiting.
    """

    def __init__(self, audio: Audio, *, fast: bool = False) -> None:
        self.fast = fast
        self.opened: float | None = None
        """The event loop's time of the first sample; None until someone listens."""
        self._audio = convert(audio, RATE)

    async def __aiter__(self) -> AsyncIterator[Samples]:
        loop = asyncio.get_running_loop()
        self.opened = loop.time()
        for index, frame in enumerate(frames(self._audio)):
            due = self.opened + (index + 1) * FRAME / RATE
            # Even if it is 0: the loop is not ours alone.
            await asyncio.sleep(0.0 if self.fast else max(0.0, due - loop.time()))
            yield frame

    async def __aenter__(self) -> FileMicrophone:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None
