"""ElevenLabs' voices, with the time of each character."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from voice_kit.errors import MissingEngineError
from voice_kit.remote.clients import Http
from voice_kit.remote.servers import CONNECT, Server, address, ask, free
from voice_kit.speak.pcm import Pcm
from voice_kit.speak.voice import Voice
from voice_kit.speak.words import Unrolling
from voice_kit.types import Audio, Speech, Stops, Word

URL = "https://api.elevenlabs.io"
RATE = 24_000
ANOTHER = "another model or voice, or later"
GEORGE = "JBFqnCBsd6RMkjVDRZzb"
KNOW_LANGUAGES = frozenset({"eleven_flash_v2_5", "eleven_turbo_v2_5"})
"""The models that may be told a language; others refuse the request."""

_LEAD = 0.05  # seconds that a word may end after its sound's last sample: the times are rounded


class ElevenLabs:
    """Speaks with a voice of ElevenLabs, given by its id, from its first sample on.

    `api_key` defaults to ELEVENLABS_API_KEY, `timeout` bounds each wait, in seconds. Each character
    is paid for, so it speaks once the turn is certain; with `speculative = true` it begins behind
    the closed gate, which is sooner heard, and what the user goes on over is paid for in vain.
    """

    name = "elevenlabs"
    stops: Stops = "async"

    def __init__(
        self,
        model: str = GEORGE,
        *,
        language: str = "en",
        model_id: str = "eleven_flash_v2_5",
        speed: float = 1.0,
        api_key: str | None = None,
        base_url: str = URL,
        timeout: float = 10.0,
        speculative: bool | None = None,
    ) -> None:
        self.name = f"elevenlabs:{model}"
        headers = _headers(api_key)
        self._server = Server(
            self.name,
            address(base_url),
            key="ELEVENLABS_API_KEY",
            another="another voice of `voice-kit voices`, or another model_id",
            change=ANOTHER,
        )
        self._http = Http(self._server, headers, timeout)
        self.speculative = free(self._server.url, speculative)
        voice = quote(model, safe="")
        self._path = f"/v1/text-to-speech/{voice}/stream/with-timestamps?output_format=pcm_{RATE}"
        self._body: dict[str, Any] = {"model_id": model_id}
        if model_id in KNOW_LANGUAGES:
            self._body["language_code"] = language
        if speed != 1:
            self._body["voice_settings"] = {"speed": speed}

    async def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        """The sound of `text` as it comes, each part with the words that end in it."""
        if not text.strip():
            if text:
                yield Speech(text, Audio.silence(0.01, RATE))
            return
        pcm, times = Pcm(RATE), _Times(text)
        answer = self._http.post(self._path, json={"text": text, **self._body})
        async with aclosing(answer), aclosing(_lines(answer)) as lines:
            async for line in lines:
                try:
                    sound = times.read(json.loads(line))
                except (ValueError, TypeError, KeyError, AttributeError) as error:
                    raise self._server.failed("it sent something unreadable", ANOTHER) from error
                if audio := pcm.add(sound):
                    yield times.speech(audio)
        if not pcm.begun:
            raise self._server.failed("it sent no sound", ANOTHER)
        yield times.speech(pcm.rest(), last=True)

    @classmethod
    def here(cls, *, api_key: str | None = None) -> str:
        """Nothing to choose: whether the key is good is only known when it speaks."""
        _headers(api_key)
        return ""

    @classmethod
    def voices(cls, *, api_key: str | None = None, base_url: str = URL) -> list[Voice]:
        """The account's voices, asked of the server. Blocks for 5 s at most."""
        url = f"{address(base_url)}/v1/voices"
        headers = _headers(api_key)
        try:
            return [_voice(one) for one in ask(url, within=CONNECT, headers=headers)["voices"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise MissingEngineError("elevenlabs", fix="a valid api_key and a network") from error


class _Times:
    """Which words end in the sound so far, from the times of their characters."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._unrolling = Unrolling(text)
        self._words = [match.span() for match in re.finditer(r"\S+", text)]
        self._spelled = ""
        self._starts: list[float] = []
        self._ends: list[float] = []
        self._seconds = 0.0

    def read(self, line: dict[str, Any]) -> bytes:
        """Note the times of one line of the answer and give back its samples."""
        if line.get("audio_base64") is None:
            raise KeyError("audio_base64")
        alignment = line.get("alignment")
        if alignment:
            self._spelled += "".join(alignment["characters"])
            self._starts += [float(at) for at in alignment["character_start_times_seconds"]]
            self._ends += [float(at) for at in alignment["character_end_times_seconds"]]
        return base64.b64decode(line["audio_base64"], validate=True)

    def speech(self, audio: Audio, *, last: bool = False) -> Speech:
        """The next stretch of sound with its text and words. Times count from its beginning."""
        began = self._seconds
        self._seconds += audio.seconds
        known = min(map(len, (self._spelled, self._starts, self._ends)))
        if not self._text.startswith(self._spelled):  # its own spelling: "three" for "3"
            text = self._unrolling.rest() if last else self._unrolling.next(audio)
            return Speech(text, audio)
        words, end = [], 0
        while self._words and self._is_over(self._words[0][1], known, last):
            first, end = self._words.pop(0)
            if end <= known:
                times = self._starts[first] - began, self._ends[end - 1] - began
                words.append(Word(self._text[first:end], max(0.0, times[0]), max(0.0, times[1])))
        after = self._words[0][0] if self._words else len(self._text)
        text = self._unrolling.rest() if last else self._unrolling.up_to(after if end else 0)
        return Speech(text, audio, tuple(words))

    def _is_over(self, end: int, known: int, last: bool) -> bool:
        spelled = known > end or (known == end == len(self._text))
        return last or (spelled and self._ends[end - 1] <= self._seconds + _LEAD)


async def _lines(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in filter(bytes.strip, lines):
            yield line
    if rest.strip():
        yield rest


def _headers(api_key: str | None) -> dict[str, str]:
    key = api_key or os.environ.get("ELEVENLABS_API_KEY") or ""
    if not key:
        raise MissingEngineError("elevenlabs", fix="set ELEVENLABS_API_KEY")
    return {"xi-api-key": key}


def _voice(one: dict[str, Any]) -> Voice:
    labels = one.get("labels") or {}
    language = str(labels.get("language") or "")
    return Voice("elevenlabs", one["voice_id"], language, str(labels.get("gender") or ""))
