"""WhisperX hears: Whisper, and each word's place found by a second, forced-alignment model.

    pip install whisperx

    [project.entry-points."voice_kit.stt"]
    whisperx = "my_engines.stt_whisperx:WhisperX"

Then `stt = "whisperx:small"`, and if you like `[options.whisperx]` with `align = false`.
"""

from __future__ import annotations

import threading
from typing import Any

from voice_kit.audio.convert import convert
from voice_kit.errors import EngineFailedError, MissingEngineError
from voice_kit.types import RATE, Audio, Stops, Transcript, Word


class WhisperX:
    """A Whisper model by name or folder. The models are downloaded when it is first made.

    One call at a time: calls from other threads wait. A call runs to its end, without Python's
    lock, so a dropped one does no harm: `stops` is "steps", and its one step is the call.
    """

    stops: Stops = "steps"

    def __init__(
        self,
        *,
        model: str = "base",
        language: str = "en",
        device: str = "auto",
        compute: str = "auto",
        align: bool = True,
    ) -> None:
        self.name = f"whisperx:{model}"
        try:
            import torch
            import whisperx  # type: ignore[import-not-found,import-untyped,unused-ignore]
        except ImportError as error:
            raise MissingEngineError(self.name, fix="pip install whisperx") from error
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        where, _, index = device.partition(":")
        compute_type = "default" if compute == "auto" else compute
        try:
            self._model = whisperx.load_model(
                model, where, int(index or 0), compute_type=compute_type, language=language
            )
            self._aligner = whisperx.load_align_model(language, device) if align else None
        except Exception as error:
            fix = f"a known model and language, and a network for the first time ({error})"
            raise MissingEngineError(self.name, fix=fix) from error
        self._whisperx, self._device = whisperx, device
        self._language = language
        self._lock = threading.Lock()

    def transcribe(self, audio: Audio) -> Transcript:
        """What is said; the words have their places unless `align` is false."""
        samples = convert(audio, RATE).samples
        try:
            with self._lock:
                result: dict[str, Any] = self._model.transcribe(samples, language=self._language)
                text = " ".join(part["text"].strip() for part in result["segments"])
                if self._aligner and text:
                    aligner, about = self._aligner
                    result = self._whisperx.align(
                        result["segments"], aligner, about, samples, self._device
                    )
        except Exception as error:
            raise EngineFailedError(self.name, str(error), fix="a shorter recording") from error
        return Transcript(text, self._language, _places(result.get("word_segments", [])))


def _places(found: list[dict[str, Any]]) -> tuple[Word, ...]:
    """The words in order. One that could not be placed, such as "3.50", has no length."""
    words: list[Word] = []
    for word in found:
        before = words[-1].end if words else 0.0
        start = float(word.get("start", before))
        words.append(Word(word["word"], start, float(word.get("end", start))))
    return tuple(words)
