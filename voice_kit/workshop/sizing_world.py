"""People who ask, and the engines that answer them, in simulated time."""

from __future__ import annotations

import math
import random
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.sounds import clips
from voice_kit.workshop.sizing_queue import Batches, Clock, Places, Process

Figures = dict[str, Any]
FIGURES = Path(__file__).parent / "sizing_figures.toml"
WARM, LONG = 20.0, 40.0
"""Simulated seconds before anything is counted, and in which it is."""
STAGES = ("stt", "llm", "tts")


def figures() -> Figures:
    """What everything here starts from."""
    return tomllib.loads(FIGURES.read_text(encoding="utf-8"))


def questions() -> list[float]:
    """Seconds of every question and command among the kit's recordings."""
    kinds = {"question", "command", "search", "free"}
    return [clip.seconds for clip in clips() if clip.kind in kinds]


@dataclass
class Seen:
    """What became of a simulated crowd."""

    heard: NDArray[np.float64]
    """Seconds from the end of each question to the sound of its answer."""
    use: dict[str, float]
    """The share of what it could do that each stage did."""
    waits: dict[str, float]
    """Seconds that work waited for a stage, 95 of 100."""
    turns: float
    """A second, all together."""


@dataclass
class World:
    """Engines, how many of each there are, and who talks to them."""

    figures: Figures
    kind: str
    """cores or cards."""
    many: dict[str, int]
    late: Sequence[float]
    """Seconds that a gateway may be late with an answer; one of them is drawn for each."""
    seed: int = 7
    clock: Clock = field(default_factory=Clock)
    heard: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        engines = self.figures["engines"][self.kind]
        self._random = random.Random(self.seed)
        self._questions = questions()
        self._people = self.figures["people"]
        self._llm, self._tts = engines["llm"], engines["tts"]
        stt = engines["stt"]
        self.hearing = Batches(
            self.clock, self.many["stt"], stt.get("batch", 1), batch_seconds(stt)
        )
        self.thinking = Places(self.clock, self.many["llm"] * self._llm["streams"])
        self.speaking = Places(self.clock, self.many["tts"])

    def run(self, conversations: int) -> Seen:
        """Let so many people talk."""
        for _ in range(conversations):
            self.clock.begin(self._talk())
        self.clock.run(WARM + LONG)
        hearing, thinking, speaking = self.hearing.places, self.thinking, self.speaking
        stages = {"stt": hearing, "llm": thinking, "tts": speaking}
        waits = {"stt": self.hearing.waits, "llm": thinking.waits, "tts": speaking.waits}
        use = {name: of.used / of.many / (WARM + LONG) for name, of in stages.items()}
        # servers that take whatever is there are always busy: what counts is how full they go
        use["stt"] *= float(np.mean(self.hearing.sizes or [0])) / self.hearing.most
        return Seen(
            heard=np.array(self.heard),
            use=use,
            waits={name: float(np.percentile(of or [0], 95)) for name, of in waits.items()},
            turns=len(self.heard) / LONG,
        )

    def _talk(self) -> Process:
        loop, wire, people = self.figures["loop"], self.figures["wire"], self._people
        yield self._random.uniform(0, cycle(self.figures))
        while True:
            yield self._random.expovariate(1 / people["pause"])
            yield self._random.choice(self._questions)
            ended = self.clock.now
            if self._random.random() < loop["abandoned"]:
                self.clock.begin(self._in_vain())
            yield float(loop["begins"])
            yield self.hearing.ride
            yield self.thinking.take
            first, rest = self._tokens()
            yield first
            self.clock.begin(self._the_rest(rest))
            yield self.speaking.take
            yield self._sentence()
            self.speaking.free()
            late = self._random.choice(self.late) + 3 * wire["hop"] + people["network"]
            heard = max(self.clock.now, ended + loop["decides"]) + late
            if ended >= WARM:
                self.heard.append(heard - ended)
            yield heard - self.clock.now + people["answer"]

    def _tokens(self) -> tuple[float, float]:
        """Seconds to the end of the first sentence, and of what comes after it."""
        cards = self.many["llm"]
        rate = self._llm["rate"] / (1 + self.thinking.taken / cards / self._llm["half"])
        whole = self.figures["answer"]["tokens"] / rate
        share = 1 / self._people["sentences"]
        return self._llm["first"] + whole * share, whole * (1 - share)

    def _sentence(self) -> float:
        return float(self._tts["first"] + self._tts["each"] * self._sentence_seconds)

    @property
    def _sentence_seconds(self) -> float:
        return float(self._people["answer"] / self._people["sentences"])

    def _the_rest(self, seconds: float) -> Process:
        later = self._people["sentences"] - 1
        for _ in range(later):
            yield seconds / later
            self.clock.begin(self._spoken())
        self.thinking.free()

    def _spoken(self) -> Process:
        yield self.speaking.take
        yield self._sentence()
        self.speaking.free()

    def _in_vain(self) -> Process:
        """A pause that was no end: transcribed, and thought about until speech went on."""
        yield self.hearing.ride
        yield self.thinking.take
        yield float(self._llm["first"])
        self.thinking.free()


def batch_seconds(engine: Figures) -> Callable[[int], float]:
    """How long a batch takes, by how many are in it."""
    first, each = engine["first"], engine.get("each", 0.0)
    return lambda riders: float(first + each * riders)


def cycle(of: Figures) -> float:
    """Seconds from one question to the next."""
    people = of["people"]
    asked = float(np.mean(questions()))
    return float(people["pause"]) + asked + 0.6 + float(people["answer"])


def least(of: Figures, kind: str, conversations: int) -> dict[str, int]:
    """How many of each engine there must be for them to be no busier than the target."""
    engines, people, use = of["engines"][kind], of["people"], of["target"]["use"]
    turns = conversations / cycle(of)
    stt, llm, tts = (engines[stage] for stage in STAGES)
    most = stt.get("batch", 1)
    heard = turns * (1 + of["loop"]["abandoned"]) * batch_seconds(stt)(most) / most
    together = use * llm["streams"]
    rate = llm["rate"] / (1 + together / llm["half"])
    held = llm["first"] * (1 + of["loop"]["abandoned"]) + of["answer"]["tokens"] / rate
    sentence = people["answer"] / people["sentences"]
    spoken = turns * people["sentences"] * (tts["first"] + tts["each"] * sentence)
    return {
        "stt": math.ceil(heard / use),
        "llm": math.ceil(turns * held / together),
        "tts": math.ceil(spoken / use),
    }


def enough(
    of: Figures, kind: str, conversations: int, late: Sequence[float]
) -> tuple[dict[str, int], Seen]:
    """The fewest engines with which the target is met, and what people then feel."""
    many, target = least(of, kind, conversations), of["target"]
    while True:
        seen = World(of, kind, many, late).run(conversations)
        scarce = [
            stage
            for stage in STAGES
            if seen.use[stage] > target["use"] or seen.waits[stage] > target["queue"]
        ]
        if not scarce:
            return many, seen
        many = {stage: count + (stage in scarce) for stage, count in many.items()}
