"""One gateway process: how busy its event loop is, and how late that makes answers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voice_kit.types import FRAME, RATE

FRAME_SECONDS = FRAME / RATE
RETURNS = 3
"""What an answer waits for the loop with, beside its frame: words, tokens, speech."""
ANSWERS = 4000


class Cost(NamedTuple):
    """Seconds of the loop's time."""

    batch: float
    """For waking up and computing a batch, whatever is in it."""
    frame: float
    """For each frame in it, and all that follows from it in a turn."""


class Held(NamedTuple):
    """What became of a loop that so many conversations were on."""

    busy: float
    """The share of its time."""
    cpu_ms: float
    """A conversation and second."""
    batch: float
    """Frames in one, on average."""
    late: NDArray[np.float64]
    """Seconds that each of many answers had to wait for the loop."""


def hold(conversations: int, cost: Cost, wait: float, seconds: float = 12.0, seed: int = 7) -> Held:
    """Frames of strangers' microphones come, gather for up to `wait` seconds, and are computed."""
    count = int(seconds / FRAME_SECONDS)
    phases = np.arange(conversations) * FRAME_SECONDS / conversations
    arrivals = (np.arange(count)[:, None] * FRAME_SECONDS + phases).ravel()
    begins, ends, delays = [], [], np.empty(len(arrivals))
    at, free = 0, 0.0
    while at < len(arrivals):
        expected = int(np.searchsorted(arrivals, arrivals[at] + wait, "right"))
        begin = max(arrivals[expected - 1], free)  # the last that is waited for is there
        until = max(expected, int(np.searchsorted(arrivals, begin, "right")))
        free = begin + cost.batch + cost.frame * (until - at)
        delays[at:until] = free - arrivals[at:until]
        begins.append(begin)
        ends.append(free)
        at = until
    starts, stops = np.array(begins), np.array(ends)
    worked = float((stops - starts).sum())
    random = np.random.default_rng(seed)
    late = random.choice(delays[len(delays) // 4 :], ANSWERS)
    for _ in range(RETURNS):
        moments = random.uniform(seconds / 4, seconds, ANSWERS)
        current = np.searchsorted(starts, moments, "right") - 1
        late = late + np.maximum(stops[current] - moments, 0)
    return Held(
        busy=worked / max(seconds, free),
        cpu_ms=worked / seconds / conversations * 1000,
        batch=len(arrivals) / len(begins),
        late=late,
    )


def fit(measured: dict[int, float], wait: float) -> Cost:
    """The two costs with which the model needs what was measured, in ms, at two sizes."""
    (few, few_ms), (many, many_ms) = sorted(measured.items())
    frames = 1 / FRAME_SECONDS
    cost = Cost(0.0, 0.0)
    for _ in range(6):  # batches grow with the costs, and the costs follow from the batches
        per_few = frames / hold(few, cost, wait, 4.0).batch
        per_many = frames / hold(many, cost, wait, 4.0).batch
        batch = (few_ms - many_ms) / 1000 / (per_few - per_many)
        cost = Cost(batch, (many_ms / 1000 - batch * per_many) / frames)
    return cost


def carries(cost: Cost, wait: float, late: float, use: float) -> int:
    """How many conversations one process carries, busy and late at most so much (95 of 100)."""
    enough, too_many = 1, 2048
    while too_many - enough > 1:
        middle = (enough + too_many) // 2
        held = hold(middle, cost, wait, 4.0)
        if held.busy <= use and np.percentile(held.late, 95) <= late:
            enough = middle
        else:
            too_many = middle
    return enough
