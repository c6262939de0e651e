"""What the scripts share: the job, the words so far, the clock, the lines they print."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
FRAME = 512
"""Samples of what Silero hears at once: 32 ms."""
ANSWER = ("It is a short answer that comes at once.", " That is all.")
"""What the language model says. The first sentence is long enough for every peer to speak it."""
GAP = 0.02
"""Seconds between the two sentences: models do not say everything at once."""
ABOVE = 0.5
"""The chance from which a frame is speech, everywhere, at the start of a turn and in it."""
SETTLE = 1.0
"""Seconds of quiet before the sound, in which the peers get ready."""


class Word(NamedTuple):
    """A word, and when its last sample is heard, in seconds since the microphone opened."""

    end: float
    text: str


class Job(NamedTuple):
    """What a script is to do. All times are in seconds."""

    way: str
    """“early” begins before the turn is certain, as far as this peer can; “plain” does not."""
    measure: str
    """“turns”, “stops” (every question interrupts the answer before it) or “load”."""
    sound: str
    """The file of the sound: float32, 16 kHz, made by numpy."""
    network: str
    """The file of Silero's network, for those who do not bring it."""
    words: list[Word]
    stt: float
    llm: float
    tts: float
    eager: float
    """Quiet after which an answer may begin."""
    stop: float
    """Quiet after which the turn is over."""
    answer: float
    """How long each sentence of the answer sounds."""
    conversations: int
    judge: str = "silence"

    def hear(self) -> NDArray[np.float32]:
        """The sound."""
        sound: NDArray[np.float32] = np.load(self.sound)
        return sound

    def said(self, now: float, seconds: float) -> str:
        """The words whose end was heard in the `seconds` before `now`."""
        if self.measure == "load":  # every conversation is at another place
            return "what is it"
        return " ".join(word.text for word in self.words if now - seconds < word.end <= now)


class Record:
    """What happened when, in seconds since the microphone opened."""

    def __init__(self) -> None:
        self.opened = 0.0
        self.lines: list[dict[str, Any]] = []

    def now(self) -> float:
        """Seconds since the microphone opened."""
        return asyncio.get_running_loop().time() - self.opened

    def add(self, event: str, at: float | None = None, **more: float) -> None:
        """Note an event, which happens now or happened `at`.

        decided: the detector says that the turn ended. began: the language model is asked.
        sounded: the first sound of an answer is handed to the output. interrupted: the detector
        says that someone speaks. silent: the output is told to be silent. worked: an engine did
        so many `seconds` of work, or was stopped after them.
        """
        self.lines.append({"event": event, "at": self.now() if at is None else at, **more})

    async def work(self, seconds: float) -> None:
        """What a stub engine does: it waits, and what that would have cost is counted."""
        began = self.now()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.add("worked", seconds=min(seconds, self.now() - began))


async def frames(
    sound: NDArray[np.float32], record: Record, size: int
) -> AsyncIterator[NDArray[np.float32]]:
    """The sound in frames of `size` samples, each when its last sample would be spoken."""
    loop = asyncio.get_running_loop()
    record.opened = loop.time()
    for first in range(0, len(sound) - size + 1, size):
        due = record.opened + (first + size) / RATE
        await asyncio.sleep(max(0.0, due - loop.time()))
        yield sound[first : first + size]


def pcm(samples: NDArray[np.float32]) -> bytes:
    """The same as 16-bit samples, which the peers hear."""
    return (samples * 32767).astype(np.int16).tobytes()


def hum(seconds: float, rate: int) -> bytes:
    """An answer's sound, as 16-bit samples."""
    return np.full(round(seconds * rate), 3000, np.int16).tobytes()


async def ready() -> None:
    """Wait until what was started has come to rest."""
    await asyncio.sleep(SETTLE)


Conversation = Callable[[Job, NDArray[np.float32], Record], Awaitable[None]]
Prepare = Callable[[Job], Conversation]


def main(peer: str, packages: tuple[str, ...], settings: dict[str, str], prepare: Prepare) -> None:
    """Do the job whose file the command line names, and print its lines.

    `settings` says, by way, how this peer was set; `prepare` loads what conversations share.
    """
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    given["words"] = [Word(*word) for word in given["words"]]
    job = Job(**given)
    about = {
        "peer": peer,
        "way": job.way,
        "settings": settings[job.way].format(
            stop=_ms(job.stop), eager=_ms(job.eager), rest=_ms(job.stop - job.eager)
        ),
        "versions": {name: version(name) for name in packages},
    }
    print(json.dumps(about))
    converse = prepare(job)
    work = _load(job, converse) if job.measure == "load" else _turns(job, converse)
    for line in asyncio.new_event_loop().run_until_complete(work):
        print(json.dumps(line))
    sys.stdout.flush()
    os._exit(0)  # a peer's threads and tasks may take their time, and have nothing left to say


async def _turns(job: Job, converse: Conversation) -> list[dict[str, Any]]:
    record = Record()
    await converse(job, job.hear(), record)
    return record.lines


async def _load(job: Job, converse: Conversation) -> list[dict[str, Any]]:
    """Many conversations in one process, each at another place of the same sound, and of a frame:
    microphones of strangers do not deliver at the same moment."""
    sound = job.hear()
    records = [Record() for _ in range(job.conversations)]
    step = len(sound) // job.conversations
    twice = np.concatenate((sound, sound))
    empty = _resident()

    async def begin(index: int, record: Record) -> None:
        await asyncio.sleep(index / job.conversations * FRAME / RATE)
        await converse(job, twice[index * step :][: len(sound)], record)

    talks = [asyncio.ensure_future(begin(*one)) for one in enumerate(records)]
    await asyncio.sleep(SETTLE + 3)
    cpu, began = time.process_time(), time.monotonic()
    await asyncio.sleep(len(sound) / RATE - 6)
    seconds = time.monotonic() - began
    used, full = time.process_time() - cpu, _resident()
    await asyncio.gather(*talks)
    answers = sum(line["event"] == "sounded" for record in records for line in record.lines)
    return [
        {
            "event": "load",
            "conversations": job.conversations,
            "cpu_ms": used / seconds / job.conversations * 1000,
            "mb": (full - empty) / job.conversations,
            "answers": answers,
        }
    ]


def _resident() -> float:
    """Megabytes of this process in memory; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
