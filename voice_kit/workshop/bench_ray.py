"""What a call into a Ray cluster costs: `python -m voice_kit.workshop.bench_ray [CALLS]`.

Starts a cluster on this machine, and prints one line of JSON, in milliseconds: a hop with 32 kB
there and back, the first item of a stream, and how soon a cancellation reaches the replica.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import numpy as np

from voice_kit.serve.ray_cluster import imported
from voice_kit.serve.ray_far import Far
from voice_kit.serve.ray_start import started_here
from voice_kit.types import Samples
from voice_kit.workshop.peers.table import spread

CALLS = 200
BYTES = 32_768
"""A second of speech at 16 kHz, int16."""
WARM = 20
"""Calls before it counts: the first ones open connections."""


class Probe:
    """A deployment that does no work."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()
        self._at = 0.0

    async def echo(self, samples: Samples) -> Samples:
        """The same."""
        return samples

    async def items(self) -> AsyncGenerator[float, None]:
        """The time, and then nothing until the call is given up."""
        self._ended.clear()
        try:
            yield time.time()
            await asyncio.Event().wait()
        finally:
            self._at = time.time()
            self._ended.set()

    async def ended(self) -> float:
        """When the last stream was given up, by the clock of this machine."""
        await self._ended.wait()
        return self._at


async def measure(handle: Any, calls: int = CALLS) -> dict[str, Any]:
    """The three figures, in milliseconds: p50, p95, p99 and how many."""
    far, sound = Far(handle, "probe", {}), np.zeros(BYTES // 4, np.float32)
    hops, firsts, cancels = [], [], []
    for _ in range(WARM + calls):
        began = time.perf_counter()
        await far.once("echo", sound)
        hops.append(time.perf_counter() - began)
    for _ in range(WARM + calls // 4):
        began = time.perf_counter()
        async with aclosing(far.each("items")) as items:
            await anext(items)
            firsts.append(time.perf_counter() - began)
            given_up = time.time()
        cancels.append(await far.once("ended") - given_up)
    told = {"hop": hops, "first_item": firsts, "cancelled": cancels}
    return {name: spread(times[WARM:]) for name, times in told.items()}


def main(calls: int) -> dict[str, Any]:
    """Start a cluster, measure, and end it."""
    ray = imported("local")
    from ray import serve

    started_here(ray)
    try:
        probe: Any = serve.deployment(Probe, name="probe", ray_actor_options={"num_cpus": 0})
        serve.run(probe.bind(), name="bench", route_prefix=None)
        handle = serve.get_deployment_handle("probe", "bench")
        return asyncio.run(measure(handle, calls))
    finally:
        ray.shutdown()


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if sys.argv[1:] else CALLS)))
