"""Holds a recorded conversation once more, on a virtual clock, as it was or with a change."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from voice_kit import engines as known
from voice_kit.audio.convert import convert
from voice_kit.converse.ahead import Ahead
from voice_kit.converse.captions import Captions
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.kept import Nowhere
from voice_kit.converse.late import like, mixed
from voice_kit.converse.line import Engines, Line
from voice_kit.converse.recorded import Recording
from voice_kit.converse.redone import changed, do_again, until
from voice_kit.converse.takeover import Loading
from voice_kit.converse.tape import Done, Tape, key
from voice_kit.converse.taped import Taped, cost
from voice_kit.converse.taped_brain import TapedBrain
from voice_kit.converse.virtual import run
from voice_kit.engines import STAGES, choose
from voice_kit.errors import SettingsError
from voice_kit.settings import Settings
from voice_kit.think.history import History
from voice_kit.think.protocols import Chat
from voice_kit.types import (
    FRAME,
    RATE,
    Event,
    FellAsleep,
    FrameHeard,
    Samples,
    Woke,
)

Make = Callable[[Any, str, Settings], Any]
HARDWARE = ("language", "device", "compute")
"""Settings that make another engine of the same name."""
PROMPT = {"persona", "memory.tokens"}
"""Settings that make another prompt for the language model."""
FIXED = {
    "router": "which way to answer is taken from the recording",
    "tools": "no tool is used again, and which way to answer is taken from the recording",
    "wake": "it sleeps and wakes when it did",
    "memory.store": "it begins with what was remembered when it was recorded, and keeps nothing",
    "memory.name": "it begins with what was remembered when it was recorded, and keeps nothing",
}
"""Settings, or groups of them, that a replay does not ask for, and why."""


def replay(
    recording: Recording,
    changes: Mapping[str, Any] | None = None,
    *,
    engines: Mapping[str, Any] | None = None,
    make: Make = known.make,
) -> Recording:
    """What would have come of it with other settings, by dotted name, or other `engines`, by stage.

    The microphone hears the same at the same times. What was asked of an engine before is
    answered from the recording; what is new is asked of the engine itself, which `make` then
    loads. As fast as these go. With nothing changed, the same happens at the same times: within
    a microsecond if it was recorded on a virtual clock; if live, within what the event loop was
    late, about 20 ms on a busy machine. No tool is used again: what the recording does not hold
    is answered by talking. Raises `VoiceKitError` when a setting or a new engine cannot be had,
    and for a setting that changes nothing in a replay.
    """
    work = partial(_replay, recording, dict(changes or {}), dict(engines or {}), make)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    with ThreadPoolExecutor(1) as beside:  # as in a notebook, whose loop runs already
        return beside.submit(work).result()


def _replay(
    recording: Recording, changes: dict[str, Any], engines: dict[str, Any], make: Make
) -> Recording:
    tape = Tape(recording.calls, recording.folder)
    settings = recording.settings.changed(changes)
    for name in changes:
        if reason := _in_vain(name, recording, settings):
            raise SettingsError(f"{name} changes nothing in a replay: {reason}.")

    def taped(stage: Any, known: dict[str, Any], spec: str) -> Taped:
        load = partial(_load, make, stage, settings, spec)
        return Taped(stage, known, None, Nowhere(), make=load, tape=tape)

    def line(stage: Any) -> Line[Any]:
        if stage in engines:
            return Line(stage, engines[stage])
        info = recording.engines[stage]
        if _is_another(stage, info, recording.settings, settings):
            return Line(stage, make(stage, choose(stage, settings).spec, settings))

        load = partial(_load, make, stage, settings)
        then = [call for call in recording.calls if call.key == key("load", stage)]
        return Line(
            stage,
            taped(stage, info["traits"], info["spec"]),
            [Loading(stage, load, Nowhere(), tape) for _ in then],
        )

    lines: dict[str, Any] = {stage: line(stage) for stage in STAGES}
    if "brain" in engines or "brain" in recording.engines:
        name = recording.engines.get("brain", {}).get("spec", "")
        model_stays = isinstance(lines["llm"].current, Taped) and not PROMPT & changes.keys()
        brain = engines.get("brain") or TapedBrain(
            name, Nowhere(), tape=tape, another_model=not model_stays
        )
        lines["brain"] = Line("brain", brain, [Chat])

    asked = {
        stage: each.current for stage, each in lines.items() if type(each.current) is not Taped
    }

    def voice(known: dict[str, Any]) -> Any:
        # The one that was asked for speaks all the time.
        return asked.get("tts") or taped("tts", known, known["name"])

    def chosen(known: dict[str, Any]) -> Any:
        stage = known["engine"]
        return None if stage in asked else taped(stage, known["traits"], known["spec"])

    again = partial(do_again, voice=voice, chosen=chosen)
    return run(_hold(recording, changes, Engines(**lines), again), fast=True, cost=cost)


def _load(make: Make, stage: Any, settings: Settings, spec: str) -> Any:
    return make(stage, spec, settings)


def _in_vain(name: str, recording: Recording, settings: Settings) -> str:
    """Why this setting changes nothing; empty where it may."""
    group, _, rest = name.partition(".")
    if group == "partials" and "Captions" not in recording.watched:
        return "nobody wrote along when it was recorded"
    if group == "options":
        infos = [*recording.engines.values(), *recording.chosen]
        specs = [name for info in infos for name in (info["spec"], info["traits"]["name"])]
        specs += [getattr(settings, stage) for stage in STAGES]
        option = rest.partition(".")[0]
        there = not rest or option in {spec.partition(":")[0] for spec in specs}
        return "" if there else f"it has no engine that is called {option}"
    return FIXED.get(name) or FIXED.get(group, "")


def _is_another(stage: str, info: dict[str, Any], old: Settings, new: Settings) -> bool:
    name, wanted = info["traits"]["name"].partition(":")[0], getattr(new, stage)
    same = all(getattr(old, field) == getattr(new, field) for field in HARDWARE)
    asked = wanted in (getattr(old, stage), info["spec"])
    return not (same and asked) or old.options.get(name) != new.options.get(name)


async def _hold(
    recording: Recording,
    changes: dict[str, Any],
    engines: Engines,
    again: Callable[..., Coroutine[Any, Any, None]],
) -> Recording:
    loop = asyncio.get_running_loop()
    speaker, events = like(recording.speaker, recording.events), list[Event]()
    history = History()
    for said in recording.history:
        history.add(said.role, said.content)  # type: ignore[arg-type]
    settings = recording.settings.changed(changes)
    sleep = _Asleep(recording.events) if "Sleep" in recording.watched else None
    talk = Conversation(
        engines, speaker, settings, history=history, observers=[events.append], sleep=sleep
    )
    done = [changed(each, changes) for each in recording.done]
    async with talk:
        if "Captions" in recording.watched:
            talk.observers.append(Captions(talk))
        if "Ahead" in recording.watched:
            Ahead.of(talk)
        rest = [each for each in done if each.before is None]
        doing = asyncio.create_task(again(talk, recording.folder, rest))
        ends = [*(first for _, first, _ in recording.listens[1:]), len(recording.arrivals)]
        for (opened, first, closed), end in zip(recording.listens, ends, strict=False):
            await until(opened)
            await talk.listen(_microphone(recording, talk, done, first, end, closed))
        await doing
        await talk.idle()
        seconds = loop.time()
    ours = convert(speaker.rendered(0.0, seconds), RATE).samples
    return replace(
        recording,
        settings=settings,
        events=events,
        done=done,
        sound=mixed(recording.samples, recording.arrivals, ours),
    )


async def _microphone(
    recording: Recording,
    talk: Conversation,
    done: Sequence[Done],
    first: int,
    end: int,
    closed: float | None,
) -> AsyncIterator[Samples]:
    settings = {each.before: each.value for each in done if each.before is not None}
    for number in range(first, end):
        await until(recording.arrivals[number])
        talk.settings = settings.get(number, talk.settings)
        yield recording.samples[number * FRAME : (number + 1) * FRAME]
    if closed is not None:
        await until(closed)


class _Asleep:
    """Falls asleep and wakes at the same frames as it did."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._changes: deque[Woke | FellAsleep | None] = deque()
        for event in events:
            if isinstance(event, FrameHeard):
                self._changes.append(None)
            elif isinstance(event, Woke | FellAsleep) and self._changes:
                self._changes[-1] = event
        self.asleep = not isinstance(next(filter(None, self._changes), None), FellAsleep)

    def feed(self, frame: Samples, now: float, busy: bool) -> Woke | FellAsleep | None:
        """What the next frame changes."""
        change = self._changes.popleft() if self._changes else None
        if change is not None:
            self.asleep = isinstance(change, FellAsleep)
        return change
