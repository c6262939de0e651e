"""The smaller parts of the bench: what the detector costs, and what a whole demo takes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from voice_kit.hear.protocols import VoiceDetector
from voice_kit.types import FRAME

STREAMS = (1, 2, 4, 16, 64, 100)
FRAMES = 1600
"""How many are computed for each figure."""


def detector(vad: VoiceDetector, frames: int = FRAMES) -> dict[str, float]:
    """Microseconds of CPU for a frame of one stream, by how many are computed together.

    The shortest of four times, since others use the machine too.
    """
    found: dict[str, float] = {}
    for streams in STREAMS:
        sound = np.random.default_rng(0).normal(0, 0.05, (streams, FRAME)).astype(np.float32)
        rounds = max(4, frames // streams // 4)
        best, states = float("inf"), [vad.start() for _ in range(streams)]
        for _ in range(4):
            began = time.process_time()
            for _ in range(rounds):
                _, states = vad.detect(sound, states)
            best = min(best, (time.process_time() - began) / rounds / streams * 1e6)
        found[str(streams)] = best
    return found


def demo() -> dict[str, Any]:
    """Seconds and peak resident megabytes of `voice-kit demo`, its worker processes included."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "voice_kit.cli", "demo", "--json", "--out", folder]
        began, peak = time.perf_counter(), 0.0
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
            while child.poll() is None:
                peak = max(peak, sum(map(resident, family(child.pid))))
                threading.Event().wait(0.1)
    return {"seconds": time.perf_counter() - began, "peak_mb": peak, "exit": child.returncode}


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return [pid]
    return [pid, *(member for child in text.split() for member in family(int(child)))]


def resident(pid: int) -> float:
    """Megabytes of a process that are in memory, what it shares with others counted once."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1e3
