"""Sees in a question how much of it is there: “How does the engine” wants a verb."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

ASKING = {"be", "auxiliary", "negated"}
DO = {"do", "does", "did", "don't", "doesn't", "didn't"}
ALONE = {"subject", "pronoun", "object", "demonstrative"}
"""Kinds of words that can be a subject without another."""
_BEFORE = "determiner possessive his demonstrative quantity title number digit adjective ordinal"
BEFORE = set(_BEFORE.split())
"""Kinds of words that come before nouns."""
NOUNS = {"word", "-s", "unit", "when"}
"""Kinds of words that may be nouns."""


def asks(words: Sequence[str], kinds: Sequence[str]) -> Iterator[str]:
    """What comes after the subject that follows the auxiliary; nothing where no question begins.

    A verb that is in no list of kinds is taken for a part of the subject.
    """
    at = next((n for n, kind in enumerate(kinds[:5]) if kind in ASKING), None)
    if at is None or (at and kinds[0] != "wh"):
        return
    helps = "do" if words[at] in DO else kinds[at]
    how = f"{words[0] if at else 'whether'}{' …' if at > 1 else ''}, {helps}"
    rest = kinds[at + 1 :]
    noun = _length(rest, BEFORE)
    end = noun + _length(rest[noun:], NOUNS)
    subject = "its subject" if end else "nothing"
    if rest and rest[0] in ALONE and (end == noun or rest[0] != "demonstrative"):
        subject, end = "a pronoun", 1
    then = rest[end] if rest[end:] else "no more"
    yield f"asks: {how}; {subject}, {then}"
    yield f"asks: {helps}; {subject}, {then}"


def _length(kinds: Sequence[str], wanted: set[str]) -> int:
    """How many words of these kinds it begins with."""
    return next((n for n, kind in enumerate(kinds) if kind not in wanted), len(kinds))
