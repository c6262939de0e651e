"""Tokens to sentences, each as soon as its final punctuation has arrived."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from voice_kit.speak.borders import border, closers_to_come, last_border
from voice_kit.speak.full_stop import full_stop, is_ordinary, last_word

LONGEST = 300
"""Characters in one piece: Kokoro cuts what is longer than 510 phonemes."""

WIDE = "。！？｡"
FINAL = "!?…‼⁇⁈⁉؟۔।॥։።။" + WIDE
"""What ends a sentence without a doubt, in one script or another."""

_MARK = re.compile(rf"[.{FINAL}]+|[\n\u2028\u2029]")
_BLANK = re.compile(r"\s*")
_WHOLE_LINE = ("```", "~~~", "|")
_ITEM = re.compile(r"\s*(?:#{1,6}\s|[-*+•–>]\s|\d{1,3}[.)]\s|\|)")
_ADDRESS = re.compile(r"://|^www\.|/.*[?=]|@")
_LEFTOVER = re.compile(rf"[\s.{FINAL})\]}}\"'”’»›」』）】]*")

_SPACED = frozenset({"fr"})
"""Languages that put a space before "!" and "?"."""
_DENSE = {"zh": 3, "ja": 3, "yue": 3, "ko": 2}
"""How many letters of an alphabet one character of these languages stands for."""


class Sentences:
    """Cuts a stream of tokens of any size into pieces to speak.

    Decided by character, not by token: the same text gives the same pieces however it arrives,
    as long as no token ends right before a letter that belongs to the mark ("example.", "com").
    Joined, the pieces are the text again, but for white space and a last mark without words.
    The first piece is shorter, so that the first sound comes early: a first sentence of more
    than `first` characters is cut at a clause, and the second piece has at most twice that, so
    that it can be made while the first is heard. No piece has more than `longest` characters.
    """

    def __init__(self, language: str = "en", first: int = 60, longest: int = LONGEST) -> None:
        self._language = language
        dense = _DENSE.get(language, 1)
        self._longest = max(longest // dense, 20)
        self._limits = (first // dense, 2 * first // dense, self._longest)
        self._forget()

    def _forget(self) -> None:
        self._text = ""
        self._start = 0  # of the piece that is being gathered
        self._seen = 0  # marks before this have been found to end nothing
        self._count = 0
        self._fenced = False

    def feed(self, token: str) -> list[str]:
        """The pieces that are certain to be complete with this token."""
        self._text += token
        pieces = list(self._pieces(final=False))
        self._text = self._text[self._start :]
        self._seen -= self._start
        self._start = 0
        return pieces

    def end(self) -> list[str]:
        """What is left, now that the text is over. Ready for another text afterwards."""
        pieces = list(self._pieces(final=True))
        rest = self._text[self._start :].strip()
        self._forget()
        return pieces if _LEFTOVER.fullmatch(rest) else [*pieces, rest]

    def _pieces(self, *, final: bool) -> Iterator[str]:
        while (end := self._next(final)) is not None:
            piece = self._text[self._start : end].strip()
            self._start = self._seen = end
            if _LEFTOVER.fullmatch(piece):
                continue
            if piece[:3] in _WHOLE_LINE and piece.count(piece[:3]) == 1:
                self._fenced = not self._fenced
            self._count += 1
            yield piece

    def _next(self, final: bool) -> int | None:
        """Where the piece ends; None when that is not known yet."""
        text = self._text
        self._start = _end(_BLANK, text, self._start)
        self._seen = max(self._seen, self._start)
        while True:
            mark = _MARK.search(text, self._seen, self._start + self._longest + 2)
            horizon = mark.start() if mark else len(text)
            cut = self._too_long(horizon)
            if cut is not None:
                return cut
            if mark is None:
                self._seen = len(text)
                return None
            whole = self._fenced or text.startswith(_WHOLE_LINE, self._start)
            if mark.group().isspace():
                end, cut_here = mark.end(), whole or self._line_ends(mark, final)
            elif whole:
                end, cut_here = mark.end(), False
            else:
                end, cut_here = self._sentence_ends(mark, final)
            if cut_here:
                return end
            if cut_here is None:
                self._seen = mark.start()
                return None
            self._seen = mark.end()

    def _too_long(self, horizon: int) -> int | None:
        """Where to cut what would be spoken too late, or be too long to speak."""
        if self._fenced or self._text.startswith(_WHOLE_LINE, self._start):
            limit = self._longest
        else:
            limit = min(self._limits[min(self._count, 2)], self._longest)
        length = horizon - self._start
        if length <= limit:
            return None
        piece = self._text[self._start : min(horizon, self._start + self._longest + 1)]
        if limit < self._longest:
            early = border(piece, self._language, limit // 3, self._longest - 11)
            if early is not None:
                return self._start + early
            if length <= self._longest:
                return None
        return self._start + last_border(piece, self._language, self._longest)

    def _line_ends(self, mark: re.Match[str], final: bool) -> bool | None:
        text = self._text
        piece = text[self._start : mark.start()]
        line = piece[piece.rfind("\n") + 1 :].rstrip()
        if _LEFTOVER.fullmatch(piece):
            return False
        if _ITEM.match(line) or line.endswith((":", "：")):
            return True
        after = _end(_BLANK, text, mark.end())
        if "\n" in text[mark.end() : after]:
            return True
        if after == len(text):
            return None if not final else True
        return not text[after].islower()  # a sentence that goes on in the next line

    def _sentence_ends(self, mark: re.Match[str], final: bool) -> tuple[int, bool | None]:
        """The end of the mark with what closes it, and whether a sentence ends there."""
        text, end = self._text, mark.end()
        piece = text[self._start : mark.start()]
        if not any(map(str.isalnum, piece)):
            return end, False
        closers = closers_to_come(piece, self._language)
        while closers:
            after = _end(_BLANK, text, end) if "»" in closers else end
            if after == len(text) and not final:
                return end, None
            if text[after : after + 1] not in closers or after == len(text):
                break
            closers = closers.replace(text[after], "", 1)
            end = after + 1
        if any(closer in closers for closer in ")]）】`"):
            return end, False
        closed = text[mark.end() : end].strip(" \u00a0\u202f*_")
        dot = mark.group() == "."
        follows = text[end : end + 1]
        if not follows and not final and (closed or not self._certain(piece, dot)):
            sure = closed and dot and ")" not in closed and self._certain(piece, dot)
            return end, True if sure else None
        if follows and not follows.isspace():
            return end, self._goes_without_space(mark.group(), closed, end)
        if not follows or (self._certain(piece, dot) and not closed):
            return end, True
        if dot and not (")" in closed and piece[0] != "("):
            return end, full_stop(piece, text, end, self._language, final=final)
        return end, self._new_start(end, final)

    def _certain(self, piece: str, dot: bool) -> bool:
        """Whether a mark after `piece`, with no closing quote, ends it whatever comes."""
        word = last_word(piece)
        if dot:
            return is_ordinary(word, self._language)
        return not _ADDRESS.search(word) and (bool(word) or self._language in _SPACED)

    def _goes_without_space(self, mark: str, closed: str, after: int) -> bool:
        follows, before = self._text[after], self._text[after - len(mark) - 1 : after - len(mark)]
        if mark[-1] in WIDE:
            return not (closed and self._text.startswith(("と", "って"), after))
        if unicodedata.category(follows) in ("So", "Lo") and mark != ".":
            return True
        return mark != "." and not closed and before.islower() and follows.isupper()

    def _new_start(self, end: int, final: bool) -> bool | None:
        """Whether what comes after a closing quote or bracket looks like a new sentence."""
        after = _end(_BLANK, self._text, end)
        if after == len(self._text):
            return True if final else None
        return not self._text[after].islower() and self._text[after] not in ",;:–—-"


def sentences(tokens: Iterable[str], language: str = "en") -> Iterator[str]:
    """The pieces to speak, each yielded with the token that completes it. See `Sentences`."""
    cutter = Sentences(language)
    for token in tokens:
        yield from cutter.feed(token)
    yield from cutter.end()


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start
