"""Draws SVG as text: boxes, arrows and words that can be read from the last row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

FONT = "'Helvetica Neue', 'Segoe UI', Arial, 'Liberation Sans', sans-serif"
SMALLEST = 27
"""Units; a picture is 1600 of them wide, and about as many pixels on a screen of 1920."""


class Tone(NamedTuple):
    """How something looks: its lines and words, and its area."""

    ink: str
    area: str


TONES = {
    "plain": Tone("#3a4653", "#f0f3f6"),
    "hear": Tone("#0b4fc4", "#e1edfd"),
    "think": Tone("#5d25c9", "#efe6fd"),
    "speak": Tone("#00626d", "#dbf3f0"),
    "wait": Tone("#7d4f00", "#fdf0d3"),
    "stop": Tone("#9c2019", "#fde7e5"),
    "ghost": Tone("#69747f", "#ffffff"),
}
INK = "#16202b"
SOFT = "#4a5663"


class Drawing:
    """A picture under construction. Units are those of its viewBox; y goes down."""

    def __init__(self, width: int, height: int, title: str, words: str = "") -> None:
        """`title` is what it is, `words` say what there is to see."""
        self.width, self.height, self.title, self.words = width, height, title, words
        self.parts: list[str] = []

    def add(self, part: str) -> None:
        """Put SVG on top of what is there."""
        self.parts.append(part)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: float = 30,
        *,
        anchor: str = "middle",
        weight: int = 400,
        fill: str = INK,
        css: str = "",
    ) -> None:
        """Words whose first baseline is at y; each line of them below the other."""
        own = f' class="{css}"' if css else ""
        for row, line in enumerate(words.split("\n")):
            self.add(
                f'<text{own} x="{x:g}" y="{y + row * size * 1.22:g}" font-size="{size:g}" '
                f'font-weight="{weight}" text-anchor="{anchor}" fill="{fill}">{escape(line)}</text>'
            )

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        words: str = "",
        below: str = "",
        *,
        tone: str = "plain",
        size: float = 34,
        dashed: bool = False,
    ) -> None:
        """A rounded box with words in its middle, and smaller ones below them."""
        look = TONES[tone]
        dash = ' stroke-dasharray="10 8"' if dashed else ""
        self.add(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="16" '
            f'fill="{look.area}" stroke="{look.ink}" stroke-width="3"{dash}/>'
        )
        rows, small = words.split("\n") if words else [], below.split("\n") if below else []
        tall = len(rows) * size * 1.22 + len(small) * SMALLEST * 1.28
        top = y + (height - tall) / 2
        if rows:
            self.text(x + width / 2, top + size * 0.93, words, size, weight=650, fill=look.ink)
        for row, line in enumerate(small):
            base = top + len(rows) * size * 1.22 + (row + 0.85) * SMALLEST * 1.28
            self.text(x + width / 2, base, line, SMALLEST)

    def line(
        self,
        points: Sequence[tuple[float, float]],
        *,
        tone: str = "plain",
        arrow: bool = True,
        dashed: bool = False,
        thick: float = 4,
    ) -> None:
        """A line through these points, with a head at its end."""
        ink = TONES[tone].ink
        dash = ' stroke-dasharray="4 12" stroke-linecap="round"' if dashed else ""
        (x0, y0), (x1, y1) = points[-2:]
        angle = math.atan2(y1 - y0, x1 - x0)
        path = [*points[:-1]]
        path.append((x1 - 14 * math.cos(angle), y1 - 14 * math.sin(angle)) if arrow else (x1, y1))
        drawn = " ".join(f"{x:g},{y:g}" for x, y in path)
        self.add(
            f'<polyline points="{drawn}" fill="none" stroke="{ink}" stroke-width="{thick:g}" '
            f'stroke-linejoin="round"{dash}/>'
        )
        if arrow:
            head = [
                (x1 - 22 * math.cos(angle + side), y1 - 22 * math.sin(angle + side))
                for side in (-0.42, 0.42)
            ]
            corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in [(x1, y1), *head])
            self.add(f'<polygon points="{corners}" fill="{ink}"/>')

    def ball(self, x: float, y: float, radius: float, tone: str, words: str = "") -> None:
        """A sphere in the colours of the assistant's, with a word on it."""
        bright, deep = BALLS[tone]
        self.add(
            f'<circle cx="{x:g}" cy="{y:g}" r="{radius * 1.16:g}" fill="{bright}" opacity="0.16"/>'
        )
        self.add(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{deep}"/>')
        self.add(
            f'<circle cx="{x - radius * 0.16:g}" cy="{y - radius * 0.2:g}" r="{radius * 0.7:g}" '
            f'fill="{bright}" opacity="0.55"/>'
        )
        if words:
            self.text(x, y + radius * 0.24, words, radius * 0.72, weight=700, fill="#ffffff")

    def inner(self) -> str:
        """As an element for inside a page."""
        return self._drawn(f'role="img" aria-label="{escape(self.title, quote=True)}"', "")

    def file(self) -> str:
        """As a file of its own, on light paper, which reads in dark surroundings too."""
        names = f"<title>{escape(self.title)}</title><desc>{escape(self.words)}</desc>"
        paper = f'<rect width="{self.width}" height="{self.height}" rx="20" fill="#fbfcfe"/>'
        size = f'width="{self.width}" height="{self.height}"'
        attributes = f'role="img" {size} xmlns="http://www.w3.org/2000/svg"'
        return self._drawn(attributes, names + paper) + "\n"

    def _drawn(self, attributes: str, first: str) -> str:
        box = f'viewBox="0 0 {self.width} {self.height}" font-family="{FONT}"'
        return f"<svg {attributes} {box}>{first}{''.join(self.parts)}</svg>"


BALLS = {
    "plain": ("#7f93a8", "#3a4653"),
    "hear": ("#1a99ff", "#0529b8"),
    "think": ("#a354ff", "#380d94"),
    "speak": ("#14a79c", "#004d6b"),
}
"""Bright and deep, as the assistant's sphere is while it hears, thinks and speaks."""
