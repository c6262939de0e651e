"""Who is compared, how each is set, and how much is measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from voice_kit.workshop.peers.scenes import REST, SETS

OURS, BY_HAND = "voice-kit", "by hand"
STT, LLM, TTS = 0.1, 0.1, 0.05
"""Seconds that every stub engine takes; together 250 ms."""
EAGER, STOP = 0.064, 0.192
"""Two and six frames of Silero: of what every detector can do, the nearest to 64 and 200 ms."""
ANSWER, LONG_ANSWER = 0.25, 10.0
"""Seconds of each sentence of an answer; the long one is there to be interrupted."""


class Runner(NamedTuple):
    """A peer, and how it is set."""

    peer: str
    way: str
    script: str
    sets: tuple[str, ...]
    measures: tuple[str, ...] = ("turns",)


ALL, EVERYTHING = tuple(SETS), ("turns", "stops", "load")
RUNNERS = (
    Runner(OURS, "early", "kit_bench", ALL, EVERYTHING),
    Runner(BY_HAND, "early", "by_hand", ALL, EVERYTHING),
    Runner("pipecat", "early", "pipecat_bench", ALL, EVERYTHING),
    Runner("pipecat", "eager", "pipecat_bench", ALL),
    Runner("livekit", "early", "livekit_bench", ALL, EVERYTHING),
    Runner(OURS, "plain", "kit_bench", ("whole",)),
    Runner(BY_HAND, "plain", "by_hand", ("whole",)),
    Runner("pipecat", "plain", "pipecat_bench", ("whole",)),
    Runner("livekit", "plain", "livekit_bench", ("whole",)),
    Runner(OURS, "text judge", "kit_bench", ("pauses",)),
    Runner(OURS, "smart turn", "kit_bench", ("pauses",)),
    Runner("pipecat", "smart turn", "pipecat_bench", ("pauses",)),
)


class Plan(NamedTuple):
    """How much is measured."""

    turns: int = 20
    """Of each set."""
    rounds: int = 4
    conversations: int = 20
    only: tuple[str, ...] = ()
    """Peers; empty for all."""
    environments: Path = Path(".envs")
    """The folder of the peers' environments."""


def wanted(plan: Plan, pythons: Mapping[str, Path]) -> list[Runner]:
    """The runners that there is a Python for, and that the plan does not leave out."""
    return [
        each for each in RUNNERS if each.peer in pythons and each.peer in (plan.only or pythons)
    ]


def minutes(plan: Plan, pythons: Mapping[str, Path]) -> float:
    """About how long it takes."""
    runners = wanted(plan, pythons)
    turns = sum(len(each.sets) for each in runners) * plan.turns * (1.5 + REST)
    stops = sum("stops" in each.measures for each in runners) * plan.turns * (1.6 + REST)
    load = sum("load" in each.measures for each in runners) * 35
    starts = sum(len(each.measures) for each in runners) * plan.rounds * 4
    return (turns + stops + load + starts) / 60
