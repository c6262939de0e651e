"""Many conversations in one fresh process: `python -m voice_kit.workshop.bench_load N TURNS`.

A pause in seconds after each question, and the sets they are from, may follow.

Prints one line of JSON: what a conversation costs, and how late its answers are.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from voice_kit.engines import make
from voice_kit.errors import VoiceKitError
from voice_kit.hear.batch import Batch
from voice_kit.settings import Settings
from voice_kit.types import RATE
from voice_kit.workshop.bench_turns import EARLY, converse, rows_of, staggered
from voice_kit.workshop.peers.scenes import BEGIN, REST, Scene, scene
from voice_kit.workshop.peers.stage import Record

TURNS = 3
"""Of each set, in every conversation."""
SETTLE = 2.0
"""Seconds until all have begun."""
QUESTION = 1.5
"""Seconds that a question takes, about."""
SCENES = 20
"""Different ones; more conversations than this hear the same again, each at its own time."""


def measure(
    conversations: int, turns: int = TURNS, rest: float = REST, sets: Sequence[str] = EARLY.sets
) -> dict[str, Any]:
    """Milliseconds of CPU and megabytes a conversation, and when its answers came.

    Blocks for as long as the sound lasts. Raises `VoiceKitError`.
    """
    what = (str(conversations), str(turns), str(rest), *sets)
    command = [sys.executable, "-m", __name__, *what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise VoiceKitError(f"{conversations} conversations could not be held: {last}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def resident(process: int | str = "self") -> float:
    """Megabytes of a process, this one, in memory; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def scenes(conversations: int, turns: int, rest: float, sets: Sequence[str]) -> list[Scene]:
    """What each conversation hears. Strangers do not all ask at the same moment."""
    different = min(SCENES, conversations)
    few = [
        scene(sets, turns, seed, rest, BEGIN + begin(seed, different, rest))
        for seed in range(different)
    ]
    return [few[number % len(few)] for number in range(conversations)]


def begin(number: int, many: int, rest: float) -> float:
    """Seconds after the first that this one of `many` asks: spread over a question's time."""
    return number / many * (rest + QUESTION)


async def _hold(conversations: int, turns: int, rest: float, sets: Sequence[str]) -> dict[str, Any]:
    detector = Batch(make("vad", "silero", Settings()))
    heard = scenes(conversations, turns, rest, sets)
    await _talks([scene(("short",), 1, 0) for _ in range(4)], detector)  # what all share is loaded
    _give_back()
    empty, began = resident(), time.perf_counter()
    talking = asyncio.ensure_future(_talks(heard, detector))
    await asyncio.sleep(SETTLE)
    cpu, since = time.process_time(), time.perf_counter()
    shortest = min(len(each.sound) for each in heard) / RATE
    await asyncio.sleep(began + shortest - 1 - since)
    used, seconds, full = time.process_time() - cpu, time.perf_counter() - since, resident()
    rows = await talking
    return {
        "conversations": conversations,
        "cpu_ms": used / seconds / conversations * 1000,
        "mb": (full - empty) / conversations,
        "rows": rows,
    }


def _give_back() -> None:
    """Let the system have what is free, or conversations would live in it and seem to need none."""
    gc.collect()
    with suppress(OSError, AttributeError, TypeError):  # only glibc can
        ctypes.CDLL(None).malloc_trim(0)


async def _talks(heard: list[Scene], detector: Batch) -> list[dict[str, Any]]:
    records = [Record() for _ in heard]

    def start(number: int) -> Callable[[], Awaitable[None]]:
        return lambda: converse(EARLY, heard[number], records[number], detector)

    await staggered((start(number) for number in range(len(heard))), len(heard))
    pairs = zip(heard, records, strict=True)
    return [row for each, record in pairs for row in rows_of(EARLY, each, record)]


if __name__ == "__main__":
    _, conversations, turns, *more = sys.argv
    rest, sets = float(more[0]) if more else REST, more[1:] or EARLY.sets
    print(json.dumps(asyncio.run(_hold(int(conversations), int(turns), rest, sets))))
