"""What is told of a turn to whoever asked over HTTP: words and times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from voice_kit.converse.timeline import TOOK
from voice_kit.types import (
    Event,
    Failed,
    FirstToken,
    SentenceReady,
    SpeechReady,
    ToolUsed,
    Transcribed,
    TurnFinished,
)

LONGEST = 1_500
"""Bytes of a header's value: many proxies take 4 kB of all headers."""


class Notes:
    """An observer that keeps them. Times are in seconds."""

    def __init__(self) -> None:
        self.transcript = self.problem = ""
        self.answers: list[str] = []
        """What was said, turn by turn: an alarm may have rung before."""
        self.sources: list[dict[str, str]] = []
        self.took: dict[str, float] = {}
        """By stage, the first time it was done, and what else the request spent time on."""
        self._sentences: list[str] = []

    def __call__(self, event: Event) -> None:
        """Take notice of what happens."""
        match event:
            case Transcribed():
                self.transcript = event.transcript.text
                self._add(event)
            case SentenceReady():
                self._sentences.append(event.text)
            case FirstToken() | SpeechReady():
                self._add(event)
            case ToolUsed():
                self.sources += [{"title": each.title, "url": each.url} for each in event.sources]
            case Failed():
                self.problem = event.message
            case TurnFinished():
                self.transcript = event.heard or self.transcript
                self.answers.append(event.said)
                self._sentences.clear()

    @property
    def answer(self) -> str:
        """What was said so far."""
        return " ".join(filter(None, [*self.answers, *self._sentences]))

    def headers(self) -> dict[str, str]:
        """What is known so far, percent-encoded, as headers."""
        told = {
            "Voice-Kit-Transcript": in_header(self.transcript),
            "Voice-Kit-Answer": in_header(self.answer),
            "Server-Timing": ", ".join(
                f"{stage};dur={seconds * 1000:.1f}" for stage, seconds in self.took.items()
            ),
        }
        if self.problem:
            told["Voice-Kit-Problem"] = in_header(self.problem)
        return told

    def as_json(self, **more: Any) -> dict[str, Any]:
        """The same as plain data, times in milliseconds."""
        return {
            "transcript": self.transcript,
            "answer": self.answer,
            "problem": self.problem or None,
            "sources": self.sources,
            "timings_ms": in_ms(self.took),
            **more,
        }

    def _add(self, event: Transcribed | FirstToken | SpeechReady) -> None:
        self.took.setdefault(TOOK[type(event)], event.took)


def in_ms(took: Mapping[str, float]) -> dict[str, float]:
    """The same in milliseconds."""
    return {stage: round(seconds * 1000, 1) for stage, seconds in took.items()}


def in_header(text: str) -> str:
    """`text`, percent-encoded, and cut where it would be too long for a header."""
    encoded = quote(text, safe=" ,;:!?'()", errors="replace")
    if len(encoded) <= LONGEST:
        return encoded
    cut = text
    while len(encoded) > LONGEST - 9:
        cut = cut[: len(cut) * (LONGEST - 9) // len(encoded)]
        encoded = quote(cut, safe=" ,;:!?'()", errors="replace")
    return encoded + quote("…")
