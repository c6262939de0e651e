"""Places, and the time that their clocks show."""

from __future__ import annotations

from datetime import tzinfo
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from voice_kit.think.tools import ToolError


@cache
def places() -> dict[str, str]:
    """The time zone of every place in places.txt, by its name in lower case."""
    text = files("voice_kit.think.skills").joinpath("places.txt").read_text(encoding="utf-8")
    lines = [line.partition(":") for line in text.splitlines() if line and line[0] != "#"]
    return {name.strip(): zone for zone, _, names in lines for name in names.split(",")}


def zone_of(place: str) -> tzinfo:
    """The time zone of a place, or of a name in the tz database. Raises `ToolError`."""
    known = " ".join(place.lower().split())
    name = places().get(known) or places().get(known.split(",")[0]) or place
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # unknown, a folder, or outside of them
        where = "I do not know what time it is there. Ask for a large city near it."
        raise ToolError(where) from error


def spoken_place(place: str) -> str:
    """How a place is written in an answer."""
    if not place.islower():
        return place.rpartition("/")[2].replace("_", " ")
    small = {"the", "of", "de", "es"}
    letters = {"uk", "utc", "gmt", "la", "dc"}
    words = (word.upper() if word in letters else word for word in place.split())
    return " ".join(
        word.capitalize() if word.islower() and word not in small else word for word in words
    )
