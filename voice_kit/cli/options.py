"""The options that many commands share, and how they become settings."""

from __future__ import annotations

import os
import signal
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from voice_kit.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="For programs: JSON, one object a line.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Change any setting, such as hear.stop=0.3."),
]
Config = Annotated[
    Path | None, typer.Option("--config", help="Read this file instead of voice-kit.toml.")
]
Language = Annotated[str | None, typer.Option(help="The language spoken: en, fr, it, es, de, …")]
Vad = Annotated[str | None, typer.Option(help="Voice detector: auto, silero, webrtc, energy.")]
Stt = Annotated[
    str | None, typer.Option(help="Speech-to-text: auto, whisper:base.en, sphinx, openai, …")
]
Llm = Annotated[
    str | None, typer.Option(help="Language model: auto, ollama:qwen3:1.7b, handbook, …")
]
Tts = Annotated[str | None, typer.Option(help="Voice: auto, kokoro:af_heart, espeak, …")]
Device = Annotated[str | None, typer.Option(help="Where local engines run: auto, cpu, cuda.")]

Out = Annotated[Path | None, typer.Option(help="Draw the picture into this file, such as a.png.")]


class _Console(Console):
    def on_broken_pipe(self) -> None:
        leave()


# What is printed is meant as it is: in a fingerprint, ":AB:" is no name of a picture.
_AS_IT_IS: Any = {"highlight": False, "markup": False, "emoji": False}
console = _Console(**_AS_IT_IS)
notes = _Console(stderr=True, **_AS_IT_IS)
"""What is said beside the result, so that the result alone can be piped."""


def put(line: str) -> None:
    """Print a line for a program, at once."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        leave()


def leave() -> None:
    """End like Ctrl-C does: whoever read our output has gone, as in `| head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    signal.raise_signal(signal.SIGINT)


def words_of(text: str) -> str:
    """The text given; for “-”, what comes on standard input."""
    if text != "-":
        return text
    return sys.stdin.buffer.read().decode(errors="replace").strip()


def settings_from(
    changes: list[str] | None = None, config: Path | None = None, **flags: str | None
) -> Settings:
    """Settings with `--set` and the named flags on top. Raises `SettingsError`."""
    from voice_kit.settings import load_settings  # 0.2 s, which --help need not wait for

    return load_settings(changes_from(changes, **flags), config)


def changes_from(changes: list[str] | None = None, **flags: str | None) -> dict[str, Any]:
    """What `--set` and the named flags change, by dotted name."""
    chosen: dict[str, Any] = {name: value for name, value in flags.items() if value is not None}
    for change in changes or []:
        name, equals, value = change.partition("=")
        if not equals:
            raise typer.BadParameter(f"{change} has no value: write NAME=VALUE", param_hint="--set")
        chosen[name.strip()] = _value(value.strip()) if name.startswith("options.") else value
    return chosen


def _value(text: str) -> Any:
    """An engine's option as voice-kit.toml would have it: a number, true, a list; else a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
