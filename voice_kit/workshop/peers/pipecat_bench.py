"""pipecat: its own pipeline, between a microphone and a loudspeaker that only pretend."""

# mypy: ignore-errors
# pipecat lives in an environment of its own, where no checker sees it.

from __future__ import annotations

import asyncio
import time

from loguru import logger
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams, VADState
from pipecat.frames.frames import (
    EndFrame,
    InputAudioRawFrame,
    InterruptionFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import (
    SpeechTimeoutUserTurnStopStrategy,
    TurnAnalyzerUserTurnStopStrategy,
)
from pipecat.turns.user_turn_strategies import EagerUserTurnStrategies, UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from voice_kit.workshop.peers import pipecat_engines as engines
from voice_kit.workshop.peers import stage

OUT = engines.OUT
SENT = stage.RATE // 50
"""Samples of a frame: 20 ms."""
ONE_FRAME = 0.032
SETTINGS = {
    "plain": "VAD stop_secs={stop}, SpeechTimeout 0, segmented STT, sentences",
    "early": "VAD stop_secs={eager}, SpeechTimeout {rest}, segmented STT, sentences",
    "eager": "EagerUserTurnStrategies: STT predicts the end after {eager}, commits after {stop}",
    "smart turn": "VAD stop_secs={stop}, its Smart Turn v3.2, segmented STT, sentences",
}


class Vad(SileroVADAnalyzer):
    """Silero as it comes, which notes when it changes its mind."""

    def __init__(self, record, params, decides):
        super().__init__(sample_rate=stage.RATE, params=params)
        self._record, self._speaking = record, False
        self._decides = decides  # or else a timer after it does

    async def analyze_audio(self, buffer):
        state = await super().analyze_audio(buffer)
        if state == VADState.SPEAKING and not self._speaking:
            self._record.add("interrupted")
            self._speaking = True
        elif state == VADState.QUIET and self._speaking:
            if self._decides:
                self._record.add("decided")
            self._speaking = False
        return state


class Microphone(BaseInputTransport):
    """The sound in frames of 20 ms."""

    def __init__(self, sound, record):
        super().__init__(TransportParams(audio_in_enabled=True, audio_in_sample_rate=stage.RATE))
        self._sound, self._record = sound, record
        self.ended = asyncio.Event()

    async def start(self, frame):
        await super().start(frame)
        await self.set_transport_ready(frame)
        self._playing = self.create_task(self._play())

    async def _play(self):
        await stage.ready()
        async for samples in stage.frames(self._sound, self._record, SENT):
            await self.push_audio_frame(InputAudioRawFrame(stage.pcm(samples), stage.RATE, 1))
        self.ended.set()


class Loudspeaker(BaseOutputTransport):
    """Takes sound as fast as it would be heard."""

    def __init__(self, record):
        super().__init__(TransportParams(audio_out_enabled=True, audio_out_sample_rate=OUT))
        self._record, self._until = record, 0.0

    async def start(self, frame):
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame):
        now = time.monotonic()
        if now - self._until > 0.12 and any(frame.audio):
            self._record.add("sounded")
        self._until = max(self._until, now) + len(frame.audio) / 2 / OUT
        await asyncio.sleep(max(0.0, self._until - now))
        return True

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._record.add("silent")
            self._until = 0.0


def prepare(job):
    """Nothing is shared: every pipeline loads its own network."""
    logger.remove()
    return talk


async def talk(job, sound, record):
    """One pipeline, until the sound ends."""
    stop_secs = job.eager if job.way == "early" else job.stop
    vad = None
    if job.way == "eager":
        stt, strategies = engines.Predicting(job, record), EagerUserTurnStrategies()
    else:
        params = VADParams(
            confidence=stage.ABOVE, start_secs=ONE_FRAME, stop_secs=stop_secs, min_volume=0
        )
        vad, stt = Vad(record, params, job.way != "early"), engines.Segments(job, record)
        if job.way == "smart turn":
            stop = TurnAnalyzerUserTurnStopStrategy(turn_analyzer=LocalSmartTurnAnalyzerV3())
        else:
            timeout = job.stop - stop_secs
            stop = SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=timeout)
        strategies = UserTurnStrategies(start=[VADUserTurnStartStrategy()], stop=[stop])
    pair = LLMContextAggregatorPair(
        LLMContext(),
        user_params=LLMUserAggregatorParams(user_turn_strategies=strategies, vad_analyzer=vad),
    )
    microphone = Microphone(sound, record)
    pipeline = Pipeline(
        [
            microphone,
            stt,
            pair.user(),
            engines.Answers(job, record),
            engines.Hum(job, record),
            Loudspeaker(record),
            pair.assistant(),
        ]
    )
    worker = PipelineWorker(
        pipeline,
        params=PipelineParams(audio_in_sample_rate=stage.RATE, audio_out_sample_rate=OUT),
        idle_timeout_secs=None,
        enable_rtvi=False,
        enable_turn_tracking=False,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.ensure_future(runner.run())
    await microphone.ended.wait()
    await worker.queue_frame(EndFrame())
    await asyncio.wait([running], timeout=5)


if __name__ == "__main__":
    stage.main("pipecat", ("pipecat-ai", "numpy", "onnxruntime"), SETTINGS, prepare)
