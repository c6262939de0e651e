"""Google Cloud speaks: a remote engine, so its method is async. Your words leave the room.

    pip install google-cloud-texttospeech
    gcloud auth application-default login

    [project.entry-points."voice_kit.tts"]
    google = "my_engines.tts_google:GoogleCloud"

Then `tts = "google:en-GB-Neural2-A"`, or `tts = "google"` for the language's usual voice.
"""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from voice_kit.errors import EngineFailedError, MissingEngineError
from voice_kit.types import Audio, Speech, Stops

_PLACES = {"en": "en-US", "fr": "fr-FR", "it": "it-IT", "es": "es-ES", "de": "de-DE"}
"""Google wants a place with each language; alone, "pt" would do as well."""


class GoogleCloud:
    """A voice by Google's name for it, or "" for the usual one. Cancelling ends the request."""

    stops: Stops = "async"

    def __init__(self, *, model: str = "", language: str = "en", rate: int = 24_000) -> None:
        self.name = f"google:{model}" if model else "google"
        try:
            import google.auth as auth  # type: ignore[import-untyped,import-not-found,unused-ignore]
            from google.api_core.exceptions import GoogleAPIError  # type: ignore[import-untyped,import-not-found,unused-ignore]
            from google.cloud import texttospeech  # type: ignore[import-untyped,import-not-found,unused-ignore]
        except ImportError as error:
            fix = "pip install google-cloud-texttospeech"
            raise MissingEngineError(self.name, fix=fix) from error
        self._google = texttospeech
        self._errors = (GoogleAPIError, auth.exceptions.GoogleAuthError)
        place = "-".join(model.split("-")[:2]) if model else _PLACES.get(language, language)
        self._voice = texttospeech.VoiceSelectionParams(language_code=place, name=model)
        self._form = texttospeech.AudioConfig(
            audio_encoding=texttospeech.AudioEncoding.LINEAR16, sample_rate_hertz=rate
        )
        try:
            auth.default()
        except auth.exceptions.GoogleAuthError as error:
            fix = "gcloud auth application-default login"
            raise MissingEngineError(self.name, fix=fix) from error
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Any = None

    async def speak(self, text: str) -> AsyncIterator[Speech]:
        """The sound of `text` in one part."""
        if self._loop is not asyncio.get_running_loop():  # a gRPC channel belongs to its loop
            self._loop = asyncio.get_running_loop()
            self._client = self._google.TextToSpeechAsyncClient()
        try:
            answer = await self._client.synthesize_speech(
                input=self._google.SynthesisInput(text=text),
                voice=self._voice,
                audio_config=self._form,
            )
        except self._errors as error:
            problem, fix = f"{type(error).__name__}: {error}", "the voice's name and your quota"
            raise EngineFailedError(self.name, problem, fix=fix) from error
        with wave.open(io.BytesIO(answer.audio_content)) as sound:  # LINEAR16 comes with a header
            samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
            yield Speech(
                text, Audio(samples.astype(np.float32) / np.float32(32768), sound.getframerate())
            )
