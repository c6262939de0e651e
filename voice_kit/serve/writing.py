"""A transcript in the forms that OpenAI's clients ask for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from voice_kit.serve.transcribing import Stretch


@dataclass(frozen=True, slots=True)
class Written:
    """All that was said in a recording."""

    stretches: tuple[Stretch, ...]
    language: str
    seconds: float

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(each.text for each in self.stretches)


FORMS: dict[str, Any] = {
    "description": "What is said.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["text"],
                "properties": {
                    "text": {"type": "string"},
                    "language": {"type": "string"},
                    "duration": {"type": "number"},
                    "words": {"type": "array", "items": {"type": "object"}},
                    "segments": {"type": "array", "items": {"type": "object"}},
                },
            }
        },
        "text/plain": {"schema": {"type": "string"}},
        "text/vtt": {"schema": {"type": "string"}},
        "text/event-stream": {},
    },
}


def as_text(written: Written, form: str) -> str:
    """The transcript as json, verbose_json, text, srt or vtt."""
    match form:
        case "text":
            return written.text + "\n"
        case "srt":
            return "\n".join(
                f"{number}\n{_cue(each, ',')}\n{each.text}\n"
                for number, each in enumerate(written.stretches, 1)
            )
        case "vtt":
            cues = (f"{_cue(each, '.')}\n{each.text}\n" for each in written.stretches)
            return "\n".join(["WEBVTT\n", *cues])
        case "verbose_json":
            return json.dumps(_verbose(written), ensure_ascii=False)
    usage = {"type": "duration", "seconds": round(written.seconds, 3)}
    return json.dumps({"text": written.text, "usage": usage}, ensure_ascii=False)


def _verbose(written: Written) -> dict[str, Any]:
    words = [
        {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}
        for each in written.stretches
        for word in each.words
    ]
    return {
        "task": "transcribe",
        "language": written.language,
        "duration": round(written.seconds, 3),
        "text": written.text,
        "usage": {"type": "duration", "seconds": round(written.seconds, 3)},
        "segments": [_segment(number, each) for number, each in enumerate(written.stretches)],
        **({"words": words} if words else {}),
    }


def _segment(number: int, each: Stretch) -> dict[str, Any]:
    # What only Whisper knows of itself has to be there for OpenAI's clients: it is nothing here.
    return {
        "id": number,
        "start": round(each.start, 3),
        "end": round(each.end, 3),
        "text": each.text,
        "seek": 0,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": 0.0,
        "compression_ratio": 0.0,
        "no_speech_prob": 0.0,
    }


def _cue(each: Stretch, point: str) -> str:
    return f"{_clock(each.start, point)} --> {_clock(each.end, point)}"


def _clock(seconds: float, point: str) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{thousandths:03}"
