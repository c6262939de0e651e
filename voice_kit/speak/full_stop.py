"""Whether a dot is a full stop, or belongs to an abbreviation, a number or an address."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import accumulate

import sentencex  # type: ignore[import-untyped]

from voice_kit.tables import table_of

_BLANK = re.compile(r"\s*")
_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_LAST_WORD = re.compile(r"[^\s(\[{“„«\"*_]+$")
_LIST_NUMBER = re.compile(r"[-*(\s]*(?:\d{1,3}|[a-zA-Z])")
_DOTTED_LETTERS = re.compile(r"(?:\w\.)+\w")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_KNOWN = table_of(__name__)
_TITLES, _MAY_END = _words(_KNOWN["titles"]), _words(_KNOWN["may_end"])
_TIMES, _OF_TIMES = _words("a.m p.m"), _words(_KNOWN["of_times"])
_NUMBERED, _SHORT = _words(_KNOWN["numbered"]), _words(_KNOWN["short"])
_ORDINARY = {language: _words(said) for language, said in _KNOWN["ordinary"].items()}
_OWN = {known: re.compile(rf"(?:\w+['’])?(?:{own})") for known, own in _KNOWN["goes_on"].items()}
_LETTERED, _ORDINAL = re.compile(_KNOWN["lettered"]), re.compile(_KNOWN["ordinal"], re.I)


def full_stop(piece: str, text: str, end: int, language: str, *, final: bool) -> bool | None:
    """Whether the dot after `piece` ends a sentence, judged by what follows `text[:end]`.

    None as long as the next word is not complete, which it is when the text is `final`.
    """
    word = last_word(piece)
    after = _BLANK.match(text, end).end()  # type: ignore[union-attr]
    if "\n" in text[end:after]:
        return False  # the line end decides
    if after == len(text):
        return True if final else None
    if _LIST_NUMBER.fullmatch(piece):
        return False
    follows, known = text[after], word.lower()
    if _goes_on(word, follows, language):
        return False
    if known in _NUMBERED:
        return not follows.isdigit()
    if known in _TITLES or (follows.islower() and not word.isdigit()):
        return False
    following = _WORD.match(text, after)
    if following is None:
        return word[-1:].isdigit() or not (word.isalpha() or _DOTTED_LETTERS.fullmatch(word))
    if following.end() == len(text) and not final:
        return None
    if known in _TIMES:
        return following.group() not in _OF_TIMES
    if language == "de" and _ORDINAL.search(piece):
        return False
    if known in _MAY_END or _LETTERED.search(piece):
        return True
    if "." in word and not _DOTTED_LETTERS.fullmatch(word):
        return True  # an address, a file, a version
    return _sentencex_cuts(language, piece[-60:].split()[-3:], following.group())


def last_word(piece: str) -> str:
    """What stands after the last space, without the quotes and brackets before it."""
    found = _LAST_WORD.search(piece)
    return found.group() if found else ""


@lru_cache(maxsize=4096)
def is_ordinary(word: str, language: str) -> bool:
    """Whether a dot after this word can only be a full stop."""
    if word in _ORDINARY.get(language, ()):  # in lower case
        return True
    known = word.lower() in _NUMBERED | _TITLES | _SHORT or _goes_on(word, "1", language)
    if len(word) < 2 or known:
        return False
    letters = all(c.isalpha() or c in "'’-" or unicodedata.category(c)[0] == "M" for c in word)
    return letters and len(sentencex.segment(language, f"Xyz {word}. Qoppa xi")) > 1


def _goes_on(word: str, follows: str, language: str) -> bool:
    return language in _OWN and bool(_OWN[language].fullmatch(f"{word} {follows}"))


def _sentencex_cuts(language: str, before: list[str], following: str) -> bool:
    head = "Xyz " + " ".join(before).replace('"', "") + ". "
    lengths = map(len, sentencex.segment(language, head + following + " xi"))
    return len(head) in accumulate(lengths)
