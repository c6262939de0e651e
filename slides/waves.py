"""Sounds as pictures, and the frame around a sound that plays."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from html import escape

import numpy as np
from svg import Drawing

from voice_kit.types import RATE, Audio

INK, SOFT, LINE, PAPER = "var(--ink)", "var(--soft)", "var(--line)", "var(--paper)"
HEAR, THINK, SPEAK = "var(--hear)", "var(--think)", "var(--speak)"
LEFT, RIGHT = 30, 1570
LONGEST = 7.0
"""Seconds of the longest question with its silence and answer."""


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


def head(picture: Drawing, top: float, bottom: float, left: float = LEFT) -> None:
    """The line that moves while it plays, and a veil over what has not been played yet."""
    picture.add(
        f'<g class="head"><rect x="{left:g}" y="{top - 3:g}" width="1700" '
        f'height="{bottom - top + 6:g}" fill="{PAPER}" opacity="0.82"/>'
        f'<line x1="{left:g}" x2="{left:g}" y1="{top:g}" y2="{bottom:g}" stroke="{THINK}" '
        'stroke-width="5"/></g>'
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
