"""The stub engines as pipecat's services."""

# mypy: ignore-errors
# pipecat lives in an environment of its own, where no checker sees it.

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import fields

import numpy as np
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import SegmentedSTTService, STTService
from pipecat.services.tts_service import TTSService
from pipecat.turns.eager_end_of_turn_mixin import EagerEndOfTurnSTTServiceMixin
from pipecat.utils.time import time_now_iso8601

from voice_kit.workshop.peers import stage

OUT = 24_000


class Segments(SegmentedSTTService):
    """Writes down what was said by now, a segment at a time."""

    def __init__(self, job, record):
        super().__init__(
            settings=STTSettings(model=None, language=None),
            ttfs_p99_latency=job.stt,
            trailing_silence_secs=0,
        )
        self._job, self._record = job, record

    @property
    def wants_wav_segments(self):
        return False

    async def run_stt(self, audio) -> AsyncGenerator:
        await self._record.work(self._job.stt)
        seconds = len(audio) / 2 / stage.RATE + self._job.stt
        text = self._job.said(self._record.now(), seconds)
        if text:
            yield TranscriptionFrame(text, "", time_now_iso8601())


class Predicting(EagerEndOfTurnSTTServiceMixin, STTService):
    """Writes down what was said, and says when the turn has probably, and surely, ended."""

    def __init__(self, job, record):
        super().__init__(
            settings=STTSettings(model=None, language=None), enable_eager_end_of_turn=True
        )
        self._job, self._record = job, record
        self._vad = SileroVADAnalyzer(sample_rate=stage.RATE)
        self._vad.set_sample_rate(stage.RATE)
        self._buffer, self._loud, self._quiet, self._began = b"", 0, 0, 0.0
        self._writing = None

    @property
    def supports_ttfs(self):
        return False

    async def run_stt(self, audio):
        self._buffer += audio
        while len(self._buffer) >= 2 * stage.FRAME:
            frame, self._buffer = (
                self._buffer[: 2 * stage.FRAME],
                self._buffer[2 * stage.FRAME :],
            )
            await self._hear(float(np.ravel(self._vad.voice_confidence(frame))[0]))
        yield None

    async def _hear(self, chance):
        job, length = self._job, stage.FRAME / stage.RATE
        if chance >= stage.ABOVE:
            if not self._loud:
                self._began = self._record.now()
                self._record.add("interrupted")
                await self.broadcast_frame(ProposedUserStartedSpeakingFrame)
            elif self._quiet >= round(job.eager / length):
                if self._writing is not None:
                    await self.cancel_task(self._writing)
                    self._writing = None
                await self._cancel_eager_end_of_turn()
            self._loud, self._quiet = self._loud + 1, 0
        elif self._loud:
            self._quiet += 1
            if self._quiet == round(job.eager / length):
                self._writing = self.create_task(self._predict())
            if self._quiet == round(job.stop / length):
                self._loud = 0
                self._record.add("decided")
                await self._commit()

    def _text(self):
        now = self._record.now()
        return self._job.said(now, now - self._began + 0.3)

    async def _predict(self):
        await self._record.work(self._job.stt)
        if text := self._text():
            await self._push_eager_end_of_turn(text, user_id="")
        self._writing = None

    async def _commit(self):
        if self._writing is not None:
            await asyncio.wait([self._writing])
        self._clear_eager_end_of_turn()
        text = self._text()
        if text:
            await self.push_frame(TranscriptionFrame(text, "", time_now_iso8601(), finalized=True))
        await self.broadcast_frame(ProposedUserStoppedSpeakingFrame)


class Answers(LLMService):
    """Says the same two sentences to everything, the first word by word."""

    def __init__(self, job, record):
        unset = [each.name for each in fields(LLMSettings) if each.name != "extra"]
        super().__init__(settings=LLMSettings(**dict.fromkeys(unset)))
        self._job, self._record = job, record

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        self._record.add("began")
        try:
            await self.push_frame(LLMFullResponseStartFrame())
            await self._record.work(self._job.llm)
            first, second = stage.ANSWER
            for index, word in enumerate(first.split(" ")):
                await self.push_frame(LLMTextFrame(f" {word}" if index else word))
            await self._record.work(stage.GAP)
            await self.push_frame(LLMTextFrame(second))
        finally:
            await self.push_frame(LLMFullResponseEndFrame())


class Hum(TTSService):
    """Hums every sentence."""

    def __init__(self, job, record):
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            sample_rate=OUT,
            settings=TTSSettings(model=None, voice=None, language=None),
        )
        self._job, self._record = job, record

    async def run_tts(self, text, context_id) -> AsyncGenerator:
        await self._record.work(self._job.tts)
        yield TTSAudioRawFrame(stage.hum(self._job.answer, OUT), OUT, 1, context_id=context_id)
