"""The course's notebooks: where they lie, and what they are called."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voice_kit.errors import VoiceKitError


@dataclass(frozen=True, slots=True)
class Lesson:
    """A notebook of the course."""

    number: str
    """Two digits, such as "07"."""
    path: Path
    """The one to work in; its solution has the same name, in the folder solutions."""

    @property
    def solution(self) -> Path:
        """The notebook with everything filled in."""
        return self.path.parent / "solutions" / self.path.name

    @property
    def title(self) -> str:
        """Its heading."""
        return heading("".join(cells(self.path)[0]["source"])) or self.path.stem


def folder(given: Path | None = None) -> Path:
    """Where the notebooks are: as given, in the working folder, or in the checkout we run from.

    Raises `VoiceKitError`.
    """
    here = Path.cwd()
    checkout = Path(__file__).parents[2] / "notebooks"
    for place in [given] if given else [here / "notebooks", here, here.parent, checkout]:
        if any((place / "solutions").glob("[0-9][0-9]_*.ipynb")):
            return place
    where = f"{given} has no" if given else "There is no folder here with the"
    raise VoiceKitError(
        f"{where} notebooks and their solutions. Go to the checkout of voice-kit, or get one: they "
        "are not in the package that pip installs."
    )


def lessons(given: Path | None = None) -> list[Lesson]:
    """Every notebook of the course, in its order. Raises `VoiceKitError`."""
    paths = sorted(folder(given).glob("[0-9][0-9]_*.ipynb"))
    return [Lesson(path.name[:2], path) for path in paths]


def chosen(course: Sequence[Lesson], names: Iterable[str]) -> list[Lesson]:
    """Those that are named, as "7", "07" or "07_make_it_fast", in the course's order.

    All of them when none is. Raises `VoiceKitError` for a name that none has.
    """
    wanted = [_number(course, name) for name in names]
    return [lesson for lesson in course if not wanted or lesson.number in wanted]


def _number(course: Sequence[Lesson], name: str) -> str:
    stem = Path(name).stem
    for lesson in course:
        if stem == lesson.path.stem or (stem.isdigit() and stem.zfill(2) == lesson.number):
            return lesson.number
    known = f"{course[0].number} to {course[-1].number}" if course else "none"
    raise VoiceKitError(f"There is no notebook “{name}”. The course has {known}.")


def cells(path: Path) -> list[dict[str, Any]]:
    """The cells of a notebook. Raises `VoiceKitError` when it is none."""
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["cells"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VoiceKitError(
            f"{path} cannot be read as a notebook. Get it afresh: git checkout {path.name}"
        ) from error


def heading(text: str) -> str:
    """The last heading in a text of Markdown; "" when it has none."""
    found = [line.lstrip("#").strip() for line in text.splitlines() if line.startswith("#")]
    return found[-1] if found else ""
