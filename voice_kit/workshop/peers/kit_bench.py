"""voice-kit: its own conversation, through what it offers to everyone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentPlayback, SilentSpeaker
from voice_kit.converse.ahead import Ahead
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.line import Engines, Line
from voice_kit.engines import make
from voice_kit.hear.batch import Batch
from voice_kit.hear.judge_silence import Silence
from voice_kit.hear.protocols import TurnJudge, VoiceDetector
from voice_kit.settings import Settings
from voice_kit.types import (
    RATE,
    Abandoned,
    Audio,
    Event,
    FrameHeard,
    Interrupted,
    Message,
    PlaybackPaused,
    PlaybackStarted,
    Speech,
    Stops,
    Transcribed,
    Transcript,
    TurnEnded,
    TurnStarted,
)
from voice_kit.workshop.peers import stage
from voice_kit.workshop.peers.network import Network

OUT = 24_000
"""Samples per second of the answer: the loudspeaker's own, as for the peers."""
SETTINGS = {
    "plain": "hear.eager=0, hear.stop={stop}",
    "early": "hear.eager={eager}, hear.stop={stop}, judge=silence, transcribes ahead",
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
    in_loop_time: bool = True
    heard: float = 0.0
    """When the last frame so far was heard."""
    began: float = 0.0
    """The same, when it last began."""

    async def transcribe(self, audio: Audio) -> Transcript:
        """The words in `audio`, by the clock."""
        self.began = self.heard
        await self.record.work(self.job.stt)
        return Transcript(self.job.said(self.record.now(), audio.seconds + self.job.stt + 0.3))


@dataclass
class Answers:
    """Says the same two sentences to everything."""

    job: stage.Job
    record: stage.Record
    name: str = "stub"
    stops: Stops = "async"
    in_loop_time: bool = True

    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        """The first sentence word by word, and the second a moment later."""
        self.record.add("began")
        await self.record.work(self.job.llm)
        first, second = stage.ANSWER
        for index, word in enumerate(first.split(" ")):
            yield f" {word}" if index else word
        await self.record.work(stage.GAP)
        yield second


@dataclass
class Hum:
    """Hums every sentence."""

    job: stage.Job
    record: stage.Record
    name: str = "stub"
    stops: Stops = "async"
    in_loop_time: bool = True

    async def speak(self, text: str) -> AsyncIterator[Speech]:
        """A hum."""
        await self.record.work(self.job.tts)
        samples = np.full(round(self.job.answer * OUT), 0.1, np.float32)
        yield Speech(text, Audio(samples, OUT))


class Loudspeaker(SilentSpeaker):
    """Keeps nothing of what it played, as a real one."""

    def open(self, on_start: Callable[[float], None]) -> SilentPlayback:
        """A new playback."""
        return SilentPlayback(self, on_start)


def settings_of(job: stage.Job) -> Settings:
    """How a conversation is set for this job."""
    changes: dict[str, Any] = {
        "hear.eager": 0.0 if job.way == "plain" else job.eager,
        "hear.stop": job.stop,
        "hear.finished": job.stop,
        "hear.start_above": stage.ABOVE,
        "hear.stop_below": stage.ABOVE,
        "judge": job.judge.partition(":")[0],
    }
    return Settings().changed(changes)


async def talk(
    job: stage.Job,
    sound: NDArray[np.float32],
    record: stage.Record,
    detector: VoiceDetector,
    judge: TurnJudge | None = None,
) -> None:
    """One conversation, until the sound ends."""
    words = Words(job, record)
    engines = Engines(
        Line("vad", detector),
        Line("stt", words),
        Line("llm", Answers(job, record)),
        Line("tts", Hum(job, record)),
        Line("judge", judge or Silence()),
    )
    handled = ended = 0.0
    due: dict[int, float] = {}  # when an answer could be heard at the soonest, by turn
    eager: set[int] = set()

    def watch(event: Event) -> None:
        nonlocal handled, ended
        match event:
            case FrameHeard():
                words.heard, handled = event.at, record.now()
            case TurnStarted():
                due[event.turn] = words.heard
                eager.update([event.turn] if event.eager else ())
            case Transcribed():
                sooner = max(0.0, due[event.turn] - words.began)  # it was transcribed ahead
                due[event.turn] += max(0.0, job.stt - sooner) + job.llm + job.tts
            case TurnEnded():
                ended = words.heard
                record.add("decided", handled)
            case PlaybackStarted():
                at = record.now() - (conversation.now() - event.at)
                record.add("sounded", at, due=max(ended, due[event.turn]))
            case PlaybackPaused():
                record.add("interrupted", handled)
                record.add("silent")
            case Interrupted():
                record.add("interrupted for good", handled)
                record.add("stopped")
            case Abandoned() if event.turn in eager:
                record.add("abandoned")

    speaker, microphone = Loudspeaker(), FileMicrophone(Audio(sound, RATE))
    conversation = Conversation(engines, speaker, settings_of(job), observers=[watch])
    async with conversation:
        if job.way != "plain":
            Ahead.of(conversation)
        record.opened = asyncio.get_running_loop().time()
        await conversation.listen(microphone)
        conversation.hush()


def prepare(job: stage.Job) -> stage.Conversation:
    """A conversation with the peers' network, or with our own detector where the load counts."""
    own = job.measure == "load"
    detector = Batch(make("vad", "silero", Settings())) if own else Network(job.network)
    judge = make("judge", job.judge, settings_of(job))

    def converse(
        job: stage.Job, sound: NDArray[np.float32], record: stage.Record
    ) -> Awaitable[None]:
        return talk(job, sound, record, detector, judge)

    return converse


if __name__ == "__main__":
    stage.main("voice-kit", ("voice-kit", "numpy", "onnxruntime"), SETTINGS, prepare)
