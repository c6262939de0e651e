"""Where words are in the sound, and which of them were heard."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from voice_kit.types import Audio, Speech, Word

_UNSPACED = "\u0e00-\u0eff\u1780-\u17ff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Thai, Lao, Khmer, Burmese, Japanese, Chinese: written without spaces between words."""

_SIGN = re.compile(f"[{_UNSPACED}][^\\s\\w]*|[^\\s{_UNSPACED}]+")
"""A word with its punctuation, or one sign of a script that has no spaces."""

_SIGN_ALONE = re.compile(f"[{_UNSPACED}]")

_BORDERS = (
    re.compile(r"[.!?…]+[\"”’»)\]]*\s+|[。！？।]+|\n+"),
    re.compile(r"[,;:–—]\s+|[，、；：]"),
    re.compile(rf"\s+|(?<=[{_UNSPACED}])(?=[{_UNSPACED}])"),
)
"""Where a text may be cut: best after a sentence, else after a clause, else after a word."""


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


def pieces(text: str, longest: int) -> list[str]:
    """`text` cut into parts of at most `longest` characters, which joined are `text` again.

    Cut after the last sentence that fits, else after a clause, else after a word; only a word that
    is longer by itself is broken. An empty text has no parts.
    """
    parts = []
    while len(text) > longest:
        cut = next(filter(None, (_last_border(border, text, longest) for border in _BORDERS)), 0)
        cut = cut or longest
        parts.append(text[:cut])
        text = text[cut:]
    return [*parts, text] if text else parts


def placed(text: str, starts: Iterable[tuple[int, float]], end: float) -> tuple[Word, ...]:
    """The words of `text`, given at which character and when each begins, and when all ends.

    Each owns the text up to the next one. A beginning that is none, because it repeats a place,
    owns only space or lies inside a word ("3.50" is spoken as several), lengthens the one before.
    """
    kept: list[tuple[int, float]] = []
    for position, start in starts:
        if not kept or _begins_word(text, kept[-1][0], position):
            kept.append((position if kept else 0, start))
    if len(kept) > 1 and not text[kept[-1][0] :].strip():
        kept.pop()
    after = [*kept[1:], (len(text), end)]
    return tuple(
        Word(text[here:there].strip(), start, max(start, stop))
        for (here, start), (there, stop) in zip(kept, after, strict=False)
    )


def _begins_word(text: str, before: int, position: int) -> bool:
    if not text[before:position].strip():
        return False
    attached = text[before:position].split()[-1] if not text[position - 1].isspace() else ""
    return not re.search(r"\w", attached) or bool(_SIGN_ALONE.match(text, position))


def in_step(text: str, sounds: Sequence[tuple[float, float]]) -> tuple[Word, ...]:
    """The words of `text` with the times in `sounds`, or none when there are not as many."""
    spelled = text.split()
    if len(spelled) != len(sounds):
        return ()
    return tuple(Word(word, *times) for word, times in zip(spelled, sounds, strict=True))


class Unrolling:
    """Shares a text out to its sound as it comes, where the voice tells no times.

    A stream of sound does not say how long it will be; this supposes an ordinary speed, so that
    an answer that is cut off in mid-stream is remembered about as far as it was heard.
    """

    PACE = 15.0
    """Characters a second: English at 170 words a minute."""

    def __init__(self, text: str, pace: float = PACE) -> None:
        self._ends = [match.end() for match in re.finditer(r"\S+\s*", text)]
        self._text = text
        self._pace = pace
        self._given = 0
        self._seconds = 0.0

    def next(self, audio: Audio) -> str:
        """The whole words that belong to the next stretch of sound; sometimes none."""
        self._seconds += audio.seconds
        due = self._seconds * self._pace
        end = max((end for end in self._ends if end <= due), default=0)
        return self.up_to(end)

    def up_to(self, end: int) -> str:
        """The text not given yet, up to this character."""
        part = self._text[self._given : max(end, self._given)]
        self._given += len(part)
        return part

    def rest(self) -> str:
        """All text that is left."""
        return self.up_to(len(self._text))


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
    unspaced = re.search(f"[{_UNSPACED}][^\\s\\w]*$", said) or re.match(f"[{_UNSPACED}]", part)
    return said + part if unspaced else f"{said} {part}"


def _last_border(border: re.Pattern[str], text: str, longest: int) -> int:
    ends = (match.end() for match in border.finditer(text, 0, longest + 1))
    return max((end for end in ends if 0 < end <= longest), default=0)
