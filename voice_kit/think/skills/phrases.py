"""Sentences with slots: what a skill understands, written as people say it.

`[this may be missing]`, `(this | that)`, `{slot}`, and `{name:kind}` for a slot of another name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

OPENED = {
    **{f"{who}'s": f"{who} is" for who in ("what", "how", "when", "who", "where", "it", "that")},
    **{f"{who}s": f"{who} is" for who in ("what", "hows", "when", "who")},
    **{"i'm": "i am", "i'd": "i would", "i've": "i have", "let's": "let us", "what're": "what are"},
    **{"you're": "you are", "they're": "they are", "isn't": "is not", "can't": "can not"},
    **{"a.m": "am", "p.m": "pm", "oclock": "o'clock", "o’clock": "o'clock", "ok": "okay"},
    **{"um": "", "uh": "", "erm": "", "er": "", "hmm": "", "uhm": "", "mm": ""},
}
"""How a word is read. Some are written without their apostrophe, and some are no words."""

BEFORE = (
    "hey|hi|hello|okay|alright|all right|so|well|please|now|then|just|and|oh|yes|actually|kindly"
    "|quickly|go ahead and|(?:can|could|would|will) you|can i|could i|may i|i want you to|i want to"
    "|i need you to|i need to|i would like you to|i would like to|would you mind|tell me|let us"
    "|let me know|do you know|do you happen to know|i wonder|i want to know|i would like to know"
)
AFTER = (
    "please|thanks|thank you|thank you very much|thanks a lot|for me|now|right now|okay|then|mate"
    "|at the moment|(?:can|could|would|will) you|if you can|if you could|if you please|just now"
)
_BEFORE = re.compile(rf"(?:{BEFORE}) ")
_AFTER = re.compile(rf" (?:{AFTER}) ?$")
_WORD = re.compile(r"\S+")
_EDGES = ".,!?;:=\"“”„«»…'‘’"
_HYPHEN = re.compile(r"(?<=[a-z\d])[-‐‑](?=[a-z])")
_SIGN = re.compile(r"\s*(\[|\]|\(|\)|\||\{(?P<name>\w+)(?::(?P<kind>\w+))?\}|[^\s\[\](){}|]+)")


@dataclass(frozen=True, slots=True)
class Heard:
    """A sentence as phrases are compared with it, and as it was written."""

    plain: str
    """Lower case, without punctuation and hesitation, contractions opened; a blank at its end."""
    places: tuple[int, ...]
    """Where each written word begins in `plain`."""
    written: tuple[str, ...]

    def as_written(self, start: int, end: int) -> str:
        """The words of this stretch of `plain`, as they were written."""
        pairs = zip(self.places, self.written, strict=True)
        return " ".join(word for place, word in pairs if start <= place < end)


def heard(words: str) -> Heard:
    """A sentence, ready to be compared."""
    plain, places, written = "", list[int](), list[str]()
    for match in _WORD.finditer(words):
        word = match[0].strip(_EDGES)
        if match[0].startswith(".") and word[:1].isdigit():
            word = f".{word}"
        read = word.lower().replace("’", "'")
        read = _HYPHEN.sub(" ", OPENED.get(read, read))
        if read:
            places.append(len(plain))
            written.append(word)
            plain += f"{read} "
    return Heard(plain, tuple(places), tuple(written))


def readings(sentence: Heard) -> Iterator[tuple[int, int]]:
    """Where in `plain` the sentence itself may begin and end: without courtesies, then with."""
    starts, ends = [0], [len(sentence.plain)]
    while more := _BEFORE.match(sentence.plain, starts[0]):
        starts.insert(0, more.end())
    while more := _AFTER.search(sentence.plain, 0, ends[0]):
        ends.insert(0, more.start() + 1)
    yield from ((start, end) for start in starts for end in ends if start < end)


@dataclass(frozen=True, slots=True)
class Kind:
    """What may stand in a slot."""

    pattern: str
    """Regular expression of the plain words."""
    value: Callable[[str], Any]
    """What it means, plain data; None when it is nothing of the kind. A mapping stands for
    several arguments."""
    as_written: bool = False
    """Whether `value` is given the words as they were written."""


TEXT = Kind(r"\S.*?", str, as_written=True)
"""Anything at all, in the speaker's own words."""


def one_of(**means: str) -> Kind:
    """One of these words: `one_of(louder="louder | speak up")` stands for “louder” at both."""
    table = {" ".join(word.split()): key for key, ways in means.items() for word in ways.split("|")}
    return words_from(table)


def words_from(table: Mapping[str, Any]) -> Kind:
    """One of these words or names, and what each stands for."""
    longest_first = sorted(table, key=len, reverse=True)
    return Kind("|".join(map(re.escape, longest_first)) or "(?!)", table.get)


class Phrase:
    """One way to say something."""

    def __init__(self, written: str, kinds: Mapping[str, Kind], given: Mapping[str, Any]) -> None:
        """`given` are arguments that the phrase stands for by itself."""
        self.written = written
        self._given = given
        self._slots: list[tuple[str, Kind]] = []
        if stray := _SIGN.sub("", written).strip():
            raise ValueError(f"the phrase “{written}” has a stray {stray}")
        pattern = "".join(self._regex(sign, kinds) for sign in _SIGN.finditer(written))
        try:
            self._pattern = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"the phrase “{written}” is not closed properly: {error}") from error

    def _regex(self, sign: re.Match[str], kinds: Mapping[str, Kind]) -> str:
        if name := sign["name"]:
            kind = sign["kind"] or name
            if kind not in kinds:
                raise ValueError(f"the phrase “{self.written}” has an unknown slot “{kind}”")
            self._slots.append((name, kinds[kind]))
            return f"(?P<slot{len(self._slots) - 1}>{kinds[kind].pattern}) "
        brackets = {"[": "(?:", "]": ")?", "(": "(?:", ")": ")", "|": "|"}
        return brackets.get(sign[1]) or f"{re.escape(sign[1])} "

    def arguments(self, sentence: Heard, start: int, end: int) -> dict[str, Any] | None:
        """What the slots hold when this is the whole of that stretch; None when it is not."""
        match = self._pattern.fullmatch(sentence.plain, start, end)
        if match is None:
            return None
        found = dict(self._given)
        for index, (name, kind) in enumerate(self._slots):
            first, last = match.span(f"slot{index}")
            if first < 0:
                continue
            words = sentence.plain[first:last]
            value = kind.value(sentence.as_written(first, last) if kind.as_written else words)
            if value is None:
                return None
            found |= value if isinstance(value, Mapping) else {name: value}
        return found
