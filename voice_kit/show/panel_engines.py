"""The engines of one conversation: loaded, lent to a replay, and changed for others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeVar

from voice_kit.converse.conversation import Conversation
from voice_kit.converse.given import use
from voice_kit.converse.line import Engines, Line
from voice_kit.converse.loading import load_engines
from voice_kit.converse.recording import Recorder
from voice_kit.converse.steps import call
from voice_kit.converse.takeover import Loading
from voice_kit.engines import STAGES, Choice, Stage, choose, in_line, make
from voice_kit.settings import Settings
from voice_kit.show.panel_fields import in_use

T = TypeVar("T")
HARDWARE = ("language", "device", "compute")
"""Settings that make another engine of the same name."""


class Loaded:
    """A line of engines for each stage, and which of them are used."""

    def __init__(self, engines: Engines | None, say: Callable[[str], object]) -> None:
        """`say` is told what is being loaded; "" is nothing."""
        self.engines = engines
        self.used: dict[str, str] = {}
        self._say = say
        self._first: dict[str, Any] = {}

    async def load(self, settings: Settings) -> Engines:
        """The engines that the settings ask for, unless there are some."""
        engines = self.engines
        if engines is None:
            self._say("Looking for the best engines here …")
            used = await apart("doctor", partial(in_use, settings))
            self._say(f"Loading {', '.join(used.values())} …")
            engines = self.engines = await apart("engine", partial(load_engines, settings))
        specs = {choice.stage: choice.spec for choice in engines.choices}
        for stage in STAGES:
            line: Line[Any] = getattr(engines, stage)
            self.used[stage] = specs.get(stage, line.name)
            self._first[stage] = line.current
        return engines

    async def another(self, stage: Stage, settings: Settings) -> tuple[Choice, Line[Any]]:
        """The engine of that stage that these settings ask for, with what takes over from it."""
        spec = getattr(settings, stage)
        self._say(f"Loading {spec} …")
        try:
            choice = await apart(spec, partial(choose, stage, settings))
            engine = await apart(spec, partial(make, stage, choice.spec, settings))
        finally:
            self._say("")
        then = [partial(make, stage, each, settings) for each in list(in_line(choice))[1:]]
        return choice, Line(stage, engine, then)

    def put(self, talk: Conversation, recorder: Recorder, choice: Choice, line: Line[Any]) -> None:
        """Let `talk` go on with these, and `recorder` know of them."""
        assert self.engines is not None
        stage = choice.stage
        getattr(talk.engines, stage).then = [Loading(stage, each, recorder) for each in line.then]
        use(talk, stage, choice.spec, recorder.engine(stage, choice.spec, line.current))
        others = [each for each in self.engines.choices if each.stage != stage]
        changed: dict[str, Any] = {stage: line}
        self.engines = replace(self.engines, choices=(*others, choice), **changed)
        self.used[stage], self._first[stage] = choice.spec, line.current

    def lend(self, now: Settings, stage: Stage, spec: str, settings: Settings) -> Any:
        """The engine that `settings` ask for: the one that is used, if it is the same; else new."""
        same = all(getattr(now, name) == getattr(settings, name) for name in HARDWARE)
        if same and self.used.get(stage) == spec:
            return self._first[stage]
        return make(stage, spec, settings)


async def apart(name: str, work: Callable[[], T]) -> T:
    """What `work` gives, from a thread that nobody has to wait for."""
    return await call(name, SimpleNamespace(name=name), work, None)
