"""Where words are in the sound: what voices need that tell of it, or do not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from voice_kit.speak.heard import UNSPACED
from voice_kit.types import Audio, Word

_SIGN_ALONE = re.compile(f"[{UNSPACED}]")

_BORDERS = (
    re.compile(r"[.!?…]+[\"”’»)\]]*\s+|[。！？।]+|\n+"),
    re.compile(r"[,;:–—]\s+|[，、；：]"),
    re.compile(rf"\s+|(?<=[{UNSPACED}])(?=[{UNSPACED}])"),
)
"""Where a text may be cut: best after a sentence, else after a clause, else after a word."""


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


def _last_border(border: re.Pattern[str], text: str, longest: int) -> int:
    ends = (match.end() for match in border.finditer(text, 0, longest + 1))
    return max((end for end in ends if 0 < end <= longest), default=0)
