"""What may stand in the slots of phrases, by name."""

from __future__ import annotations

from voice_kit.think.skills import durations, moments
from voice_kit.think.skills.numbers import DIGITS, WORDS, number
from voice_kit.think.skills.phrases import TEXT, Kind
from voice_kit.think.skills.places import places

_NUMBER = rf"(?:{'|'.join(sorted(WORDS, key=len, reverse=True))}|minus|-?(?:{DIGITS.pattern}))"


def _plain_number(words: str) -> float | None:
    found = number(words)
    if found is None:
        return None
    return int(found) if found.denominator == 1 else float(found)


def _place(words: str) -> str | None:
    return words if words in places() else None


KINDS = {
    "text": TEXT,
    "name": Kind(
        r"(?!(?:the|my|a|an|all|every|each|any|this|that|for|called) )\S+(?: \S+){0,3}?",
        str,
        as_written=True,
    ),
    "number": Kind(rf"{_NUMBER}(?: {_NUMBER})*", _plain_number),
    "duration": Kind(durations.PATTERN, durations.parts),
    "moment": Kind(moments.PATTERN, moments.moment),
    "waking": Kind(moments.PATTERN, moments.waking),
    "place": Kind(r"[a-z][a-z' ]*?", _place),
}
"""A duration stands for the arguments hours, minutes and seconds; a moment for time and day."""
