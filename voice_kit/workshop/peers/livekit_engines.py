"""The stub engines as livekit-agents' plugins."""

# mypy: ignore-errors
# livekit-agents lives in an environment of its own, where no checker sees it.

from __future__ import annotations

from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, llm, stt, tts

from voice_kit.workshop.peers import stage

OUT = 24_000


class Words(stt.STT):
    """Writes down what was said by now, a segment at a time."""

    def __init__(self, job, record):
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self._job, self._record = job, record

    async def _recognize_impl(self, buffer, *, language=NOT_GIVEN, conn_options=None):
        await self._record.work(self._job.stt)
        seconds = rtc.combine_audio_frames(buffer).duration + self._job.stt + self._job.stop
        text = self._job.said(self._record.now(), seconds)
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            alternatives=[stt.SpeechData(language="en", text=text)],
        )


class Answers(llm.LLM):
    """Says the same two sentences to everything, the first word by word."""

    def __init__(self, job, record):
        super().__init__()
        self.job, self.record = job, record

    def chat(self, *, chat_ctx, tools=None, conn_options=DEFAULT_API_CONNECT_OPTIONS, **_):
        return Answer(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class Answer(llm.LLMStream):
    """One answer."""

    async def _run(self):
        job, record = self._llm.job, self._llm.record
        record.add("began")
        await record.work(job.llm)
        first, second = stage.ANSWER
        for index, word in enumerate(first.split(" ")):
            self._say(f" {word}" if index else word)
        await record.work(stage.GAP)
        self._say(second)

    def _say(self, text):
        delta = llm.ChoiceDelta(role="assistant", content=text)
        self._event_ch.send_nowait(llm.ChatChunk(id="answer", delta=delta))


class Hum(tts.TTS):
    """Hums every sentence."""

    def __init__(self, job, record):
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False), sample_rate=OUT, num_channels=1
        )
        self.job, self.record = job, record

    def synthesize(self, text, *, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        return Humming(tts=self, input_text=text, conn_options=conn_options)


class Humming(tts.ChunkedStream):
    """One sentence."""

    async def _run(self, output_emitter):
        await self._tts.record.work(self._tts.job.tts)
        output_emitter.initialize(
            request_id="hum",
            sample_rate=OUT,
            num_channels=1,
            mime_type="audio/pcm",
            frame_size_ms=20,
        )
        output_emitter.push(stage.hum(self._tts.job.answer, OUT))
        output_emitter.flush()
