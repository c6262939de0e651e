"""The command that measures: bench."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from voice_kit.cli import options
from voice_kit.cli.options import console, notes, put


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command(rich_help_panel="The whole assistant")(bench)


def bench(
    turns: Annotated[int, typer.Option(min=1, help="How many of each kind are measured.")] = 20,
    conversations: Annotated[
        int, typer.Option(min=1, help="How many are held at once, under load.")
    ] = 20,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only this part: turns, load, detector, demo; again for another."),
    ] = None,
    json_: options.Json = False,
) -> None:
    """Measure what the loop itself costs: in milliseconds, CPU and memory.

    Example: voice-kit bench --only load --conversations 100
    """
    from voice_kit.workshop import bench as work

    parts = only or work.PARTS
    if unknown := [part for part in parts if part not in work.PARTS]:
        known = ", ".join(work.PARTS)
        raise typer.BadParameter(f"there is no part {unknown[0]}: {known}", param_hint="--only")
    machine = work.machine()  # before we load it ourselves
    if json_:
        put(json.dumps({"machine": machine}))
    else:
        console.print(work.about(machine), soft_wrap=True)

    def say(what: str) -> None:
        notes.print(what, style="dim")

    for part, figures in work.measure(parts, turns, conversations, say):
        if json_:
            put(json.dumps({part: figures}))
        else:
            console.print("\n" + work.text(part, figures), soft_wrap=True)
