"""Makes what a slide asks for as `@name words`."""

from __future__ import annotations

import re

import of_pages
import of_sounds
import of_the_recording
import of_turns
from desk import MAKERS, Desk, SlideError

MODULES = (of_pages, of_sounds, of_the_recording, of_turns)
"""Those that fill `MAKERS`."""


def make(desk: Desk, line: str) -> str:
    """The HTML for a line such as `@clip question_vad`, without an empty line in it.

    Raises `SlideError` where nothing is called so.
    """
    name, _, words = line.strip().removeprefix("@").partition(" ")
    if name not in MAKERS:
        raise SlideError(f"“{line.strip()}”: nothing is called @{name}.")
    return re.sub(r"\n\s*\n", "\n", MAKERS[name](desk, *words.split()))
