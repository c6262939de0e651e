"""How fast what is said is kept and read back: `python -m voice_kit.workshop.bench_memory`."""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from voice_kit.think.memory import KeptHistory, Line, Store, make_store

ASKED = "Can you tell me what the weather is going to be like tomorrow in the afternoon?"
ANSWERED = "I cannot see the weather from here, but it rained yesterday. " * 2
LOADED = 50


@dataclass(frozen=True, slots=True)
class Measured:
    """Times in seconds."""

    where: str
    turns: int
    append_p50: float
    """To write a turn, question and answer, into the store."""
    append_p95: float
    add_p50: float
    """What the conversation itself waits for a turn to be kept."""
    load_p50: float
    """To read the last 50 lines."""
    forget_everything: float


def filled(store: Store, name: str, turns: int) -> None:
    """Fill a conversation with turns."""
    for first in range(0, turns, 500):
        store.append(name, [line for at in range(first, first + 500) for line in _turn(at)])


def measured(store: Store, name: str, rounds: int = 300) -> Measured:
    """How long it takes with the conversation that is in there, which is forgotten in the end."""
    appended = _timed(lambda number: store.append(name, _turn(-1 - number)), rounds)
    loaded = _timed(lambda number: store.last(name, LOADED), rounds)
    turns = len(store.last(name)) // 2
    history = KeptHistory(store, name)

    def add(number: int) -> None:
        history.add("user", f"{ASKED} {number}")
        history.add("assistant", ANSWERED)

    added = _timed(add, rounds)
    history.flush()
    (forgot,) = _timed(lambda number: history.forget_everything(), 1)
    return Measured(
        store.where,
        turns,
        statistics.median(appended),
        statistics.quantiles(appended, n=20)[-1],
        statistics.median(added),
        statistics.median(loaded),
        forgot,
    )


def _turn(number: int) -> list[Line]:
    return [
        Line(f"exchange {number}", "user", f"{ASKED} {number}", float(number)),
        Line(f"exchange {number}", "assistant", ANSWERED, float(number)),
    ]


def _timed(work: Callable[[int], object], rounds: int) -> list[float]:
    took = []
    for number in range(rounds):
        began = time.perf_counter()
        work(number)
        took.append(time.perf_counter() - began)
    return took


def main() -> None:
    """Print it for a new SQLite file, or for the place that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default="", help="such as redis://localhost:6379/0")
    parser.add_argument("--turns", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(given.store or f"sqlite:{Path(folder) / 'memory.sqlite'}")
        name = "voice-kit bench"
        filled(store, name, given.turns)
        result = measured(store, name)
        store.close()
    if given.json:
        print(json.dumps(asdict(result)))
        return
    print(f"{result.turns:,} turns in {result.where}")
    rows = {
        "append a turn, p50": result.append_p50,
        "append a turn, p95": result.append_p95,
        "the loop waits, p50": result.add_p50,
        f"load the last {LOADED}, p50": result.load_p50,
        "forget everything": result.forget_everything,
    }
    for what, seconds in rows.items():
        print(f"{what:24}{seconds * 1e3:9.3f} ms")


if __name__ == "__main__":
    main()
