"""How a scenario writes seconds, decibels, pauses, and places in a conversation."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from voice_kit.workshop.user import Words

ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
]
PLACES = (
    "“the answer”, “my last word”, “the assistant's third word”, or “the words 'detector says'”"
)
ANSWER, GOES_ON = "the answer", "my last word"


def _seconds(value: Any) -> Any:
    found = re.fullmatch(r"\s*([\d.]+)\s*(ms|s)\s*", value) if isinstance(value, str) else None
    return float(found[1]) / (1000 if found[2] == "ms" else 1) if found else value


def _decibel(value: Any) -> Any:
    return value.strip().removesuffix("dB").strip() if isinstance(value, str) else value


def _place(value: Any) -> Any:
    """When a line is said, from words."""
    if isinstance(value, Words) or value in (ANSWER, GOES_ON):
        return value
    text = str(value).strip().lower().removeprefix("the ").replace("assistant’s", "assistant's")
    text = text.removeprefix("assistant's ")
    if found := re.fullmatch(r"(?:(\d+)(?:st|nd|rd|th)|(\w+)) word", text):
        if found[1] and int(found[1]):
            return Words(int(found[1]))
        if found[2] in ORDINALS:
            return Words(ORDINALS.index(found[2]) + 1)
    if found := re.fullmatch(r"words? [\"'“”‘’«](.*\w.*)[\"'“”‘’»]", text):
        return Words(text=found[1])
    raise ValueError(f"a line comes after {PLACES}, not after “{value}”")


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=600)]
Decibel = Annotated[float, BeforeValidator(_decibel), Field(ge=-60, le=60)]
Place = Annotated[str | Words, BeforeValidator(_place)]

_PAUSE = re.compile(r"\s*…?\s*\(\s*pause\s+(\d+(?:\.\d+)?)\s*s?\s*\)\s*…?\s*")


def parts_of(text: str) -> list[str | float]:
    """The text in pieces, and the seconds of each “(pause 0.8)” between them."""
    parts = [float(part) if index % 2 else part for index, part in enumerate(_PAUSE.split(text))]
    return [part for part in parts if part]
