"""Voices behind any server that speaks OpenAI's /v1/audio/speech."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from voice_kit.errors import MissingEngineError
from voice_kit.remote.clients import Http
from voice_kit.remote.servers import Server, bearer, free, openai_server
from voice_kit.speak.pcm import Pcm
from voice_kit.speak.voice import Voice
from voice_kit.speak.words import Unrolling
from voice_kit.types import Audio, Speech, Stops

ANOTHER = "another model or voice, or see the server's log"
VOICES = tuple(
    "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse".split()  # noqa: SIM905
)


class OpenAISpeech:
    """Speaks with a voice of an OpenAI-compatible server, from its first sample on.

    `base_url` defaults to OPENAI_BASE_URL, then to OpenAI; `api_key` to OPENAI_API_KEY, and a
    server in the same room needs none. `rate` is what the server's plain samples have, in Hz.
    `timeout` bounds each wait, in seconds. `speculative` is whether it may speak behind the closed
    gate what is perhaps thrown away: sooner heard, and by default only where the server is in the
    same room, for a far one bills each sentence. There are no word times; the text is shared out to
    the sound at an ordinary pace.
    """

    name = "openai"
    stops: Stops = "async"

    def __init__(
        self,
        model: str = "alloy",
        *,
        model_id: str = "gpt-4o-mini-tts",
        speed: float = 1.0,
        base_url: str | None = None,
        api_key: str | None = None,
        rate: int = 24_000,
        timeout: float = 10.0,
        speculative: bool | None = None,
    ) -> None:
        url, key = openai_server(base_url, api_key)
        self.speculative = free(url, speculative)
        self.name = f"openai:{model}"
        self._server = Server(
            self.name, url, another="another model, voice or base_url", change=ANOTHER
        )
        self._http = Http(self._server, bearer(key), timeout)
        self._body = {"model": model_id, "voice": model, "response_format": "pcm"}
        self._more = {} if speed == 1 else {"speed": speed}
        self._pace = Unrolling.PACE * speed
        self._rate = rate

    async def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        """The sound of `text` as it comes."""
        if not text.strip():
            if text:
                yield Speech(text, Audio.silence(0.01, self._rate))
            return
        pcm, unrolling = Pcm(self._rate), Unrolling(text, self._pace)
        body = {**self._body, "input": text, **self._more}
        async with aclosing(self._http.post("/audio/speech", json=body)) as answer:
            async for data in answer:
                audio = pcm.add(data)
                if pcm.is_a_file:
                    fix = "a server that knows response_format “pcm”"
                    raise self._server.failed("it sent no plain samples", fix)
                if audio:
                    yield Speech(unrolling.next(audio), audio)
        if not pcm.begun or pcm.is_a_file:
            raise self._server.failed("it sent no sound", ANOTHER)
        yield Speech(unrolling.rest(), pcm.rest())

    @classmethod
    def here(cls, *, base_url: str | None = None, api_key: str | None = None) -> str:
        """Nothing to choose: the server is only known, not asked."""
        openai_server(base_url, api_key)
        return ""

    @classmethod
    def voices(cls, *, base_url: str | None = None, api_key: str | None = None) -> list[Voice]:
        """OpenAI's voices, each of which speaks any language. Other servers have their own."""
        try:
            cls.here(base_url=base_url, api_key=api_key)
            here = True
        except MissingEngineError:
            here = False
        return [Voice("openai", name, "", here=here) for name in VOICES]
