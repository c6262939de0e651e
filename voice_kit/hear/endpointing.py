"""How long to wait for more, by how finished the words so far sound."""

from __future__ import annotations

import numpy as np

from voice_kit.settings.groups import Endpointing

UNSURE, LIKELY, SURE = 0.3, 0.65, 0.8
"""A judge's chance up to which a turn counts as unfinished, above which its end is likely, and from
which on it counts as finished."""


def wait(finished: float, rules: Endpointing) -> float:
    """Seconds of quiet that end a turn of which a judge says it is `finished`, in [0, 1].

    That is `rules.stop` where it cannot tell, and where the end is not yet likely. Otherwise the
    surer it is the nearer to `rules.finished` or `rules.unfinished`, in a straight line.
    """
    waits = (rules.unfinished, rules.stop, rules.stop, rules.finished)
    return float(np.interp(finished, (UNSURE, 0.5, LIKELY, SURE), waits))
