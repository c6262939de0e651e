"""Whisper, run by faster-whisper: the best that a computer can hear by itself."""

from __future__ import annotations

import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import numpy as np

from voice_kit.errors import (
    EngineFailedError,
    LanguageError,
    MissingEngineError,
    SettingsError,
    VoiceKitError,
    need,
)
from voice_kit.hear.detection import INAUDIBLE, at_16k, stretches
from voice_kit.hear.protocols import VoiceDetector
from voice_kit.hear.stt_whisper_batch import Batched
from voice_kit.hear.stt_whisper_inventions import SILENT, Segment, invented, spoken_in
from voice_kit.hear.stt_whisper_models import REPOS, cached, english_only, folder_of
from voice_kit.types import RATE, Audio, Samples, Stops, Transcript, Word

_CODES = """
    af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he
    hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl
    nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz
    vi yi yo zh yue
"""
LANGUAGES = frozenset(_CODES.split())
PACKAGE = "pip install faster-whisper"
LONGEST = 300
"""Seconds that are transcribed at once: Whisper takes half a gigabyte for ten minutes."""
BATCH = {"cuda": 8, "cpu": 1}
"""Sounds that are computed at once, unless `batch` says otherwise."""
SURE = -0.7
"""Above this mean log-probability of a token, half of the worth of each, words are trusted."""

log = logging.getLogger(__name__)


class FasterWhisper:
    """Whisper on this computer's processor or NVIDIA card.

    `model` is a name such as "base.en" or "large-v3-turbo" (downloaded once, with progress, when
    it is not here), a folder with a converted model (nothing is downloaded), a repository such as
    "Systran/faster-whisper-base", or empty: then the best that is here. An English-only model
    refuses other languages with `LanguageError` and never switches to another by itself.

    It decodes without dice (temperature 0), so the same sound gives the same words, and a turn
    never pays for a second try. What it invents on near-silence is left out unless `filtered` is
    false. `words` adds the place of each word and takes about a tenth longer. `threads` 0 is the
    library's choice, at most four; `workers` is how many sounds are transcribed side by side. Those
    that come meanwhile wait, and then up to `batch` of them are computed at once, each with the
    words that it has alone: 0 is eight on a card, and one on a processor, which has little idle.

    May be called from several threads. A call cannot be stopped, but computes without Python's
    lock: a dropped one finishes in its thread. So `stops` is "steps", its one step being the call,
    and there is nothing to abort, which would also hit the other conversations that share the
    engine.
    """

    stops: Stops = "steps"
    languages = LANGUAGES

    def __init__(
        self,
        *,
        model: str = "",
        language: str = "en",
        device: str = "auto",
        compute: str = "auto",
        beam: int = 1,
        words: bool = False,
        filtered: bool = True,
        threads: int = 0,
        workers: int = 1,
        batch: int = 0,
    ) -> None:
        model = model or self.here(language=language, device=device)
        self.name = f"whisper:{Path(model).name if Path(model).is_dir() else model}"
        self._check_language(language, model)
        try:
            import ctranslate2  # type: ignore[import-untyped]
            from faster_whisper import WhisperModel  # type: ignore[import-untyped]
        except ImportError as error:
            raise MissingEngineError(self.name, fix=PACKAGE) from error
        folder = folder_of(model)
        self._language, self._beam, self._words = language, beam, words
        self._filtered = filtered
        self._vad: VoiceDetector | None = None
        self._vad_lock = threading.Lock()

        def load(where: str, index: int) -> Any:
            return WhisperModel(
                str(folder),
                device=where,
                device_index=index,
                compute_type=self._compute(compute, ctranslate2, where, index),
                cpu_threads=threads,
                num_workers=workers,
            )

        try:
            self._model = self._placed(load, device, ctranslate2)
        except VoiceKitError:
            raise
        except Exception as error:  # of CTranslate2, of tokenizers, of JSON
            raise MissingEngineError(
                self.name,
                fix="device “cpu”, or cuBLAS and cuDNN for CUDA 12"
                if device.startswith("cuda")
                else f"the model afresh: {folder} cannot be read",
            ) from error
        if language != "en" and not self._model.model.is_multilingual:
            raise LanguageError(self.name, language, fix="a multilingual model: whisper:base")
        network = self._model.model
        batch = batch or BATCH[network.device]
        self.waited: Callable[[float], object] = lambda seconds: None
        """Is told how many seconds a stretch waited for the network while it was busy."""
        self.batches: Counter[int] = Counter()
        """How many stretches of up to 30 s were computed at once, and how often."""
        if batch > 1:
            self._model.model = Batched(network, batch, workers, words, lambda s: self.waited(s))
            self.batches = self._model.model.sizes

    @classmethod
    def here(cls, *, language: str = "en", device: str = "auto") -> str:
        """The best model for the language that was downloaded before. Raises `MissingEngineError`.

        On a processor, `base` comes before larger ones, since those keep people waiting.
        """
        need("whisper", "faster_whisper", "ctranslate2", fix=PACKAGE)
        gpu = device.startswith("cuda") or (device == "auto" and _nvidia())
        if model := cached(language, gpu=gpu):
            return model
        size = ("large-v3-turbo", "1.6 GB") if gpu else ("base", "145 MB")
        name = "base.en" if language == "en" and not gpu else size[0]
        fetch = f"voice-kit models fetch whisper:{name} (downloads {size[1]} once)"
        raise MissingEngineError("whisper", fix=fetch)

    def transcribe(self, audio: Audio) -> Transcript:
        """What is said in `audio`, of any rate. Blocks. Silence gives an empty text.

        Raises `EngineFailedError`.
        """
        samples = at_16k(audio)
        if not samples.size or np.abs(samples).max() < INAUDIBLE:
            return Transcript("", self._language, confident=False)
        texts: list[str] = []
        words: list[Word] = []
        sure = True
        for start, stretch in stretches(samples, LONGEST):
            for segment in self._segments(stretch):
                texts.append(segment.text)
                sure = sure and _confident(segment)
                words.extend(
                    Word(word.word.strip(), start + float(word.start), start + float(word.end))
                    for word in segment.words or ()
                )
        return Transcript(
            "".join(texts).strip(), self._language, tuple(words), confident=bool(texts) and sure
        )

    def _segments(self, samples: Samples) -> list[Any]:
        try:
            found, _ = self._model.transcribe(
                np.ascontiguousarray(samples, np.float32),
                language=self._language,
                beam_size=self._beam,
                temperature=0.0,
                condition_on_previous_text=False,  # or one loop breeds the next
                word_timestamps=self._words,
                vad_filter=False,
            )
            segments = list(found)
        except (RuntimeError, ValueError) as error:
            raise EngineFailedError(
                self.name, "it could not compute", fix="a smaller model, or device “cpu”"
            ) from error
        if not self._filtered:
            return segments
        spoken = spoken_in(samples, self._detector)
        return [segment for segment in segments if not invented(segment, spoken)]

    def _detector(self) -> VoiceDetector:
        from voice_kit.hear.vad_silero import Silero

        with self._vad_lock:
            self._vad = self._vad or Silero()
            return self._vad

    @staticmethod
    def _check_language(language: str, model: str) -> None:
        if language not in LANGUAGES:
            known = ", ".join(sorted(LANGUAGES))
            raise LanguageError(f"whisper:{model}", language, fix=f"one of {known}")
        if language != "en" and english_only(model):
            other = model.removesuffix(".en").removeprefix("distil-")
            fix = f"whisper:{other if other in REPOS else 'large-v3'}"
            raise LanguageError(f"whisper:{model}", language, fix=fix)

    @staticmethod
    def _placed(load: Any, device: str, ctranslate2: Any) -> Any:
        """The model on the device asked for; for "auto", on a card only if it computes there."""
        where, _, index = device.partition(":")
        if where not in ("auto", "cpu", "cuda") or not (index or "0").isdigit():
            raise SettingsError(f"whisper cannot run on “{device}”. Use auto, cpu, cuda or cuda:1.")
        if where == "cpu" or (where == "auto" and not ctranslate2.get_cuda_device_count()):
            return load("cpu", 0)
        try:
            model = load("cuda", int(index or 0))
            # The libraries of CUDA are loaded by the first sound, not before.
            first = np.zeros(RATE // 2, np.float32)
            list(model.transcribe(first, language="en", temperature=0.0, max_new_tokens=1)[0])
        except RuntimeError as error:
            if where == "cuda":
                raise
            log.warning("Whisper runs on the processor: the graphics card failed (%s).", error)
            return load("cpu", 0)
        return model

    @staticmethod
    def _compute(compute: str, ctranslate2: Any, where: str, index: int) -> str:
        able = ctranslate2.get_supported_compute_types(where, index)
        if compute == "auto":
            wanted = ("float16", "int8", "float32") if where == "cuda" else ("int8", "float32")
            return next(kind for kind in wanted if kind in able)
        if compute not in able:
            raise SettingsError(
                f"whisper cannot compute in “{compute}” on {where}. "
                f"Use auto, {', '.join(sorted(able))}."
            )
        return compute


def _confident(segment: Segment) -> bool:
    return segment.avg_logprob > SURE and segment.no_speech_prob < SILENT


def _nvidia() -> bool:
    """Whether there is an NVIDIA driver, without loading it."""
    return find_library("nvcuda" if sys.platform == "win32" else "cuda") is not None
