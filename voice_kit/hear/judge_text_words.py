"""What words are: their kinds, as people would sort them, and what a text has of them."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

KINDS = Path(__file__).parent / "judge_text_words.toml"
TOKEN = re.compile(r"\d+[.:,]\d+|\d+|[^\W\d_]+(?:'[^\W\d_]+)?")
ENDINGS = (("ing", "-ing"), ("ed", "-ed"), ("ly", "-ly"), ("s", "-s"))
ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
ONES += " fifteen sixteen seventeen eighteen nineteen"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"


def tokens(text: str) -> list[str]:
    """The words in lower case; numbers below a hundred as words too."""
    found = TOKEN.findall(text.lower().replace("’", "'"))
    return [word for token in found for word in _spelled(token)]


def _spelled(token: str) -> list[str]:
    if not (token.isdecimal() and len(token) < 3) or (len(token) == 2 and token[0] == "0"):
        return [token]
    tens, ones = divmod(int(token), 10)
    if tens < 2:
        return [ONES.split()[int(token)]]
    return [TENS.split()[tens - 2], *([ONES.split()[ones]] if ones else [])]


def kind(word: str) -> str:
    """What sort of word it is: its kind in judge_text_words.toml, or by its shape."""
    if word in known():
        return known()[word]
    if word[0].isdigit():
        round_or_year = word.endswith("00") or (len(word) == 4 and word[:2] in ("19", "20"))
        spelled = word.isdigit() and (word[0] == "0" or len(word) > 2) and not round_or_year
        return "digits" if spelled else "number"
    if len(word) == 1:
        return "letter"
    return next((shape for end, shape in ENDINGS if word.endswith(end)), "word")


@cache
def known() -> dict[str, str]:
    """The kind of every word that has one."""
    kinds = tomllib.loads(KINDS.read_text(encoding="utf-8"))
    return {word: kind for kind in reversed(kinds) for word in kinds[kind].split()}
