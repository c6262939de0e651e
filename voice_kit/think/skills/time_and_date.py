"""Skills: the time and the date, here and elsewhere."""

from __future__ import annotations

from datetime import datetime

from voice_kit.think.skills.dates import read_date, said_date, said_day
from voice_kit.think.skills.moments import said_time
from voice_kit.think.skills.numbers import count
from voice_kit.think.skills.phrases import Kind
from voice_kit.think.skills.places import spoken_place, zone_of
from voice_kit.think.skills.room import Room
from voice_kit.think.skills.skill import Phrased, skill
from voice_kit.think.tools import ToolError

DAY = {"day": Kind(r"[a-z0-9][a-z0-9' ]*?", lambda words: words if is_day(words) else None)}


def is_day(words: str) -> bool:
    """Whether these words mean a day."""
    return read_date(words, datetime(2024, 1, 1).date()) is not None


def time_skills(room: Room) -> list[Phrased]:
    """Those that look at the clock and the calendar."""

    @skill(
        "[what is] the [current | exact | local] time [in {place}]",
        "what time (is it | it is | do we have | have we got) [here | over there] [in {place}]",
        "what the [current | local] time is [in {place}]",
        "what is the time (here | there)",
        "what time is it [right now | now] (in | over in) {place} [right now | now]",
        "(what | how) is the time in {place}",
        "what is {place} time",
        "(have you got | do you have | give me | check) the time [in {place}]",
        "how late is it [in {place}]",
        "time [check | please]",
        can="tell the time in any large city",
    )
    def tell_time(place: str = "") -> str:
        """The time of day, here, or in a city or country: place="Tokyo"."""
        zone = zone_of(place) if place else room.zone
        there, here = datetime.fromtimestamp(room.clock(), zone), room.local()
        if not place:
            return f"It is {said_time(there.time())}."
        day = said_day(there.date(), here.date())
        other = f", {day}" if day != "today" else ""
        return f"In {spoken_place(place)} it is {said_time(there.time())}{other}."

    @skill(
        "[what is] the date [today]",
        "what is [today's | todays] date [today]",
        "what the date is [today]",
        "what (day | date) (is it | it is | is today | today is) [today]",
        "what day of the (week | month) (is it | it is | is today | today is) [today]",
        "what [day | date] is it today",
        "which day is (it | today)",
        "[what is] today's date",
        "(what | which) (day | date) [of the week] (is | was | will be | is it) [on] {day}",
        "(what | which) (day | date) (will it be | is it) {day}",
        ("(what | which) year (is it | it is) [today]", {"year": True}),
        "what is the date {day}",
        "when is {day}",
        kinds=DAY,
        can="tell the date",
    )
    def tell_date(day: str = "today", year: bool = False) -> str:
        """The date and day of the week of today, or of a day such as "tomorrow", "friday",
        "24 december" or "christmas"."""
        today = room.local().date()
        wanted = read_date(day.lower(), today)
        if wanted is None:
            raise ToolError("I do not know which day that is. Say it as “the 24th of December”.")
        if year:
            return f"It is {today.year}."
        said = said_date(wanted, year=wanted.year != today.year)
        near = said_day(wanted, today)
        if near in ("today", "tomorrow", "yesterday"):
            verb = "was" if near == "yesterday" else "is"
            return f"{near.capitalize()} {verb} {said}."
        return f"That is {said}."

    @skill(
        "how (many days | long) [is it | are there | left | is left] (until | till | to) {day}",
        "how (many days | long) (is it | are there | left | is left) before {day}",
        kinds=DAY,
    )
    def days_until(day: str) -> str:
        """How many days there are until a day such as "christmas", "friday" or "24 december"."""
        today = room.local().date()
        wanted = read_date(day.lower(), today)
        if wanted is None:
            raise ToolError("I do not know which day that is. Say it as “the 24th of December”.")
        ahead = (wanted - today).days
        if ahead <= 0:
            return "That is today." if ahead == 0 else "That was yesterday."
        return f"It is {count(ahead, 'day')} until {said_date(wanted)}."

    return [tell_time, tell_date, days_until]
