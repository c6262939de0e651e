"""Notes in Markdown, one to a line, which people may edit too."""

from __future__ import annotations

import re

from voice_kit.think.skills.pages import LARGEST, Pages
from voice_kit.think.skills.room import Room
from voice_kit.think.tools import ToolError

NOTES = "notes"
"""The notebook that is meant when none is named."""
LONGEST = 1000
"""Characters of a note."""

_NAME = re.compile(r"[^\W_][\w-]{0,39}")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)  # on Windows
_NOTE = re.compile(r"[-*] (?:\d{4}-\d\d-\d\d \d\d:\d\d )?(.*)")


class Notebook:
    """Notes and lists, each notebook a page of Markdown."""

    def __init__(self, pages: Pages, room: Room) -> None:
        self._pages = pages
        self._room = room

    def add(self, text: str, name: str = NOTES) -> None:
        """Write a note at the end."""
        line = " ".join(text.split())
        if not line or len(line) > LONGEST:
            raise ToolError(f"A note has 1 to {LONGEST:,} characters.")
        when = f"{self._room.local():%Y-%m-%d %H:%M} " if name == NOTES else ""

        def written(before: str) -> str:
            before = before or f"# {name.capitalize()}\n\n"
            after = f"{before.rstrip()}\n{_blank(before)}- {when}{line}\n"
            if len(after.encode()) > LARGEST:
                raise ToolError("That notebook is full. Delete some of it first.")
            return after

        self._pages.change(_page(name), written)

    def notes(self, name: str = NOTES) -> list[str]:
        """Every note, the oldest first."""
        found = map(_NOTE.fullmatch, self._pages.read(_page(name)).splitlines())
        return [match[1] for match in found if match]

    def delete_last(self, name: str, expected: str) -> None:
        """Take the last note away, if it still is the expected one, and leave all else as it is."""

        def without(before: str) -> str:
            lines = before.splitlines(keepends=True)
            places = [place for place, line in enumerate(lines) if _NOTE.match(line)]
            last = _NOTE.match(lines[places[-1]]) if places else None
            if last is None or last[1].strip() != expected.strip():
                raise ToolError("The last note is another one now. Ask again.")
            del lines[places[-1]]
            return "".join(lines)

        self._pages.change(_page(name), without)


def _page(name: str) -> str:
    """What its page is called. Raises `ToolError` for a name that could lead elsewhere."""
    plain = "-".join(name.casefold().split())
    if not _NAME.fullmatch(plain) or _RESERVED.fullmatch(plain):
        raise ToolError("A notebook's name has letters and digits only.")
    return f"{plain}.md"


def _blank(before: str) -> str:
    """A list begins after an empty line."""
    last = before.rstrip().rpartition("\n")[2]
    return "" if _NOTE.fullmatch(last) else "\n"
