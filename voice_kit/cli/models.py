"""Commands for a room's models: models fetch, pack and unpack."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voice_kit.cli import options
from voice_kit.cli.options import console, notes, put
from voice_kit.errors import VoiceKitError

if TYPE_CHECKING:
    from rich.progress import Progress

    from voice_kit.workshop import models_pack
    from voice_kit.workshop.models import Wanted

File = Annotated[Path, typer.Argument(help="The file on the stick, such as models.tar.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    models = typer.Typer(
        help="Better engines' models, for a whole room.\n\nExample: voice-kit models fetch",
        no_args_is_help=True,
    )
    for command in (fetch, pack, unpack):
        models.command()(command)
    app.add_typer(models, name="models", rich_help_panel="The workshop")


def fetch(
    model: Annotated[
        list[str] | None,
        typer.Argument(help="Only these, such as whisper:small kokoro:bm_george; else the set."),
    ] = None,
    json_: options.Json = False,
) -> None:
    """Fetch the room's models from the network. What broke off goes on where it stopped.

    Example: voice-kit models fetch whisper:base.en ollama:qwen3:1.7b
    """
    from voice_kit.workshop import models as known

    names = model or list(known.ROOM)
    hub = [known.wanted(name) for name in names if not name.startswith("ollama:")]
    states = {name: "here already" for name in names if known.usable(name)}
    work: list[tuple[list[str], Callable[[], None]]] = []
    if missing := [each for each in hub if each.name not in states]:
        work.append(([each.name for each in missing], partial(_from_hub, missing)))
    for name in names:
        if name.startswith("ollama:") and name not in states:
            work.append(([name], partial(_from_ollama, name)))
    problems = 0
    for of, fetching in work:
        try:
            fetching()
            states |= dict.fromkeys(of, "fetched")
        except VoiceKitError as error:
            problems += 1
            states |= dict.fromkeys(of, str(error) if json_ else "not fetched")
            notes.print(str(error), soft_wrap=True)
    for name in names:
        if json_:
            put(json.dumps({"model": name, "state": states[name]}))
        else:
            console.print(f"{name:<40} {states[name]}", soft_wrap=True)
    if problems:
        raise typer.Exit(1)


def _from_hub(wanted: list[Wanted]) -> None:
    from voice_kit.settings import hub_cache
    from voice_kit.workshop import models_fetch

    files = models_fetch.plan(wanted)
    size = sum(file.lacking for file in files)
    models_fetch.room_for(size, hub_cache())
    notes.print(f"{size / 1e6:.0f} MB to fetch into {hub_cache()}", soft_wrap=True)
    with _bars() as bars:
        tasks = {file.name: bars.add_task(file.name, total=file.size) for file in files}

        def told(name: str, have: int, size: int) -> None:
            bars.update(tasks[name], completed=have)

        models_fetch.fetch(files, told)


OLLAMA_BYTES = {"qwen3:1.7b": 1_400_000_000}


def _from_ollama(name: str) -> None:
    from voice_kit.remote.servers import near
    from voice_kit.think import llm_ollama_models
    from voice_kit.workshop import models, models_fetch

    model = name.partition(":")[2]
    server = llm_ollama_models.address()
    llm_ollama_models.installed(server)  # whether it is there, within half a second
    if near(server):
        models_fetch.room_for(OLLAMA_BYTES.get(model, 0), models.base("ollama"))
    with _bars() as bars:
        task = bars.add_task(name, total=100)

        def progress(part: float, status: str) -> None:
            bars.update(task, completed=100 * part, description=f"{name}: {status}")

        llm_ollama_models.pull(model, ask=lambda _: True, progress=progress)


def pack(
    file: File,
    model: Annotated[
        list[str] | None, typer.Argument(help="Only these; else all but others of Ollama's.")
    ] = None,
    json_: options.Json = False,
) -> None:
    """Write the models of this computer into one file, with checksums, for a USB stick.

    Example: voice-kit models pack models.tar
    """
    from voice_kit.workshop import models, models_pack

    chosen = models_pack.choose(models.stored(), model or [])
    size = sum(path.stat().st_size for each in chosen for path in each.files.values())
    with _counted(2 * size) as told:
        manifest = models_pack.pack(chosen, file, told)
    for each in manifest["models"]:
        told_size = sum(one["bytes"] for one in each["files"])
        if json_:
            put(json.dumps({"model": each["name"], "bytes": told_size, "file": str(file)}))
        else:
            line = f"{each['name']:<40} {told_size / 1e6:>8.0f} MB"
            console.print(line, soft_wrap=True)
    notes.print(f"On the other computer: voice-kit models unpack {file.name}")


def unpack(file: File, json_: options.Json = False) -> None:
    """Put packed models in place, once their checksums agree. What is newer here is kept.

    Example: voice-kit models unpack models.tar
    """
    from voice_kit.workshop.models_unpack import unpack as unpacked

    size = file.stat().st_size if file.is_file() else 0
    with _counted(size) as told:
        states = list(unpacked(file, told))
    for name, state in states:
        if json_:
            put(json.dumps({"model": name, "state": state}))
        else:
            console.print(f"{name:<40} {state}", soft_wrap=True)


@contextmanager
def _counted(size: int) -> Iterator[models_pack.Told]:
    """One bar for many files."""
    with _bars() as bars:
        task = bars.add_task("", total=size)
        yield lambda what, count: bars.update(task, advance=count, description=what)


def _bars() -> Progress:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(
        TextColumn("{task.description}"), *columns, console=notes, disable=not notes.is_terminal
    )
