"""The command that calls a gateway many times at once: load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from voice_kit.cli import options
from voice_kit.cli.options import console, notes, put
from voice_kit.errors import VoiceKitError, install, need
from voice_kit.types import RATE


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command(rich_help_panel="The gateway")(load)


def load(
    address: Annotated[
        str | None,
        typer.Argument(
            help="As voice-kit serve prints it. Without one, a gateway is started whose engines "
            "only wait, and compared with as many conversations inside one process."
        ),
    ] = None,
    token: Annotated[str | None, typer.Option(help="If the address has none.")] = None,
    conversations: Annotated[int, typer.Option(min=1, help="How many talk at once.")] = 20,
    questions: Annotated[int, typer.Option(min=1, help="How many each asks.")] = 4,
    rest: Annotated[
        float | None,
        typer.Option(min=0.5, help="Seconds from a question to the next: 8, or 4 without address."),
    ] = None,
    per_second: Annotated[
        float, typer.Option(min=0.1, help="New callers a second; 5 is what serve allows.")
    ] = 4.0,
    sound: Annotated[
        list[Path] | None, typer.Option(help="A recorded question; again for another.")
    ] = None,
    json_: options.Json = False,
) -> None:
    """Let many callers talk to a gateway at once, from recordings, and say what they felt.

    Example: voice-kit load http://127.0.0.1:8765/?token=… --conversations 20
    """
    need("voice-kit load", "fastapi", "uvicorn", "websockets", fix=install("serve"))
    from voice_kit.audio.files import read
    from voice_kit.workshop import load as work
    from voice_kit.workshop import load_gateway

    figures: dict[str, Any]
    if address is None:
        if sound:
            raise typer.BadParameter("is for a gateway: give its address", param_hint="--sound")
        rest = rest or 4.0
        notes.print(f"about {2 * questions * (rest + 2) + 15:.0f} s", style="dim")
        figures = load_gateway.compared(conversations, questions, rest)
    else:
        recorded = [read(path) for path in sound or ()]
        heard = work.asked(conversations, questions, rest or 8.0, recorded)
        where, shown = work.socket_of(address, token)
        seconds = max(len(each.sound) for each in heard) / RATE + conversations / per_second
        notes.print(f"about {seconds:.0f} s", style="dim")
        figures = {"gateway": work.measure(where, shown, heard, per_second)}
    if json_:
        put(json.dumps(figures))
    else:
        console.print(work.text(figures), soft_wrap=True)
    if not figures["gateway"]["n"]:
        raise VoiceKitError("Nobody was answered in time: " + work.trouble(figures["gateway"]))
