"""A turn as bars on one axis, and for each of them why it is that long: plain data to draw."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from voice_kit.converse.plain import summary
from voice_kit.converse.timeline import STAGES, Bar, Timeline, TurnTimes
from voice_kit.converse.why import ENGINE, Why, why
from voice_kit.settings import Settings
from voice_kit.show.harmless import one_line
from voice_kit.show.timeline import COLOURS, headline
from voice_kit.types import (
    Event,
    Interrupted,
    SpeechReady,
    Transcribed,
    TurnFinished,
    TurnStarted,
)

LABELS: Mapping[str, str] = {**STAGES, "interruption": "held, in case you interrupt"}
"""Everything that is drawn, in its order."""


def stages() -> list[dict[str, str]]:
    """What a bar can be: its name, what it is, and its colour."""
    return [{"name": name, "label": LABELS[name], "colour": COLOURS[name]} for name in LABELS]


def so_far(number: int, events: Sequence[Event]) -> TurnTimes:
    """The times of a turn, even if it is not over yet."""
    kept = Timeline()
    for event in events:
        kept(event)
    if all(turn.number != number for turn in kept.turns):
        last = events[-1].at
        mine = [event for event in events if getattr(event, "turn", 0) == number]
        words = [event.transcript.text for event in mine if isinstance(event, Transcribed)]
        kept(TurnFinished(number, last, "".join(words[-1:]), "", "", False))
    return next(turn for turn in kept.turns if turn.number == number)


def as_bars(
    turn: TurnTimes, events: Sequence[Event] = (), settings: Settings | None = None
) -> dict[str, Any]:
    """A turn as plain data. Times are seconds after the last word of the question, or after a
    line was typed; `events` are those of its conversation, for the reasons."""
    mine = [event for event in events if getattr(event, "turn", 0) == turn.number]
    began = next((event.at for event in mine if isinstance(event, TurnStarted)), None)
    first_bar = min((bar.start for bar in turn.bars), default=0.0)
    zero = turn.ended if turn.ended is not None else first_bar if began is None else began
    reason = why(turn, events, settings or Settings()) if mine else None
    bars = [*turn.bars, *_held(turn, mine)]
    order = list(LABELS)
    bars.sort(key=lambda bar: (order.index(bar.stage), bar.start))
    first = None if turn.first_sound is None else turn.first_sound - zero
    return {
        "turn": turn.number,
        "title": one_line(headline(turn)),
        "typed": turn.ended is None,
        "first": first,
        "why": str(reason or ""),
        "row": row(turn),
        "bars": [
            {
                "stage": bar.stage,
                "start": bar.start - zero,
                "end": bar.end - zero,
                "why": sentence(bar, turn, reason, mine),
            }
            for bar in bars
            if bar.seconds or bar.stage != "playback"
        ],
    }


def _held(turn: TurnTimes, mine: Sequence[Event]) -> Iterable[Bar]:
    """When the answer was silent, because someone might have been interrupting, or was."""
    played = [bar for bar in turn.bars if bar.stage == "playback"]
    for before, after in pairwise(played):
        yield Bar("interruption", before.end, after.start)
    for event in mine:
        if isinstance(event, Interrupted) and played:
            yield Bar("interruption", min(played[-1].end, event.at), event.at)


def sentence(bar: Bar, turn: TurnTimes, reason: Why | None, mine: Sequence[Event] = ()) -> str:
    """Why this bar is that long."""
    took = f"{LABELS[bar.stage].capitalize()}: {_figure(bar)}."
    if bar.stage == "speech":
        return f"{took} The silence counts from the end of it."
    if bar.stage == "interruption":
        last = next((each for each in mine if isinstance(each, Interrupted)), None)
        if last is not None and last.at == bar.end:
            return f"{took} Then the answer stopped: {last.reason}. `interrupt.after`"
        return f"{took} It was no interruption, and the answer went on. `interrupt.after`"
    if reason is None or not reason.parts:
        return took
    total = f"{1000 * reason.seconds:.0f} ms of silence"
    part = next((each for each in reason.parts if each.stage == bar.stage), None)
    advice = f" {reason.change}" if part is reason.parts[0] and reason.change else ""
    if bar.stage == "playback":
        made = sum(each.seconds for each in mine if isinstance(each, SpeechReady))
        took = f"{took[:-1]} of the {made:.2f} s that were made." if made else took
        if part is None or bar.start != turn.first_sound:
            return took
        return f"{took} Before it, {1000 * part.seconds:.0f} of {total} is {part}.{advice}"
    if part is not None and part.seconds >= 0.0005:
        return f"{took} {1000 * part.seconds:.0f} of {total} is {part}.{advice}"
    first = turn.first_sound
    if first is not None and bar.start >= first:
        return f"{took} The answer was already heard."
    if bar.stage in ENGINE:
        return f"{took} Nobody waited for it: it was done meanwhile (`hear.eager`)."
    return took


def _figure(bar: Bar) -> str:
    return f"{1000 * bar.seconds:.0f} ms" if bar.seconds < 1 else f"{bar.seconds:.2f} s"


def row(turn: TurnTimes) -> dict[str, Any]:
    """A turn as a row of a table, times in whole milliseconds."""
    found = summary(turn)
    spent = found.pop("stages_ms")
    silence = found.pop("voice_to_voice_ms")
    words = {
        name: one_line(text) if isinstance(text, str) else text for name, text in found.items()
    }
    times = {f"{stage}_ms": spent.get(stage) for stage in STAGES}
    return {"turn": turn.number, **words, "silence_ms": silence, **times}


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table that spreadsheets read; what was said is never one of their formulas."""
    text = io.StringIO()
    if rows:
        table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        table.writeheader()
        for each in rows:
            table.writerow({name: _cell(value) for name, value in each.items()})
    return text.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@") else value
