"""livekit-agents: its own session, between a microphone and a loudspeaker that only pretend."""

# mypy: ignore-errors
# livekit-agents lives in an environment of its own, where no checker sees it.

from __future__ import annotations

import asyncio
import logging
import time

from livekit import rtc
from livekit.agents import (
    Agent,
    AgentSession,
    stt,
    tokenize,
    tts,
    vad,
)
from livekit.agents.voice import io
from livekit.plugins import silero

from voice_kit.workshop.peers import livekit_engines as engines
from voice_kit.workshop.peers import stage

OUT = engines.OUT
SENT = stage.RATE // 50
"""Samples of a frame: 20 ms."""
SETTINGS = {
    "plain": "VAD {stop}, min_delay 0, preemptive generation off, recognize() after the VAD",
    "early": "VAD {eager}, min_delay {stop}, preemptive generation with preemptive_tts",
}


class Microphone(io.AudioInput):
    """The sound in frames of 20 ms, then nothing."""

    def __init__(self, sound, record):
        super().__init__(label="file")
        self._frames = stage.frames(sound, record, SENT)
        self.ended = asyncio.Event()

    async def __anext__(self):
        try:
            samples = await anext(self._frames)
        except StopAsyncIteration:
            self.ended.set()
            await asyncio.Event().wait()
        return rtc.AudioFrame(stage.pcm(samples), stage.RATE, 1, len(samples))


class Loudspeaker(io.AudioOutput):
    """Plays in real time, and can pause."""

    def __init__(self, record):
        super().__init__(
            label="none",
            capabilities=io.AudioOutputCapabilities(pause=True),
            sample_rate=OUT,
        )
        self._record = record
        self._given = self._heard = 0.0
        self._since = self._end = None
        self._flushed = False

    async def capture_frame(self, frame):
        await super().capture_frame(frame)
        if self._given == 0.0:
            self._record.add("sounded")
            self._since = time.monotonic()
            self.on_playback_started(created_at=time.time())
        self._given += frame.duration

    def flush(self):
        super().flush()
        if self._given:
            self._flushed = True
            self._arm()

    def clear_buffer(self):
        if self._given:
            self._hold()
            self._record.add("silent")
            self._over(interrupted=True)

    def pause(self):
        super().pause()
        if self._given and self._since is not None:
            self._record.add("silent")
        self._hold()

    def resume(self):
        super().resume()
        if self._given and self._since is None:
            self._since = time.monotonic()
            self._arm()

    def _hold(self):
        if self._end is not None:
            self._end.cancel()
            self._end = None
        if self._since is not None:
            self._heard = min(self._given, self._heard + time.monotonic() - self._since)
            self._since = None

    def _arm(self):
        if self._flushed and self._since is not None:
            left = self._given - self._heard - (time.monotonic() - self._since)
            loop = asyncio.get_running_loop()
            self._end = loop.call_later(max(0.0, left), self._over)

    def _over(self, interrupted=False):
        position = self._heard if interrupted else self._given
        self._given = self._heard = 0.0
        self._since = self._end = None
        self._flushed = False
        self.on_playback_finished(playback_position=position, interrupted=interrupted)


class Watched(vad.VAD):
    """Silero as it comes; its streams note when they change their mind."""

    def __init__(self, inner, record, decides):
        super().__init__(capabilities=inner.capabilities)
        self._inner, self._record = inner, record
        self._decides = decides  # or else a timer after it does

    @property
    def model(self):
        return self._inner.model

    @property
    def provider(self):
        return self._inner.provider

    @property
    def min_silence_duration(self):
        return self._inner.min_silence_duration

    def stream(self):
        inner, record = self._inner.stream(), self._record
        send = inner._event_ch.send_nowait

        def noted(event):
            if event.type == vad.VADEventType.START_OF_SPEECH:
                record.add("interrupted")
            elif event.type == vad.VADEventType.END_OF_SPEECH and self._decides:
                record.add("decided")
            send(event)

        inner._event_ch.send_nowait = noted
        return inner


def prepare(job):
    """One network, which all conversations share as livekit-agents does."""
    logging.disable(logging.CRITICAL)
    detector = silero.VAD.load(
        min_speech_duration=0.03,
        min_silence_duration=(job.eager if job.way == "early" else job.stop) - 0.002,
        activation_threshold=stage.ABOVE,
        deactivation_threshold=stage.ABOVE,
    )

    def converse(job, sound, record):
        return talk(job, sound, record, detector)

    return converse


async def talk(job, sound, record, detector):
    """One session, until the sound ends."""
    early = job.way == "early"
    heard = Watched(detector, record, not early)
    hum = tts.StreamAdapter(
        tts=engines.Hum(job, record),
        sentence_tokenizer=tokenize.blingfire.SentenceTokenizer(
            min_sentence_len=1, stream_context_len=1, retain_format=True
        ),
    )
    session = AgentSession(
        vad=heard,
        stt=stt.StreamAdapter(stt=engines.Words(job, record), vad=detector),
        llm=engines.Answers(job, record),
        tts=hum,
        turn_handling={
            "turn_detection": "vad",
            "endpointing": {"min_delay": job.stop if early else 0.0, "max_delay": 3.0},
            "interruption": {"mode": "vad", "min_duration": 0.03, "min_words": 0},
            "preemptive_generation": {"enabled": early, "preemptive_tts": early},
        },
        aec_warmup_duration=None,
        user_away_timeout=None,
    )
    session.input.audio = microphone = Microphone(sound, record)
    session.output.audio = Loudspeaker(record)
    await session.start(Agent(instructions="Answer."), record=False)
    await microphone.ended.wait()


if __name__ == "__main__":
    stage.main(
        "livekit",
        ("livekit-agents", "livekit-plugins-silero", "numpy", "onnxruntime"),
        SETTINGS,
        prepare,
    )
