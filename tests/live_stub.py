"""The live panel on engines that cost no time, and a diary of what happens: run in a kernel."""

import gc
import json
import math
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from voice_kit.converse.line import Engines, Line
from voice_kit.hear.vad_silero import Silero
from voice_kit.settings import Settings
from voice_kit.show import Panel
from voice_kit.types import RATE, Audio, FrameHeard, Speech, Transcript, Word

RARELY = 31
"""Of the frames, one in so many is written down."""


@dataclass
class Counting:
    """Hears numbers: the first sound is “question 1”."""

    name: str = "counting"
    stops: str = "async"
    count: int = 0

    async def transcribe(self, audio):
        self.count += 1
        return Transcript(f"question {self.count}")


@dataclass
class Chatter:
    """Answers in more words than anybody has patience for."""

    name: str = "chatter"
    stops: str = "async"

    async def reply(self, messages):
        for number in range(20):
            yield f"Word number {number}. "


@dataclass
class Tone:
    """A tone for each word: a second long."""

    name: str = "tone"
    stops: str = "async"
    made: dict = field(default_factory=dict)

    async def speak(self, text):
        wave = 0.2 * np.sin(2 * math.pi * 440 * np.arange(RATE) / RATE)
        yield Speech(text, Audio(wave.astype(np.float32), RATE), (Word(text, 0.0, 1.0),))


class Diary:
    """Writes every event into a file as a line, with the time of day in seconds since 1970."""

    def __init__(self, path):
        self.file = Path(path).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115
        self.frames = 0

    def __call__(self, event):
        if isinstance(event, FrameHeard):
            self.frames += 1
            if self.frames % RARELY:
                return
        plain = {
            name: value
            for name in ("turn", "at", "ended", "started", "reason", "message", "heard", "text")
            if isinstance(value := getattr(event, name, None), str | int | float)
        }
        line = {"wall": time.time(), "event": type(event).__name__, "frames": self.frames} | plain
        self.file.write(json.dumps(line) + "\n")


def memory():
    """Bytes that this process wrote and has for itself.

    On Linux without what it only reads, such as libraries: that is counted for the last process
    that has it open, and so grows when another one ends.
    """
    gc.collect()
    told = Path("/proc/self/smaps_rollup")
    if not told.exists():
        return psutil.Process(os.getpid()).memory_full_info().uss
    lines = [line.split() for line in told.read_text(encoding="ascii").splitlines()]
    return next(1024 * int(line[1]) for line in lines if line[0] == "Private_Dirty:")


def panel(diary):
    """A panel whose engines answer at once."""
    engines = Engines(
        Line("vad", Silero()), Line("stt", Counting()), Line("llm", Chatter()), Line("tts", Tone())
    )
    return Panel(Settings(), engines=engines, observers=[Diary(diary)])
