"""Holds the conversation of a scenario on a virtual clock, and says what came of it."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from voice_kit.audio.convert import convert
from voice_kit.converse.assistant import Assistant
from voice_kit.converse.conversation import Observer
from voice_kit.converse.line import Engines
from voice_kit.converse.timeline import Timeline
from voice_kit.converse.virtual import run as on_clock
from voice_kit.settings import Settings
from voice_kit.think.router_examples import ExamplesRouter
from voice_kit.think.skills import all_skills
from voice_kit.types import RATE, Audio, Event
from voice_kit.workshop.demo import Report, mixed, names
from voice_kit.workshop.overheard import Listener
from voice_kit.workshop.scenario import Scenario, wanted
from voice_kit.workshop.scenario_cast import Ask, Cast, judge_of, scripted
from voice_kit.workshop.scenario_checks import CHECKS, Finding, Seen
from voice_kit.workshop.scenario_notation import GOES_ON
from voice_kit.workshop.scenario_sounds import Sounds, words_of
from voice_kit.workshop.scenario_turns import Turns
from voice_kit.workshop.user import Line, SyntheticUser, Words


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one expectation."""

    line: int | None
    """The line it is about, from 1; None for the whole conversation."""
    expect: str
    wanted: Any
    ok: bool | None
    """None if it could not be found out."""
    seen: str


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What came of a scenario."""

    scenario: Scenario
    outcomes: Sequence[Outcome]
    report: Report

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(outcome.ok is not False for outcome in self.outcomes)


def run(scenario: Scenario, cast: Cast | None = None, *, measured: bool = False) -> Result:
    """Play a scenario, as fast as its engines go.

    With `measured`, they take the time they take here, not the costs that the file names. Raises
    `VoiceKitError` when it cannot be played.
    """
    cast = cast or Cast()
    settings = cast.settings(scenario)
    costs: dict[str, float] = {} if measured else dict(scenario.costs.items())
    play = _Play(scenario, settings, Listener())
    if scenario.engines == "scripted":
        engines, play.sounds = scripted(scenario, costs, play.listener)
    else:
        spoken = Sounds(scenario)
        engines = cast.engines(scenario, settings, play.listener)
        play.sounds = [
            Audio.silence(0) if line.type or line.hush else spoken.line(number)
            for number, line in enumerate(scenario.lines)
        ]
        play.background = spoken.background(play.sounds)
    return on_clock(play.hold(engines), fast=True, cost=lambda stage, took: costs.get(stage, took))


@cache
def examples() -> ExamplesRouter:
    """The usual router, which learns once for all scenarios."""
    return ExamplesRouter(understood=all_skills().find)


class _Play:
    """One conversation, and what is known of it afterwards."""

    def __init__(self, scenario: Scenario, settings: Settings, listener: Listener) -> None:
        self.scenario, self.settings, self.listener = scenario, settings, listener
        self.sounds: Sequence[Audio] = ()
        self.background: Audio | None = None
        self.timeline, self.turns, self.events = Timeline(), Turns(), list[Event]()

    async def hold(self, engines: Engines) -> Result:
        """Hold it, and look at every expectation."""
        user = SyntheticUser(
            [self._line(number) for number in range(len(self.sounds))],
            patience=self.scenario.patience,
            heard=self.listener.heard,
            background=self.background,
        )
        named, speaker = names(engines), self.listener.speaker
        watching: list[Observer] = [self.timeline, self.turns, self.events.append, user]
        began, loop = time.time(), asyncio.get_running_loop()
        with TemporaryDirectory() as folder:
            talk = Assistant(
                engines,
                speaker,
                self.settings,
                observers=watching,
                router=examples() if self.settings.router == "auto" else None,
                clock=lambda: began + loop.time(),
                folder=Path(folder),
            )
            async with talk:
                user.hands = talk
                await talk.listen(user)
                await talk.idle()
                seconds = talk.now()
        theirs, ours = user.sound(seconds), speaker.rendered(user.opened, seconds)
        report = Report(self.timeline, mixed(theirs, convert(ours, RATE)), named, self.events)
        whole = Seen(self.timeline.turns, self.events, talk.history.lines, self.timeline.abandoned)
        outcomes = await self._look(whole, user, judge_of(engines, self.settings))
        return Result(self.scenario, outcomes, report)

    def _line(self, number: int) -> Line:
        line = self.scenario.lines[number]
        return Line(
            self.sounds[number],
            line.pause,
            line.into,
            line.after if isinstance(line.after, Words) else None,
            goes_on=line.after == GOES_ON,
            typed=line.type or "",
            hush=bool(line.hush),
        )

    async def _look(self, whole: Seen, user: SyntheticUser, ask: Ask | None) -> list[Outcome]:
        outcomes = [
            Outcome(number + 1, "after", self._when(number), False, "that place never came")
            for number in user.missed
        ]
        for number, line in enumerate(self.scenario.lines):
            seen = self._of(number, whole, user.begun[number])
            outcomes += [
                await _outcome(number + 1, name, want, seen, ask)
                for name, want in wanted(line.expect).items()
            ]
        outcomes += [
            await _outcome(None, name, want, whole, ask)
            for name, want in wanted(self.scenario.expect).items()
        ]
        if not any(outcome.expect == "failed" for outcome in outcomes):
            outcomes.append(await _outcome(None, "failed", [], whole, ask))
        return outcomes

    def _of(self, number: int, whole: Seen, start: float) -> Seen:
        """What happened in the turn that answers a line."""
        line, end = self.scenario.lines[number], start + self.sounds[number].seconds
        typed = sum(bool(each.type) for each in self.scenario.lines[:number])
        turn = self.turns.typed(typed) if line.type else self.turns.of(start, end)
        return replace(
            whole,
            turns=[each for each in whole.turns if each.number == turn],
            events=[each for each in whole.events if turn and getattr(each, "turn", 0) == turn],
            text=words_of(line),
        )

    def _when(self, number: int) -> str:
        line = self.scenario.lines[number]
        if not isinstance(line.after, Words):
            return f"{line.into:g} s into the answer"
        return f"the words “{line.after.text}”" if line.after.text else f"word {line.after.count}"


async def _outcome(line: int | None, name: str, want: Any, seen: Seen, ask: Ask | None) -> Outcome:
    if ask is not None:
        seen = replace(seen, ask=lambda question: ask(seen.said, question))
    finding: Finding | Awaitable[Finding] = (False, "no answer")
    if seen.turns or line is None or name == "answered":
        finding = CHECKS[name].look(seen, want)
    ok, what = await finding if inspect.isawaitable(finding) else finding
    return Outcome(line, name, want, ok, what)


__all__ = ["Cast", "Outcome", "Result", "run"]
