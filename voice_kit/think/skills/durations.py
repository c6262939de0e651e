"""How long something takes, as people say it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from voice_kit.think.skills.numbers import DIGITS, WORDS, count, listed, number

UNITS = {
    **dict.fromkeys(("second", "seconds", "sec", "secs", "s"), 1),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), 60),
    **dict.fromkeys(("hour", "hours", "hr", "hrs", "h"), 3600),
    **dict.fromkeys(("day", "days"), 86_400),
    **dict.fromkeys(("week", "weeks"), 604_800),
}
"""Seconds in each."""
MISHEARD = {"to": "two", "too": "two", "for": "four", "fore": "four", "ate": "eight", "won": "one"}
"""What a recogniser writes for a number right before a unit."""
LONGEST = 366 * 86_400
"""Seconds: nobody waits longer for a timer."""

_PARTS = {
    **{"half a": Fraction(1, 2), "half an": Fraction(1, 2), "half": Fraction(1, 2)},
    **{"quarter of an": Fraction(1, 4), "a quarter of an": Fraction(1, 4)},
    **{"three quarters of an": Fraction(3, 4), "a": Fraction(1), "an": Fraction(1)},
    **{"a couple of": Fraction(2), "a couple": Fraction(2), "couple of": Fraction(2)},
    **{"another": Fraction(1)},
}
_AMOUNTS = sorted({*WORDS, *MISHEARD, *" ".join(_PARTS).split(), "quarter"}, key=len, reverse=True)
_WORD = rf"(?:{'|'.join((*_AMOUNTS, *sorted(UNITS, key=len, reverse=True)))}|{DIGITS.pattern})"
PATTERN = rf"{_WORD}(?: {_WORD})*"


def seconds(words: str) -> float | None:
    """What "an hour and a half" or "twenty five minutes and ten seconds" is, in seconds."""
    total, unit, amount = Fraction(0), 0, list[str]()
    said = words.split()
    for place, word in enumerate(said):
        if word not in UNITS or (word == "s" and not amount):
            amount.append(word)
            continue
        if unit and amount[:1] == ["and"]:
            amount = amount[1:]
        found = _amount(amount)
        if found is None or (unit and UNITS[word] >= unit):
            return None
        unit, amount = UNITS[word], []
        total += found * unit
        if said[place + 1 :] == ["and", "a", "half"]:
            return _sensible(total + Fraction(unit, 2))
    if amount:  # "one hour thirty"
        rest = number(" ".join(amount)) if unit == 3600 else None
        if rest is None or not 0 < rest < 60:
            return None
        total += rest * 60
    return _sensible(total) if unit else None


def parts(words: str) -> dict[str, float] | None:
    """The same as arguments: `{"hours": 1, "minutes": 30}`, without what is none."""
    whole = seconds(words)
    if whole is None:
        return None
    hours, rest = divmod(whole, 3600)
    found = {"hours": hours, "minutes": rest // 60, "seconds": rest % 60}
    return {name: _plain(value) for name, value in found.items() if value}


def said_duration(length: float) -> str:
    """A length in seconds, fit to be spoken: "1 hour and 5 minutes". At most two parts."""
    whole = max(0, round(length))
    names = (("week", 604_800), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
    found = list[str]()
    for name, size in names:
        amount, whole = divmod(whole, size)
        if amount and len(found) < 2:
            found.append(count(amount, name))
        elif found:
            break  # nobody wants the seconds of a day
    return listed(found) or "0 seconds"


def _amount(said: Sequence[str]) -> Fraction | None:
    words = " ".join(said)
    if words in _PARTS:
        return _PARTS[words]
    return number(MISHEARD.get(words, words))


def _sensible(total: Fraction) -> float | None:
    return float(total) if 0 < total <= LONGEST else None


def _plain(value: float) -> float:
    return int(value) if value == int(value) else value
