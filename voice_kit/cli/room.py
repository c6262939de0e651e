"""Commands about this machine: what is here, what it hears and speaks with."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from voice_kit.cli import options
from voice_kit.cli.options import console, notes, put
from voice_kit.errors import AudioError, VoiceKitError

IN_WORDS = {
    "vad": "voice detector (vad)",
    "stt": "speech to text (stt)",
    "llm": "language model (llm)",
    "tts": "voice (tts)",
    "judge": "end of turn (judge)",
}


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (doctor, devices, voices):
        app.command(rich_help_panel="This machine")(command)


def doctor(
    offline: Annotated[bool, typer.Option(help="Leave out what needs a network.")] = False,
    config: options.Config = None,
    change: options.Set = None,
    json_: options.Json = False,
) -> None:
    """Check this machine: packages, engines, microphone, speaker, each with its fix.

    Example: voice-kit doctor --offline
    """
    from voice_kit.workshop import doctor as examination

    settings = options.settings_from(change, config)
    findings = []
    for finding in examination.examine(settings, offline=offline):
        findings.append(finding)
        if json_:
            put(json.dumps(asdict(finding)))
        else:
            what = IN_WORDS.get(finding.what, finding.what)
            line = f"{finding.status:<5} {what}: {finding.found}"
            console.print(line, soft_wrap=True)
            if finding.fix:
                console.print(f"      {finding.fix}", soft_wrap=True)
    bad = [finding for finding in findings if finding.status == "fix"]
    if not json_:
        notes.print(f"{len(bad)} to fix." if bad else "Everything needed is here.")
    if bad:
        raise typer.Exit(1)


def devices(json_: options.Json = False) -> None:
    """List the microphones and loudspeakers.

    Example: voice-kit devices
    """
    from voice_kit.audio.card_devices import devices as sound_devices

    found = sound_devices()
    if json_:
        for device in found:
            put(json.dumps(asdict(device)))
        return
    if not found:
        notes.print("There is no sound device here. Recordings work all the same: voice-kit demo")
        return
    from rich.table import Table

    table = Table("number", "name", "inputs", "outputs", "rate", "default")
    for device in found:
        defaults = [
            word
            for word, is_it in (("in", device.default_input), ("out", device.default_output))
            if is_it
        ]
        table.add_row(
            str(device.index),
            device.name,
            str(device.inputs),
            str(device.outputs),
            f"{device.rate:g} Hz",
            ", ".join(defaults),
        )
    console.print(table)


def voices(
    tts: Annotated[str | None, typer.Argument(help="Only this engine's.")] = None,
    language: Annotated[str | None, typer.Option(help="Only of this language.")] = None,
    hear: Annotated[bool, typer.Option(help="Say a word with each voice that is here.")] = False,
    json_: options.Json = False,
) -> None:
    """List the voices of every engine; those that speak right now are marked “here”.

    Example: voice-kit voices kokoro --language en
    """
    from voice_kit.engines import engine_class, names

    found: list[Any] = []
    for name in [tts.partition(":")[0]] if tts else names("tts"):
        listing = getattr(engine_class("tts", name), "voices", None)
        try:
            found += listing() if listing else []
        except VoiceKitError as error:
            if tts:
                raise
            notes.print(str(error), style="dim", soft_wrap=True)
    found = [voice for voice in found if language in (None, "", voice.language)]
    if json_:
        for voice in found:
            put(json.dumps(asdict(voice)))
    else:
        _show_voices(found, language)
    if hear:
        _hear_voices([voice for voice in found if voice.here and (tts or _local(voice.engine))])


def _show_voices(found: list[Any], language: str | None) -> None:
    from rich.table import Table

    if not found:
        spoken = f" that speaks “{language}”" if language else ""
        notes.print(f"No voice{spoken} is known. Languages are written like en, fr, de.")
        return
    table = Table("voice", "language", "gender", "here")
    for voice in found:
        otherwise = "to fetch" if _local(voice.engine) else "needs a server"
        here = "here" if voice.here else otherwise
        table.add_row(f"{voice.engine}:{voice.name}", voice.language, voice.gender, here)
    console.print(table)


def _local(engine: str) -> bool:
    """Whether it speaks on this machine: nobody is to pay for hearing all voices of a service."""
    from voice_kit.engines import engine_class

    return getattr(engine_class("tts", engine), "stops", "steps") != "async"


def _hear_voices(found: list[Any]) -> None:
    from voice_kit.cli.answering import say

    for voice in found:
        spec = f"{voice.engine}:{voice.name}"
        try:
            say(f"I am {voice.name}.", tts=spec, language=voice.language or None)
        except AudioError:
            raise
        except VoiceKitError as error:
            notes.print(f"{spec}: {error}", soft_wrap=True)
