"""A sound card for tests: what `sounddevice` offers, without PortAudio beneath it."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np


class PortAudioError(Exception):
    """As sounddevice has it: (text, code)."""


class FakeStream:
    """A stream whose blocks come when the test says so."""

    def __init__(self, card, **options) -> None:
        self.options = options
        self.card = card
        self.latency = card.latency
        self.started = self.closed = False

    def start(self) -> None:
        if self.card.refuses:
            raise self.card.refuses
        self.started = True
        self.card.streams.append(self)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.options["finished_callback"]()

    def unplug(self) -> None:
        self.options["finished_callback"]()

    def pull(self, count: int) -> np.ndarray:
        """The next block that would be heard, of all channels alike."""
        block = np.full((count, self.options["channels"]), 9, np.float32)
        time = SimpleNamespace(currentTime=5.0, outputBufferDacTime=5.0 + self.latency)
        self.options["callback"](block, count, time, SimpleNamespace(output_underflow=False))
        assert (block == block[:, :1]).all()
        return block[:, 0]

    def push(self, samples: np.ndarray, at: float = 0.0, overflow: bool = False) -> None:
        """A block that was recorded, the same on every channel."""
        block = np.repeat(samples[:, np.newaxis], self.options["channels"], axis=1)
        time = SimpleNamespace(inputBufferAdcTime=at)
        status = SimpleNamespace(input_overflow=overflow)
        self.options["callback"](block, len(block), time, status)
        block[:] = 9  # PortAudio uses it again


class FakeCard:
    """Stands in for the module `sounddevice`: one device that records and plays."""

    PortAudioError = PortAudioError

    def __init__(self, rate: int = 48_000, inputs: int = 1, outputs: int = 2) -> None:
        self.info = {
            "index": 0,
            "name": "Test card",
            "max_input_channels": inputs,
            "max_output_channels": outputs,
            "default_samplerate": float(rate),
        }
        self.latency = 0.0
        self.works_at = {rate}
        self.mono = True
        self.refuses: Exception | None = None
        self.default = SimpleNamespace(device=[0, 0])
        self.streams: list[FakeStream] = []

    def query_devices(self, device=None, kind=None):
        if kind is None:
            return [self.info]
        if device not in (None, 0) and device not in self.info["name"]:
            raise ValueError(f"No {kind} device matching {device!r}")
        return self.info

    def _check(self, *, device, samplerate, channels, dtype) -> None:
        if samplerate not in self.works_at:
            raise PortAudioError("Invalid sample rate", -9997)
        if channels == 1 and not self.mono:
            raise PortAudioError("Invalid number of channels", -9998)

    check_input_settings = check_output_settings = _check

    def InputStream(self, **options):  # noqa: N802 (sounddevice's name)
        return FakeStream(self, **options)

    OutputStream = InputStream

    def plug_in(self, monkeypatch) -> FakeCard:
        monkeypatch.setitem(sys.modules, "sounddevice", self)
        return self
