"""Executes the notebooks of the course with papermill, each in a small world of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from voice_kit.errors import VoiceKitError, install, need
from voice_kit.settings import FILE, home
from voice_kit.workshop.checks import STRICT
from voice_kit.workshop.course import Lesson, cells, heading
from voice_kit.workshop.course_figures import figures, plain

MODELS = ("smart-turn", "piper", "models")
"""What of VOICE_KIT_HOME the best engines may need. The exercises in it are left alone."""

NOT_OURS = {"injected-parameters", "papermill-error-cell-tag"}
"""How papermill marks the cells that it adds."""


def prepare(out: Path) -> None:
    """Make the folder for the report. Raises `VoiceKitError` before anything takes long."""
    need(
        "The course",
        *("papermill", "nbconvert", "ipykernel"),
        fix=install("workshop"),
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VoiceKitError(
            f"The report cannot be written to {out}: {error.strerror}. Use another --out."
        ) from error


def execute(
    lessons: Sequence[Lesson],
    out: Path,
    engines: str,
    cell_seconds: int,
    at_once: int = 1,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[dict[str, Any]]:
    """Run the solutions and yield what came of each, as plain data, as soon as it is known.

    The executed notebooks are written to `out`. `say` is told, in other threads, which one begins.
    """

    def one(lesson: Lesson) -> dict[str, Any]:
        say(f"{lesson.number} {lesson.title} …")
        return _run(lesson, out, engines, cell_seconds)

    pool = ThreadPoolExecutor(at_once, thread_name_prefix="voice-kit-course")
    try:
        for done in as_completed([pool.submit(one, lesson) for lesson in lessons]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _run(lesson: Lesson, out: Path, engines: str, cell_seconds: int) -> dict[str, Any]:
    executed = out / lesson.path.name
    executed.unlink(missing_ok=True)  # an older one would be taken for this run's
    command = [sys.executable, "-m", "papermill", str(lesson.solution), str(executed)]
    options = ["--kernel", "python3", "--execution-timeout", str(cell_seconds), "-p", "ENGINES"]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="voice-kit-course-", ignore_cleanup_errors=True) as own:
        work = Path(own) / "work"
        work.mkdir()
        done = subprocess.run(
            [*command, *options, engines, "--cwd", str(work), "--no-progress-bar"],
            env=_environment(Path(own), work, engines),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    found = _found(lesson, executed)
    found["seconds"] = round(time.perf_counter() - began, 1)
    if done.returncode:
        found["state"] = "failed"
        found["problem"] = _problem(executed) or {"cell": 0, "heading": "", "error": _last(done)}
    return found


def _environment(own: Path, work: Path, engines: str) -> dict[str, str]:
    """An empty home with the models of the real one, no room to join, and a check that insists."""
    changed = {STRICT: "1", "VOICE_KIT_HOME": str(own / "home")}
    (own / "home").mkdir()
    if engines == "offline":
        changed["HF_HUB_OFFLINE"] = "1"
    else:
        for name in filter(lambda name: (home() / name).is_dir(), MODELS):
            _lend((home() / name).absolute(), own / "home" / name)
        if Path(FILE).exists():
            shutil.copy(FILE, work / FILE)
    checkout = str(Path(__file__).parents[2])
    python_path = os.pathsep.join(filter(None, [checkout, os.environ.get("PYTHONPATH", "")]))
    kept = {name: value for name, value in os.environ.items() if name != "VOICE_KIT_ROOM"}
    return {**kept, "PYTHONPATH": python_path, **changed}


def _lend(folder: Path, place: Path) -> None:
    try:
        place.symlink_to(folder, target_is_directory=True)
    except OSError:  # Windows lets only some people make links
        shutil.copytree(folder, place)


def _found(lesson: Lesson, executed: Path) -> dict[str, Any]:
    """What the executed notebook tells: how long each cell took, and its figures."""
    slowest: dict[str, Any] = {"cell": 0, "heading": "", "seconds": 0.0}
    counted, told = 0, []
    for number, under, cell in _course_cells(executed):
        counted += cell["cell_type"] == "code"
        took = cell["metadata"].get("papermill", {}).get("duration") or 0.0
        if took > slowest["seconds"]:
            slowest = {"cell": number, "heading": under, "seconds": round(took, 1)}
        told += [{"cell": number, "heading": under, **each} for each in figures(cell)]
    return {
        "name": lesson.path.stem,
        "title": lesson.title,
        "state": "ran",
        "seconds": 0.0,
        "cells": counted,
        "slowest": slowest,
        "figures": told,
        "problem": None,
    }


def _problem(executed: Path) -> dict[str, Any] | None:
    """Where it stopped and why: the cell with an error in it, else the one that never ended."""
    for number, under, cell in _course_cells(executed):
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                text = f"{output['ename']}: {plain(output['evalue'])}"
                return {"cell": number, "heading": under, "error": text}
        if cell["metadata"].get("papermill", {}).get("status") == "running":
            return {"cell": number, "heading": under, "error": "it took longer than it may"}
    return None


def _course_cells(executed: Path) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Number, heading above and content of each cell that the course's notebook has, too."""
    number, under = 0, ""
    for cell in cells(executed) if executed.exists() else []:
        if NOT_OURS & set(cell["metadata"].get("tags", [])):
            continue
        number += 1
        if cell["cell_type"] == "markdown":
            under = heading("".join(cell["source"])) or under
        yield number, under, cell


def _last(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"papermill was ended from outside, by signal {-done.returncode}"
    lines = [line.strip() for line in plain(done.stderr).splitlines() if line.strip()]
    return lines[-1] if lines else f"papermill stopped with exit code {done.returncode}"
