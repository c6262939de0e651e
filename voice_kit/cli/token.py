"""A token with which somebody signs in at the gateway."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from voice_kit.cli import options
from voice_kit.cli.options import notes, put
from voice_kit.errors import install, need


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command(rich_help_panel="The gateway")(token)


def token(
    subject: Annotated[
        str, typer.Option(help="Who it is for: a name or number that stays theirs for ever.")
    ],
    hours: Annotated[float, typer.Option(help="How long it is good for.")] = 8.0,
    name: Annotated[str, typer.Option(help="What to call them.")] = "",
    config: options.Config = None,
    json_: options.Json = False,
) -> None:
    """Make a token for somebody to sign in with, by the gateway's own secret.

    Example: voice-kit token --subject alice --hours 8
    """
    need("voice-kit token", "jwt", "cryptography", "fastapi", fix=install("serve"))
    from voice_kit.serve.config import load_serve
    from voice_kit.serve.jwts import issue

    made, expires = issue(load_serve(file=config), subject, hours, name)
    until = datetime.fromtimestamp(expires, UTC)
    if json_:
        put(json.dumps({"token": made, "subject": subject, "expires": until.isoformat()}))
        return
    put(made)
    local = until.astimezone().strftime("%d %B %Y, %H:%M")
    notes.print(f"Good until {local}. Whoever has it is {subject}.", soft_wrap=True)
