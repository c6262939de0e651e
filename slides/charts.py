"""Conversations and measurements as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from svg import Drawing
from waves import (
    HEAR,
    INK,
    LEFT,
    LINE,
    PAPER,
    RIGHT,
    SOFT,
    SPEAK,
    axis,
    head,
    scaled,
    seconds,
)

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


def percent(share: float) -> str:
    """As it is written on slides."""
    return f"{share * 100:.0f} %"


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
    head(picture, 50, bottom, left)
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
