"""Conversations with a synthetic user, run as tests: scenario."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voice_kit.cli import options
from voice_kit.cli.options import console, notes, put
from voice_kit.errors import VoiceKitError

if TYPE_CHECKING:
    from voice_kit.settings import Settings
    from voice_kit.workshop.scenario_run import Outcome, Result

WORDS = {True: "ok", False: "failed", None: "skipped"}
STYLES = {True: "green", False: "bold red", None: "yellow"}


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command(rich_help_panel="The workshop")(scenario)


def scenario(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILES", help="Scenarios (YAML); those of the kit when none."),
    ] = None,
    vad: options.Vad = None,
    stt: options.Stt = None,
    llm: options.Llm = None,
    tts: options.Tts = None,
    config: options.Config = None,
    change: options.Set = None,
    measured: Annotated[
        bool, typer.Option("--measured", help="Engines take their time, not a scenario's costs.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Keep each conversation here, to hear and see it.")
    ] = None,
    json_: options.Json = False,
) -> None:
    """Hold conversations with a synthetic user, and check what comes of them.

    Example: voice-kit scenario mine.yaml --stt whisper:base.en
    """
    from voice_kit.cli import running
    from voice_kit.workshop import demo
    from voice_kit.workshop.scenario import read, shipped
    from voice_kit.workshop.scenario_run import Cast, run

    flags = {"vad": vad, "stt": stt, "llm": llm, "tts": tts}
    settings = running.may_pull(options.settings_from(change, config, **flags))
    named = [name for name, value in flags.items() if value is not None]
    named += [text.partition("=")[0].strip() for text in change or []]
    cast = Cast(settings, {name: _value(settings, name) for name in named})
    if out is not None:
        demo.check_folder(out)
    passed = count = 0
    for file, kept in _folders(files or shipped()):
        count += 1
        began = time.perf_counter()
        try:
            result = run(read(file), cast, measured=measured)
            if out is not None:
                result.report.save(out / kept)
        except VoiceKitError as error:
            if json_:
                put(json.dumps({"file": str(file), "ok": False, "error": str(error)}))
            else:
                sentence = str(error) if str(file) in str(error) else f"{file}: {error}"
                console.print("error   ", style="bold red", end="")
                console.print(sentence, soft_wrap=True)
            continue
        passed += result.ok
        took = time.perf_counter() - began
        if json_:
            put(json.dumps(_data(file, result, took)))
        else:
            _show(file, result, took)
    if not json_:
        notes.print(f"{passed} of {count} passed")
    if passed < count:
        raise typer.Exit(1)


def _folders(files: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Each file with the name of its folder: that of the file, numbered where it is taken."""
    taken = set[str]()
    for file in files:
        names = (
            f"{file.stem}-{number}" if number > 1 else file.stem for number in itertools.count(1)
        )
        taken.add(name := next(name for name in names if name not in taken))
        yield file, name


def _value(settings: Settings, dotted: str) -> Any:
    value: Any = settings
    for name in dotted.split("."):
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    return value


def _data(file: Path, result: Result, took: float) -> dict[str, Any]:
    return {
        "file": str(file),
        "name": result.scenario.title,
        "ok": result.ok,
        "expectations": [
            {
                "line": outcome.line,
                "expect": outcome.expect,
                "wanted": _words(outcome.wanted)
                if isinstance(outcome.wanted, tuple)
                else outcome.wanted,
                "ok": outcome.ok,
                "seen": outcome.seen,
            }
            for outcome in result.outcomes
        ],
        "seconds": round(result.report.sound.seconds, 2),
        "took_s": round(took, 2),
        **result.report.summary(),
    }


def _show(file: Path, result: Result, took: float) -> None:
    console.print(f"{WORDS[result.ok]:8}", style=STYLES[result.ok], end="")
    lasted = f"{result.report.sound.seconds:.0f} s of conversation in {took:.1f} s"
    console.print(f"{file.name}: {result.scenario.title} ({lasted})", soft_wrap=True)
    for outcome in result.outcomes:
        console.print(f"  {WORDS[outcome.ok]:8}", style=STYLES[outcome.ok], end="")
        console.print(_sentence(outcome), soft_wrap=True)


def _sentence(outcome: Outcome) -> str:
    """ "line 2: heard “no” → “know”"."""
    where = f"line {outcome.line}" if outcome.line else "all"
    seen = outcome.seen if outcome.ok is not True or len(outcome.seen) < 80 else "as wanted"
    return f"{where}: {outcome.expect} {_words(outcome.wanted)} → {seen}"


def _words(wanted: Any) -> str:
    """What is wanted, as a scenario writes it."""
    match wanted:
        case bool():
            return "true" if wanted else "false"
        case (low, high) if isinstance(wanted, tuple):
            return f"{low}" if low == high else f"<= {high}" if low is None else f">= {low}"
        case list():
            return ", ".join(map(_words, wanted)) or "nothing"
        case dict():
            return "; ".join(f"{role}: “{text}”" for role, text in wanted.items())
        case str():
            return f"“{wanted}”"
    return str(wanted)
