"""What it saves to transcribe several sounds at once:
`python -m voice_kit.workshop.bench_batch [MODEL] [DEVICE]`.

Prints a line of JSON for each size of a batch: seconds for one sound, those of the processor too
(on a busy machine they say more), and how long each was waited for, in milliseconds. MODEL is
a Whisper's name or folder, and without one the best that is here.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from voice_kit.hear.stt_whisper import FasterWhisper
from voice_kit.sounds import clips
from voice_kit.types import Audio, Transcript
from voice_kit.workshop.peers.table import spread

BATCHES = (1, 2, 4, 8)
ROUNDS = 4
"""Batches of each size that are measured."""


def measure(make: Callable[[int], FasterWhisper], sounds: Sequence[Audio]) -> list[dict[str, Any]]:
    """A row for each size of a batch, of engines that `make` gives for it.

    Twice as many as fit are always under way: while one batch is computed, the next one gathers.
    """
    rows: list[dict[str, Any]] = []
    alone: list[Transcript] = []
    for batch in BATCHES:
        engine = make(batch)
        engine.transcribe(sounds[0])
        engine.batches.clear()
        worked = time.process_time()
        found, waits, seconds = ask(engine, sounds, 2 * batch)
        worked = time.process_time() - worked
        alone = alone or found
        each = seconds / len(sounds)
        rows.append(
            {
                "batch": batch,
                "seconds_each": round(each, 4),
                "times_faster": round(rows[0]["seconds_each"] / each if rows else 1.0, 2),
                "a_second": round(1 / each, 2),
                "processor_each": round(worked / len(sounds), 4),
                "waited": spread(waits),
                "same": sum(one == other for one, other in zip(found, alone, strict=True)),
                "of": len(sounds),
                "at_once": dict(sorted(engine.batches.items())),
            }
        )
    return rows


def ask(
    engine: FasterWhisper, sounds: Sequence[Audio], callers: int
) -> tuple[list[Transcript], list[float], float]:
    """What is said in each sound, how long it was waited for, and the seconds for all of them."""
    found: dict[int, Transcript] = {}
    waits: list[float] = []
    todo = list(range(len(sounds)))

    def work() -> None:
        while todo:
            try:
                place = todo.pop()
            except IndexError:
                return
            began = time.perf_counter()
            found[place] = engine.transcribe(sounds[place])
            waits.append(time.perf_counter() - began)

    threads = [threading.Thread(target=work) for _ in range(callers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return [found[place] for place in range(len(sounds))], waits, seconds


def main(model: str = "", device: str = "auto") -> None:
    """Print it."""
    said = [clip.audio() for clip in clips() if clip.text]
    sounds = [said[place % len(said)] for place in range(ROUNDS * max(BATCHES))]

    def make(batch: int) -> FasterWhisper:
        return FasterWhisper(model=model, device=device, batch=batch, filtered=False)

    for row in measure(make, sounds):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
