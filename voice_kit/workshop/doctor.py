"""Examines this machine: what is here, what is missing, and what to type."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TypeVar

import numpy as np

from voice_kit.audio.microphone import Microphone
from voice_kit.audio.speaker import SoundCardSpeaker
from voice_kit.converse.steps import StageFailedError
from voice_kit.engines import STAGES, Choice, Stage, choose, make
from voice_kit.errors import EngineFailedError, VoiceKitError
from voice_kit.settings import Settings
from voice_kit.think.mcp_tools import McpServers
from voice_kit.types import RATE, Audio
from voice_kit.workshop.doctor_place import Finding, place
from voice_kit.workshop.trial import tried

T = TypeVar("T")
CARD, ENGINE = 8.0, 90.0
"""Seconds that a sound card, and an engine with its model, may need before we go on."""
HUB = "huggingface.co"


def examine(settings: Settings, *, offline: bool = False) -> Iterator[Finding]:
    """Every finding, as soon as it is known. Raises nothing: a failure is a finding, and so is
    what does not end in time."""
    yield from place()
    microphone, recorded = _microphone()
    yield microphone
    yield _speaker(recorded)
    for stage in STAGES:
        yield from _stage(stage, settings)
    yield from _tool_servers(settings, offline)
    if not offline:
        yield _hub()


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` gives back. Raises what it raises, and `TimeoutError` after so many seconds."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    # A daemon: a driver or a server that hangs must not keep us from leaving.
    threading.Thread(target=run, name="voice-kit doctor", daemon=True).start()
    return done.result(seconds)


def _microphone() -> tuple[Finding, Audio | None]:
    async def one_second() -> Audio:
        heard = []
        async with Microphone() as frames:
            async for frame in frames:
                heard.append(frame)
                if len(heard) * len(frame) >= RATE:
                    break
        return Audio(np.concatenate(heard), RATE)

    try:
        began = time.perf_counter()
        sound = within(CARD, lambda: asyncio.run(one_second()))
    except Exception as error:
        reason = _reason(error, "The microphone gives nothing: is another program using it?")
        return Finding("microphone", "note", "none; recordings are used instead", reason), None
    took = time.perf_counter() - began
    loudness = 20 * np.log10(max(1e-10, float(np.sqrt(np.mean(sound.samples**2)))))
    if loudness < -90:
        fix = "Unmute it, or allow this program to use it in the system's privacy settings."
        return Finding("microphone", "fix", "it gives only silence", fix), None
    found = f"one second recorded in {took:.1f} s, {loudness:.0f} dBFS"
    return Finding("microphone", "ok", found), sound


def _speaker(recorded: Audio | None) -> Finding:
    async def play() -> None:
        seconds = np.arange(int(0.3 * RATE)) / RATE
        tone = 0.1 * np.sin(2 * np.pi * 440 * seconds) * np.hanning(len(seconds))
        with SoundCardSpeaker() as speaker:
            playback = speaker.open(lambda _: None)
            playback.play(recorded or Audio(tone.astype(np.float32), RATE))
            await playback.finished()

    try:
        began = time.perf_counter()
        within(CARD, lambda: asyncio.run(play()))
    except Exception as error:
        reason = _reason(error, "The sound card does not play: is another program using it?")
        return Finding("loudspeaker", "note", "none; sound goes to files instead", reason)
    took = time.perf_counter() - began
    what = "what was recorded was played back" if recorded else "a tone was played"
    return Finding("loudspeaker", "ok", f"{what} in {took:.1f} s: did you hear it?")


def _stage(stage: Stage, settings: Settings) -> Iterator[Finding]:
    def trial() -> tuple[Choice, str]:
        choice = choose(stage, settings)
        began = time.perf_counter()
        engine = make(stage, choice.spec, settings)
        loaded = time.perf_counter() - began
        found = asyncio.run(tried(stage, engine, settings))
        return choice, f"{choice.spec}, {choice.why}; loaded in {loaded:.1f} s; {found}"

    try:
        choice, found = within(ENGINE, trial)
    except StageFailedError as failure:
        yield Finding(stage, "fix", "it is there, but it failed", str(failure.cause))
    except EngineFailedError as error:
        yield Finding(stage, "fix", "it is there, but it failed", str(error))
    except VoiceKitError as error:
        yield Finding(stage, "fix", "not available", str(error))
    except TimeoutError:
        fix = f"Choose another for now: --set {stage}=NAME; `voice-kit doctor -h` shows how."
        yield Finding(stage, "fix", f"it did not load and work within {ENGINE:g} s", fix)
    except Exception as error:
        problem = f"it is there, but broken: {type(error).__name__}: {error}"
        fix = f"Install its package again, or choose another: --set {stage}=NAME."
        yield Finding(stage, "fix", problem, fix)
    else:
        yield Finding(stage, "ok", found)
        if choice.better:
            yield Finding(stage, "note", "there are better ones", choice.better)


def _tool_servers(settings: Settings, offline: bool) -> Iterator[Finding]:
    given = settings.tools.servers
    wanted = {name: how for name, how in given.items() if not (offline and "url" in how)}

    async def started() -> tuple[dict[str, int], dict[str, str]]:
        async with McpServers(wanted) as servers:
            return await servers.settled(), servers.problems

    if not wanted:
        return
    try:
        here, problems = within(ENGINE, lambda: asyncio.run(started()))
    except VoiceKitError as error:
        yield Finding("tool servers", "fix", "they cannot be used", str(error))
    except TimeoutError:
        fix = f"Start each by hand, and see tools.servers: {', '.join(wanted)}."
        yield Finding("tool servers", "fix", f"they did not start and end in {ENGINE:g} s", fix)
    else:
        for name, count in here.items():
            yield Finding(f"tool server {name}", "ok", f"it runs; tools: {count}")
        for name, problem in problems.items():
            yield Finding(f"tool server {name}", "fix", "not available", problem)


def _reason(error: Exception, silent: str) -> str:
    """What to tell: our own sentence, or one for what never came, or the name of a surprise."""
    if isinstance(error, VoiceKitError):
        return str(error)
    if isinstance(error, TimeoutError):
        return silent
    return f"The sound system is broken ({type(error).__name__}): {error}. Restart the computer."


def _hub() -> Finding:
    try:
        within(4, lambda: socket.create_connection((HUB, 443), timeout=2).close())  # and its name
    except OSError:
        fix = "No model can be fetched now; those that are here, and the embedded ones, work."
        return Finding("model hub", "note", f"{HUB} does not answer", fix)
    return Finding("model hub", "ok", f"{HUB} answers")
