"""Says where the time of a turn went, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import NamedTuple, cast

from voice_kit.converse.timeline import Bar, TurnTimes
from voice_kit.engines import BUILT_IN, Stage
from voice_kit.hear.endpointing import LIKELY, SURE, UNSURE
from voice_kit.settings import Settings
from voice_kit.types import (
    EngineChanged,
    Event,
    Failed,
    FirstToken,
    GateOpened,
    Judged,
    Misfire,
    SentenceReady,
    SpeechReady,
    SpeechStarted,
    Transcribed,
    TurnEnded,
    TurnFinished,
    TurnStarted,
)

ENGINE: dict[str, tuple[Stage, str, type[Event]]] = {
    "transcribe": ("stt", "writing down what you said", Transcribed),
    "first_token": ("llm", "thinking of the first word", FirstToken),
    "first_sentence": ("llm", "thinking of the rest of the first sentence", FirstToken),
    "synthesis": ("tts", "turning the first sentence into sound", SpeechReady),
}
"""Of each stage that an engine does: who, what, and the event that names it."""
REST = {
    "judge": ("the judge, who came late", "judge", "converse/judging.py"),
    "floor": ("an earlier answer that had to end first", "interrupt.after", "converse/floor.py"),
    "between": ("the way from one stage to the next", "", "converse/turn.py"),
    "held": ("holding it, as someone spoke before it was heard", "", "converse/floor.py"),
    "playback": ("the loudspeaker, until it was heard", "", "audio/card_speaker.py"),
}
STEPS = (TurnStarted, Transcribed, FirstToken, SentenceReady, SpeechReady, Failed)
"""The events at which a turn goes on with its next stage."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the time until the answer was heard."""

    stage: str
    seconds: float
    what: str
    setting: str
    """What would change it, by its dotted name; empty when nothing would."""
    where: str
    """The module to read."""

    def __str__(self) -> str:
        place = f"`{self.setting}`, `{self.where}`" if self.setting else f"`{self.where}`"
        return f"{self.what}: {place}"


@dataclass(frozen=True, slots=True, repr=False)
class Why:
    """Where the time went: a sentence as text, and its parts, which sum to the whole."""

    seconds: float
    """From the last speech of the question to the first sound of the answer."""
    parts: Sequence[Part]
    """The longest first."""
    change: str
    """What would change it."""

    def __str__(self) -> str:
        if not self.parts:
            return self.change
        first, *others = self.parts
        total = f"{1000 * self.seconds:.0f}"
        more = [f"{1000 * part.seconds:.0f} ms {part}" for part in others if part.seconds >= 0.0005]
        rest = f" Then: {'; '.join(more)}." if more else ""
        return f"{1000 * first.seconds:.0f} of {total} ms is {first}.{rest} {self.change}".rstrip()

    __repr__ = __str__


def why(turn: TurnTimes, events: Sequence[Event], settings: Settings, speaker: str = "") -> Why:
    """Where the time of `turn` went. `events` are those of its conversation, and `speaker` is the
    Python module of its loudspeaker, a sound card's if it is not known."""
    mine = [event for event in events if getattr(event, "turn", 0) == turn.number]
    started = next((event.at for event in mine if isinstance(event, TurnStarted)), 0.0)
    start = started if turn.ended is None else turn.ended
    if turn.first_sound is None:
        reason = turn.problem or "It was over before it could be."
        return Why(0.0, (), f"Nothing of the answer was heard. {reason}")
    gate = next((event.at for event in mine if isinstance(event, GateOpened)), start)
    judged = next((event for event in reversed(mine) if isinstance(event, Judged)), None)
    over = [event.at for event in events if isinstance(event, TurnEnded) and event.ended == start]
    failures = _failures(mine, events, turn.first_sound)
    held = _held(events, gate, turn.first_sound) if settings.interrupt.mode != "never" else []
    work = [*(bar for bar in turn.bars if bar.stage in ENGINE), *failures]
    over_at = start if not over else gate if abs(gate - over[-1]) < 1e-6 else min(gate, over[-1])
    waited = over[-1] - start if over else 0.0
    gave_up = [  # a judge that fails is as one that cannot tell
        event.at
        for event in events
        if isinstance(event, Failed) and event.stage == "judge" and start <= event.at <= over_at
    ]
    moments = _Moments(
        start=start,
        enough=start + (judged.wait if judged else settings.hear.stop),
        over=over_at,
        gate=gate,
        judged=judged.at if judged else max(gave_up, default=start),
        ready=max((bar.end for bar in work if bar.end <= turn.first_sound), default=gate),
        end=turn.first_sound,
    )
    taken = any(isinstance(event, TurnFinished) and over_at <= event.at <= gate for event in events)
    seconds: dict[str, float] = {}
    for stage, length in _pieces(moments, work, held):
        stage = "between" if stage == "floor" and not taken else stage
        seconds[stage] = seconds.get(stage, 0.0) + length
    wait = _wait_setting(judged, 0.0 if gave_up else waited, settings)
    parts = [_part(stage, length, wait, mine) for stage, length in seconds.items()]
    if speaker:
        heard_by = _file(speaker)
        parts = [replace(it, where=heard_by) if it.stage == "playback" else it for it in parts]
    parts.sort(key=lambda part: -part.seconds)
    saved = max(0.0, gate - moments.ready) if turn.eager else seconds.get("wait", 0.0)
    advice = _advice(parts[0], saved, settings, mine) if parts else ""
    return Why(moments.end - start, parts, advice)


class _Moments(NamedTuple):
    start: float
    enough: float  # after this much quiet the turn was to be over
    over: float  # it was
    gate: float  # its answer had the floor
    judged: float  # the judge had spoken
    ready: float  # the first sentence was sound
    end: float  # it was heard


def _failures(mine: Sequence[Event], events: Sequence[Event], end: float) -> list[Bar]:
    """From when a stage was begun until it failed, and the next engine in line had taken over, of
    those that did before `end`."""
    steps = [event for event in mine if isinstance(event, STEPS) and event.at <= end]
    changes = [event for event in events if isinstance(event, EngineChanged)]
    failures = []
    for before, event in pairwise(steps):
        if isinstance(event, Failed):
            over = (each.at for each in changes if each.stage == event.stage)
            ended = next((at for at in over if event.at <= at <= end), event.at)
            failures.append(Bar(event.stage, before.at, ended))
    return failures


def _held(events: Sequence[Event], gate: float, end: float) -> list[tuple[float, float]]:
    """When an answer that might have been heard was held, since someone might be going on."""
    spoken = [event.at for event in events if isinstance(event, SpeechStarted)]
    coughs = {event.started: event.at for event in events if isinstance(event, Misfire)}
    return [(at, min(end, coughs.get(at, end))) for at in spoken if gate <= at < end]


def _pieces(
    at: _Moments, work: Sequence[Bar], held: Sequence[tuple[float, float]]
) -> Iterator[tuple[str, float]]:
    """Stretches of time without a gap, each with the stage that everyone waited for.

    Until the turn is over that is the wait, whatever is computed meanwhile; unless the judge,
    or the words that it needs, came so late that the wait was longer for it.
    """
    marks = {*at, *(mark for bar in work for mark in (bar.start, bar.end)), *chain(*held)}
    for left, right in pairwise(sorted(mark for mark in marks if at.start <= mark <= at.end)):
        at_work = [bar.stage for bar in work if bar.start <= left and right <= bar.end]
        if at.enough <= left and right <= min(at.judged, at.over):
            stage = at_work[-1] if at_work else "judge"
        elif right <= at.over:
            stage = "wait"
        elif right <= at.gate:
            stage = "floor"
        elif at_work or right <= at.ready:
            stage = at_work[-1] if at_work else "between"
        else:
            silent = any(start <= left and right <= end for start, end in held)
            stage = "held" if silent else "playback"
        yield stage, right - left


def _wait_setting(judged: Judged | None, waited: float, settings: Settings) -> str:
    """The setting that said how long to wait, or said most of it. Until a judge has spoken who
    was asked, that is the longest."""
    if judged is None:
        longest = abs(waited - settings.hear.unfinished) < abs(waited - settings.hear.stop)
        return "hear.unfinished" if longest else "hear.stop"
    if (UNSURE + 0.5) / 2 <= judged.finished <= (LIKELY + SURE) / 2:
        return "hear.stop"
    return "hear.finished" if judged.finished > LIKELY else "hear.unfinished"


def _advice(longest: Part, saved: float, settings: Settings, mine: Sequence[Event]) -> str:
    for event in mine:
        if isinstance(event, Failed) and event.stage == longest.stage:
            return event.message
    if longest.stage == "wait":
        name = longest.setting
        if saved < 0.0005:
            return f"A shorter {name} saves nothing: the answer was made meanwhile."
        now = getattr(settings.hear, name.partition(".")[2])
        return f"A shorter {name}, now {now:g} s, saves up to {1000 * saved:.0f} ms."
    if longest.stage in ENGINE:
        return f"Another {longest.setting} may be faster: voice-kit doctor knows what is here."
    return ""


def _part(stage: str, seconds: float, wait: str, mine: Sequence[Event]) -> Part:
    if stage == "wait":
        return Part(stage, seconds, "waiting for you to go on", wait, "hear/endpointing.py")
    if stage in REST:
        what, setting, where = REST[stage]
        return Part(stage, seconds, what, setting, where)
    failed = (event for event in mine if isinstance(event, Failed) and event.stage == stage)
    if (failure := next(failed, None)) is not None:
        return Part(
            stage, seconds, f"{failure.engine}, which failed", stage, _where(stage, failure.engine)
        )
    setting, what, kind = ENGINE[stage]
    name = next((getattr(event, "engine", "") for event in mine if isinstance(event, kind)), "")
    return Part(stage, seconds, f"{name or setting} {what}", setting, _where(setting, name))


def _where(stage: str, engine: str) -> str:
    """The module of an engine of ours; the name of another one."""
    ours: Mapping[str, str] = BUILT_IN.get(cast(Stage, stage), {})
    module = ours.get(engine.partition(":")[0], "").partition(":")[0]
    return _file(module) if module else engine


def _file(module: str) -> str:
    return module.removeprefix("voice_kit.").replace(".", "/") + ".py"
