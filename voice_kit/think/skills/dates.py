"""Days, as people say them."""

from __future__ import annotations

from datetime import date, timedelta

from voice_kit.think.skills.numbers import number, ordinal

DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]

_FEASTS = {
    **{"christmas": "25 december", "christmas day": "25 december"},
    **{"christmas eve": "24 december", "new year": "1 january", "new year's day": "1 january"},
    **{"new year's eve": "31 december", "halloween": "31 october"},
    **{"valentine's day": "14 february"},
}


def said_day(day: date, today: date) -> str:
    """A day, seen from today: "tomorrow", "on Monday", "on Friday, the 25th of December"."""
    ahead = (day - today).days
    if ahead in (0, 1, -1):
        return {0: "today", 1: "tomorrow", -1: "yesterday"}[ahead]
    if 1 < ahead < 7:
        return f"on {DAYS[day.weekday()].title()}"
    return f"on {said_date(day, year=day.year != today.year)}"


def said_date(day: date, *, year: bool = False) -> str:
    """A date in full: "Saturday, the 21st of November"."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10 if day.day not in (11, 12, 13) else 0)
    which = f"the {day.day}{ending or 'th'} of {MONTHS[day.month - 1].title()}"
    return f"{DAYS[day.weekday()].title()}, {which}" + (f" {day.year}" if year else "")


def read_date(words: str, today: date) -> date | None:
    """The next day that these words mean: "tomorrow", "friday", "the 24th of december"."""
    said = words.removeprefix("on ").removeprefix("the ").removeprefix("this ")
    said = said.removeprefix("next ")
    near = {"today": 0, "tomorrow": 1, "yesterday": -1, "day after tomorrow": 2}
    if said in near:
        return today + timedelta(near[said])
    if said in DAYS:
        return today + timedelta((DAYS.index(said) - today.weekday() - 1) % 7 + 1)
    if said in _FEASTS:
        said = _FEASTS[said]
    rest = said.replace(" of ", " ").replace(" the ", " ").split()
    months = [word for word in rest if word in MONTHS]
    if len(months) != 1:
        return None
    rest.remove(months[0])
    spelt = " ".join(rest)
    which = ordinal(spelt) or number(spelt)
    if which is None or which.denominator != 1:
        return None
    try:
        this_year = date(today.year, MONTHS.index(months[0]) + 1, int(which))
        return this_year if this_year >= today else this_year.replace(year=today.year + 1)
    except ValueError:
        return None
