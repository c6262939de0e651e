"""The command for the teacher's screen: room."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from voice_kit.cli import options
from voice_kit.cli.options import console, notes, put


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command("room", rich_help_panel="The workshop")(room)


def room(
    host: Annotated[
        str, typer.Option(help="This machine's address in the local network, where it has several.")
    ] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it is served.")] = 8770,
    seats: Annotated[int, typer.Option(min=1, max=200, help="How many may join.")] = 40,
    json_: options.Json = False,
) -> None:
    """Show who is at which check, and everyone's latency, to the room. For who joins; no words.

    Example: voice-kit room
    """
    from voice_kit.workshop.room_view import RoomServer

    with RoomServer(host, port, seats) as server:
        if json_:
            put(json.dumps({"room": server.room, "page": f"{server.room}/", "code": server.code}))
        else:
            typed = server.room.removeprefix("http://")
            for line in (
                f"For the projector:  {server.room}/",
                "In a notebook:      from voice_kit.workshop import checks",
                f'                    checks.join("{typed}")',
                f"Or before Jupyter:  VOICE_KIT_ROOM={server.room}",
                f"The room's code is  {server.code}",
            ):
                console.print(line, soft_wrap=True)
        notes.print("Only who joins is shown, and no words. Ctrl-C closes it; nothing is kept.")
        server.serve_forever(poll_interval=0.2)
