"""Commands for the course: catch-up, and notebooks run."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from voice_kit.cli import options
from voice_kit.cli.options import console, notes, put

PANEL = "The workshop"
Course = Annotated[
    Path | None, typer.Option(help="The folder of the notebooks, where it is not found.")
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("catch-up", rich_help_panel=PANEL)(catch_up)
    notebooks = typer.Typer(
        help="The notebooks of the course.\n\nExample: voice-kit notebooks run --out report",
        no_args_is_help=True,
        callback=lambda: None,  # or a single command would take the group's place
    )
    notebooks.command("run")(run)
    app.add_typer(notebooks, name="notebooks", rich_help_panel=PANEL)


def catch_up(
    notebook: Annotated[str, typer.Argument(help="Where you begin, such as 07.")],
    course: Course = None,
    json_: options.Json = False,
) -> None:
    """Fill in the exercises before a notebook, so that you can begin there. Yours stay.

    Example: voice-kit catch-up 07
    """
    from voice_kit.workshop import course as lessons
    from voice_kit.workshop.catch_up import catch_up as caught_up

    known = lessons.lessons(course)
    (start,) = lessons.chosen(known, [notebook])
    caught = []
    for each in caught_up(notebook, known):
        caught.append(each)
        if json_:
            put(json.dumps({**asdict(each), "file": str(each.file)}))
        else:
            console.print(f"{each.notebook} {each.exercise:<18} {each.state}", soft_wrap=True)
            if each.state == "yours, but not passing":
                notes.print(f"   Mend it, or remove it and catch up again: {each.file}")
    if not caught:
        notes.print(f"Nothing comes before it. Begin with {start.path}.", soft_wrap=True)
    else:
        where = caught[0].file.parent
        notes.print(f"Kept in {where}. Begin with {start.path}.", soft_wrap=True)


def run(
    notebook: Annotated[
        list[str] | None, typer.Argument(help="Only these, such as 01 06; else all.")
    ] = None,
    engines: Annotated[
        Literal["offline", "best"], typer.Option(help="The embedded engines, or the best here.")
    ] = "offline",
    out: Annotated[Path, typer.Option(help="The folder for the report.")] = Path("report"),
    compare: Annotated[
        Path | None, typer.Option(help="The report.json of another machine, or its folder.")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, help="How many are run at the same time.")] = 1,
    cell_seconds: Annotated[
        int | None, typer.Option(min=1, help="The longest a cell may take; else 60, best: 900.")
    ] = None,
    course: Course = None,
    json_: options.Json = False,
) -> None:
    """Execute the course with papermill: times, latency figures, and each notebook as HTML.

    Example: voice-kit notebooks run 01 06 --engines offline --out report
    """
    from voice_kit.workshop import course as lessons
    from voice_kit.workshop import course_report, course_run

    other = course_report.read(compare) if compare else None
    wanted = lessons.chosen(lessons.lessons(course), notebook or [])
    limit = cell_seconds or (60 if engines == "offline" else 900)
    course_run.prepare(out)
    ran: list[dict[str, Any]] = []
    report = course_report.report(engines, ran)

    def say(what: str) -> None:
        if not json_:
            notes.print(what, style="dim", soft_wrap=True)

    for done in course_run.execute(wanted, out, engines, limit, at_once, say):
        ran.append(done)
        report = course_report.report(engines, ran)
        course_report.keep(report, out)  # whoever ends this early has what was measured
        if not json_:
            notes.print(course_report.line(done), soft_wrap=True)
    course_report.write(report, out, other)
    if json_:
        put(json.dumps(report))
    else:
        console.print(course_report.table(report), soft_wrap=True)
        if other:
            beside = course_report.compared(report, other)
            console.print("\n" + beside, soft_wrap=True)
        notes.print(f"The report: {out / 'index.html'}", soft_wrap=True)
    if any(done["state"] != "ran" for done in ran):
        raise typer.Exit(1)
