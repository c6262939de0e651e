"""Commands that run the whole assistant: talk, demo, export."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voice_kit.cli import options
from voice_kit.cli.options import console, notes, put
from voice_kit.errors import AudioError

if TYPE_CHECKING:
    from voice_kit.audio.protocols import Speaker
    from voice_kit.converse.line import Engines
    from voice_kit.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (demo, talk, export):
        app.command(rich_help_panel="The whole assistant")(command)


def demo(
    wav: Annotated[Path | None, typer.Option(help="Your own recording instead.")] = None,
    out: Annotated[Path, typer.Option(help="Where the pictures and the sound go.")] = Path(
        "voice-kit-demo"
    ),
    fast: Annotated[bool, typer.Option(help="On a virtual clock: no waiting.")] = False,
    quiet: Annotated[bool, typer.Option(help="Do not play it, even with a sound card.")] = False,
    vad: options.Vad = None,
    stt: options.Stt = None,
    llm: options.Llm = None,
    tts: options.Tts = None,
    language: options.Language = None,
    config: options.Config = None,
    change: options.Set = None,
    json_: options.Json = False,
) -> None:
    """Play a recorded conversation into the assistant and see where the time goes.

    Example: voice-kit demo --out my-demo
    """
    from voice_kit.audio.files import read
    from voice_kit.converse.virtual import as_measured, run
    from voice_kit.show.console import ConsoleView
    from voice_kit.workshop import demo as recorded

    settings = options.settings_from(
        change, config, vad=vad, stt=stt, llm=llm, tts=tts, language=language
    )
    sound = read(wav) if wav else None
    recorded.check_folder(out)
    engines = _engines(settings, say=not json_)
    speaker = None if fast or quiet or json_ else _sound_card()
    if not json_:
        notes.print("Your recording is played to the assistant." if wav else recorded.STORY)
        notes.print()
    watching = recorded.as_lines(put) if json_ else ConsoleView(console)
    known = recorded.recorded_times(engines) if fast else None
    if fast and not json_:
        source = "as recorded with these engines" if known else "measured here and now"
        notes.print(f"The clock is virtual; engines take the time {source}.", style="dim")
    report = run(
        recorded.converse(
            engines,
            settings,
            wav=sound,
            observers=[watching],
            aloud=speaker,
        ),
        fast=fast,
        cost=known or as_measured,
    )
    paths = report.save(out)
    if json_:
        put(json.dumps({"summary": report.summary()}))
        return
    if not report.timeline.turns:
        console.print("Nobody was answered: there were no words in that recording.")
    console.print("Hear it:     ", str(paths[0]), soft_wrap=True)
    console.print("See it:      ", str(paths[1]), soft_wrap=True)
    console.print("Every event: ", str(paths[2]), soft_wrap=True)


def talk(
    microphone: Annotated[
        str | None, typer.Option(help="A number or name from `voice-kit devices`.")
    ] = None,
    typed: Annotated[bool, typer.Option("--typed", help="Type instead of speaking.")] = False,
    record: Annotated[
        Path | None, typer.Option(help="Keep both sides in this folder, for replay, again and why.")
    ] = None,
    vad: options.Vad = None,
    stt: options.Stt = None,
    llm: options.Llm = None,
    tts: options.Tts = None,
    language: options.Language = None,
    device: options.Device = None,
    config: options.Config = None,
    change: options.Set = None,
) -> None:
    """Talk with the assistant. Interrupt it whenever you like; Ctrl-C ends it.

    Example: voice-kit talk --stt whisper:base.en
    """
    from voice_kit.audio.no_speaker import NoSpeaker
    from voice_kit.cli import running

    settings = options.settings_from(
        change, config, vad=vad, stt=stt, llm=llm, tts=tts, language=language, device=device
    )
    engines = _engines(settings, say=True)
    speaker: Speaker | None = _sound_card()
    if speaker is None:
        notes.print("No loudspeaker here: you will read the answers.")
    heard = _Heard(None if typed else microphone or "", record)
    running.wait_for(_talk(engines, settings, speaker or NoSpeaker(), heard))


@dataclass(frozen=True, slots=True)
class _Heard:
    """Where words come from: a microphone by its name, "" for the usual one, or None to type."""

    microphone: str | None
    record: Path | None


async def _talk(engines: Engines, settings: Settings, speaker: Speaker, heard: _Heard) -> None:
    from voice_kit.audio.microphone import Microphone
    from voice_kit.converse.assistant import Assistant
    from voice_kit.converse.recording import Recorder
    from voice_kit.converse.steps import call
    from voice_kit.show.console import ConsoleView

    with Recorder(heard.record) if heard.record else nullcontext() as recorder:
        engines = recorder.engines(engines) if recorder else engines
        talk = Assistant(engines, speaker, settings, observers=[ConsoleView(console)])
        if recorder:
            recorder.follow(talk)
        async with talk:
            if heard.microphone is not None:
                try:
                    async with Microphone(heard.microphone or None) as frames:
                        notes.print(_how_to_speak(settings))
                        await talk.listen(frames, recorder.microphone if recorder else None)
                        return
                except AudioError as error:
                    notes.print(str(error))
            notes.print("Type a line and press Enter; an empty line ends it.")
            while line := (await call("keyboard", sys.stdin, sys.stdin.readline, None)).strip():
                if not sys.stdin.isatty():
                    console.print("  you ", line)
                talk.type(line)
                await talk.idle()


def _how_to_speak(settings: Settings) -> str:
    phrase = settings.wake.phrase
    begin = f"It sleeps until you say “{phrase}”." if phrase else "Speak."
    return f"{begin} Headphones keep it from hearing itself. Ctrl-C ends it."


def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write, such as my_assistant.py.")
    ],
    vad: options.Vad = None,
    stt: options.Stt = None,
    llm: options.Llm = None,
    tts: options.Tts = None,
    language: options.Language = None,
    config: options.Config = None,
    change: options.Set = None,
    force: Annotated[bool, typer.Option(help="Write over a file that is there.")] = False,
) -> None:
    """Write your own assistant, with your engines and settings, as one readable file that runs.

    Example: voice-kit export my_assistant.py --llm ollama:qwen3:1.7b
    """
    from voice_kit.workshop.export import export as write_assistant

    settings = options.settings_from(
        change, config, vad=vad, stt=stt, llm=llm, tts=tts, language=language
    )
    write_assistant(file, settings, force=force)
    notes.print(f"{file}: start it with  python {file}", soft_wrap=True)


def _engines(settings: Settings, *, say: bool) -> Engines:
    from voice_kit.cli import running
    from voice_kit.converse.loading import load_engines

    engines = load_engines(running.may_pull(settings))
    if say:
        for choice in engines.choices:
            notes.print(str(choice), style="dim")
    return engines


def _sound_card() -> Speaker | None:
    """The loudspeaker, or None when there is none."""
    from voice_kit.audio.speaker import SoundCardSpeaker

    try:
        return SoundCardSpeaker()
    except AudioError:
        return None
