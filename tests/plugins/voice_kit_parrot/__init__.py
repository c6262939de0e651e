"""A small package that brings four engines, and one that cannot be loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from voice_kit.types import Audio, Message, Speech, Transcript


class Tone:
    """Says every word as the same tone."""

    stops = "steps"
    languages = frozenset({"en", "de"})

    def __init__(self, *, model: str = "sine", language: str = "en", pitch: float = 440.0) -> None:
        self.name = f"tone:{model}"
        self.language, self.pitch = language, pitch

    def speak(self, text: str) -> Iterator[Speech]:
        time = np.arange(1600 * len(text.split())) / 16_000
        wave = 0.1 * np.sin(2 * np.pi * self.pitch * time)
        yield Speech(text, Audio(wave.astype(np.float32), 16_000))


class Length:
    """Hears how long it was."""

    name, stops = "length", "steps"

    def transcribe(self, audio: Audio) -> Transcript:
        return Transcript(f"{audio.seconds:g} seconds" if np.any(audio.samples) else "")


class Echo:
    """Says what was said."""

    name, stops = "echo", "steps"

    def reply(self, messages: Sequence[Message]) -> Iterator[str]:
        yield from messages[-1].content.split(" ")


class Loud:
    """Anything is speech."""

    name = "loud"

    def start(self) -> None:
        return None

    def detect(self, frames: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        return (np.abs(frames).max(axis=1) > 0.01).astype(np.float32), list(states)
