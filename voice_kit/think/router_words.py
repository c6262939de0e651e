"""What the router sees in a sentence: its words, those next to each other, and their kinds."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

KINDS = Path(__file__).with_name("route_words.toml")
PIECE = 4
"""Letters of the pieces of words by which “open” is like “opened”, and like it misheard."""


@cache
def kinds() -> dict[str, list[str]]:
    """The kinds of each word that has any, as route_words.toml lists them."""
    listed = tomllib.loads(KINDS.read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for kind, words in listed.items():
        for word in words.split():
            found.setdefault(word, []).append(f"<{kind}>")
    return found


def words(text: str) -> list[str]:
    """Its words in lower case, courtesies left out."""
    found = re.findall(r"[a-z0-9']+", text.lower())
    return [word for word in found if word not in kinds() or "<courtesy>" not in kinds()[word]]


def features(text: str) -> list[str]:
    """What is seen in it, each as a readable name; some of it more than once."""
    said = words(text)
    return list(_features(said)) if said else []


def _features(said: list[str]) -> Iterator[str]:
    known = kinds()
    whole = ["^", *said, "$"]
    as_kinds = ["^", *(known.get(word, [word])[0] for word in said), "$"]
    for line in (whole, as_kinds):
        yield from (f"{one} {other}" for one, other in pairwise(line))
        yield from (" ".join(three) for three in zip(line, line[1:], line[2:], strict=False))
    for word in said:
        yield word
        yield from known.get(word, [])
        edged = f"_{word}_"
        yield from (f"…{edged[at : at + PIECE]}…" for at in range(len(edged) - PIECE + 1))
    yield f"begins {as_kinds[1]}"
