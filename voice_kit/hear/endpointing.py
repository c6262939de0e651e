"""How long to wait for more, by how finished the words so far sound."""

from __future__ import annotations

from voice_kit.settings.groups import Endpointing

SURE, UNSURE = 0.8, 0.3
"""A judge's chance from which on a turn counts as finished, and up to which as unfinished."""


def wait(finished: float, rules: Endpointing) -> float:
    """Seconds of quiet that end a turn of which a judge says it is `finished`, in [0, 1]."""
    if finished >= SURE:
        return rules.finished
    return rules.unfinished if finished <= UNSURE else rules.stop
