"""Numbers as people say them, and as they want to hear them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
_TEENS = "fifteen sixteen seventeen eighteen nineteen"
SMALL = {word: value for value, word in enumerate(f"{_UNITS} {_TEENS}".split())}
SMALL |= {"oh": 0, "nought": 0, "nil": 0}
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
TENS = {word: 10 * value for value, word in enumerate(_TENS.split(), 2)} | {"fourty": 40}
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
PARTS = {
    **{"half": 2, "third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8},
    **{"ninth": 9, "tenth": 10, "twelfth": 12, "twentieth": 20, "hundredth": 100},
    **{"halves": 2, "thirds": 3, "quarters": 4, "fifths": 5, "sixths": 6, "eighths": 8},
    **{"tenths": 10, "hundredths": 100},
}
_IRREGULAR = {
    **{"first": "one", "second": "two", "third": "three", "fifth": "five", "eighth": "eight"},
    **{"ninth": "nine", "twelfth": "twelve"},
}
ORDINALS = _IRREGULAR | {f"{word}th": word for word in SMALL if f"{word}th" not in _IRREGULAR}
ORDINALS |= {f"{word[:-1]}ieth": word for word in TENS} | {"hundredth": "hundred"}

WORDS = frozenset({*SMALL, *TENS, *SCALES, "hundred", "dozen", "point", "and", "a", "an"})
"""Every word that may be part of a number, beside digits."""
DIGITS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+")
_ORDINAL = re.compile(r"(\d{1,3})(?:st|nd|rd|th)")
_LONGEST = 30  # digits; more is no number that anybody says


def number(words: str) -> Fraction | None:
    """The number these words say: "three hundred and ten", "2.5", "minus one point five"."""
    said = words.replace("-", " minus ", words.startswith("-")).split()
    if said[:1] in (["minus"], ["negative"]):
        positive = _positive(said[1:])
        return None if positive is None else -positive
    return _positive(said)


def ordinal(words: str) -> int | None:
    """The whole number of "third", "twenty first" or "21st"."""
    *front, last = words.split() or [""]
    if digits := _ORDINAL.fullmatch(last):
        return int(digits[1]) if not front else None
    found = number(" ".join([*front, ORDINALS.get(last, "?")]))
    return int(found) if found is not None else None


def _positive(said: Sequence[str]) -> Fraction | None:
    if list(said[-3:-1]) == ["and", "a"] and said[-1] in PARTS:
        whole = _positive(said[:-3])
        return None if whole is None else whole + Fraction(1, PARTS[said[-1]])
    if "point" in said:
        place = list(said).index("point")
        whole = _whole(said[:place]) if place else Fraction(0)
        decimals = _decimals(said[place + 1 :])
        return None if whole is None or decimals is None else whole + decimals
    return _whole(said)


def _decimals(said: Sequence[str]) -> Fraction | None:
    digits = ""
    for word in said:
        if not (word.isascii() and word.isdigit()) and SMALL.get(word, 10) > 9:
            found = _whole(said) if not digits else None  # "point twenty five"
            return None if found is None else Fraction(int(found), 10 ** len(str(found)))
        digits += word if word.isdigit() else str(SMALL[word])
    return Fraction(int(digits), 10 ** len(digits)) if 0 < len(digits) < _LONGEST else None


def _whole(said: Sequence[str]) -> Fraction | None:
    total, group = Fraction(0), Fraction(0)
    room, scale, begun = 10**_LONGEST, 10**_LONGEST, False  # what may still follow
    for index, word in enumerate(said):
        more = index + 1 < len(said)
        if word in ("a", "an"):
            if begun or not more or said[index + 1] not in {"hundred", "dozen", *SCALES}:
                return None
            group, room = Fraction(1), 0
        elif word == "and":
            if not more or not index or said[index - 1] not in {"hundred", *SCALES}:
                return None
        elif word == "hundred":
            if room >= 100 or not 0 < group < 100:
                return None
            group, room = group * 100, 100
        elif word == "dozen":
            return group * 12 if not more and not total and begun else None
        elif word in SCALES:
            if SCALES[word] >= scale or not group:
                return None
            total, group, scale = total + group * SCALES[word], Fraction(0), SCALES[word]
            room = scale
        else:
            value = _simple(word)
            if value is None or value >= room:
                return None
            group, room = group + value, 10 if word in TENS else 0
        begun = True
    return total + group if begun else None


def _simple(word: str) -> Fraction | None:
    value = SMALL.get(word, TENS.get(word))
    if value is not None:
        return Fraction(value)
    if len(word) <= _LONGEST and DIGITS.fullmatch(word):
        return Fraction(word.replace(",", ""))
    return None


def said_number(value: Fraction | float | int) -> str:
    """A number fit to be spoken: "3,720", "minus 2.5", "about 0.333", "1.5 million"."""
    exact = Fraction(str(value)) if isinstance(value, float) else Fraction(value)
    if exact < 0:
        said = said_number(-exact)
        return f"about minus {said[6:]}" if said.startswith("about ") else f"minus {said}"
    if exact >= 10**15 or 0 < exact < Fraction(1, 10**6):
        return _scientific(exact)
    for word, scale in (("trillion", 10**12), ("billion", 10**9), ("million", 10**6)):
        if exact >= scale and not exact % (scale // 100):
            return f"{said_number(exact / scale)} {word}"
    if exact.denominator == 1:
        return f"{exact.numerator:,}"
    places = 2 if exact >= 1 else 2 - math.floor(math.log10(exact))
    rounded = round(exact, 4 if exact == round(exact, 4) else places)
    digits = f"{float(rounded):,.10f}".rstrip("0").rstrip(".")
    return digits if rounded == exact else f"about {digits}"


def _scientific(value: Fraction) -> str:
    power = len(str(value.numerator // value.denominator)) - 1 if value >= 1 else -6
    while value < Fraction(10) ** power:
        power -= 1
    front = round(value / Fraction(10) ** power, 2)
    exact = "" if front * Fraction(10) ** power == value else "about "
    times = f"{float(front):g} times " if front != 1 else ""
    return f"{exact}{times}10 to the power of {said_number(power)}"


def count(amount: int, thing: str) -> str:
    """So many of a thing: "1 timer", "3 timers"."""
    return f"{amount:,} {thing}{'' if amount == 1 else 's'}"


def listed(things: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join(filter(None, [", ".join(things[:-1]), *things[-1:]]))
