"""What the loop itself costs, beside the shortest loop one can write by hand, in one run.

`python -m voice_kit.workshop.bench [--turns N] [--json]`. The engines are stubs that wait, so
that what is left is ours; sound comes and goes in real time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.conversation import Conversation
from voice_kit.settings import Settings
from voice_kit.types import (
    FRAME,
    RATE,
    Audio,
    Event,
    FrameHeard,
    Interrupted,
    PlaybackStarted,
    TurnEnded,
)
from voice_kit.workshop.fakes import (
    HummingVoice,
    Script,
    ScriptedModel,
    ScriptedTranscriber,
    scripted,
)

STT, LLM, TTS = 0.1, 0.1, 0.05
"""Seconds that the stub engines take; together 250 ms."""
STOP = 0.192
"""Six frames of quiet end a turn."""
QUESTION, ANSWER, GAP = 0.48, 0.4, 0.9
"""Seconds of the question, of the answer, and from the question's end to the next."""


def scene(turns: int) -> tuple[Script, Audio]:
    """So many questions, each with time for its answer."""
    script = Script()
    parts = [part for _ in range(turns) for part in (("question", QUESTION), GAP)]
    return script, script.sound(0.32, *parts)


async def by_the_kit(turns: int, *, eager: float = 0.0) -> list[float]:
    """Seconds from the end of each turn to its first sound, the engines' time included."""
    script, sound = scene(turns)
    voice = HummingVoice(TTS, word=ANSWER)
    model = ScriptedModel({"question": "Yes."}, first=LLM)
    engines = scripted(script, stt=ScriptedTranscriber(script, STT), llm=model, tts=voice)
    settings = Settings().changed({"hear.stop": STOP, "hear.eager": eager})
    ended: list[float] = []
    started: list[float] = []

    def watch(event: Event) -> None:
        if isinstance(event, TurnEnded):
            ended.append(event.at)
        elif isinstance(event, PlaybackStarted):
            started.append(event.at)

    async with Conversation(engines, SilentSpeaker(), settings, observers=[watch]) as talk:
        await talk.listen(FileMicrophone(sound))
    return [start - end for start, end in zip(started, ended, strict=True)]


async def by_hand(turns: int) -> list[float]:
    """The same with nothing but a counter, three awaits and a loudspeaker."""
    _, sound = scene(turns)
    speaker = SilentSpeaker()
    microphone = FileMicrophone(sound)
    latencies: list[float] = []
    answer = Audio(np.full(round(ANSWER * RATE), 0.1, np.float32), RATE)
    tasks: list[asyncio.Task[None]] = []

    async def reply(ended: float) -> None:
        for seconds in (STT, LLM, TTS):
            await asyncio.sleep(seconds)
        playback = speaker.open(lambda at: latencies.append(at - ended))
        playback.play(answer)
        await playback.finished()

    spoken, quiet, index = False, 0, 0
    async for frame in microphone:
        index += 1
        loud = bool(np.mean(np.abs(frame) > 0.003) > 0.5)
        spoken, quiet = spoken or loud, 0 if loud else quiet + 1
        if spoken and quiet == round(STOP * RATE / FRAME):
            spoken = False
            due = (microphone.opened or 0.0) + index * FRAME / RATE
            tasks.append(asyncio.create_task(reply(due)))
    await asyncio.gather(*tasks)
    return latencies


async def stops(turns: int) -> list[float]:
    """Seconds from the frame that decides an interruption to the sound stopped."""
    script = Script()
    parts = [part for _ in range(turns) for part in (("question", QUESTION), 1.0, ("stop", 0.64))]
    sound = script.sound(0.32, *parts, 0.5)
    voice = HummingVoice(0.0, word=20.0)
    engines = scripted(script, stt=ScriptedTranscriber(script, 0.01), tts=voice)
    settings = Settings().changed({"hear.stop": STOP, "hear.eager": 0})
    heard, found = 0.0, list[float]()

    def watch(event: Event) -> None:
        nonlocal heard
        if isinstance(event, FrameHeard):
            heard = time.perf_counter()
        elif isinstance(event, Interrupted):
            found.append(time.perf_counter() - heard)

    async with Conversation(engines, SilentSpeaker(), settings, observers=[watch]) as talk:
        await talk.listen(FileMicrophone(sound))
        talk.hush()
    return found[:-1]


def demo() -> dict[str, float]:
    """Seconds and peak resident megabytes of `voice-kit demo`, its worker processes included."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "voice_kit.cli", "demo", "--json", "--out", folder]
        began, peak = time.perf_counter(), 0.0
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
            while child.poll() is None:
                peak = max(peak, sum(map(_resident, _family(child.pid))))
                threading.Event().wait(0.1)
    return {"seconds": time.perf_counter() - began, "peak_mb": peak, "exit": child.returncode}


def _family(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return [pid]
    return [pid, *(member for child in text.split() for member in _family(int(child)))]


def _resident(pid: int) -> float:
    """Megabytes of a process that are in memory, what it shares with others counted once."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1e3


def spread(seconds: Sequence[float], less: float = 0.0) -> dict[str, float]:
    """Median, 95th and 99th percentile in milliseconds, and how many there were."""
    own = [(each - less) * 1000 for each in seconds]
    p50, p95, p99 = np.percentile(own, [50, 95, 99])
    return {"p50_ms": float(p50), "p95_ms": float(p95), "p99_ms": float(p99), "n": len(own)}


def measure(turns: int) -> dict[str, Any]:
    """Every figure of this bench."""
    engines = STT + LLM + TTS
    hand = spread(asyncio.run(by_hand(turns)), engines)
    kit = spread(asyncio.run(by_the_kit(turns)), engines)
    eager = spread(asyncio.run(by_the_kit(turns, eager=0.064)), engines)
    return {
        "added after the end of a turn, by hand": hand,
        "added after the end of a turn, voice-kit": kit,
        "the same with an early start (negative: hidden in the wait)": eager,
        "from the deciding frame to the sound stopped": spread(asyncio.run(stops(turns))),
        "voice-kit ÷ by hand (medians)": kit["p50_ms"] / max(hand["p50_ms"], 1e-6),
        "demo": demo(),
        "machine": {
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        },
    }


def main() -> None:
    """Measure, and print a table, or one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.turns)
    if options.json:
        print(json.dumps(figures))
        return
    for name, figure in figures.items():
        values = figure.items() if isinstance(figure, dict) else [("", figure)]
        cells = "  ".join(
            f"{key} {value:.2f}" if isinstance(value, float) else f"{key} {value}"
            for key, value in values
        )
        print(f"{name:<62} {cells}")


if __name__ == "__main__":
    main()
