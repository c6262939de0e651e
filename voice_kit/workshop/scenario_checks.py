"""What must come of a conversation: every expectation a scenario can have, each a function.

One more is one more function here: it says what it wants, looks at what happened, and tells
whether that is so and what was seen.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, StringConstraints

from voice_kit.converse.timeline import TurnTimes
from voice_kit.types import (
    Event,
    Failed,
    Message,
    PlaybackResumed,
    Routed,
    ToolUsed,
    TurnStarted,
)
from voice_kit.workshop.scenario_words import holds, matches, word_error_rate
from voice_kit.workshop.wer import plain

Finding = tuple[bool | None, str]
"""Whether it is so (None: it could not be found out), and what was seen instead or as wanted."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What happened: in the turn that answers one line, or in the whole conversation."""

    turns: Sequence[TurnTimes]
    """One turn; none, if the line was not answered; of the whole, all that were finished."""
    events: Sequence[Event]
    """Those of these turns; of the whole, all."""
    memory: Sequence[Message]
    abandoned: int
    text: str = ""
    """What the line says."""
    ask: Callable[[str], Awaitable[str]] | None = None
    """A language model, if there is one that can judge."""

    @property
    def said(self) -> str:
        """All answers."""
        return " ".join(turn.said for turn in self.turns)


@dataclass(frozen=True, slots=True)
class Check:
    """An expectation: the type of what is wanted, and the look at what happened."""

    kind: Any
    of: str
    """Whether a "line" can have it, the "whole", or "both"."""
    look: Callable[[Seen, Any], Finding | Awaitable[Finding]]


CHECKS: dict[str, Check] = {}

Look = TypeVar("Look", bound=Callable[..., Any])


def expects(kind: Any, of: Literal["line", "whole", "both"]) -> Callable[[Look], Look]:
    """Make this function the expectation of its name."""

    def keep(look: Look) -> Look:
        CHECKS[look.__name__] = Check(kind, of, look)
        return look

    return keep


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _as_bounds(value: Any) -> Any:
    found = re.fullmatch(r"\s*(<=|>=|at most|at least)?\s*(\d+)\s*", str(value))
    if found is None or isinstance(value, bool):
        raise ValueError("it must be a number such as 2, or “<= 2”, or “>= 2”")
    sign, number = found[1], int(found[2])
    low = None if sign in ("<=", "at most") else number
    return (low, None if sign in (">=", "at least") else number)


Texts = Annotated[list[Annotated[str, StringConstraints(min_length=1)]], BeforeValidator(_as_list)]
Names = Annotated[list[str], BeforeValidator(_as_list)]
Bounds = Annotated[tuple[int | None, int | None], BeforeValidator(_as_bounds)]
"""A number, or at least or at most so many."""
Share = Annotated[float, Field(ge=0, le=1)]
Stages = Annotated[list[Literal["vad", "stt", "llm", "tts", "judge"]], BeforeValidator(_as_list)]
Remembered = list[Annotated[dict[Literal["user", "assistant"], str], Field(max_length=1)]]


def _within(bounds: tuple[int | None, int | None], number: int) -> bool:
    low, high = bounds
    return (low is None or number >= low) and (high is None or number <= high)


# Of a line


@expects(bool, "line")
def answered(seen: Seen, wanted: bool) -> Finding:
    """Whether the line got a turn of its own."""
    return bool(seen.turns) == wanted, "answered" if seen.turns else "no answer"


@expects(str, "line")
def heard(seen: Seen, wanted: str) -> Finding:
    """The words that speech-to-text made of it."""
    got = seen.turns[0].heard
    return matches(wanted, got), f"“{got}”"


@expects(Share, "line")
def wer(seen: Seen, wanted: float) -> Finding:
    """At most this share of its words misheard."""
    got = word_error_rate(seen.text, seen.turns[0].heard)
    return got <= wanted, f"{got:.2f}, “{seen.turns[0].heard}”"


@expects(str, "line")
def said_heard(seen: Seen, wanted: str) -> Finding:
    """The words of the answer that were heard, and are remembered: these and no more."""
    got = seen.turns[0].said_heard
    return matches(wanted, got), f"“{got}”"


@expects(Literal["chat", "search", "skill"], "line")
def route(seen: Seen, wanted: str) -> Finding:
    """Which way it was answered."""
    got = [event.route for event in seen.events if isinstance(event, Routed)]
    told = ", ".join(f"{each.kind} ({each.confidence:.2f}: {each.reason})" for each in got)
    return [each.kind for each in got] == [wanted], told or "nobody was asked which way"


# Of both


@expects(Names, "both")
def tool(seen: Seen, wanted: list[str]) -> Finding:
    """The tools that did their work, in order: these and no others; [] for none."""
    used = [event for event in seen.events if isinstance(event, ToolUsed)]
    told = ", ".join(f"{each.call.tool}{'' if each.worked else ' (failed)'}" for each in used)
    return [each.call.tool for each in used if each.worked] == wanted, told or "no tool"


@expects(Texts, "both")
def contains(seen: Seen, wanted: list[str]) -> Finding:
    """Words that are in the answer, heard or not."""
    return all(holds(part, seen.said) for part in wanted), f"“{seen.said}”"


@expects(Texts, "both")
def absent(seen: Seen, wanted: list[str]) -> Finding:
    """Words that are not in it."""
    return not any(holds(part, seen.said) for part in wanted), f"“{seen.said}”"


@expects(bool, "both")
def interrupted(seen: Seen, wanted: bool) -> Finding:
    """Whether the answer (of the whole: any answer) was interrupted."""
    got = any(turn.interrupted for turn in seen.turns)
    return got == wanted, "interrupted" if got else "not interrupted"


@expects(Bounds, "both")
def resumed(seen: Seen, wanted: tuple[int | None, int | None]) -> Finding:
    """How often the answer paused and went on from the same word."""
    got = sum(isinstance(event, PlaybackResumed) for event in seen.events)
    return _within(wanted, got), f"{got}"


@expects(Annotated[int, Field(gt=0)], "both")
def within_ms(seen: Seen, wanted: int) -> Finding:
    """At most so long from the end of what was said (or from its typing) to the first sound."""
    typed = {event.turn: event.at for event in seen.events if isinstance(event, TurnStarted)}
    waits = []
    for turn in seen.turns:
        began = typed.get(turn.number) if turn.typed else turn.ended
        if began is None or turn.first_sound is None:
            return False, "no sound"
        waits.append(round((turn.first_sound - began) * 1000))
    return bool(waits) and max(waits) <= wanted, ", ".join(f"{wait} ms" for wait in waits)


@expects(Stages, "both")
def failed(seen: Seen, wanted: list[str]) -> Finding:
    """The stages that failed: these and no others; [] for none."""
    got = {event.stage for event in seen.events if isinstance(event, Failed)}
    return got == set(wanted), ", ".join(sorted(got)) or "nothing failed"


@expects(str, "both")
async def judge(seen: Seen, wanted: str) -> Finding:
    """A question about the answer, for a language model to say yes or no to."""
    if seen.ask is None:
        return None, "no language model here can judge: name one with --llm"
    verdict = await seen.ask(wanted)
    word = next(iter(plain(verdict).split()), "")
    return (word == "yes" if word in ("yes", "no") else None), f"the model says “{verdict[:80]}”"


# Of the whole


@expects(Bounds, "whole")
def turns(seen: Seen, wanted: tuple[int | None, int | None]) -> Finding:
    """How many turns were answered."""
    heard = "; ".join(f"“{turn.heard}”" for turn in seen.turns)
    return _within(wanted, len(seen.turns)), f"{len(seen.turns)}: {heard}"


@expects(Bounds, "whole")
def abandoned(seen: Seen, wanted: tuple[int | None, int | None]) -> Finding:
    """How many starts were dropped without a trace."""
    return _within(wanted, seen.abandoned), f"{seen.abandoned}"


@expects(Remembered, "whole")
def memory(seen: Seen, wanted: list[dict[str, str]]) -> Finding:
    """Everything that is remembered, line by line; “…” stands for any words."""
    lines = [next(iter(line.items()), ("", "")) for line in wanted]
    right = len(lines) == len(seen.memory) and all(
        line.role == role and matches(text, line.content)
        for (role, text), line in zip(lines, seen.memory, strict=True)
    )
    return right, "; ".join(f"{line.role}: “{line.content}”" for line in seen.memory)
