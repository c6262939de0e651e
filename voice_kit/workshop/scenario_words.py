"""Whether words are the words that were wanted."""

from __future__ import annotations

import re

from voice_kit.workshop.wer import plain


def matches(wanted: str, text: str) -> bool:
    """Whether the words are the same, whatever their case and marks; “…” stands for any words."""
    parts = [plain(part) for part in re.split(r"…|\.\.\.", wanted)]
    pattern = r"(?:\S+ )*".join(re.escape(f"{part} ") if part else "" for part in parts)
    return re.fullmatch(pattern, f"{plain(text)} ".lstrip()) is not None


def holds(part: str, text: str) -> bool:
    """Whether these words are in the text, one after the other."""
    return f" {plain(part)} " in f" {plain(text)} "


def word_error_rate(wanted: str, heard: str) -> float:
    """Words wrong, missing and too many, per word wanted."""
    one, other = plain(wanted).split(), plain(heard).split()
    costs = list(range(len(other) + 1))
    for row, word in enumerate(one, 1):
        diagonal, costs[0] = costs[0], row
        for column, word_heard in enumerate(other, 1):
            changed = diagonal + (word != word_heard)
            diagonal = costs[column]
            costs[column] = min(changed, diagonal + 1, costs[column - 1] + 1)
    return costs[-1] / max(1, len(one))
