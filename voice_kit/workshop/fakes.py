"""Real engines with no model inside, for tests and the bench: what they hear and say is scripted.

A line is spoken as a hum whose loudness is its number in the `Script`, so that sound can be cut,
joined and transcribed again, and a transcript is right only if the sound was.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from voice_kit.converse.line import Engines, Line
from voice_kit.hear.judge_silence import Silence
from voice_kit.types import RATE, Audio, Message, Samples, Speech, Stops, Transcript, Word

STEP = 1 / 128
"""Loudness between one line and the next; quiet is 0."""


@dataclass
class Script:
    """The lines that may be spoken to the assistant, and how each of them sounds."""

    lines: list[str] = field(default_factory=list)

    def say(self, line: str, seconds: float) -> Audio:
        """A line as sound: 16 kHz."""
        if line not in self.lines:
            self.lines.append(line)
        level = (1 + self.lines.index(line)) * STEP
        return Audio(np.full(round(seconds * RATE), level, np.float32), RATE)

    def sound(self, *parts: float | tuple[str, float]) -> Audio:
        """A scene: numbers are seconds of quiet, pairs are a line and its seconds."""
        pieces = [
            self.say(*part) if isinstance(part, tuple) else Audio.silence(part) for part in parts
        ]
        return Audio(np.concatenate([piece.samples for piece in pieces]), RATE)

    def heard_in(self, samples: Samples) -> str:
        """The lines in a sound, in order."""
        numbers = np.rint(samples / STEP).astype(int)
        changes = np.flatnonzero(np.diff(numbers, prepend=0))
        spoken = [self.lines[numbers[at] - 1] for at in changes if numbers[at] > 0]
        return " ".join(line for line in spoken if line)


class LoudnessDetector:
    """Calls every sound speech."""

    name = "loudness"
    direct = True

    def start(self) -> None:
        """It has no state."""

    def detect(
        self, frames: NDArray[np.float32], states: Sequence[None]
    ) -> tuple[NDArray[np.float32], list[None]]:
        """1 for a frame that is mostly sound, else 0."""
        loud = np.mean(np.abs(frames) > STEP / 2, axis=1) > 0.5
        return loud.astype(np.float32), list(states)


@dataclass
class ScriptedTranscriber:
    """Reads the script's lines from the sound, after `delay` seconds."""

    script: Script
    delay: float = 0.1
    confident: bool = True
    name: str = "scripted"
    stops: Stops = "async"
    in_loop_time: bool = True
    seconds: list[float] = field(default_factory=list)
    """How long each sound was that it was given."""

    async def transcribe(self, audio: Audio) -> Transcript:
        """The lines in `audio`."""
        self.seconds.append(audio.seconds)
        await asyncio.sleep(self.delay)
        return Transcript(self.script.heard_in(audio.samples), confident=self.confident)


@dataclass
class ScriptedModel:
    """Answers by the book, word by word: `first` seconds to the first token, then `token` each."""

    answers: Mapping[str, str]
    first: float = 0.1
    token: float = 0.0
    name: str = "scripted"
    stops: Stops = "async"
    in_loop_time: bool = True
    prompts: list[list[Message]] = field(default_factory=list)
    stopped: int = 0
    """How many answers were closed before their end."""

    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        """The answer to the last message; the message itself when there is none."""
        self.prompts.append(list(messages))
        asked = messages[-1].content
        words = self.answers.get(asked, f"You said {asked}.").split(" ")
        try:
            await asyncio.sleep(self.first)
            for index, word in enumerate(words):
                if index and self.token:
                    await asyncio.sleep(self.token)
                yield word if index == 0 else f" {word}"
        except (GeneratorExit, asyncio.CancelledError):
            self.stopped += 1
            raise


@dataclass
class HummingVoice:
    """Hums `word` seconds for each word, after `delay` seconds."""

    delay: float = 0.05
    word: float = 0.25
    name: str = "humming"
    stops: Stops = "async"
    in_loop_time: bool = True
    spoken: list[str] = field(default_factory=list)

    async def speak(self, text: str) -> AsyncIterator[Speech]:
        """A hum with the time of each word."""
        await asyncio.sleep(self.delay)
        self.spoken.append(text)
        words = tuple(
            Word(word, index * self.word, (index + 1) * self.word)
            for index, word in enumerate(text.split())
        )
        hum = np.full(round(len(words) * self.word * RATE), 0.1, np.float32)
        yield Speech(text, Audio(hum, RATE), words)


@dataclass
class ScriptedJudge:
    """Finds a turn as finished as the book says, after `delay` seconds."""

    chances: Mapping[str, float]
    delay: float = 0.0
    script: Script | None = None
    """Where it reads the words by itself, from the sound."""
    otherwise: float = 0.5
    name: str = "scripted"
    stops: Stops = "async"
    in_loop_time: bool = True
    asked: list[str] = field(default_factory=list)

    @property
    def needs_words(self) -> bool:
        """Whether it reads the transcript."""
        return self.script is None

    async def finished(self, audio: Audio, transcript: Transcript) -> float:
        """The chance for these words."""
        self.asked.append(transcript.text)
        await asyncio.sleep(self.delay)
        said = self.script.heard_in(audio.samples) if self.script else transcript.text
        return self.chances.get(said, self.otherwise)


def scripted(
    script: Script,
    answers: Mapping[str, str] | None = None,
    *,
    stt: object | None = None,
    llm: object | None = None,
    tts: object | None = None,
    judge: object | None = None,
    then: Mapping[str, Sequence[Callable[[], object]]] | None = None,
) -> Engines:
    """Engines by this script; `then` names those that take over, by stage."""
    after = then or {}
    return Engines(
        Line("vad", LoudnessDetector(), after.get("vad", ())),  # type: ignore[arg-type]
        Line("stt", stt or ScriptedTranscriber(script), after.get("stt", ())),  # type: ignore[arg-type]
        Line("llm", llm or ScriptedModel(answers or {}), after.get("llm", ())),  # type: ignore[arg-type]
        Line("tts", tts or HummingVoice(), after.get("tts", ())),  # type: ignore[arg-type]
        Line("judge", judge or Silence(), after.get("judge", ())),  # type: ignore[arg-type]
    )
