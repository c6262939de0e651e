"""What we cost, in one run: the loop's own time, interruptions, many conversations, the demo."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from voice_kit.engines import make
from voice_kit.settings import Settings
from voice_kit.workshop import bench_load, bench_parts, bench_turns
from voice_kit.workshop.peers.plan import EAGER, LLM, STOP, STT, TTS
from voice_kit.workshop.peers.table import Row, spread

Figures = dict[str, Any]
PACKAGES = ("voice-kit", "numpy", "onnxruntime", "faster-whisper")


def measure(
    only: Iterable[str], turns: int, conversations: int, say: Callable[[str], None]
) -> Iterator[tuple[str, Figures]]:
    """The figures of each part, as soon as they are known. Raises `VoiceKitError`."""
    wanted = list(only)
    if "turns" in wanted:
        say(f"turns: {turns} of each kind, about {turns * 2.7:.0f} s")
        detector = make("vad", "silero", Settings())
        yield "turns", of_turns(asyncio.run(bench_turns.measure(turns, detector)))
    if "load" in wanted:
        say(f"load: {conversations} conversations, about 45 s")
        yield "load", of_load(bench_load.measure(conversations))
    if "detector" in wanted:
        say("detector")
        yield "detector", bench_parts.detector(make("vad", "silero", Settings()))
    if "demo" in wanted:
        say("demo")
        yield "demo", bench_parts.demo()


PARTS = ("turns", "load", "detector", "demo")


def of_turns(rows: Sequence[Row]) -> Figures:
    """Speed by way and set, what a loop adds after the end of a turn, and how soon it is silent."""
    speed, added, stops = {}, {}, {}
    for name in dict.fromkeys(row["way"] for row in rows):
        of = [row for row in rows if row["way"] == name]
        peer, _, way = name.partition(", ")
        if way == "early":
            for kind in dict.fromkeys(row["set"] for row in of):
                speed[f"{peer}, {kind}"] = _speed([row for row in of if row["set"] == kind])
        elif way == "plain":
            added[peer] = spread(row["late"] for row in of)
        else:
            stops[peer] = {
                key: spread(row[key] for row in of)
                for key in ("onset_to_silence", "decision_to_silence", "onset_to_stopped")
            }
    ours, hand = added.get("voice-kit"), added.get("by hand")
    ratio = ours["p50"] / hand["p50"] if ours and hand else None
    return {"speed": speed, "added": added, "added_to_by_hand": ratio, "stops": stops}


def of_load(found: Figures) -> Figures:
    """What many conversations cost, and how late they were."""
    rows = found["rows"]
    own = {key: found[key] for key in ("conversations", "cpu_ms", "mb")}
    return {**own, **_speed(rows), "late": spread(row["late"] for row in rows)}


def _speed(rows: Sequence[Row]) -> Figures:
    return {
        **(spread(row["voice_to_voice"] for row in rows) or {"n": 0}),
        "turns": len(rows),
        "too_early": sum(row["early"] for row in rows),
        "unanswered": sum(row["silent"] for row in rows),
        "abandoned": sum(row["abandoned"] for row in rows),
        "wasted_s": sum(row["wasted"] for row in rows),
    }


def machine() -> Figures:
    """Where and with what it was measured."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


# What people read of it


def text(part: str, of: Figures) -> str:
    """The figures of a part, as people read them."""
    return "\n".join(
        {"turns": _turns, "load": _load, "detector": _detector, "demo": _demo}[part](of)
    )


def about(machine: Figures) -> str:
    """Where and with what it was measured, and how."""
    engines = " + ".join(f"{seconds * 1000:.0f}" for seconds in (STT, LLM, TTS))
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return (
        f"Engines that wait {engines} ms, real Silero. An answer may begin after "
        f"{EAGER * 1000:.0f} ms of quiet, a turn ends after {STOP * 1000:.0f} ms.\n"
        f"Python {machine['python']}, {versions}; {machine['system']}, {machine['cores']} cores, "
        f"load average {machine['load_average'] or 0:.1f}."
    )


COST = ("too early", "unanswered", "abandoned", "wasted s")


def _turns(of: Figures) -> Iterator[str]:
    yield _head("Voice to voice (ms)", COST)
    for name, figures in of["speed"].items():
        yield _line(name, figures) + _cost(figures)
    yield ""
    yield _head("Added after the end of a turn (ms)")
    for name, figures in of["added"].items():
        yield _line(f"{name}, nothing begun early", figures)
    if of["added_to_by_hand"]:
        yield f"voice-kit ÷ by hand: {of['added_to_by_hand']:.2f}"
    yield ""
    yield _head("When interrupted (ms)")
    told = {
        "onset_to_silence": "speech → silence",
        "decision_to_silence": "deciding frame → silence",
        "onset_to_stopped": "speech → stopped for good",
    }
    for name, kinds in of["stops"].items():
        for key, figures in kinds.items():
            if figures:
                yield _line(f"{name}, {told[key]}", figures)


def _load(of: Figures) -> Iterator[str]:
    yield _head(f"{of['conversations']} conversations in one process (ms)", COST)
    yield _line("voice to voice", of) + _cost(of)
    yield _line("later than without any work of ours", of["late"] or {"n": 0})
    yield f"a conversation: {of['cpu_ms']:.1f} ms of CPU a second, {of['mb']:.2f} MB"


def _detector(of: Figures) -> Iterator[str]:
    yield "Silero, µs of CPU for a frame of 32 ms, by how many streams are computed together"
    yield "  ".join(f"{streams}: {micros:.0f}" for streams, micros in of.items())


def _demo(of: Figures) -> Iterator[str]:
    well = "" if of["exit"] == 0 else f", and it failed with {of['exit']}"
    yield f"voice-kit demo: {of['seconds']:.1f} s, at most {of['peak_mb']:.0f} MB{well}"


def _head(title: str, more: Sequence[str] = ()) -> str:
    names = "".join(f"{name:>8}" for name in ("p50", "p95", "p99"))
    return f"{title:<46}{names}{'n':>6}" + "".join(f"{name:>12}" for name in more)


def _line(name: str, of: Figures) -> str:
    cells = "".join(
        f"{of[key]:>8.2f}" if key in of else f"{'–':>8}" for key in ("p50", "p95", "p99")
    )
    return f"{name:<46}{cells}{of['n']:>6}"


def _cost(of: Figures) -> str:
    early = f"{of['too_early']}/{of['turns']}"
    return f"{early:>12}{of['unanswered']:>12}{of['abandoned']:>12}{of['wasted_s']:>12.1f}"
