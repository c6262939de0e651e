"""Times of day, as people say them."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta, tzinfo
from fractions import Fraction

from voice_kit.think.skills.dates import DAYS, said_day
from voice_kit.think.skills.numbers import SMALL, TENS, number

EITHER = "am or pm"
"""Nobody said which half of the day."""

_HALVES = {
    **dict.fromkeys(("am", "a m", "in the morning", "morning"), "am"),
    **dict.fromkeys(("pm", "p m", "in the afternoon", "in the evening"), "pm"),
    **dict.fromkeys(("afternoon", "evening", "this afternoon", "this evening"), "pm"),
    **dict.fromkeys(("at night", "night", "tonight"), "night"),
    **{"this morning": "am"},
}
_NUMBER = "|".join(sorted({*SMALL, *TENS}, key=len, reverse=True))
_PART = r"morning|afternoon|evening|night"
_DAY = (
    rf"(?:on )?(?:(?:next |this )?(?:{'|'.join(DAYS)})|tomorrow|today)(?: (?:{_PART}))?"
    rf"|tonight|this (?:{_PART})"
)
_CLOCK = (
    rf"(?:half|(?:a )?quarter|\d+|{_NUMBER}|past|to|after|minutes|o'clock|noon|midday|midnight"
    r"|\d{1,2}[:.]\d\d|\d{1,2}(?:[:.]\d\d)?[ap]m|am|pm|a m|p m|in the (?:morning|afternoon|evening)"
    r"|at night)"
)
PATTERN = rf"(?:(?:{_DAY}) )?(?:at )?{_CLOCK}(?: {_CLOCK})*(?: (?:{_DAY}))?"
_FRONT = re.compile(rf"({_DAY})(?: at)? ")
_BACK = re.compile(rf" ({_DAY})$")
_HALF = re.compile(r"(.+?) ?\b(am|pm|a m|p m|in the (?:morning|afternoon|evening)|at night)")
_WRITTEN = re.compile(r"(\d{1,2})[:.](\d\d)|(\d{1,2}?)(\d\d)|(\d{1,2})")
_ATTACHED = re.compile(r"(\d)([ap]m)\b")


def moment(words: str) -> dict[str, str] | None:
    """A time of day as arguments: `{"time": "07:30", "day": "tomorrow"}`.

    The time is "19:30", or "7:30 am or pm" when nobody said which. The day is left out, or
    "today", "tomorrow" or the name of one of the next seven.
    """
    said, day, half = _ATTACHED.sub(r"\1 \2", words.removeprefix("at ")), "", ""
    for pattern in (_FRONT, _BACK):
        if match := pattern.search(said) if pattern is _BACK else pattern.match(said):
            if day:
                return None
            day, half = _day(match[1])
            said = said[: match.start()] + said[match.end() :]
    if match := _HALF.fullmatch(said.removeprefix("at ")):
        if half:
            return None
        said, half = match[1], _HALVES[match[2]]
    found = _clock(said.removeprefix("at "), half)
    return None if found is None else {"time": found} | ({"day": day} if day else {})


def waking(words: str) -> dict[str, str] | None:
    """The same for getting up: a time before noon unless something else was said."""
    found = moment(words)
    if found is not None and found["time"].endswith(EITHER):
        hour, minute = found["time"].removesuffix(EITHER).strip().split(":")
        found["time"] = f"{int(hour):02}:{minute}"
    return found


def read_time(written: str) -> tuple[time, bool] | None:
    """What "19:30", "7:30 pm" or "7:30 am or pm" is, and whether the half of the day is open."""
    words, unclear = written.lower().replace(".m.", "m").strip(), False
    if words.endswith(EITHER):
        words, unclear = words.removesuffix(EITHER).strip(), True
    said = moment(words)
    if said is None or "day" in said:
        return None
    hour, _, minute = said["time"].removesuffix(EITHER).strip().partition(":")
    return time(int(hour), int(minute)), unclear


def due(at: time, unclear: bool, day: str, now: float, zone: tzinfo | None) -> float | None:
    """When it is next that time, in seconds since 1970; None when that day's time is over.

    Where clocks go forward over it, it is the moment that would have had this name.
    """
    local = datetime.fromtimestamp(now, zone)
    ahead = {"": 0, "today": 0, "tomorrow": 1}.get(day)
    if ahead is None:
        ahead = (DAYS.index(day) - local.weekday()) % 7
    options = [at]
    if unclear and ahead == 0:
        options = [at.replace(hour=at.hour % 12), at.replace(hour=at.hour % 12 + 12)]
    elif unclear and (at.hour % 12) < 6:
        options = [at.replace(hour=at.hour % 12 + 12)]  # tomorrow at three, or at twelve
    later = {"": (0, 1), "today": (0,), "tomorrow": (1,)}.get(day, (ahead, ahead + 7))
    for days in later:
        for option in options:
            wanted = datetime.combine(local.date() + timedelta(days), option)
            found = wanted.replace(tzinfo=zone).timestamp()
            if found > now:
                return found
    return None


def said_time(at: time) -> str:
    """A time of day, fit to be spoken: "7:05 in the evening", "noon"."""
    if (at.hour, at.minute) in ((0, 0), (12, 0)):
        return "noon" if at.hour else "midnight"
    if at.hour < 12:
        part = "in the morning" if at.hour > 3 else "at night"
    else:
        part = "in the afternoon" if at.hour < 18 else "in the evening"
    part = "at night" if at.hour >= 22 else part
    hour = (at.hour - 1) % 12 + 1
    return f"{hour}:{at.minute:02} {part}" if at.minute else f"{hour} o'clock {part}"


def _day(words: str) -> tuple[str, str]:
    """Its name as an argument, and the half of the day that it implies."""
    said = words.removeprefix("on ").removeprefix("next ")
    if said == "tonight" or (said.startswith("this ") and said.split()[1] not in DAYS):
        return "today", _HALVES[said if said == "tonight" else said.split()[1]]
    said = said.removeprefix("this ")
    day, _, part = said.partition(" ")
    return day, _HALVES.get(part, "")


def _clock(said: str, half: str) -> str | None:
    """ "half past seven", "seven oh five" or "19:30" as "07:30" or "7:30 am or pm"."""
    if said in ("noon", "midday", "midnight"):
        return None if half == "am" else ("00:00" if said == "midnight" else "12:00")
    found = _read_clock(said.removesuffix(" o'clock"))
    if found is None:
        return None
    hour, minute, definite = found
    if not (0 <= hour < 24 and 0 <= minute < 60):
        return None
    if definite or hour > 12 or hour == 0:
        if half and not definite and (half == "am") != (hour < 12):
            return None
        if not (half in ("pm", "night") and 0 < hour <= 12):
            return f"{hour:02}:{minute:02}"
    if half == "night":
        half = "pm" if 5 <= hour < 12 else "am"
    if not half:
        return f"{hour}:{minute:02} {EITHER}"
    return f"{hour % 12 + 12 * (half == 'pm'):02}:{minute:02}"


def _read_clock(said: str) -> tuple[int, int, bool] | None:
    """Hour, minute, and whether it was written so that it can only be one of 24 hours."""
    if match := _WRITTEN.fullmatch(said):
        hour = match[1] or match[3] or match[5]
        return int(hour or 0), int(match[2] or match[4] or 0), hour[:1] == "0" and not match[5]
    for word, sign in ((" past ", 1), (" after ", 1), (" to ", -1)):
        front, found, back = said.partition(word)
        if not found:
            continue
        named = {"half": 30, "quarter": 15, "a quarter": 15}.get(front)
        minutes = named or _whole(front.removesuffix(" minutes"))
        hour = _whole(back.removesuffix(" o'clock"))
        if not minutes or minutes >= 60 or hour is None or not 0 < hour < 24:
            return None
        total = hour * 60 + sign * minutes
        of_day = total // 60 if hour > 12 else (total // 60 - 1) % 12 + 1
        return of_day, total % 60, False
    if said.startswith("half "):  # British: half seven
        hour = _whole(said[5:])
        return None if hour is None else (hour, 30, False)
    words = said.split()
    for split in range(1, len(words)):  # seven thirty, seven oh five, nineteen thirty two
        hour, minute = _whole(" ".join(words[:split])), _minutes(words[split:])
        if hour is not None and minute is not None:
            return hour, minute, False
    hour = _whole(said)
    return None if hour is None else (hour, 0, False)


def _minutes(words: list[str]) -> int | None:
    if words[0] in ("oh", "zero"):
        rest = _whole(" ".join(words[1:]))
        return rest if rest is not None and 0 < rest < 10 else None
    value = _whole(" ".join(words))
    return value if value is not None and 9 < value < 60 else None


def _whole(words: str) -> int | None:
    value: Fraction | None = number(words)
    return int(value) if value is not None and value.denominator == 1 else None


def said_moment(then: datetime, now: datetime) -> str:
    """A moment as seen from another, fit to be spoken: "7:30 in the morning tomorrow"."""
    day = said_day(then.date(), now.date())
    return said_time(then.time()) + (f" {day}" if day != "today" else "")
