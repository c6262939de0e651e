"""The gateway: the same conversation behind a socket, for a browser, a phone or a program."""

from __future__ import annotations

import json
import os
import tempfile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voice_kit.cli import options
from voice_kit.cli.options import notes, put
from voice_kit.errors import install, need

if TYPE_CHECKING:
    pass


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command(rich_help_panel="The gateway")(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that answer there.")] = None,
    redis: Annotated[
        str | None, typer.Option(help="Keep conversations here, for several gateways.")
    ] = None,
    ray: Annotated[
        str | None, typer.Option(help="Run engines on Ray: “local”, or a cluster's address.")
    ] = None,
    lan: Annotated[bool, typer.Option("--lan", help="Let phones of this network in.")] = False,
    allow: Annotated[
        list[str] | None, typer.Option(help="A tool that touches this machine, and may be used.")
    ] = None,
    record: Annotated[
        str | None,
        typer.Option(help="Keep both sides of every conversation in this folder. People are told."),
    ] = None,
    log: Annotated[str | None, typer.Option(help="How to log: text or json.")] = None,
    vad: options.Vad = None,
    stt: options.Stt = None,
    llm: options.Llm = None,
    tts: options.Tts = None,
    language: options.Language = None,
    device: options.Device = None,
    config: options.Config = None,
    change: options.Set = None,
    json_: options.Json = False,
) -> None:
    """Put the assistant on the web: a page to talk to, and a socket that speaks OpenAI's Realtime.

    Example: voice-kit serve --port 8765
    """
    need("voice-kit serve", "fastapi", "uvicorn", "jwt", "segno", fix=install("serve"))
    from voice_kit.serve.config import load_serve

    given = {"host": host, "port": port, "workers": workers, "redis": redis, "ray": ray}
    given |= {"record": record}
    flags: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    flags |= {"lan": True} if lan else {}
    flags |= {"allow": tuple(allow)} if allow else {}
    flags |= {"log": log} if log else {}
    settings = options.settings_from(
        change, config, vad=vad, stt=stt, llm=llm, tts=tts, language=language, device=device
    )
    wanted = load_serve(flags, config)
    if wanted.workers > 1:  # read when the counters are imported, here and in each process
        folder = tempfile.mkdtemp(prefix="voice-kit-metrics-")
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)
    from voice_kit.serve.running import Running

    running = Running(settings, wanted)
    if json_:
        told = {"url": running.url, "token": running.token, "pid": os.getpid()}
        told |= {"fingerprint": running.fingerprint} if running.fingerprint else {}
        put(json.dumps(told))
    running.run(lambda: None if json_ else _welcome(running))


def _welcome(running: Any) -> None:
    for choice in running.choices:
        notes.print(str(choice), style="dim")
    for line in running.about:
        notes.print(line, soft_wrap=True)
    put(running.url)
    if running.picture:
        put(running.picture)
    notes.print("Open this address in a browser. Ctrl-C ends it.", soft_wrap=True)
