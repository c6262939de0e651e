"""Pictures drawn from sounds and events, and the frames around sounds that play."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from svg import Drawing

from voice_kit.types import RATE, Audio

INK, SOFT, LINE, PAPER = "var(--ink)", "var(--soft)", "var(--line)", "var(--paper)"
HEAR, THINK, SPEAK = "var(--hear)", "var(--think)", "var(--speak)"
LEFT, RIGHT = 30, 1570
COLOURS = {
    "speech": ("#0b4fc4", "#ffffff"),
    "wait": ("#e0a030", "#16202b"),
    "transcribe": ("#3b7dd8", "#ffffff"),
    "first_token": ("#6a35cf", "#ffffff"),
    "first_sentence": ("#a98be0", "#16202b"),
    "synthesis": ("#1d8a68", "#ffffff"),
    "playback": ("#00626d", "#ffffff"),
    "interruption": ("#9c2019", "#ffffff"),
}
"""Of each stage, and of what is written on it."""
HUMAN = 0.2
LONGEST = 7.0
"""Seconds of the longest question with its silence and answer."""


def percent(share: float) -> str:
    """As it is written on slides."""
    return f"{share * 100:.0f} %"


def scaled(start: float, end: float, left: float = LEFT) -> Callable[[float], float]:
    """Where a second is drawn."""
    return lambda second: left + (second - start) / (end - start) * (RIGHT - left)


def axis(picture: Drawing, x: Callable[[float], float], marks: Sequence[float], y: float) -> None:
    """Seconds, below everything."""
    for mark in marks:
        words = f"{mark:g} s" if mark else "0"
        picture.text(x(mark), y, words, 28, fill=SOFT)


def seconds(start: float, end: float, most: int = 8) -> list[float]:
    """Round seconds for an axis."""
    step = next(s for s in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0) if (end - start) / s <= most)
    first = int(np.ceil(start / step))
    return [round(n * step, 3) for n in range(first, int(np.floor(end / step)) + 1)]


def outline(
    picture: Drawing,
    samples: np.ndarray,
    left: float,
    right: float,
    middle: float,
    half: float,
    fill: str = INK,
) -> None:
    """A wave, each column from its lowest to its highest sample."""
    columns = max(2, min(520, int((right - left) / 3)))
    edges = np.linspace(0, len(samples), columns, endpoint=False).astype(int)
    low, high = np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)
    xs = np.linspace(left, right, columns)
    top = [f"{x:.1f},{middle - max(0.012, v) * half:.1f}" for x, v in zip(xs, high, strict=True)]
    low_side = [
        f"{x:.1f},{middle - min(-0.012, v) * half:.1f}" for x, v in zip(xs, low, strict=True)
    ]
    picture.add(f'<polygon points="{" ".join(top + low_side[::-1])}" fill="{fill}"/>')


def head(picture: Drawing, top: float, bottom: float) -> None:
    """The line that moves while it plays."""
    picture.add(
        f'<line class="head" x1="{LEFT}" x2="{LEFT}" y1="{top:g}" y2="{bottom:g}" '
        f'stroke="{THINK}" stroke-width="5"/>'
    )


def wave(
    audio: Audio,
    words: str,
    *,
    spans: Sequence[tuple[float, float, str]] = (),
    chances: Sequence[float] | None = None,
    parts: Sequence[tuple[float, float, str]] = (),
    tall: int = 210,
) -> str:
    """A sound: its wave; stretches of it that are shaded and named; and, where the detector's
    chances are given, those below it. `parts` are drawn in colours: start, end, colour."""
    below = 190 if chances is not None else 0
    above = 44 if spans else 6
    picture = Drawing(1600, above + tall + below + 46, words)
    x = scaled(0, audio.seconds)
    for start, end, name in spans:
        picture.add(
            f'<rect x="{x(start):.1f}" y="{above}" width="{x(end) - x(start):.1f}" '
            f'height="{tall + below}" fill="{HEAR}" opacity="0.14"/>'
        )
        picture.text((x(start) + x(end)) / 2, 32, name, 29, fill=INK)
    loudest = max(0.05, float(np.abs(audio.samples).max()))
    for start, end, colour in parts or [(0.0, audio.seconds, INK)]:
        piece = audio.samples[round(start * audio.rate) : round(end * audio.rate)] / loudest
        if len(piece) > 2:
            outline(picture, piece, x(start), x(end), above + tall / 2, tall / 2 - 6, colour)
    if chances is not None:
        floor, ceiling = above + tall + below - 8, above + tall + 28
        points = [
            f"{x(min((n + 1) * 0.032, audio.seconds)):.1f},{floor - chance * (floor - ceiling):.1f}"
            for n, chance in enumerate(chances)
        ]
        half = (floor + ceiling) / 2
        for level, name in ((ceiling, "100 %"), (half, "50 %")):
            picture.add(
                f'<line x1="{LEFT}" x2="{RIGHT}" y1="{level}" y2="{level}" stroke="{LINE}" '
                'stroke-width="2" stroke-dasharray="8 8"/>'
            )
            picture.text(RIGHT, level - 6, name, 27, anchor="end", fill=SOFT)
        picture.add(
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{HEAR}" stroke-width="5"/>'
        )
    axis(picture, x, seconds(0, audio.seconds), above + tall + below + 36)
    head(picture, above, above + tall + below)
    return picture.inner()


def close(samples: np.ndarray, words: str, mark: tuple[int, int], name: str) -> str:
    """A few samples so close that each is a point, with a stretch of them marked and named."""
    picture = Drawing(1600, 400, words)
    x = scaled(0, len(samples) - 1)
    largest = float(np.abs(samples).max())
    points = [f"{x(n):.1f},{210 - s / largest * 150:.1f}" for n, s in enumerate(samples)]
    picture.add(
        f'<polyline points="{" ".join(points)}" fill="none" stroke="{HEAR}" stroke-width="4"/>'
    )
    first, last = x(mark[0]), x(mark[1])
    picture.add(
        f'<polyline points="{first:.1f},74 {first:.1f},54 {last:.1f},54 {last:.1f},74" '
        f'fill="none" stroke="{INK}" stroke-width="4"/>'
    )
    picture.text((first + last) / 2, 38, name, 30, fill=INK, weight=650)
    axis_x = scaled(0, len(samples) / RATE * 1000)
    for mark_ms in range(0, round(len(samples) / RATE * 1000) + 1, 10):
        picture.text(
            axis_x(mark_ms) if mark_ms else LEFT + 10,
            392,
            f"{mark_ms} ms",
            28,
            fill=SOFT,
            anchor="middle" if 0 < mark_ms < 50 else ("start" if not mark_ms else "end"),
        )
    return picture.inner()


def frames(samples: np.ndarray, words: str, frame: int) -> str:
    """A stretch of sound cut into frames."""
    picture = Drawing(1600, 330, words)
    outline(picture, samples / np.abs(samples).max(), LEFT, RIGHT, 140, 125, HEAR)
    count = len(samples) // frame
    wide = (RIGHT - LEFT) / count
    for number in range(count + 1):
        x = LEFT + number * wide
        picture.add(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="276" stroke="{INK}" stroke-width="3"/>'
        )
    for number in range(count):
        picture.text(LEFT + (number + 0.5) * wide, 316, f"frame {number + 1}", 30, fill=SOFT)
    return picture.inner()


def waterfall(turn: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, float, float]:
    """Where a turn's time went, one row for each stage, and the seconds at its left and right
    edge, 0 being the last word of the question. `turn` is what `as_bars` gives."""
    bars = [bar for bar in turn["bars"] if bar["stage"] != "interruption"]
    rows = list(dict.fromkeys(bar["stage"] for bar in bars))
    first = turn["first"] or max(bar["end"] for bar in bars)
    start, end = -0.25, first + 0.35
    left, high = 520.0, 70
    picture = Drawing(1600, len(rows) * high + 130, "")
    x = scaled(start, end, left)
    bottom = len(rows) * high + 62
    picture.add(
        f'<rect x="{x(0):.1f}" y="50" width="{x(min(HUMAN, end)) - x(0):.1f}" '
        f'height="{bottom - 50}" fill="{SPEAK}" opacity="0.15"/>'
    )
    picture.text(x(0) + 8, 34, "people answer within this", 28, anchor="start", fill=SOFT)
    told = []
    for number, stage in enumerate(rows):
        y = 62 + number * high
        picture.text(left - 24, y + 42, names[stage], 31, anchor="end", fill=INK)
        mine = [bar for bar in bars if bar["stage"] == stage]
        for bar in mine:
            a, b = max(start, bar["start"]), min(end, bar["end"])
            if b < a:
                continue
            colour = COLOURS[stage][0]
            picture.add(
                f'<rect x="{x(a):.1f}" y="{y + 6}" width="{max(5.0, x(b) - x(a)):.1f}" height="50" '
                f'rx="6" fill="{colour}"/>'
            )
        total = 1000 * sum(bar["end"] - bar["start"] for bar in mine)
        words = f"{total:.0f} ms" if total >= 1 else "under 1 ms"
        last = min(end, max(bar["end"] for bar in mine))
        if stage in ("speech", "playback"):
            continue
        told.append(f"{names[stage]} {words}")
        if last > start:
            edge = x(last) + 14
            if edge < x(first) + 12 and edge + 170 > x(first):  # it would lie on that line
                edge = x(first) + 14
            fits = edge + 170 < 1600
            edge = edge if fits else x(min(bar["start"] for bar in mine)) - 14
            anchor = "start" if fits else "end"
            picture.text(edge, y + 43, words, 30, anchor=anchor, fill=INK, weight=650)
    for second, dash in ((0.0, ""), (first, ' stroke-dasharray="10 8"')):
        picture.add(
            f'<line x1="{x(second):.1f}" x2="{x(second):.1f}" y1="50" y2="{bottom}" '
            f'stroke="{INK}" stroke-width="4"{dash}/>'
        )
    picture.text(x(0), bottom + 42, "your last word", 29, fill=INK)
    picture.text(
        x(first),
        bottom + 42,
        f"{first * 1000:.0f} ms: its first sound",
        29,
        fill=INK,
        weight=650,
        anchor="middle" if x(first) < 1370 else "end",
    )
    picture.add(
        f'<line class="head" x1="{left:g}" x2="{left:g}" y1="50" y2="{bottom}" stroke="{THINK}" '
        'stroke-width="5"/>'
    )
    picture.title = (
        f"Waterfall of a recorded turn: first sound {first * 1000:.0f} ms after the last word; "
        + ", ".join(told)
    )
    return picture.inner(), start, end


def lanes(
    yours: Sequence[tuple[float, float, str]],
    its: Sequence[tuple[float, float, str]],
    marks: Sequence[tuple[float, str]],
    length: float,
    words: str,
) -> str:
    """Two people on one axis: stretches with words, and marks where something was decided."""
    picture = Drawing(1600, 470, words)
    x = scaled(0, length)
    for y, name, spans, ink in ((40, "you", yours, HEAR), (230, "the assistant", its, SPEAK)):
        picture.text(LEFT, y, name, 31, anchor="start", weight=650, fill=INK)
        picture.add(
            f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y + 66}" y2="{y + 66}" stroke="{LINE}" '
            'stroke-width="3"/>'
        )
        for start, end, said in spans:
            wide = x(end) - x(start)
            picture.add(
                f'<rect x="{x(start):.1f}" y="{y + 18}" width="{max(6.0, wide):.1f}" height="96" '
                f'rx="10" fill="{ink}"/>'
            )
            rows = folded(said, int(wide / 15.5))
            for row, line in enumerate(rows):
                base = y + 76 - (len(rows) - 1) * 18 + row * 36
                picture.text((x(start) + x(end)) / 2, base, line, 28, fill=PAPER)
            if said and not rows:
                picture.text((x(start) + x(end)) / 2, y + 4, said, 28, fill=ink, weight=650)
    for number, (at, name) in enumerate(marks):
        picture.add(
            f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="50" y2="368" stroke="{INK}" '
            'stroke-width="4" stroke-dasharray="6 7"/>'
        )
        then = marks[number + 1][0] if number + 1 < len(marks) else length
        anchor = "end" if x(then) - x(at) < 180 else "start"
        picture.text(
            x(at) + (6 if anchor == "start" else -6),
            396,
            name,
            29,
            anchor=anchor,
            weight=650,
            fill=INK,
        )
    axis(picture, x, seconds(0, length), 454)
    head(picture, 50, 368)
    return picture.inner()


def folded(words: str, width: int) -> list[str]:
    """Words on at most two lines of this many characters; none where they do not fit."""
    if len(words) <= width:
        return [words]
    first, rest = "", words.split()
    while rest and len(first) + len(rest[0]) < width:
        first = f"{first} {rest.pop(0)}".strip()
    second = " ".join(rest)
    if not first or width < 6:
        return []
    if len(second) > width:
        second = second[: width - 1].rsplit(" ", 1)[0] + " …"
    return [first, second]


def frontier(curve: Sequence[tuple[float, float, float]], words: str) -> str:
    """For each wait in seconds: the share cut off, and the mean wait of the others."""
    picture = Drawing(1600, 640, words)
    most = max(wait for _, _, wait in curve) * 1.08
    top = max(share for _, share, _ in curve) * 1.1
    x = scaled(0, most, 150.0)
    low, high = 540, 30

    def y(share: float) -> float:
        return low - share / top * (low - high)

    picture.add(
        f'<rect x="{x(0):.1f}" y="{high}" width="{x(HUMAN) - x(0):.1f}" height="{low - high}" '
        f'fill="{SPEAK}" opacity="0.15"/>'
    )
    picture.text(x(0) + 8, low - 56, "people answer\nwithin this", 29, anchor="start", fill=INK)
    for share in np.arange(0, top, 0.1):
        picture.add(
            f'<line x1="150" x2="{RIGHT}" y1="{y(share):.1f}" y2="{y(share):.1f}" stroke="{LINE}" '
            'stroke-width="2"/>'
        )
        picture.text(138, y(share) + 10, percent(share), 28, anchor="end", fill=SOFT)
    points = " ".join(f"{x(wait):.1f},{y(share):.1f}" for _, share, wait in curve)
    picture.add(f'<polyline points="{points}" fill="none" stroke="{HEAR}" stroke-width="6"/>')
    for rule, share, wait in curve:
        picture.add(f'<circle cx="{x(wait):.1f}" cy="{y(share):.1f}" r="11" fill="{HEAR}"/>')
        last = x(wait) > RIGHT - 190
        picture.text(
            x(wait) + (-20 if last else 18),
            y(share) - 18,
            f"{rule * 1000:.0f} ms",
            29,
            anchor="end" if last else "start",
            weight=650,
            fill=INK,
        )
    axis(picture, x, seconds(0, most), low + 40)
    picture.text(
        (150 + RIGHT) / 2, low + 86, "how long everybody else waits, on average", 30, fill=SOFT
    )
    return picture.inner()


def compared(rows: Sequence[tuple[str, float]], unit: str, words: str) -> str:
    """Figures as bars, the first of them ours."""
    picture = Drawing(1600, len(rows) * 112 + 20, words)
    most = max(value for _, value in rows)
    for number, (name, value) in enumerate(rows):
        y = 16 + number * 112
        wide = value / most * 880
        picture.text(
            500, y + 52, name, 34, anchor="end", weight=700 if not number else 400, fill=INK
        )
        ink = HEAR if not number else "#7f8b97"
        picture.add(f'<rect x="524" y="{y}" width="{wide:.1f}" height="80" rx="8" fill="{ink}"/>')
        picture.text(
            540 + wide, y + 54, f"{value:g} {unit}", 36, anchor="start", weight=700, fill=INK
        )
    return picture.inner()


def gap(question: float, silence: float, answer: float, words: str, audio: Audio) -> str:
    """A question, a silence and an answer, as their wave, with the silence named."""
    picture = Drawing(1600, 190, words)
    x = scaled(0, LONGEST)  # the same for all, so that they can be compared
    loudest = float(np.abs(audio.samples).max())
    told = ((0.0, question, HEAR), (question + silence, question + silence + answer, SPEAK))
    for start, end, ink in told:
        piece = audio.samples[round(start * audio.rate) : round(end * audio.rate)] / loudest
        outline(picture, piece, x(start), x(end), 114, 68, ink)
    a, b = x(question), x(question + silence)
    picture.add(
        f'<rect x="{a:.1f}" y="44" width="{b - a:.1f}" height="140" fill="{THINK}" opacity="0.16"/>'
    )
    picture.text((a + b) / 2, 34, f"{silence:g} s", 36, weight=700, fill=INK)
    head(picture, 40, 188)
    return picture.inner()


def clip(
    drawn: str,
    sound: str,
    words: str,
    *,
    left: float = LEFT,
    right: float = RIGHT,
    start: float = 0.0,
    end: float = 0.0,
    small: str = "",
    moments: Sequence[tuple[float, str]] = (),
    row: bool = False,
) -> str:
    """A picture with its sound below it, or beside it in a row: a button, and what is said.

    The head goes from `left` to `right` of the picture between the seconds `start` and `end` of
    the sound. `moments` say from when on the assistant's sphere is in which state.
    """
    data = {"left": left, "right": right, "start": start, "end": end, "moments": list(moments)}
    more = f" <small>{escape(small)}</small>" if small else ""
    held = escape(json.dumps(data), quote=True)
    spoken = escape(words, quote=True)
    return (
        f'<figure class="clip{" row" * row}" data-clip="{held}">{drawn}<figcaption>'
        f'<button type="button" class="play" aria-label="Play: {spoken}">'
        f'<span class="sign" aria-hidden="true"></span></button>'
        f'<span class="words">{escape(words)}{more}</span></figcaption>'
        f'<audio preload="metadata" src="{sound}"></audio></figure>'
    )
