"""How the commands call engines: cancellable, and an engine's failure is its own sentence."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeVar

from voice_kit.audio.microphone import frames
from voice_kit.converse.steps import StageFailedError, call, stream
from voice_kit.converse.virtual import run
from voice_kit.engines import Stage, choose, make
from voice_kit.hear.detection import probabilities
from voice_kit.hear.ears import listen
from voice_kit.hear.protocols import Transcriber, VoiceDetector
from voice_kit.settings import Settings
from voice_kit.think.llm_ollama_models import pull_in_terminal
from voice_kit.types import Audio, Transcript, TurnEnded

T = TypeVar("T")
LONG = 30.0
"""Seconds above which a sound is transcribed turn by turn: no engine likes half an hour at once."""


def engine(stage: Stage, settings: Settings) -> Any:
    """The engine that the settings ask for, loaded."""
    return make(stage, choose(stage, settings).spec, may_pull(settings))


def may_pull(settings: Settings) -> Settings:
    """The same settings, with which Ollama asks at the terminal whether to fetch a model."""
    return settings.changed({"options.ollama.pull": pull_in_terminal})


def wait_for(work: Any) -> Any:
    """Run a coroutine to its end; an engine's failure is raised as its own error."""
    try:
        return run(work)
    except StageFailedError as failure:
        raise failure.cause from failure


def turns(vad: VoiceDetector, audio: Audio, settings: Settings) -> list[TurnEnded]:
    """The turns in a recording, as the assistant would hear them."""
    heard = listen(frames(audio), probabilities(vad, audio), settings.hear)
    return [event for event in heard if isinstance(event, TurnEnded)]


async def transcribe(
    stt: Transcriber,
    audio: Audio,
    settings: Settings,
    on_way: Callable[[float], None] = lambda seconds: None,
) -> Transcript:
    """What is said in a recording of any length. `on_way` is told how many seconds are done."""
    limit = patience("stt", stt, settings)
    if audio.seconds <= LONG:
        return await call("stt", stt, lambda: stt.transcribe(audio), limit)
    vad = engine("vad", settings)
    parts = await call("vad", vad, lambda: turns(vad, audio, settings), None)
    texts = []
    for part in parts:
        on_way(part.started)
        heard = await call("stt", stt, partial(stt.transcribe, part.audio), limit)
        texts.append(heard.text)
    return Transcript(" ".join(filter(None, texts)), settings.language)


def patience(stage: Stage, engine: Any, settings: Settings) -> float | None:
    """Seconds that a step may take: as in a conversation for what waits for a server; for what
    computes here, as long as whoever typed the command has patience."""
    waits = getattr(engine, "stops", "steps") == "async"
    limit: float = getattr(settings.timeouts, stage)
    return limit if waits else None


async def each(
    stage: str, engine: Any, start: Callable[[], Any], limit: float | None
) -> AsyncIterator[tuple[Any, float]]:
    """Every item of an engine's generator, with the seconds since it was asked for."""
    began = time.perf_counter()
    async for item in stream(stage, engine, start, limit):
        yield item, time.perf_counter() - began
