"""Speech-to-text behind any server that speaks OpenAI's audio transcriptions."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import zlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from voice_kit.audio.files import to_wav
from voice_kit.errors import (
    EngineFailedError,
    EngineTimeoutError,
    MissingEngineError,
    SettingsError,
    VoiceKitError,
)
from voice_kit.hear.detection import INAUDIBLE, at_16k
from voice_kit.hear.stt_whisper_inventions import has_words, invented, spoken_in
from voice_kit.types import RATE, Audio, Samples, Stops, Transcript

OPENAI = "https://api.openai.com/v1"
CONNECT = 5.0
"""Seconds for a server to take a connection."""
IDLE = 60.0
"""Seconds that a connection is kept between two turns: opening one costs a tenth of a second."""


class OpenAITranscriber:
    """Whisper or another model of an OpenAI-compatible server: OpenAI, Groq, speaches, whisper.cpp.

    `base_url` defaults to OPENAI_BASE_URL, then to OpenAI; `api_key` to OPENAI_API_KEY. A server
    in the same room needs no key. `timeout` is seconds for a whole answer. In voice-kit.toml,
    under `[options.openai]`:

        base_url = "http://localhost:8000/v1"         # speaches, whisper.cpp, vLLM
        base_url = "https://api.groq.com/openai/v1"   # Groq, with model whisper-large-v3-turbo

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
    ) -> None:
        self._server, key = _server(base_url, api_key)
        self.name = f"openai:{model}"
        try:
            import httpx
        except ImportError as error:
            raise MissingEngineError(self.name, fix="pip install httpx") from error
        self._fields = {"model": model, "language": language, "response_format": "json"}
        self._language, self._timeout = language, timeout
        near = _near(self._server)
        # Read once here: each reading of the certificates takes a tenth of a second.
        certificates = httpx.create_ssl_context(trust_env=not near)

        def client() -> httpx.AsyncClient:
            return httpx.AsyncClient(
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=httpx.Timeout(timeout, connect=CONNECT),
                limits=httpx.Limits(keepalive_expiry=IDLE),
                verify=certificates,
                trust_env=not near,
            )

        self._new_client = client
        self._clients: dict[asyncio.AbstractEventLoop, tuple[Any, AsyncGenerator[None, None]]] = {}

    @classmethod
    def here(cls, *, model: str = "whisper-1", base_url: str = "", api_key: str = "") -> str:
        """The model, once address and key are there. Does not ask the server."""
        _server(base_url, api_key)
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
        client = await self._client()
        try:
            async with asyncio.timeout(self._timeout):
                answer = await client.post(
                    f"{self._server}/audio/transcriptions",
                    files={"file": ("speech.wav", wav, "audio/wav")},
                    data=self._fields,
                )
            if answer.is_success:
                return _text(answer.content)
        except Exception as error:
            raise self._problem(error) from error
        raise self._refused(answer.status_code)

    async def _client(self) -> Any:
        """The client of the loop that runs now: each `asyncio.run` is a new loop, and a connection
        belongs to the loop that opened it."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            for ended in [other for other in self._clients if other.is_closed()]:
                self._clients.pop(ended, None)
            client = self._new_client()
            keeper = self._until_the_loop_ends(loop, client)
            await anext(keeper)
            self._clients[loop] = client, keeper
        return self._clients[loop][0]

    async def _until_the_loop_ends(
        self, loop: asyncio.AbstractEventLoop, client: Any
    ) -> AsyncGenerator[None, None]:
        try:
            yield  # asyncio.run closes every generator that is left
        finally:
            self._clients.pop(loop, None)
            await client.aclose()

    def _problem(self, error: Exception) -> VoiceKitError:
        import httpx

        match error:
            case httpx.ConnectError() | httpx.ConnectTimeout():
                return MissingEngineError(
                    self.name, fix=f"start the server, or check the address {self._server}"
                )
            case TimeoutError() | httpx.TimeoutException():
                return EngineTimeoutError(
                    self.name, self._timeout, fix=f"another engine, or see {self._server}"
                )
            case ValueError():
                return EngineFailedError(
                    self.name,
                    "what it sent is no transcription",
                    fix=f"check that {self._server} is an OpenAI-compatible server",
                )
        return EngineFailedError(
            self.name, "the answer broke off", fix=f"ask again; if it stays so, see {self._server}"
        )

    def _refused(self, status: int) -> VoiceKitError:
        match status:
            case 401 | 403:
                return MissingEngineError(self.name, fix="a valid key in OPENAI_API_KEY")
            case 404:
                return MissingEngineError(
                    self.name, fix=f"a model that {self._server}/models names, if it is the server"
                )
            case 413:
                return EngineFailedError(
                    self.name, "the sound is too long for it", fix="a shorter piece of it"
                )
            case 429:
                return EngineFailedError(
                    self.name, "its limit is used up", fix="wait a little, or check your plan there"
                )
        return EngineFailedError(
            self.name,
            f"the server refused ({status})",
            fix="check the model and the language, or see the server's log",
        )


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


def _server(base_url: str, api_key: str) -> tuple[str, str]:
    """The address and the key to use. Raises `SettingsError` or `MissingEngineError`."""
    url = (base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI).strip().rstrip("/")
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or " " in url:
            raise ValueError("no URL")
        _ = parts.port
    except ValueError as error:
        raise SettingsError(
            f"“{url}” is no address of a server. Try one such as http://localhost:8000/v1."
        ) from error
    key = (api_key or os.environ.get("OPENAI_API_KEY") or "").strip()
    if not key and not _near(url):
        raise MissingEngineError(
            "openai", fix="a key in OPENAI_API_KEY, or a base_url of a server in the same room"
        )
    return (url if parts.path else f"{url}/v1"), key


def _near(url: str) -> bool:
    """Whether a server is on this machine or in the same room, where no proxy is to be asked."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local"))
