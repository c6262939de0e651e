"""Skills: timers, alarms and reminders."""

from __future__ import annotations

import re
from typing import Literal

from voice_kit.think.skills import durations, moments
from voice_kit.think.skills.alarms import Alarms
from voice_kit.think.skills.durations import said_duration
from voice_kit.think.skills.moments import said_moment, said_time
from voice_kit.think.skills.room import Room
from voice_kit.think.skills.skill import Phrased, skill
from voice_kit.think.tools import ToolError

Day = Literal[
    "",
    "today",
    "tomorrow",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
]

SET = "(set | start | make | create | begin | add | give me | i need | put on | run)"
_YOURS = {"my": "your", "me": "you", "i": "you", "mine": "yours", "myself": "yourself"}
_YOURS |= {"i'm": "you're", "i've": "you've", "am": "are"}


def timer_skills(room: Room, alarms: Alarms) -> list[Phrased]:
    """Those that set something that will ring."""

    @skill(
        f"{SET} [a | an | another | the | my] [new] timer (for | of | to | at) {{duration}}",
        f"{SET} [a | an | another | the | my] [new] timer (for | of | to | at) {{duration}}"
        " (called | named | labelled | for | to) [the | my] {name}",
        f"{SET} [a | an | another | the | my] timer (called | named | for) [the | my] {{name}}"
        " (for | of) {duration}",
        f"{SET} [a | an | another | the | my] {{name}} timer (for | of | to) {{duration}}",
        f"{SET} [a | an | another | the | my] {{duration}} [{{name}}] (timer | countdown)",
        f"{SET} [a | an | another] {{duration}} timer (called | named | for) [the | my] {{name}}",
        f"{SET} [a | an | the] countdown (of | from | for) {{duration}}",
        "[a | another] timer [for] {duration}",
        "[a | another] timer for {duration} for [the | my] {name}",
        "[a | another] {duration} [{name}] timer",
        "count down [from] {duration}",
        can="set timers and alarms",
    )
    def set_timer(hours: float = 0, minutes: float = 0, seconds: float = 0, name: str = "") -> str:
        """Set a timer that rings after so many hours, minutes and seconds. A name, such as
        "pasta", tells it from others."""
        length = _length(hours, minutes, seconds)
        made = alarms.add("timer", room.clock() + length, name=_short(name), length=length)
        title = f"{made.title[0].upper()}{made.title[1:]}" if name else "Timer"
        return f"{title} set for {said_duration(length)}."

    @skill(
        f"{SET} [a | an | another | the | my] [new] [wake up] alarm (for | at) {{moment}}",
        f"{SET} [a | an | another | the | my] [new] alarm (for | at) {{moment}}"
        " (called | named | labelled | for | to) [the | my] {name}",
        f"{SET} [a | an | another | the | my] {{moment}} alarm",
        f"{SET} [a | an | another | the | my] {{name}} alarm (for | at) {{moment}}",
        f"{SET} [an | another | the | my] alarm {{moment}}",
        "[an] alarm (for | at) {moment}",
        "(wake me | get me up | wake us) [up] [at] {moment:waking}",
        "i (want | need | have) to (wake | get) up at {moment:waking}",
    )
    def set_alarm(time: str, day: Day = "", name: str = "") -> str:
        """Set an alarm for a time of day: time="07:30" or "19:30", or "7:30 am or pm" for
        whichever comes next."""
        due = _due(time, day)
        alarms.add("alarm", due, name=_short(name))
        return f"Alarm set for {_when(due)}."

    @skill(
        f"{SET} [an | another | the | my] alarm (in | for) {{duration}} [from now]",
        "(wake me | get me up | wake us) [up] in {duration}",
    )
    def set_alarm_in(hours: float = 0, minutes: float = 0, seconds: float = 0) -> str:
        """Set an alarm that rings after so many hours, minutes and seconds."""
        due = room.clock() + _length(hours, minutes, seconds)
        alarms.add("alarm", due)
        return f"Alarm set for {_when(due)}."

    @skill(
        "remind me in {duration} [from now] [(to | about | of | that) {about:text}]",
        "remind me (to | about | of | that) {about:text} in {duration} [from now]",
        "remind me [at | on] {moment} [(to | about | of | that) {about:text}]",
        "remind me (to | about | of | that) {about:text} [at | on] {moment}",
        "(set | make | create | add) a reminder (to | for | about) {about:text} (in {duration} |"
        " [at | on] {moment})",
        "(set | make | create | add) a reminder (in {duration} | [for | at] {moment})"
        " [(to | for | about) {about:text}]",
        "in {duration} remind me (to | about | of) {about:text}",
        "[at] {moment} remind me (to | about | of) {about:text}",
        can="remind you of something",
    )
    def remind_me(
        about: str = "",
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        time: str = "",
        day: Day = "",
    ) -> str:
        """Remind the user of something, after so many hours, minutes and seconds, or at a time
        of day such as "19:30"."""
        if time:
            due = _due(time, day)
            when = f"at {_when(due)}"
        else:
            length = _length(hours, minutes, seconds)
            due, when = room.clock() + length, f"in {said_duration(length)}"
        alarms.add("reminder", due, name=_yours(_short(about, 200)))
        return f"I will remind you {when}."

    def _due(time: str, day: str) -> float:
        at = moments.read_time(time)
        if at is None:
            raise ToolError("I do not understand the time. Say it as “half past seven”.")
        due = moments.due(*at, day, room.clock(), room.zone)
        if due is None:
            raise ToolError(f"{said_time(at[0]).capitalize()} is over today.")
        return due

    def _when(due: float) -> str:
        return said_moment(room.local(due), room.local())

    return [set_timer, set_alarm, set_alarm_in, remind_me]


def _length(hours: float, minutes: float, seconds: float) -> float:
    total = hours * 3600 + minutes * 60 + seconds
    if not 1 <= total <= durations.LONGEST:
        raise ToolError("That is no length of time. Say it as “ten minutes”.")
    return total


def _short(name: str, longest: int = 40) -> str:
    return " ".join(name.split())[:longest]


def _yours(words: str) -> str:
    """The same from our side: "call my mum" is “call your mum”."""

    def other(match: re.Match[str]) -> str:
        return _YOURS.get(match[0].lower().replace("’", "'"), match[0])

    return re.sub(r"[\w'’]+", other, words)
