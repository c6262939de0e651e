"""voice-kit: its own conversation, through what it offers to everyone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.line import Engines, Line
from voice_kit.engines import make
from voice_kit.settings import Settings
from voice_kit.types import (
    RATE,
    Audio,
    Event,
    FrameHeard,
    Interrupted,
    Message,
    PlaybackPaused,
    PlaybackStarted,
    Speech,
    Stops,
    Transcript,
    TurnEnded,
)
from voice_kit.workshop.peers import stage
from voice_kit.workshop.peers.network import Network

OUT = 24_000
"""Samples per second of the answer: the loudspeaker's own, as for the peers."""
SETTINGS = {
    "plain": "hear.eager=0, hear.stop={stop}",
    "early": "hear.eager={eager}, hear.stop={stop}, judge=silence",
    "text judge": "hear.eager={eager}, hear.finished={stop}, judge=text",
    "smart turn": "hear.eager={eager}, hear.finished={stop}, judge=smart-turn",
}


@dataclass
class Words:
    """Writes down what was said by now."""

    job: stage.Job
    record: stage.Record
    name: str = "stub"
    stops: Stops = "async"

    async def transcribe(self, audio: Audio) -> Transcript:
        """The words in `audio`, by the clock."""
        await asyncio.sleep(self.job.stt)
        return Transcript(self.job.said(self.record.now(), audio.seconds + self.job.stt + 0.3))


@dataclass
class Answers:
    """Says the same two sentences to everything."""

    job: stage.Job
    record: stage.Record
    name: str = "stub"
    stops: Stops = "async"

    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        """The first sentence word by word, and the second a moment later."""
        self.record.add("began")
        await asyncio.sleep(self.job.llm)
        first, second = stage.ANSWER
        for index, word in enumerate(first.split(" ")):
            yield f" {word}" if index else word
        await asyncio.sleep(stage.GAP)
        yield second


@dataclass
class Hum:
    """Hums every sentence."""

    job: stage.Job
    name: str = "stub"
    stops: Stops = "async"

    async def speak(self, text: str) -> AsyncIterator[Speech]:
        """A hum."""
        await asyncio.sleep(self.job.tts)
        samples = np.full(round(self.job.answer * OUT), 0.1, np.float32)
        yield Speech(text, Audio(samples, OUT))


def prepare(job: stage.Job) -> stage.Conversation:
    """A conversation with the peers' network, or with our own detector where the load counts."""
    changes: dict[str, Any] = {
        "hear.eager": 0.0 if job.way == "plain" else job.eager,
        "hear.stop": job.stop,
        "hear.finished": job.stop,
        "hear.start_above": stage.ABOVE,
        "hear.stop_below": stage.ABOVE,
        "judge": job.judge.partition(":")[0],
    }
    settings = Settings().changed(changes)
    own = job.measure == "load"
    detector = make("vad", "silero", settings) if own else Network(job.network)
    judge = make("judge", job.judge, settings)

    def converse(
        job: stage.Job, sound: NDArray[np.float32], record: stage.Record
    ) -> Awaitable[None]:
        engines = Engines(
            Line("vad", detector),
            Line("stt", Words(job, record)),
            Line("llm", Answers(job, record)),
            Line("tts", Hum(job)),
            Line("judge", judge),
        )
        return _talk(engines, settings, sound, record)

    return converse


async def _talk(
    engines: Engines, settings: Settings, sound: NDArray[np.float32], record: stage.Record
) -> None:
    heard = 0.0

    def watch(event: Event) -> None:
        nonlocal heard
        if isinstance(event, FrameHeard):
            heard = record.now()
        elif isinstance(event, TurnEnded):
            record.add("decided", heard)
        elif isinstance(event, PlaybackStarted):
            record.add("sounded")
        elif isinstance(event, PlaybackPaused):
            record.add("interrupted", heard)
            record.add("silent")
        elif isinstance(event, Interrupted):
            record.add("stopped")

    microphone = FileMicrophone(Audio(sound, RATE))
    async with Conversation(engines, SilentSpeaker(), settings, observers=[watch]) as talk:
        record.opened = asyncio.get_running_loop().time()
        await talk.listen(microphone)
        talk.hush()


if __name__ == "__main__":
    stage.main("voice-kit", ("voice-kit", "numpy", "onnxruntime"), SETTINGS, prepare)
