"""Which of the things that are kept matter to a question: by their words, without a network."""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

T = TypeVar("T")

ENOUGH = 0.5
"""A thing matters that shares this much with the question; 1 is a word that no other thing has."""
BY_TOPIC = 0.6
"""How much a word counts that only has to do with one of the question."""
WEAK = 0.3

_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")


def matching(about: str, things: Iterable[T], text: Callable[[T], str]) -> list[T]:
    """The things that matter to these words, those that share most with them first.

    A word counts for more the fewer things have it. Of two that share as much, the later is first.
    """
    asked = words(about)
    if not asked:
        return []
    known = [(thing, words(text(thing))) for thing in things]
    having = Counter(word for _, its in known for word in its)
    near = frozenset().union(*(_topics().get(word, frozenset()) for word in asked))
    most = math.log(1 + len(known))

    def shared(its: frozenset[str]) -> float:
        def worth(word: str) -> float:
            return math.log(1 + len(known) / having[word]) / most

        both = its & asked
        direct = sum(max(ENOUGH, worth(word)) * (WEAK if word in weak() else 1) for word in both)
        if asked <= weak() and both:
            direct += ENOUGH
        return direct + BY_TOPIC * max((worth(word) for word in its & near), default=0)

    scored = [(shared(its), place) for place, (_, its) in enumerate(known)]
    best = sorted((pair for pair in scored if pair[0] >= ENOUGH), reverse=True)
    return [known[place][0] for _, place in best]


def words(text: str) -> frozenset[str]:
    """The words that carry the meaning, each in one form, those that mean the same as one."""
    return frozenset(in_order(text))


def in_order(text: str) -> list[str]:
    """The same, as they come."""
    found = (match[0].lower().replace("’", "'") for match in _WORD.finditer(text))
    plain = (word.split("'")[0] for word in found)
    return [_same().get(word) or _stem(word) for word in plain if word not in _stop()]


def _stem(word: str) -> str:
    """A word without the ending of its number or tense, roughly."""
    if word.endswith("ies") and len(word) > 4:
        word = f"{word[:-3]}y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        word = word[:-1]
    for end in ("ing", "ed"):
        if word.endswith(end) and len(word) > len(end) + 3:
            word = word[: -len(end)]
            word = word[:-1] if word[-1] == word[-2] and word[-1] not in "ls" else word
    word = word[:-1] if word.endswith("e") and len(word) > 3 else word
    return _same().get(word, word)


@cache
def _read() -> dict[str, dict[str, Any]]:
    text = files("voice_kit.think.memory").joinpath("words.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _stop() -> frozenset[str]:
    return frozenset(_read()["stop"]["words"].split())


@cache
def _same() -> dict[str, str]:
    return {word: one for one, ways in _read()["same"].items() for word in ways.split()}


@cache
def weak() -> frozenset[str]:
    """Words that count only when nothing else was asked for."""
    return frozenset().union(*map(_forms, _read()["weak"]["words"].split()))


@cache
def sorts() -> frozenset[str]:
    """Words of a question for the sort of answer, which the answer need not have."""
    return frozenset().union(*map(_forms, _read()["sorts"]["words"].split()))


@cache
def _topics() -> dict[str, frozenset[str]]:
    """What facts may be about that belong to a question with this word."""
    found: dict[str, frozenset[str]] = {}
    for asked, about in _read()["topics"].values():
        near = frozenset().union(*map(_forms, about.split()))
        for word in frozenset().union(*map(_forms, asked.split())):
            found[word] = found.get(word, frozenset()) | near
    return found


def _forms(word: str) -> frozenset[str]:
    return words(word) or frozenset({word})


def to_you(fact: str) -> str:
    """What the user said of themselves as we say it to them: “your cat is called Miso”."""
    turned = _PERSON.sub(lambda match: _turned(match), f" {fact.strip()} ")
    return re.sub(r"\s+", " ", turned).strip().rstrip(".!")


_PERSON = re.compile(
    r"(?<![\w'’])(i am|i'm|am i|i was|i|me|my|mine|myself|you are|you're|you|yours|yourself|your)"
    r"(?![\w])(?=(['’](?:ve|ll|d)\b)?)",
    re.IGNORECASE,
)
_TURN = {
    **{"i am": "you are", "i'm": "you are", "am i": "are you", "i was": "you were", "i": "you"},
    **{"me": "you", "my": "your", "mine": "yours", "myself": "yourself", "you are": "I am"},
    **{"you're": "I am", "you": "I", "yours": "mine", "yourself": "myself", "your": "my"},
}


def _turned(match: re.Match[str]) -> str:
    return _TURN[" ".join(match[0].lower().replace("’", "'").split())]
