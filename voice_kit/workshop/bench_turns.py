"""Recorded speech in real time, heard by us and by a loop written by hand: how fast each answers.

The engines are stubs that wait, so that what is left is the loop's own time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from voice_kit.hear.batch import Batch
from voice_kit.hear.protocols import VoiceDetector
from voice_kit.types import FRAME, RATE
from voice_kit.workshop.peers import by_hand, kit_bench
from voice_kit.workshop.peers.plan import ANSWER, EAGER, LLM, LONG_ANSWER, STOP, STT, TTS
from voice_kit.workshop.peers.scenes import SETS, Scene, scene
from voice_kit.workshop.peers.stage import Job, Record, Word
from voice_kit.workshop.peers.table import Row, stop_rows, turn_rows

ROUNDS = 4
"""Conversations of each way at once; each hears other questions."""
ENGINES = STT + LLM + TTS


class Way(NamedTuple):
    """A loop, how it is set, and what it hears."""

    name: str
    way: str
    sets: tuple[str, ...]
    measure: str = "turns"


EARLY = Way("voice-kit, early", "early", tuple(SETS))
WAYS = (
    EARLY,
    Way("by hand, early", "early", tuple(SETS)),
    Way("voice-kit, plain", "plain", ("whole",)),
    Way("by hand, plain", "plain", ("whole",)),
    Way("voice-kit, interrupted", "early", ("whole",), "stops"),
    Way("by hand, interrupted", "early", ("whole",), "stops"),
)


def job_of(way: Way, heard: Scene) -> Job:
    """What a conversation is to do with this sound."""
    return Job(
        way=way.way,
        measure=way.measure,
        sound="",
        network="",
        words=[Word(*word) for word in heard.words],
        stt=STT,
        llm=LLM,
        tts=TTS,
        eager=EAGER,
        stop=STOP,
        answer=LONG_ANSWER if way.measure == "stops" else ANSWER,
        conversations=1,
    )


def converse(way: Way, heard: Scene, record: Record, detector: VoiceDetector) -> Awaitable[None]:
    """One conversation, until the sound ends."""
    job = job_of(way, heard)
    if way.name.startswith("by hand"):
        return by_hand.Loop(job, record).run(heard.sound, detector)
    return kit_bench.talk(job, heard.sound, record, detector)


def rows_of(way: Way, heard: Scene, record: Record) -> list[Row]:
    """A row for each turn of a conversation that is over."""
    stops = way.measure == "stops"
    found = (
        stop_rows(record.lines, heard.turns)
        if stops
        else turn_rows(record.lines, heard.turns, ENGINES)
    )
    return [{"way": way.name, "measure": way.measure, **row} for row in found]


async def staggered(starts: Iterable[Callable[[], Awaitable[Any]]], count: int) -> None:
    """Begin all of them within one frame, as microphones of strangers would."""

    async def one(number: int, start: Callable[[], Awaitable[Any]]) -> None:
        await asyncio.sleep(number * FRAME / RATE / count)
        await start()

    async with asyncio.TaskGroup() as group:
        for number, start in enumerate(starts):
            group.create_task(one(number, start))


async def measure(turns: int, detector: VoiceDetector, ways: Iterable[Way] = WAYS) -> list[Row]:
    """A row for each of `turns` turns of each set, heard by each way.

    All conversations run at once, each alone with its detector, at another moment of a frame.
    """
    rounds = min(ROUNDS, turns)
    talks: list[tuple[Way, Scene, Record]] = []
    for number in range(rounds):
        for way in ways:
            share = len(range(number, turns, rounds)) + (way.measure == "stops")
            talks.append((way, scene(way.sets, share, number), Record()))

    def start(way: Way, heard: Scene, record: Record) -> Callable[[], Awaitable[None]]:
        own = detector if way.name.startswith("by hand") else Batch(detector)
        return lambda: converse(way, heard, record, own)

    await staggered((start(*talk) for talk in talks), len(talks))
    return [row for talk in talks for row in rows_of(*talk)]
