"""Coqui speaks: the many voices of coqui-tts, on this computer.

    pip install coqui-tts torch torchaudio torchcodec

    [project.entry-points."voice_kit.tts"]
    coqui = "my_engines.tts_coqui:Coqui"

Then `tts = "coqui:tts_models/en/ljspeech/vits"`, and for a model with several voices
`[options.coqui]` with `voice = "p225"`. The XTTS models ask for their licence in the terminal
unless COQUI_TOS_AGREED=1 says that you have read it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

from voice_kit.errors import EngineFailedError, LanguageError, MissingEngineError, SettingsError
from voice_kit.types import Audio, Speech, Stops


class Coqui:
    """A model by Coqui's own name for it, downloaded when it is first made.

    One sentence at a time: calls from other threads wait. A sentence is one step.
    """

    stops: Stops = "steps"

    def __init__(
        self,
        *,
        model: str = "tts_models/en/ljspeech/vits",
        language: str = "en",
        device: str = "auto",
        voice: str = "",
    ) -> None:
        self.name = f"coqui:{model}"
        speaks = model.split("/")[1] if model.count("/") == 3 else "multilingual"
        if speaks not in ("multilingual", language):
            fix = f"a model whose name begins with tts_models/{language}"
            raise LanguageError(self.name, language, fix=fix)
        try:
            import torch
            from TTS.api import TTS  # type: ignore[import-not-found,import-untyped,unused-ignore]
        except ImportError as error:
            fix = "pip install coqui-tts torch torchaudio torchcodec"
            raise MissingEngineError(self.name, fix=fix) from error
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._tts = TTS(model_name=model, progress_bar=True).to(device)
        except Exception as error:
            fix = f"a name that `tts --list_models` shows, and a network once ({error})"
            raise MissingEngineError(self.name, fix=fix) from error
        self._how: dict[str, str] = {}
        if self._tts.is_multi_lingual:
            self._how["language"] = language
        if self._tts.is_multi_speaker:
            voices = list(self._tts.speakers)
            if voice and voice not in voices:
                raise SettingsError(f"{self.name} has no voice “{voice}”. Try: {voices}.")
            self._how["speaker"] = voice or voices[0]
        self._lock = threading.Lock()

    def speak(self, text: str) -> Iterator[Speech]:
        """The sound of `text` in one part."""
        try:
            with self._lock:
                wave = self._tts.tts(text, split_sentences=False, **self._how)
        except Exception as error:
            raise EngineFailedError(self.name, str(error), fix="another model") from error
        rate = int(self._tts.synthesizer.output_sample_rate)
        yield Speech(text, Audio(np.asarray(wave, np.float32).reshape(-1), rate))
