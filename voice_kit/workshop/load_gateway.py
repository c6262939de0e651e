"""A gateway to be measured: engines that wait as long as the bench's, the real detector, and no
limits. `python -m voice_kit.workshop.load_gateway CONVERSATIONS` prints its address."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voice_kit.types import RATE, Audio, Message, Speech, Stops, Transcript
from voice_kit.workshop import bench_load, load
from voice_kit.workshop.gateways import Gateway
from voice_kit.workshop.load_caller import Caller
from voice_kit.workshop.peers.plan import ANSWER as SECONDS
from voice_kit.workshop.peers.plan import LLM, STT, TTS
from voice_kit.workshop.peers.scenes import Scene
from voice_kit.workshop.peers.stage import ANSWER, GAP
from voice_kit.workshop.peers.table import spread

OUT = 24_000
CONNECTS = 50.0
"""New callers a second."""


@dataclass
class Waits:
    """Writes down how long a sound is: one that went on is another question."""

    takes: float = STT
    """Seconds."""
    name: str = "stub"
    stops: Stops = "async"

    async def transcribe(self, audio: Audio) -> Transcript:
        """After as long as it takes: the bench's time, unless it is told."""
        await asyncio.sleep(self.takes)
        return Transcript(f"It lasted {audio.seconds * 100:.0f} hundredths.")


@dataclass
class Answers:
    """Says the bench's two sentences to everything."""

    name: str = "stub"
    stops: Stops = "async"

    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        """The first sentence word by word, and the second a moment later."""
        await asyncio.sleep(LLM)
        first, second = ANSWER
        for index, word in enumerate(first.split(" ")):
            yield f" {word}" if index else word
        await asyncio.sleep(GAP)
        yield second


@dataclass
class Hum:
    """Hums every sentence."""

    name: str = "stub"
    stops: Stops = "async"

    async def speak(self, text: str) -> AsyncIterator[Speech]:
        """A hum."""
        await asyncio.sleep(TTS)
        samples = np.full(round(SECONDS * OUT), 0.1, np.float32)
        yield Speech(text, Audio(samples, OUT))


class Measured:
    """A gateway in a process of its own, and what it needs."""

    def __init__(self, url: str, pid: int) -> None:
        self.url, self._pid = url, pid
        self._empty = self.resident()
        self._cpu = self._since = 0.0

    def begin(self) -> None:
        """Count the work from now on."""
        self._cpu, self._since = self._worked(), time.monotonic()

    def load(self) -> float:
        """Seconds of CPU in a second, since `begin`; 0 where the system does not tell."""
        return (self._worked() - self._cpu) / (time.monotonic() - self._since)

    def resident(self) -> float:
        """Megabytes of it in memory; 0 where the system does not tell."""
        return bench_load.resident(self._pid)

    def grown(self) -> float:
        """Megabytes more than with nobody there."""
        return self.resident() - self._empty

    def _worked(self) -> float:
        ticks = self._read("stat", 13) + self._read("stat", 14)
        return ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0

    def _read(self, file: str, column: int) -> int:
        try:
            text = Path(f"/proc/{self._pid}/{file}").read_text()
        except OSError:
            return 0
        return int(text.rpartition(")")[2].split()[column - 2 if ")" in text else column])


def compared(conversations: int, questions: int, rest: float) -> dict[str, Any]:
    """What callers felt at a gateway, what conversations inside one process felt with the same
    questions and engines, and by how much the socket made half of them, 95 and 99 of 100 wait
    longer. (Question by question would say little: when a frame ends is chance, 32 ms wide.)

    Blocks for twice as long as they talk. Raises `VoiceKitError`.
    """
    heard = load.asked(conversations, questions, rest, ())
    with measured(conversations) as gateway:
        address, token = load.socket_of(gateway.url)
        callers, used = asyncio.run(_called(gateway, address, token, heard))
    inside = bench_load.measure(conversations, questions, rest, ("whole",))
    felt = {**load.felt(callers), **used}
    inside |= spread(row["voice_to_voice"] for row in inside.pop("rows")) or {"n": 0}
    both = [key for key in load.QUANTILES if key in felt and key in inside]
    return {
        "gateway": felt,
        "inside": inside,
        "added": {key: felt[key] - inside[key] for key in both},
    }


async def _called(
    gateway: Measured, address: str, token: str, heard: Sequence[Scene]
) -> tuple[list[Caller], dict[str, float]]:
    """The callers, once they have talked, and what the gateway needed in the middle of it."""
    talking = asyncio.ensure_future(load.call(address, token, heard, CONNECTS))
    seconds = min(len(each.sound) for each in heard) / RATE
    await asyncio.sleep(len(heard) / CONNECTS + seconds / 4)
    gateway.begin()
    await asyncio.sleep(seconds / 2)
    cpu, grown = gateway.load() / len(heard) * 1000, gateway.grown()
    return await talking, {"cpu_ms": cpu, "mb": grown}


@contextmanager
def measured(conversations: int) -> Iterator[Measured]:
    """One that has room for so many, while this is open. Raises `VoiceKitError`."""
    gateway = Gateway(str(conversations), module=("voice_kit.workshop.load_gateway",))
    try:
        yield Measured(gateway.ready().url, gateway.pid)
    finally:
        gateway.end()


def serve(conversations: int) -> None:
    """Serve until told to stop."""
    from voice_kit.converse.line import Engines, Line
    from voice_kit.engines import make
    from voice_kit.hear.judge_silence import Silence
    from voice_kit.serve.app import create_app
    from voice_kit.serve.config import Serve
    from voice_kit.serve.running import Running
    from voice_kit.serve.server import Server, config_of, settle
    from voice_kit.workshop.bench_turns import EARLY, job_of
    from voice_kit.workshop.peers.kit_bench import settings_of

    settings = settings_of(job_of(EARLY, Scene(np.zeros(0, np.float32), [], [])))
    room = Serve(
        port=0,
        max_connections=conversations + 10,
        per_address=conversations + 10,
        connects_per_second=1000,
    )
    running = Running(settings, room)
    engines = Engines(
        Line("vad", make("vad", "silero", settings)),
        Line("stt", Waits()),
        Line("llm", Answers()),
        Line("tts", Hum()),
        Line("judge", Silence()),
    )
    app = create_app(settings=settings, serve=running.serve, engines=engines)
    print(json.dumps({"url": running.url}), flush=True)
    settle()
    Server(config_of(app, running.serve)).run(sockets=[running.socket])


if __name__ == "__main__":
    serve(int(sys.argv[1]))
