"""Which words of an answer were heard, after so many seconds of it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from voice_kit.types import Speech, Word

UNSPACED = "\u0e00-\u0eff\u1780-\u17ff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Thai, Lao, Khmer, Burmese, Japanese, Chinese: written without spaces between words."""

_SIGN = re.compile(f"[{UNSPACED}][^\\s\\w]*|[^\\s{UNSPACED}]+")
"""A word with its punctuation, or one sign of a script that has no spaces."""


def heard_text(speeches: Sequence[Speech], seconds: float) -> str:
    """What was said after so many seconds of playing `speeches` one after the other.

    A word counts once more than half of it was heard. Where a piece has word times they decide;
    elsewhere the share of its sound that was played is the share of its text that was heard, cut
    at a word's end. A piece without text or without sound belongs to the piece before it.
    """
    said = ""
    at = 0.0
    for group in _grouped(speeches):
        part = _heard_of(group, seconds - at)
        text = "".join(piece.text for piece in group)
        said = _joined(said, part)
        if part != text:
            break
        at += sum(piece.audio.seconds for piece in group)
    return said.rstrip()


def told(speeches: Sequence[Speech], seconds: float) -> tuple[str, str]:
    """What was heard of them after so many seconds, and what is left; joined, all of it."""
    heard = heard_text(speeches, seconds)
    return heard, heard_text(speeches, math.inf)[len(heard) :]


def _grouped(speeches: Iterable[Speech]) -> list[list[Speech]]:
    groups: list[list[Speech]] = []
    for speech in speeches:
        if groups and (not speech.text or not len(speech.audio.samples)):
            groups[-1].append(speech)
        else:
            groups.append([speech])
    return groups


def _heard_of(group: Sequence[Speech], seconds: float) -> str:
    text = "".join(piece.text for piece in group)
    length = sum(piece.audio.seconds for piece in group)
    if words := _words_of(group):
        return _up_to(text, words, seconds)
    if seconds >= length:
        return text if seconds > 0 else ""
    reached = len(text) * max(0.0, seconds) / length
    ends = [sign.end() for sign in _SIGN.finditer(text) if sum(sign.span()) / 2 < reached]
    return text[: ends[-1]] if ends else ""


def _words_of(group: Iterable[Speech]) -> list[Word]:
    words, at = [], 0.0
    for piece in group:
        words += [Word(word.text, at + word.start, at + word.end) for word in piece.words]
        at += piece.audio.seconds
    return words


def _up_to(text: str, words: Sequence[Word], seconds: float) -> str:
    heard = [word for word in words if seconds > (word.start + word.end) / 2]
    if len(heard) == len(words):
        return text
    end = 0
    for word in heard:
        found = text.find(word.text, end)
        end = end if found < 0 else found + len(word.text)
    after = re.compile(r"[^\s\w]*").match(text, end)
    return text[: after.end()] if after and end else text[:end]


def _joined(said: str, part: str) -> str:
    """A sentence's pieces bring their spaces with them; the next sentence may not."""
    if not said or not part or said[-1].isspace() or part[0].isspace():
        return said + part
    unspaced = re.search(f"[{UNSPACED}][^\\s\\w]*$", said) or re.match(f"[{UNSPACED}]", part)
    return said + part if unspaced else f"{said} {part}"
