"""All runners take turns, in one run: `python -m voice_kit.workshop.peers.run [--json]`."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voice_kit.workshop.peers.environments import PACKAGES, NoEnvironmentError, python_of
from voice_kit.workshop.peers.plan import (
    ALL,
    ANSWER,
    EAGER,
    EVERYTHING,
    LLM,
    LONG_ANSWER,
    OURS,
    STOP,
    STT,
    TTS,
    Plan,
    Runner,
    minutes,
    wanted,
)
from voice_kit.workshop.peers.report import claim, settings, text
from voice_kit.workshop.peers.scenes import Scene, scene
from voice_kit.workshop.peers.table import Row, figures, stop_rows, turn_rows

HERE = Path(__file__).parent
OWN = Path(sys.executable)


def measure(
    runners: Sequence[Runner], plan: Plan, pythons: Mapping[str, Path], say: Callable[[str], None]
) -> dict[str, Any]:
    """Rows, settings and versions of every runner whose Python there is."""
    rows: list[Row] = []
    about: dict[str, Row] = {}
    lost: set[Runner] = set()
    with tempfile.TemporaryDirectory() as folder:
        for kind in EVERYTHING:
            rounds = 1 if kind == "load" else plan.rounds
            for index in range(rounds):
                for runner in runners:
                    if kind not in runner.measures or runner in lost:
                        continue
                    name = f"{runner.peer}, {runner.way}"
                    say(f"{kind}, round {index + 1} of {rounds}: {name}")
                    try:
                        found, told = _once(runner, kind, index, plan, pythons, Path(folder))
                    except (OSError, ValueError, subprocess.SubprocessError) as error:
                        lost.add(runner)
                        say(f"{name} is left out: {error}")
                        continue
                    about[name] = told
                    of = {"measure": kind, "peer": runner.peer, "way": runner.way, "round": index}
                    rows += [{**of, **row, "load_average": _load_average()} for row in found]
    return {"rows": rows, "runners": about, "machine": _machine()}


def _once(
    runner: Runner, kind: str, index: int, plan: Plan, pythons: Mapping[str, Path], folder: Path
) -> tuple[list[Row], Row]:
    """One round of one runner: its rows, and what it says about itself."""
    share = -(-plan.turns // plan.rounds)
    heard = {
        "turns": lambda: scene(runner.sets, share, index),
        "stops": lambda: scene(("whole",), share + 1, index),
        "load": lambda: scene(ALL, 3, index),
    }[kind]()
    events = listen(runner, kind, heard, plan, pythons[runner.peer], folder)
    told = events.pop(0)
    if kind == "turns":
        return turn_rows(events, heard.turns, STT + LLM + TTS), told
    if kind == "stops":
        return stop_rows(events, heard.turns), told
    return events, told


def listen(
    runner: Runner, kind: str, heard: Scene, plan: Plan, python: Path, folder: Path
) -> list[Row]:
    """What a script prints about this scene. Raises `ValueError` that says why it did not."""
    np.save(folder / "sound.npy", heard.sound)
    job = {
        "way": runner.way,
        "measure": kind,
        "sound": str(folder / "sound.npy"),
        "network": str(network(plan.environments)),
        "words": heard.words,
        "stt": STT,
        "llm": LLM,
        "tts": TTS,
        "eager": EAGER,
        "stop": STOP,
        "answer": LONG_ANSWER if kind == "stops" else ANSWER,
        "conversations": plan.conversations,
        "judge": _judge(runner.way, plan.environments),
    }
    file = folder / "job.json"
    file.write_text(json.dumps(job), encoding="utf-8")
    limit = len(heard.sound) / 16_000 + 90
    try:
        done = subprocess.run(
            [str(python), "-m", f"{__package__}.{runner.script}", str(file)],
            env={**os.environ, "PYTHONPATH": _lent(folder)} if python != OWN else None,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"it was not done after {limit:.0f} s.") from error
    lines: list[Row] = []
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            lines.append(json.loads(line))
    if done.returncode or len(lines) < 2:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise ValueError(f"it ended with {done.returncode}: {last}")
    return lines


def _lent(folder: Path) -> str:
    """A path on which a peer's Python finds this package, and nothing of what is beside it."""
    package = folder / "lent" / "voice_kit"
    package.mkdir(parents=True, exist_ok=True)
    here = f"__path__ = [{str(HERE.parents[1])!r}]\n"
    (package / "__init__.py").write_text(here, encoding="utf-8")
    return str(package.parent)


def network(environments: Path) -> Path:
    """Silero's network as both peers bring it, which the package silero-vad has too."""
    package = importlib.util.find_spec("silero_vad")
    for folder in (package and package.submodule_search_locations) or ():
        file = Path(folder, "data", "silero_vad.onnx")
        if file.exists():
            return file
    for file in sorted(environments.glob("*/**/silero_vad.onnx")):
        return file
    raise ValueError("there is no silero_vad.onnx. Try: pip install silero-vad")


def _judge(way: str, environments: Path) -> str:
    """Our judge of a turn's end; the network that pipecat brings serves both."""
    if way == "smart turn":
        found = sorted(environments.glob("pipecat/**/smart-turn-v3*.onnx"))
        return f"smart-turn:{found[0].resolve()}" if found else "smart-turn"
    return "text" if way == "text judge" else "silence"


def _load_average() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _machine() -> Row:
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "load_average": _load_average(),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure everyone, and print one table, or one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=Plan().turns, help="of each set of clips")
    parser.add_argument("--rounds", type=int, default=Plan().rounds)
    parser.add_argument("--conversations", type=int, default=Plan().conversations)
    parser.add_argument("--only", nargs="*", default=[], help="peers: voice-kit, by hand, …")
    parser.add_argument("--environments", type=Path, default=Plan().environments)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    plan = Plan(
        turns=options.turns,
        rounds=options.rounds,
        conversations=options.conversations,
        only=tuple(options.only),
        environments=options.environments,
    )

    def say(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    pythons = {OURS: OWN, "by hand": OWN}
    for peer in PACKAGES:
        if not plan.only or peer in plan.only:
            try:
                pythons[peer] = python_of(peer, plan.environments, say)
            except NoEnvironmentError as error:
                say(f"{error} It is left out.")
    say(f"This takes about {minutes(plan, pythons):.0f} minutes.")
    found = measure(wanted(plan, pythons), plan, pythons, say)
    tables = figures(found["rows"])
    if options.json:
        print(json.dumps({**found, "tables": tables}))
        return
    print(settings(found), text(tables), claim(tables), sep="\n\n")


if __name__ == "__main__":
    main()
