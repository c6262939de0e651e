"""The words so far, while someone still speaks: only those that two passes agree on."""

from __future__ import annotations

import re

from voice_kit.hear.protocols import Transcriber

SPARE = 0.1
"""A pass that cannot be stopped may hold up the transcription of the whole by so many seconds."""


def confirmed(before: str, now: str) -> str:
    """The words at the beginning of `now` that the pass before it heard too, as `now` writes them.

    Case and punctuation do not count. This is the local agreement of Liu et al. (2020),
    "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by Partial Hypothesis
    Selection".
    """
    agreed = 0
    for one, other in zip(before.split(), now.split(), strict=False):
        if _bare(one) != _bare(other):
            break
        agreed += 1
    return " ".join(now.split()[:agreed])


def affordable(seconds: float, every: float, *, stoppable: bool) -> bool:
    """Whether passes of this many seconds may be made `every` so many.

    One that can be stopped may take all the time there is; one that cannot must be over before
    anyone notices.
    """
    return seconds <= (every if stoppable else min(SPARE, every))


def may_be_stopped(engine: Transcriber) -> bool:
    """Whether a call of it that nobody waits for any more holds up no other."""
    plainly = hasattr(engine, "abort") or engine.stops == "async"
    return bool(getattr(engine, "stoppable", plainly))  # which one that stands before it knows


def _bare(word: str) -> str:
    return re.sub(r"\W", "", word.lower())
