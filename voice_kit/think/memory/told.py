"""What a language model is told of the past beside the newest lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from voice_kit.think.memory.recall import matching
from voice_kit.think.memory.store import Line

EARLIER = 2
"""Exchanges of long ago that are shown where there is no summary."""
LOOKED_AT = 400
"""Older lines among which those are looked for."""
QUOTES = str.maketrans(dict.fromkeys('“”„"', "'"))


def told(
    about: str,
    facts: Sequence[str],
    summary: str,
    older: Sequence[Line],
    room: int,
    tokens: Callable[[str], int],
) -> str:
    """Facts, then the summary or else what matters of the older lines, in `room` tokens."""
    parts = []
    if facts:
        listed = " ".join(f"“{one_line(fact)}”" for fact in facts)
        parts.append(f"The user once asked you to remember, in their own words: {listed}")
    if summary:
        parts.append(f"What was said before: {one_line(summary)}")
    else:
        parts += [f"Earlier {each}." for each in _that_matter(about, older)]
    kept = []
    for part in parts:
        if (part := _cut(part, room, tokens)) and (cost := tokens(part) + 1) <= room:
            kept.append(part)
            room -= cost
    return "\n\n".join(kept)


def overflow(lines: Sequence[Line], costs: Sequence[int], budget: int) -> Sequence[Line]:
    """The oldest of these, which do not fit into half of the budget; none if all fit into it.

    An answer stays with its question.
    """
    if sum(costs) <= budget:
        return ()
    left, first = budget // 2, len(lines)
    while first and (left := left - costs[first - 1]) >= 0:
        first -= 1
    while 0 < first < len(lines) and lines[first - 1].exchange == lines[first].exchange:
        first -= 1
    return lines[:first]


def one_line(text: str) -> str:
    """Fit to stand between quotation marks."""
    return " ".join(text.split()).translate(QUOTES)


def _that_matter(about: str, lines: Sequence[Line]) -> list[str]:
    exchanges: dict[str, list[str]] = {}
    for line in lines[-LOOKED_AT:]:
        if line.role == "tool":  # strangers may have written that
            continue
        who = "the user said" if line.role == "user" else "you answered"
        exchanges.setdefault(line.exchange, []).append(f"{who}: “{one_line(line.text)}”")
    return matching(about, [", ".join(each) for each in exchanges.values()], str)[:EARLIER]


def _cut(text: str, room: int, tokens: Callable[[str], int]) -> str:
    """As much of the text as costs less than `room` tokens, in whole words."""
    if tokens(text) < room:
        return text
    kept = text[: max(0, room - 2) * len(text) // tokens(text)].rpartition(" ")[0]
    return f"{kept} …" if len(kept) > 40 else ""
