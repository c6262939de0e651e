"""The bricks that answer: ask, say."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voice_kit.cli import options
from voice_kit.cli.options import console, notes, put
from voice_kit.errors import AudioError

if TYPE_CHECKING:
    from voice_kit.audio.protocols import Playback
    from voice_kit.types import Audio

TEXT = "or - for what comes on standard input."


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (ask, say):
        app.command(rich_help_panel="Bricks")(command)


def ask(
    text: Annotated[str, typer.Argument(metavar="TEXT", help=f"The question, {TEXT}")],
    llm: options.Llm = None,
    language: options.Language = None,
    change: options.Set = None,
    json_: options.Json = False,
) -> None:
    """Ask the assistant, and read its answer as it comes. It may use its skills and search the web.

    Example: voice-kit ask "What is barge-in?"
    """
    from voice_kit.cli import running
    from voice_kit.converse.asking import asked

    settings = options.settings_from(change, llm=llm, language=language)
    engine = running.engine("llm", settings)
    limit = running.patience("llm", engine, settings)

    def show(token: str) -> None:
        if not json_:
            console.print(token, end="", soft_wrap=True)

    question = asked(options.words_of(text), engine, settings, show, limit)
    answer = running.wait_for(question)
    if answer.problem:
        notes.print(f"This was not remembered: {answer.problem}", soft_wrap=True)
    if json_:
        put(json.dumps(answer.as_json()))
        return
    console.print()
    for source in answer.sources:
        notes.print(f"{source.title}: {source.url}", style="dim", soft_wrap=True)
    first = (answer.first or 0) * 1000
    notes.print(f"({answer.engine}, first word after {first:.0f} ms)", style="dim")


def say(
    text: Annotated[str, typer.Argument(metavar="TEXT", help=f"What to say, {TEXT}")],
    out: Annotated[Path | None, typer.Option(help="Write a WAV file instead of playing.")] = None,
    tts: options.Tts = None,
    language: options.Language = None,
    device: options.Device = None,
    change: options.Set = None,
    json_: options.Json = False,
) -> None:
    """Say a text aloud, or into a file.

    Example: voice-kit say "Good morning." --tts espeak --out morning.wav
    """
    from voice_kit.audio.files import write
    from voice_kit.cli import running
    from voice_kit.speak.aloud import Aloud
    from voice_kit.speak.split import sentences

    settings = options.settings_from(change, tts=tts, language=language, device=device)
    engine = running.engine("tts", settings)
    speakable = Aloud(settings.language)
    words = options.words_of(text)
    parts = [speakable.sentence(part) for part in sentences([words], settings.language)]
    limit = running.patience("tts", engine, settings)

    async def speak() -> tuple[list[Audio], float]:
        sounds: list[Audio] = []
        first = 0.0
        began = time.perf_counter()
        playback = None if out else _loudspeaker()
        for part in filter(None, parts):
            steps = running.each("tts", engine, partial(engine.speak, part), limit)
            async for speech, _ in steps:
                first = first or time.perf_counter() - began
                sounds.append(speech.audio)
                if playback:
                    playback.play(speech.audio)
        if playback:
            await playback.finished()
        return sounds, first

    sounds, first = running.wait_for(speak())
    if not sounds:
        raise AudioError("There is nothing to say in that text. Give it some words.")
    whole = _joined(sounds)
    if out:
        write(out, whole)
    result = {
        "file": str(out) if out else None,
        "seconds": round(whole.seconds, 3),
        "engine": engine.name,
        "first_sound_s": round(first, 4),
    }
    if json_:
        put(json.dumps(result))
    else:
        place = str(out) if out else "spoken"
        notes.print(f"{place}: {whole.seconds:.1f} s by {engine.name}", style="dim")


def _loudspeaker() -> Playback:
    from voice_kit.audio.speaker import SoundCardSpeaker

    try:
        return SoundCardSpeaker().open(lambda _: None)
    except AudioError as error:
        raise AudioError(f"{error} Or write a file: add --out speech.wav.") from error


def _joined(sounds: list[Audio]) -> Audio:
    import numpy as np

    from voice_kit.audio.convert import convert
    from voice_kit.types import Audio

    rate = sounds[0].rate
    return Audio(np.concatenate([convert(sound, rate).samples for sound in sounds]), rate)
