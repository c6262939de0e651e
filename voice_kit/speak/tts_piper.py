"""Piper in this process: quick, small voices in some forty languages. GPL."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from voice_kit.errors import (
    EngineFailedError,
    LanguageError,
    MissingEngineError,
    SettingsError,
    install,
    need,
)
from voice_kit.settings import home
from voice_kit.speak.voice import Voice
from voice_kit.speak.words import in_step, pieces
from voice_kit.types import Audio, Samples, Speech, Stops, Word

INSTALL = install("piper")

SUGGESTED = {
    "en": "en_US-lessac-medium",
    "fr": "fr_FR-siwis-medium",
    "it": "it_IT-paola-medium",
    "es": "es_ES-davefx-medium",
    "de": "de_DE-thorsten-medium",
}
"""A good voice to fetch first."""

_LONGEST_STEP = 200  # characters, 13 s of sound: one step of work cannot be stopped
_QUALITIES = ("high", "medium", "low", "x_low")


class Piper:
    """Speaks with a Piper voice: "en_US-lessac-medium", or the path of an .onnx file.

    `path` is the folder where voices lie, each an .onnx file beside its .onnx.json; it defaults
    to VOICE_KIT_HOME/piper, and that to ~/.voice-kit/piper. Word times come only from voices
    that were patched with `piper.patch_voice_with_alignment`.
    """

    name = "piper"
    stops: Stops = "steps"

    def __init__(
        self,
        model: str = "",
        *,
        language: str = "en",
        device: str = "auto",
        speed: float = 1.0,
        path: str = "",
        speaker: int | None = None,
    ) -> None:
        if not 0.1 <= speed <= 10:
            raise SettingsError(f"piper cannot speak at speed {speed}. Use 0.1 to 10.")
        file = _file(model or self.here(language=language, path=path), language, path)
        need("piper", "piper", fix=INSTALL)
        try:
            speaks = _language(file)
        except (OSError, ValueError, AttributeError) as error:
            raise _damaged(file) from error
        if speaks != language:
            fix = f'language = "{speaks}", or another of `voice-kit voices`'
            raise LanguageError(f"piper:{file.stem}", language, fix=fix)

        import onnxruntime  # type: ignore[import-untyped]
        from piper import PiperVoice, SynthesisConfig

        cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
        if device.startswith("cuda") and not cuda:
            raise MissingEngineError(f"piper on {device}", fix='device = "cpu"')
        _keep_text_out_of_logs()
        try:
            self._voice = PiperVoice.load(
                file, use_cuda=cuda and device != "cpu", download_dir=file.parent
            )
        except Exception as error:  # onnxruntime has kinds of its own
            raise _damaged(file) from error
        self._timed = len(self._voice.session.get_outputs()) > 1
        self._how = partial(SynthesisConfig, speaker_id=speaker)
        self.speed = speed
        """Times the ordinary pace, for whatever is spoken from now on."""
        self.name = f"piper:{file.stem}"

    def speak(self, text: str) -> Iterator[Speech]:
        """The sound of `text`, in parts of 200 characters at most."""
        rate = self._voice.config.sample_rate
        timed = {"include_alignments": True} if self._timed else {}
        how = self._how(length_scale=self._voice.config.length_scale / self.speed)
        for part in pieces(text, _LONGEST_STEP):
            spoken = " ".join(part.split()).replace("\0", "")
            try:
                chunks = list(self._voice.synthesize(spoken, how, **timed))
            except Exception as error:  # onnxruntime has kinds of its own
                raise EngineFailedError(self.name, "its network", fix="another voice") from error
            sounds: list[Samples] = [chunk.audio_float_array for chunk in chunks]
            samples = np.concatenate(sounds) if sounds else np.zeros(rate // 100, np.float32)
            audio = Audio(samples.astype(np.float32, copy=False), rate)
            yield Speech(part, audio, _words(part, chunks, rate) if self._timed else ())

    @classmethod
    def here(cls, *, language: str = "en", path: str = "") -> str:
        """The best voice of this language in the folder."""
        need("piper", "piper", fix=INSTALL)
        voices = [voice.name for voice in cls.voices(path=path) if voice.language == language]
        if not voices:
            wanted = SUGGESTED.get(language, f"a voice of “{language}”")
            raise MissingEngineError("piper", fix=_fetch(wanted, path))
        return min(voices, key=_rank)

    @classmethod
    def voices(cls, *, path: str = "") -> list[Voice]:
        """The voices in the folder. One whose .onnx.json cannot be read is left out."""
        found = []
        for file in sorted(_folder(path).glob("*.onnx")):
            try:
                found.append(Voice("piper", file.stem, _language(file)))
            except (OSError, ValueError, AttributeError):
                continue
        return found


def _folder(path: str) -> Path:
    return Path(path).expanduser() if path else home() / "piper"


def _file(model: str, language: str, path: str) -> Path:
    alone = model.endswith(".onnx")
    file = Path(model).expanduser() if alone else _folder(path) / f"{model}.onnx"
    if not file.is_file():
        raise MissingEngineError(f"The piper voice {model}", fix=_fetch(file.stem, path))
    return file


def _fetch(voice: str, path: str) -> str:
    return f'python -m piper.download_voices {voice} --download-dir "{_folder(path)}"'


def _language(file: Path) -> str:
    """The ISO 639-1 code in the voice's config: of its own words, else of its espeak-ng voice."""
    config = json.loads(file.with_name(f"{file.name}.json").read_text(encoding="utf-8"))
    own = config.get("language") or {}
    tag = own.get("family") or own.get("code") or config.get("espeak", {}).get("voice", "")
    return str(tag).replace("_", "-").partition("-")[0].lower()


def _rank(voice: str) -> tuple[int, str]:
    quality = voice.rpartition("-")[2]
    return (_QUALITIES.index(quality) if quality in _QUALITIES else len(_QUALITIES), voice)


def _words(text: str, chunks: list[Any], rate: int) -> tuple[Word, ...]:
    spans: list[tuple[float, float]] = []
    at = 0
    for chunk in chunks:
        if chunk.phoneme_alignments is None:
            return ()
        begin = at
        for space, run in groupby(chunk.phoneme_alignments, lambda one: one.phoneme == " "):
            end = begin + sum(int(one.num_samples) for one in run)
            if not space:
                spans.append((begin / rate, end / rate))
            begin = end
        at += len(chunk.audio_float_array)
    return in_step(text, spans)


def _damaged(file: Path) -> EngineFailedError:
    return EngineFailedError("piper", f"{file.name} is damaged", fix="fetch it again")


def _keep_text_out_of_logs() -> None:
    logger = logging.getLogger("piper.voice")
    if _spares_text not in logger.filters:
        logger.addFilter(_spares_text)


def _spares_text(record: logging.LogRecord) -> bool:
    """Piper's debug line with the whole text is dropped; everything else passes."""
    return not str(record.msg).startswith("text=")
