"""What was measured of gateways and queues, beside what the simulation makes of it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voice_kit.workshop.sizing_loop import Cost, carries, fit, hold
from voice_kit.workshop.sizing_queue import Clock, Places, Process
from voice_kit.workshop.sizing_world import Figures


class Point(NamedTuple):
    """Something measured, beside what the simulation makes of it."""

    name: str
    measured: float
    simulated: float
    note: str = ""


class Loop(NamedTuple):
    """A gateway process, as it was measured."""

    cost: Cost
    """With its sockets."""
    late: NDArray[np.float64]
    """Seconds that its answers are late when it is as full as it may be."""
    carries: int
    scale: float
    """How much later real answers were than the model's."""


def loop_of(of: Figures) -> Loop:
    """The gateway's costs, from what was measured of it."""
    loop, target = of["loop"], of["target"]
    wait = loop["frame_wait"]
    cost = fit({size: loop["cpu"][str(size)] for size in loop["fitted"]}, wait)
    ((size, late),) = loop["late_p99"].items()
    scale = late / 1000 / float(np.percentile(hold(int(size), cost, wait).late, 99))
    whole = cost._replace(frame=cost.frame + of["wire"]["message"])
    most = carries(whole, wait, target["late"] / scale, target["use"])
    return Loop(whole, hold(most, whole, wait).late * scale, most, scale)


def loop_points(of: Figures) -> Iterator[Point]:
    """What a gateway's conversations cost, and what its model says to each point."""
    loop = of["loop"]
    wait = loop["frame_wait"]
    cost = fit({size: loop["cpu"][str(size)] for size in loop["fitted"]}, wait)
    for size, measured in loop["cpu"].items():
        note = "fitted" if int(size) in loop["fitted"] else ""
        found = hold(int(size), cost, wait).cpu_ms
        yield Point(f"CPU at {size} conversations, ms a second of each", measured, found, note)


def queue_points() -> Iterator[Point]:
    """How long calls to real threads take, measured now, beside the same calls simulated."""
    arrivals = _arrivals()
    real, simulated = asyncio.run(_real_queue(arrivals)), _simulated_queue(arrivals)
    for share in (50, 95):
        yield Point(
            f"{CALLS} calls to {THREADS} threads: ms to the result, {share} of 100",
            float(np.percentile(real, share)) * 1000,
            float(np.percentile(simulated, share)) * 1000,
            "measured just now",
        )


THREADS, CALLS, TAKES, PER_SECOND = 4, 160, 0.08, 42.0
"""A queue that is busy 84 of 100 seconds: each call sleeps for `TAKES` seconds."""


def _arrivals() -> list[float]:
    dice = random.Random(7)
    moments, now = [], 0.0
    for _ in range(CALLS):
        now += dice.expovariate(PER_SECOND)
        moments.append(now)
    return moments


async def _real_queue(arrivals: Sequence[float]) -> list[float]:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(THREADS) as pool:

        async def call(at: float) -> float:
            await asyncio.sleep(began + at - loop.time())
            await loop.run_in_executor(pool, time.sleep, TAKES)
            return loop.time() - began - at

        began = loop.time() + 0.1
        return list(await asyncio.gather(*(call(at) for at in arrivals)))


def _simulated_queue(arrivals: Sequence[float]) -> list[float]:
    clock = Clock()
    threads, seconds = Places(clock, THREADS), list[float]()

    def call() -> Process:
        at = clock.now
        yield threads.take
        yield TAKES
        threads.free()
        seconds.append(clock.now - at)

    for at in arrivals:
        clock.after(at, partial(clock.begin, call()))
    clock.run()
    return seconds
