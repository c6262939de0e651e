"""Examines this machine: what is here, what is missing, and what to type."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from voice_kit.audio.convert import convert
from voice_kit.audio.microphone import Microphone
from voice_kit.audio.speaker import SoundCardSpeaker
from voice_kit.converse.steps import StageFailedError, call, stream
from voice_kit.engines import STAGES, Stage, choose, make
from voice_kit.errors import VoiceKitError
from voice_kit.hear.detection import probabilities
from voice_kit.settings import Settings
from voice_kit.sounds import clip
from voice_kit.types import RATE, Audio, Message

ROOM = 2.0
"""Gigabytes of free disk that the models of the workshop need."""
HUB = "huggingface.co"
SAMPLE = "question_vad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination."""

    what: str
    status: Literal["ok", "note", "fix"]
    """“note”: it works without, and here is how to have it."""
    found: str
    fix: str = ""
    """What to type, or to do."""


def examine(settings: Settings, *, offline: bool = False) -> Iterator[Finding]:
    """Every finding, as soon as it is known. Raises nothing: a failure is a finding."""
    yield _python()
    yield _packages()
    yield _disk()
    yield _jupyter()
    yield _microphone()
    yield _speaker()
    for stage in STAGES:
        yield from _stage(stage, settings)
    if not offline:
        yield _hub()


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if (3, 11) <= sys.version_info[:2] <= (3, 12):
        return Finding("Python", "ok", found)
    return Finding("Python", "fix", found, "Install Python 3.11 or 3.12 from python.org.")


def _packages() -> Finding:
    try:
        needed = [
            re.split(r"[^\w.-]", line)[0]
            for line in requires("voice-kit") or []
            if "extra ==" not in line
        ]
    except PackageNotFoundError:
        return Finding("packages", "fix", "voice-kit is not installed", "pip install -e .")
    missing = [name for name in needed if not _installed(name)]
    if missing:
        fix = "make demo, or: pip install -e . -c constraints.txt"
        return Finding("packages", "fix", f"missing: {', '.join(missing)}", fix)
    return Finding(
        "packages", "ok", f"voice-kit {version('voice-kit')} and the {len(needed)} it needs"
    )


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _disk() -> Finding:
    free = shutil.disk_usage(Path.home() if Path.home().exists() else Path.cwd()).free / 1e9
    if free >= ROOM:
        return Finding("disk", "ok", f"{free:.0f} GB free")
    fix = f"Models need about {ROOM:g} GB. Without them the embedded engines are used."
    return Finding("disk", "note", f"{free:.1f} GB free", fix)


def _jupyter() -> Finding:
    if importlib.util.find_spec("jupyterlab"):
        return Finding("JupyterLab", "ok", version("jupyterlab"))
    return Finding("JupyterLab", "note", "not here", "make lab, or: pip install -e '.[workshop]'")


def _microphone() -> Finding:
    async def one_second() -> Audio:
        heard = []
        async with asyncio.timeout(5):
            async with Microphone() as frames:
                async for frame in frames:
                    heard.append(frame)
                    if len(heard) * len(frame) >= RATE:
                        break
        return Audio(np.concatenate(heard), RATE)

    try:
        sound = asyncio.run(one_second())
    except (VoiceKitError, TimeoutError) as error:
        reason = str(error) or "The microphone is silent: is another program using it?"
        return Finding("microphone", "note", "none; recordings are used instead", reason)
    loudness = 20 * np.log10(max(1e-10, float(np.sqrt(np.mean(sound.samples**2)))))
    if loudness < -90:
        fix = "Unmute it, or allow this program to use it in the system's privacy settings."
        return Finding("microphone", "fix", "it gives only silence", fix)
    return Finding("microphone", "ok", f"one second recorded, {loudness:.0f} dBFS")


def _speaker() -> Finding:
    async def chime() -> None:
        seconds = np.arange(int(0.3 * RATE)) / RATE
        tone = 0.1 * np.sin(2 * np.pi * 440 * seconds) * np.hanning(len(seconds))
        async with asyncio.timeout(5):
            playback = SoundCardSpeaker().open(lambda _: None)
            playback.play(Audio(tone.astype(np.float32), RATE))
            await playback.finished()

    try:
        asyncio.run(chime())
    except (VoiceKitError, TimeoutError) as error:
        reason = str(error) or "The sound card does not play: is another program using it?"
        return Finding("loudspeaker", "note", "none; sound goes to files instead", reason)
    return Finding("loudspeaker", "ok", "a tone was played: did you hear it?")


def _stage(stage: Stage, settings: Settings) -> Iterator[Finding]:
    try:
        began = time.perf_counter()
        choice = choose(stage, settings)
        engine = make(stage, choice.spec, settings)
        loaded = time.perf_counter() - began
        found = asyncio.run(_tried(stage, engine, settings))
    except VoiceKitError as error:
        yield Finding(stage, "fix", "not available", str(error))
        return
    except StageFailedError as failure:
        yield Finding(stage, "fix", "it is there, but it failed", str(failure.cause))
        return
    yield Finding(stage, "ok", f"{choice.spec}, {choice.why}; loaded in {loaded:.1f} s; {found}")
    if choice.better:
        yield Finding(stage, "note", "there are better ones", choice.better)


async def _tried(stage: Stage, engine: Any, settings: Settings) -> str:
    """What the engine makes of a small task, and how long that took."""
    sample = convert(clip(SAMPLE).audio(), RATE)
    limit = getattr(settings.timeouts, stage)
    began = time.perf_counter()
    match stage:
        case "vad":
            share = float(np.mean(probabilities(engine, sample) > 0.5))
            return f"hears speech in {share:.0%} of a spoken question"
        case "stt":
            heard = await call(
                "stt", engine, lambda: engine.transcribe(sample), settings.timeouts.stt
            )
            took = time.perf_counter() - began
            return f"heard “{heard.text}” in {took:.2f} s ({took / sample.seconds:.2f} × real time)"
        case "llm":
            prompt = [Message("system", settings.persona), Message("user", "Say hello.")]
            async for _ in stream(
                "llm", engine, lambda: engine.reply(prompt), settings.timeouts.llm
            ):
                break
            return f"first word after {(time.perf_counter() - began) * 1000:.0f} ms"
        case "tts":
            first, seconds = 0.0, 0.0
            async for speech in stream("tts", engine, lambda: engine.speak("Good morning."), limit):
                first = first or time.perf_counter() - began
                seconds += speech.audio.seconds
            return f"{seconds:.1f} s of speech, the first after {first * 1000:.0f} ms"


def _hub() -> Finding:
    try:
        socket.create_connection((HUB, 443), timeout=2).close()
    except OSError:
        fix = "No model can be fetched now; those that are here, and the embedded ones, work."
        return Finding("model hub", "note", f"{HUB} does not answer", fix)
    return Finding("model hub", "ok", f"{HUB} answers")
