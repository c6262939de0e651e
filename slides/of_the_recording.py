"""The recorded conversation for the slides: who spoke when, and where the time went."""

from __future__ import annotations

from html import escape

import charts
from desk import Desk, SlideError, on_slides

from voice_kit.converse.timeline import TurnTimes
from voice_kit.settings import Settings
from voice_kit.show.bars import LABELS, as_bars, so_far
from voice_kit.types import Routed, TurnFinished


@on_slides
def waterfall(desk: Desk, turn: str) -> str:
    """Where the time of a recorded turn went, with its sound."""
    times = so_far(int(turn), desk.events)
    bars = as_bars(times, desk.events, Settings())
    drawn, start, end = charts.waterfall(bars, LABELS)
    zero = times.ended or 0.0
    spoke = min(bar.start for bar in times.bars) - 0.25
    last = max(bar.end for bar in times.bars)
    sound = desk.stretch(spoke, min(last + 0.2, (times.first_sound or zero) + 3.5))
    first = (times.first_sound or zero) - spoke
    moments = [(0.0, "listening"), (zero - spoke, "thinking"), (first, "speaking")]
    return desk.playing(
        drawn,
        f"turn_{turn}",
        sound,
        f"“{times.heard.capitalize()}?” “{first_sentence(times)}”",
        left=520.0,
        start=zero + start - spoke,
        end=zero + end - spoke,
        moments=moments,
    )


@on_slides
def lanes(desk: Desk, start: str, end: str) -> str:
    """A stretch of the recorded conversation: who spoke when, and what was decided."""
    a, b = float(start), float(end)
    yours, its, marks = (
        list[tuple[float, float, str]](),
        list[tuple[float, float, str]](),
        list[tuple[float, str]](),
    )
    opened: dict[int, float] = {}
    said = {e.turn: e.said_heard for e in desk.events if isinstance(e, TurnFinished)}
    began, heard = None, ""
    moments: list[tuple[float, str]] = [(0.0, "idle")]
    for event in desk.events:
        at, kind = getattr(event, "at", 0.0), type(event).__name__
        if at > b:
            break
        if kind == "SpeechStarted" and began is None:
            began = at
            moments.append((at - a, "listening"))
        elif kind == "Transcribed":
            heard = event.transcript.text
        elif kind == "TurnEnded" and began is not None:
            yours.append((began - a, event.ended - a, f"“{heard}”"))
            began = None
            if not opened:
                moments.append((event.ended - a, "thinking"))
        elif kind in ("PlaybackStarted", "PlaybackResumed"):
            opened[event.turn] = at
            moments.append((at - a, "speaking"))
            if kind == "PlaybackResumed":
                marks.append((at - a, "goes on"))
        elif kind in ("PlaybackPaused", "Interrupted", "TurnFinished"):
            if event.turn in opened:
                if kind == "TurnFinished":
                    moments.append((at - a, "idle"))
                its.append((opened.pop(event.turn) - a, at - a, said.get(event.turn, "")))
            if kind == "PlaybackPaused" and at > a:
                marks.append((at - a, "pauses"))
            if kind == "Interrupted" and at > a:
                marks.append((at - a, "stops"))
    its += [(at - a, b - a, said.get(turn, "")) for turn, at in opened.items()]
    yours, its = within(yours, b - a), within(its, b - a)
    shown = [words for _, _, words in its]  # each of them once, where it begins
    its = [(s, e, "…" if w in shown[:n] else w) for n, (s, e, w) in enumerate(its)]
    marks = [mark for mark in marks if mark[0] > 0]
    words = "; ".join(
        [f"you say {w} from {s:.1f} to {e:.1f} s" for s, e, w in yours]
        + [f"the assistant speaks from {s:.1f} to {e:.1f} s" for s, e, _ in its]
        + [f"it {what} at {at:.1f} s" for at, what in marks]
    )
    drawn = charts.lanes(yours, its, marks, b - a, f"A recorded conversation: {words}")
    both = [*yours, *((s, e, f"“{as_caption(w)}”") for s, e, w in its if w != "…")]
    spoken = " ".join(w for _, _, w in sorted(both))
    return desk.playing(
        drawn,
        f"lanes_{start}".replace(".", "_"),
        desk.stretch(a, b),
        spoken,
        small="recorded",
        moments=[m for m in moments if m[0] >= 0],
    )


@on_slides
def heard(desk: Desk, turn: str) -> str:
    """What was said and what was heard of it, in an interrupted turn."""
    (done,) = [e for e in desk.events if isinstance(e, TurnFinished) and e.turn == int(turn)]
    kept, lost = done.said_heard, done.said.removeprefix(done.said_heard)
    if not done.interrupted or kept == lost:
        raise SlideError(f"Turn {turn} of the recording was not interrupted.")
    return (
        f'<p class="memory"><span class="kept">{escape(kept)}</span> '
        f'<span class="lost">{escape(lost.strip())}</span></p>'
    )


@on_slides
def routes(desk: Desk) -> str:
    """Which way the questions of the recording went."""
    heard = {e.turn: e.heard for e in desk.events if isinstance(e, TurnFinished)}
    rows = {
        heard[e.turn]: e.route for e in desk.events if isinstance(e, Routed) and e.turn in heard
    }
    shown = list(rows.items())[:1] + [i for i in rows.items() if i[1].kind != "chat"]
    cells = "".join(
        f"<tr><td>“{escape(words)}”</td><td class={route.kind}>{route.kind}</td>"
        f"<td>{charts.percent(route.confidence)}</td></tr>"
        for words, route in shown[:4]
    )
    return (
        "<table><thead><tr><th>heard</th><th>way</th><th>how sure</th></tr></thead>"
        f"<tbody>{cells}</tbody></table>"
    )


def as_caption(said: str) -> str:
    """The beginning of what was said, to be read beside its sound."""
    first, _, rest = said.partition(". ")
    return f"{first}. …" if rest else said


def first_sentence(turn: TurnTimes) -> str:
    """What was heard of an answer, as far as its first full stop."""
    first, stop, _ = turn.said_heard.partition(".")
    return first + (stop or " …")


def within(spans: list[tuple[float, float, str]], length: float) -> list[tuple[float, float, str]]:
    """What of these stretches lies between 0 and a length."""
    return [(max(0.0, s), min(length, e), w) for s, e, w in spans if e > 0 and s < length]
