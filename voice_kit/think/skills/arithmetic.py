"""Spoken arithmetic, computed exactly where that is possible. Nothing is ever evaluated."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from voice_kit.think.skills.numbers import DIGITS, PARTS, WORDS, number, ordinal
from voice_kit.think.tools import ToolError

LONGEST = 200
"""Characters of a sum."""
DEEPEST = 20
"""So many brackets within brackets."""
LARGEST = 300
"""Digits of a result."""

_SIGNS = {
    **{"plus": "+", "add": "+", "added to": "+", "+": "+", "minus": "-", "take away": "-"},
    **{"subtract": "-", "less": "-", "-": "-", "–": "-", "−": "-", "negative": "-"},
    **{"times": "*", "multiplied by": "*", "multiplied with": "*", "*": "*", "x": "*", "×": "*"},
    **{"·": "*", "divided by": "/", "over": "/", "/": "/", "÷": "/"},
    **{"modulo": "mod", "mod": "mod", "to the power of": "^", "to the power": "^"},
    **{"raised to the power of": "^", "raised to": "^", "**": "^", "^": "^"},
    **{"squared": "²", "square": "²", "²": "²", "cubed": "³", "³": "³"},
    **{"percent": "%", "per cent": "%", "%": "%", "of": "of", "off": "off"},
    **{"the square root of": "root", "square root of": "root", "the root of": "root"},
    **{"root of": "root", "√": "root", "the cube root of": "cube", "cube root of": "cube"},
    **{"square root": "root", "cube root": "cube"},
    **{"(": "(", ")": ")", "open bracket": "(", "close bracket": ")", "open parenthesis": "("},
    **{"close parenthesis": ")", "open brackets": "(", "close brackets": ")"},
}
_WORD_SIGNS = [sign for sign in _SIGNS if sign[0].isalpha()]
_MARKS = [sign for sign in _SIGNS if not sign[0].isalpha()]
_ORDINAL = r"[a-z]+(?: [a-z]+)?|\d+(?:st|nd|rd|th)"
_SIGN = re.compile(
    rf"(?:(?P<word>{'|'.join(sorted(_WORD_SIGNS, key=len, reverse=True))})(?![a-z])"
    rf"|(?P<mark>{'|'.join(map(re.escape, sorted(_MARKS, key=len, reverse=True)))})"
    rf"|(?:raised )?to the (?P<power>{_ORDINAL})(?: power)?(?![a-z\d])"
    rf"|(?:the )?(?P<root>{_ORDINAL}) root of(?![a-z]))\s*"
)
_NUMBER_WORDS = "|".join(sorted({*WORDS, *PARTS}, key=len, reverse=True))
_NUMBER_WORD = re.compile(rf"(?:{DIGITS.pattern}|(?:{_NUMBER_WORDS})(?![a-z]))\s*")


class NoSumError(ValueError):
    """These words are no sum."""


def is_sum(words: str) -> bool:
    """Whether these words are a sum with at least one thing to compute."""
    try:
        tokens = _tokens(words)
        return sum(not isinstance(token, Fraction) for token in tokens) > 0 and bool(
            _Sum(tokens).checked()
        )
    except NoSumError:
        return False
    except ToolError:  # it is one, without a result
        return True


def computed(words: str) -> Fraction:
    """What "fifteen percent of eighty" or "(3 + 4) * 5" is. Raises `ToolError`."""
    try:
        return _Sum(_tokens(words.lower())).result()
    except NoSumError as error:
        raise ToolError("I do not understand that sum. Say it as “twelve times seven”.") from error


def _tokens(words: str) -> list[Fraction | str]:
    rest, found = words.strip(), list[Fraction | str]()
    if not 0 < len(rest) <= LONGEST:
        raise NoSumError
    while rest:
        value, length = _number_at(rest)
        if value is not None:
            found.append(value)
        else:
            sign = _SIGN.match(rest)
            if sign is None:
                raise NoSumError
            found += _meaning(sign)
            length = sign.end()
        rest = rest[length:]
    return found


def _meaning(sign: re.Match[str]) -> list[Fraction | str]:
    if named := sign["word"] or sign["mark"]:
        return [_SIGNS[named]]
    which = ordinal(sign["power"] or sign["root"])
    if not which:
        raise NoSumError
    return ["^", Fraction(which)] if sign["power"] else ["nth", Fraction(which)]


def _number_at(text: str) -> tuple[Fraction | None, int]:
    """The longest number at the beginning, and how many characters it takes."""
    ends, at = list[int](), 0
    while (word := _NUMBER_WORD.match(text, at)) and len(ends) < 20:
        at = word.end()
        ends.append(at)
    for end in reversed(ends):
        value = _fraction(text[:end].split()) or number(text[:end].strip())
        if value is not None:
            return value, end
    return None, 0


def _fraction(words: list[str]) -> Fraction | None:
    """ "half", "a third", "two thirds"."""
    if not words or words[-1] not in PARTS:
        return None
    front = " ".join(words[:-1])
    many = Fraction(1) if front in ("", "a", "one") else number(front)
    if many is None or many.denominator != 1 or " and " in f" {front} ":
        return None
    return many / PARTS[words[-1]]


class _Sum:
    """Tokens, read from left to right by the usual precedence."""

    def __init__(self, tokens: list[Fraction | str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._percent = False  # whether the last term was a bare percentage

    def checked(self) -> bool:
        """True. Raises `NoSumError`, or `ToolError` when there is no result."""
        self.result()
        return True

    def result(self) -> Fraction:
        """What it comes to."""
        value = self._sum()
        if self._at < len(self._tokens):
            raise NoSumError
        return value

    def _next(self, *signs: str) -> str:
        """Take the next token if it is one of these."""
        token = self._tokens[self._at] if self._at < len(self._tokens) else ""
        if isinstance(token, str) and token in signs:
            self._at += 1
            return token
        return ""

    def _sum(self) -> Fraction:
        value = self._product()
        while sign := self._next("+", "-"):
            right = self._product()
            right = value * right if self._percent else right  # 200 plus 10 percent
            value = value + right if sign == "+" else value - right
            self._percent = False
        return _bounded(value)

    def _product(self) -> Fraction:
        value = self._signed()
        while sign := self._next("*", "/", "mod", "of", "off"):
            if sign == "off" and not self._percent:
                raise NoSumError
            right = self._signed()
            self._percent = False
            if sign in ("/", "mod") and right == 0:
                raise ToolError("Nothing can be divided by zero.")
            if sign == "off":
                value = right - value * right
            else:
                value = {"/": lambda a, b: a / b, "mod": lambda a, b: a % b}.get(
                    sign, lambda a, b: a * b
                )(value, right)
            value = _bounded(value)
        return value

    def _signed(self) -> Fraction:
        if self._next("-"):
            return -self._signed()
        base = self._atom()
        while sign := self._next("²", "³"):
            base = _power(base, Fraction(2 if sign == "²" else 3))
        if self._next("^"):
            base = _power(base, self._signed())
        self._percent = bool(self._next("%"))
        return base / 100 if self._percent else base

    def _atom(self) -> Fraction:
        self._depth += 1
        if self._depth > DEEPEST or self._at >= len(self._tokens):
            raise NoSumError
        token = self._tokens[self._at]
        self._at += 1
        value = self._root(token) if isinstance(token, str) else token
        self._depth -= 1
        return value

    def _root(self, sign: str) -> Fraction:
        """What is in brackets or under a root."""
        if sign == "(":
            value = self._sum()
            if not self._next(")"):
                raise NoSumError
            return value
        which = {"root": 2, "cube": 3}.get(sign, 0)
        if sign == "nth":
            which, self._at = int(self._tokens[self._at]), self._at + 1
        if not which:
            raise NoSumError
        value = self._signed()
        if value < 0 and which % 2:
            return -_power(-value, Fraction(1, which))
        return _power(value, Fraction(1, which))


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if base == 0 and exponent < 0:
        raise ToolError("Nothing can be divided by zero.")
    if base < 0 and exponent.denominator != 1:
        raise ToolError("That root is no real number.")
    digits = max(math.log10(max(1, abs(base.numerator))), math.log10(base.denominator))
    if abs(exponent) > 10_000 or float(abs(exponent)) * digits > LARGEST:
        raise ToolError("That is too large a number for me.")
    if exponent.denominator == 1:
        return base ** int(exponent)
    near = Fraction(float(base) ** float(exponent)).limit_denominator(10**12)
    whole = Fraction(round(near))
    return whole if whole**exponent.denominator == base**exponent.numerator else near


def _bounded(value: Fraction) -> Fraction:
    if abs(value.numerator) > 10 ** (2 * LARGEST) or value.denominator > 10 ** (2 * LARGEST):
        raise ToolError("That is too large a number for me.")
    return value
