"""Reads the latency figures that a notebook printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

SETTINGS = {"after", "in", "at", "within"}
"""What stands before a time that was chosen, and not measured."""

_MS = re.compile(r"(-?\d+(?:\.\d+)?) ?ms\b")
_SAID = re.compile("“[^”]*”")
_LABEL = re.compile(r"[^\W\d_][^\d]{0,45}")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def plain(text: str) -> str:
    """A text without the colours of a terminal."""
    return _ANSI.sub("", text)


def figures(cell: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each line that a cell printed and that names something and its milliseconds.

    Of several in a line the last counts: what was measured stands behind what was guessed. What
    people said, in “quotes”, is left out.
    """
    for output in cell.get("outputs", []):
        text = output.get("text", "")
        for line in plain(text if isinstance(text, str) else "".join(text)).splitlines():
            if (figure := of_line(line)) is not None:
                yield {"name": figure[0], "ms": figure[1]}


def of_line(line: str) -> tuple[str, float] | None:
    """The figure in a line and its name, or None: `text to speech ··██·· 43 ms`."""
    line = _SAID.sub("", line).strip(" :,")
    found = list(_MS.finditer(line))
    label = _LABEL.match(line)
    if not found or label is None:
        return None
    name = re.sub(r"[·█\s]+", " ", re.split(r"[{(]", label.group())[0]).strip(" :,;.=-")
    if not name or name in SETTINGS or ". " in name:  # the end of one sentence is no name
        return None
    after = " after your last word" if line.endswith("ms after your last word") else ""
    return name + after, float(found[-1].group(1))
