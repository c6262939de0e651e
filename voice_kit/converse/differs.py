"""What differs between two conversations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from voice_kit.converse.plain import as_json
from voice_kit.converse.timeline import TurnTimes
from voice_kit.types import Event, FrameHeard


def difference(one: Sequence[Event], other: Sequence[Event], within: float = 1e-6) -> str:
    """The first event that differs, times by more than `within` seconds; empty if none does.

    Frames are compared with frames: a few microseconds may put an event before one or after it.
    """
    for frames in (False, True):
        mine, theirs = (
            [event for event in events if isinstance(event, FrameHeard) is frames]
            for events in (one, other)
        )
        for here, there in zip_longest(mine, theirs):
            if here is None or there is None:
                return f"only one has {here or there}"
            if not _alike(as_json(here), as_json(there), within):
                return f"{here} ≠ {there}"
    return ""


def _alike(one: Any, other: Any, within: float) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= within
    if isinstance(one, dict) and isinstance(other, dict):
        one, other = list(one.items()), list(other.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        pairs = zip_longest(one, other)
        return all(_alike(here, there, within) for here, there in pairs)
    return bool(one == other)


def pairs(
    before: Sequence[TurnTimes], after: Sequence[TurnTimes]
) -> Iterator[tuple[TurnTimes | None, TurnTimes | None]]:
    """The turns of two conversations side by side: those that answer the same sound, or line."""
    left = list(after)
    for turn in before:
        found = next((place for place, each in enumerate(left) if _same(turn, each)), None)
        if found is None:
            yield turn, None
            continue
        yield from ((None, each) for each in left[:found])
        yield turn, left[found]
        del left[: found + 1]
    yield from ((None, each) for each in left)


def _same(one: TurnTimes, other: TurnTimes) -> bool:
    if one.ended is None or other.ended is None:
        return one.ended is other.ended and one.heard == other.heard
    here, there = one.bars[0], other.bars[0]
    return here.start < there.end and there.start < here.end
