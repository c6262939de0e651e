"""The bricks that answer: ask, say."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from voice_kit.audio.convert import convert
from voice_kit.audio.files import write
from voice_kit.audio.speaker import SoundCardSpeaker
from voice_kit.cli import options, running
from voice_kit.cli.options import console, notes, put
from voice_kit.errors import AudioError
from voice_kit.speak.aloud import Aloud
from voice_kit.speak.split import sentences
from voice_kit.types import Audio, Message


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (ask, say):
        app.command(rich_help_panel="Bricks")(command)


def ask(
    text: Annotated[str, typer.Argument(help="The question.")],
    llm: options.Llm = None,
    language: options.Language = None,
    change: options.Set = None,
    json_: options.Json = False,
) -> None:
    """Ask the language model, and read its answer as it comes.

    Example: voice-kit ask "What is barge-in?"
    """
    settings = options.settings_from(change, llm=llm, language=language)
    engine = running.engine("llm", settings)
    prompt = [Message("system", settings.persona), Message("user", text)]

    async def answer() -> tuple[str, float | None]:
        tokens, first = [], None
        async for token, after in running.each("llm", engine, lambda: engine.reply(prompt)):
            first = after if first is None else first
            tokens.append(token)
            if not json_:
                console.print(token, end="", markup=False, soft_wrap=True)
        return "".join(tokens), first

    words, first = running.wait_for(answer())
    if json_:
        rounded = None if first is None else round(first, 4)
        put(json.dumps({"text": words, "engine": engine.name, "first_token_s": rounded}))
    else:
        console.print()
        notes.print(f"({engine.name}, first word after {(first or 0) * 1000:.0f} ms)", style="dim")


def say(
    text: Annotated[str, typer.Argument(help="What to say.")],
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
    settings = options.settings_from(change, tts=tts, language=language, device=device)
    engine = running.engine("tts", settings)
    speakable = Aloud(settings.language)
    parts = [speakable.sentence(part) for part in sentences([text], settings.language)]

    async def speak() -> tuple[list[Audio], float]:
        sounds: list[Audio] = []
        first = 0.0
        began = time.perf_counter()
        playback = None if out else SoundCardSpeaker().open(lambda _: None)
        for part in filter(None, parts):
            async for speech, _ in running.each("tts", engine, partial(engine.speak, part)):
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
        notes.print(f"{place}: {whole.seconds:.1f} s by {engine.name}", style="dim", markup=False)


def _joined(sounds: list[Audio]) -> Audio:
    rate = sounds[0].rate
    return Audio(np.concatenate([convert(sound, rate).samples for sound in sounds]), rate)
