"""What the pictures and sounds of the slides are made with."""

from __future__ import annotations

import ctypes
import json
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import waves

from voice_kit import engines
from voice_kit.audio.convert import convert
from voice_kit.audio.files import read, to_wav
from voice_kit.converse.tape import event_of
from voice_kit.settings import Settings
from voice_kit.types import RATE, Audio, Event

HERE = Path(__file__).parent
ROOT = HERE.parent
RECORDED = HERE / "recorded"
PITCH, SWING = 3, 4
"""How espeak-ng numbers its voice's pitch, and how far that moves."""
MAKERS: dict[str, Callable[..., str]] = {}
"""What makes the HTML for a line `@name words`, by its name."""


class SlideError(Exception):
    """A slide asks for what is not there. The message says where."""


def on_slides(maker: Callable[..., str]) -> Callable[..., str]:
    """Let slides ask for it as `@name`."""
    MAKERS[maker.__name__] = maker
    return maker


class Desk:
    """Where sounds are made and put down."""

    def __init__(self, folder: Path, repository: str) -> None:
        """`folder` is that of the built slides; `repository` is where people find the course."""
        self.folder = folder
        self.repository = repository
        (folder / "sounds").mkdir(parents=True, exist_ok=True)

    def playing(self, drawn: str, name: str, audio: Audio, words: str, **more: Any) -> str:
        """The frame around a sound, which is written down."""
        (self.folder / "sounds" / f"{name}.wav").write_bytes(to_wav(convert(audio, RATE)))
        more = {"end": audio.seconds} | more
        return waves.clip(drawn, f"sounds/{name}.wav", words, **more)

    @cached_property
    def detector(self) -> Any:
        """Silero, as the notebooks use it."""
        return engines.make("vad", "silero", Settings())

    @cached_property
    def voice(self) -> Any:
        """The embedded voice."""
        return engines.make("tts", "espeak", Settings())

    def spoken(self, text: str, pitch: int = 50, swing: int = 50, pace: float = 1.0) -> Audio:
        """The text in the embedded voice, 16 kHz."""
        import espeakng_loader

        self.voice.speed = pace
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        for parameter, value in ((PITCH, pitch), (SWING, swing)):
            library.espeak_SetParameter(parameter, value, 0)
        parts = [speech.audio for speech in self.voice.speak(text)]
        for parameter in (PITCH, SWING):
            library.espeak_SetParameter(parameter, 50, 0)
        self.voice.speed = 1.0
        return convert(Audio(np.concatenate([part.samples for part in parts]), parts[0].rate), RATE)

    @cached_property
    def events(self) -> list[Event]:
        """What happened in the recorded conversation."""
        lines = (RECORDED / "events.jsonl").read_text(encoding="utf-8").splitlines()
        return [event for line in lines if (event := event_of(json.loads(line))) is not None]

    @cached_property
    def conversation(self) -> Audio:
        """How it sounded."""
        return convert(read(RECORDED / "conversation.ogg"), RATE)

    def stretch(self, start: float, end: float) -> Audio:
        """A part of it."""
        first = max(0, round(start * RATE))
        return Audio(self.conversation.samples[first : round(end * RATE)], RATE)


def table_with(path: Path, start: str, *, whole: bool = False) -> list[list[str]]:
    """The rows of the table in which one begins so; with its head if the `whole` is asked for."""
    text = path.read_text(encoding="utf-8")
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()
        ]
        if any(row[0].startswith(start) for row in rows):
            return [rows[0], *rows[2:]] if whole else rows[2:]
    raise SlideError(
        f"{path.name} has no longer a table with a row “{start} …”: look into slides/."
    )
