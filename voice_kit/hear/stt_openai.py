"""Speech-to-text behind any server that speaks OpenAI's audio transcriptions."""

from __future__ import annotations

import asyncio
import json
import zlib
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from voice_kit.audio.files import to_wav
from voice_kit.hear.detection import INAUDIBLE, at_16k
from voice_kit.hear.stt_whisper_inventions import has_words, invented, spoken_in
from voice_kit.remote.clients import Http
from voice_kit.remote.servers import Server, bearer, free, openai_server
from voice_kit.types import RATE, Audio, Samples, Stops, Transcript


class OpenAITranscriber:
    """Whisper or another model of an OpenAI-compatible server: OpenAI, Groq, speaches, whisper.cpp.

    `base_url` defaults to OPENAI_BASE_URL, then to OpenAI; `api_key` to OPENAI_API_KEY. A server
    in the same room needs no key. `timeout` is seconds for a whole answer. In voice-kit.toml,
    under `[options.openai]`:

        base_url = "http://localhost:8000/v1"         # speaches, whisper.cpp, vLLM
        base_url = "https://api.groq.com/openai/v1"   # Groq, with model whisper-large-v3-turbo

    A far server bills the sound it is sent, so it is asked once, when the turn has ended; one in
    the same room is asked at each pause already, and for the words so far. `speculative = true`
    lets an answer begin at a pause with a far one too, which is heard up to `hear.stop` sooner, and
    throws away up to `eager_starts` transcriptions a turn or twice that; `partials = true` sends it
    the whole turn so far every `partials` seconds of speech as well; and `false` ends either.

    The sound goes there as 16-bit WAV at 16 kHz; silence does not. What such models are known to
    invent is left out when nobody spoke.
    """

    stops: Stops = "async"

    def __init__(
        self,
        *,
        model: str = "whisper-1",
        language: str = "en",
        base_url: str = "",
        api_key: str = "",
        timeout: float = 30.0,
        speculative: bool | None = None,
        partials: bool | None = None,
    ) -> None:
        url, key = openai_server(base_url, api_key)
        self.speculative, self.partials = free(url, speculative), free(url, partials)
        self.name = f"openai:{model}"
        self._server = Server(self.name, url, sends="transcription")
        self._http = Http(self._server, bearer(key), timeout)
        self._fields = {"model": model, "language": language, "response_format": "json"}
        self._language, self._timeout = language, timeout

    @classmethod
    def here(cls, *, model: str = "whisper-1", base_url: str = "", api_key: str = "") -> str:
        """The model, once address and key are there. Does not ask the server."""
        openai_server(base_url, api_key)
        return model

    async def transcribe(self, audio: Audio) -> Transcript:
        """What is said in `audio`, of any rate. Silence gives an empty text.

        Cancelling it closes the request. Raises `VoiceKitError`.
        """
        samples = at_16k(audio)
        if not samples.size or np.abs(samples).max() < INAUDIBLE:
            return Transcript("", self._language, confident=False)
        text = await self._ask(to_wav(Audio(samples, RATE)))
        heard = has_words(text) and not await asyncio.to_thread(_made_up, text, samples)
        return Transcript(text if heard else "", self._language, confident=heard)

    async def _ask(self, wav: bytes) -> str:
        files = {"file": ("speech.wav", wav, "audio/wav")}
        answer = self._http.post("/audio/transcriptions", files=files, data=self._fields)
        try:
            async with asyncio.timeout(self._timeout), aclosing(answer):
                return _text(b"".join([part async for part in answer]))
        except (TimeoutError, ValueError) as error:
            raise self._server.problem(error, self._timeout) from error


@dataclass(frozen=True, slots=True)
class _Whole:
    """A text as Whisper would give it in one sure segment: a server tells no more."""

    text: str
    end: float
    compression_ratio: float
    start: float = 0.0
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0


def _made_up(text: str, samples: Samples) -> bool:
    from voice_kit.hear.vad_silero import Silero

    written = text.encode()
    ratio = len(written) / len(zlib.compress(written))
    return invented(_Whole(text, len(samples) / RATE, ratio), spoken_in(samples, Silero))


def _text(body: bytes) -> str:
    answer = json.loads(body)
    text = answer.get("text") if isinstance(answer, dict) else None
    if not isinstance(text, str):
        raise ValueError("no text in the answer")
    return text.strip()
