"""Skills: what is set, how long it still runs, and stopping it."""

from __future__ import annotations

from typing import Literal

from voice_kit.think.skills import durations, moments
from voice_kit.think.skills.alarms import Alarm, Alarms, What
from voice_kit.think.skills.durations import said_duration
from voice_kit.think.skills.moments import said_moment
from voice_kit.think.skills.numbers import count, listed
from voice_kit.think.skills.phrases import one_of
from voice_kit.think.skills.room import Room
from voice_kit.think.skills.skill import Phrased, skill
from voice_kit.think.tools import ToolError

WHAT = {"what": one_of(timer="timer", alarm="alarm", reminder="reminder")}
EVERY = {"what": one_of(timer="timers | timer", alarm="alarms", reminder="reminders")}
END = (
    "(cancel | stop | delete | remove | clear | turn off | switch off | end | dismiss | silence"
    " | kill | forget)"
)


def alarm_skills(room: Room, alarms: Alarms) -> list[Phrased]:
    """Those that look after timers, alarms and reminders."""

    @skill(
        "how (long | much time | much longer | many minutes) [is | are | have i | do i have]"
        " [left | remaining | to go | got] [(on | for | until | of) [the | my] [{name}] timer"
        " [is over | ends | goes off | is done]]",
        "how (long | much time) (is left | left) [for | until] [the | my] {name} timer",
        "how (long | much) (does | has) [the | my] [{name}] timer (have | got) [left]",
        "(when | what time) (does | will | is | do) [the | my] [next] [{name}] {what}"
        " [end | ring | go off | over | done | up | finished | set for | due | stop | finish]",
        "(what | which | how many) {what:every} (do i have | are there | are set | have i set"
        " | are running | are on | have i got | is set) [running | set | on | going]",
        "(list | show | show me | read | read me | check | what are) [all] [of] [my | the]"
        " {what:every}",
        "check [on] [the | my] [{name}] {what}",
        "(do i have | are there | is there | have i) [any | an | a] (alarm | alarms) [set | on]",
        "[what is] the status of [the | my] [{name}] {what}",
        kinds={**WHAT, "every": EVERY["what"]},
    )
    def time_left(name: str = "", what: What | Literal[""] = "") -> str:
        """What timers, alarms and reminders are set, and how long each still runs."""
        found = _named(alarms.pending(), what, name)
        if not found:
            return f"There is no {name} {what or 'timer'}.".replace("  ", " ")
        if len(found) == 1 and found[0].what == "timer":
            return f"{_left(found[0])} left on your {found[0].title}."
        states = [_state(each) for each in found]
        return f"You have {count(len(found), what or 'thing')} set: {listed(states)}."

    def shall_i(name: str = "", what: What | Literal[""] = "", every: bool = False) -> str:
        try:
            found = _named(alarms.pending(), what, name)
        except ToolError:
            return ""  # cancelling says why
        return f"Shall I cancel all {len(found)}?" if every and len(found) > 1 else ""

    @skill(
        f"{END} [the | my | that | this] {{what}}",
        f"{END} [the | my | that | this] {{name}} {{what}}",
        f"{END} [the | my | that | this] {{what}} (called | named | for | of | at | about | to)"
        " [the | my] {name}",
        (f"{END} (all | every | both) [of] [the | my | those] {{what:every}}", {"every": True}),
        (f"{END} [the | my] {{what:several}}", {"every": True}),
        kinds={
            **WHAT,
            "every": EVERY["what"],
            "several": one_of(timer="timers", alarm="alarms", reminder="reminders"),
        },
        asks=shall_i,
    )
    def cancel(name: str = "", what: What | Literal[""] = "", every: bool = False) -> str:
        """Cancel or stop a timer, an alarm or a reminder, by its name if there are several;
        every=true cancels all of them."""
        all_of_them = _named(alarms.pending(), what, "")
        found = _named(alarms.pending(), what, name)
        if not name and (ringing := [each for each in found if each.rung]) and not every:
            found = ringing
        if not found:
            if all_of_them:
                known = listed([_state(each) for each in all_of_them])
                raise ToolError(f"There is none like that. You have {known}.")
            raise ToolError(f"There is no {what or 'timer'} to cancel.")
        if len(found) > 1 and not every and not found[0].rung:
            raise ToolError(f"Which one? You have {listed([_state(each) for each in found])}.")
        alarms.remove(found)
        if len(found) > 1:
            return f"{count(len(found), found[0].what).capitalize()} cancelled."
        return f"Your {found[0].title} is {'off' if found[0].rung else 'cancelled'}."

    @skill(
        "snooze [it | that | the alarm | my alarm] [for {duration}]",
        "(let me sleep | give me | wake me in | wake me up in) another {duration}",
    )
    def snooze(hours: float = 0, minutes: float = 0, seconds: float = 0) -> str:
        """Let what rings now ring again later: after 9 minutes, or as long as is said."""
        ringing = alarms.ringing()
        if not ringing:
            raise ToolError("Nothing is ringing.")
        length = hours * 3600 + minutes * 60 + seconds or 9 * 60
        alarms.postpone(ringing, length)
        return f"Again in {said_duration(length)}."

    def _left(alarm: Alarm) -> str:
        return said_duration(max(1.0, alarm.due - room.clock()))

    def _state(alarm: Alarm) -> str:
        if alarm.rung:
            return f"your {alarm.title}, which is ringing"
        if alarm.what == "timer":
            return f"your {alarm.title} with {_left(alarm)} left"
        about = f" about “{alarm.name}”" if alarm.what == "reminder" and alarm.name else ""
        return f"your {alarm.title}{about} at {said_moment(room.local(alarm.due), room.local())}"

    def _named(found: list[Alarm], what: str, name: str) -> list[Alarm]:
        """Those of that kind and name; a timer is also known by its length, an alarm by its
        time."""
        wanted = name.casefold()
        of_kind = [each for each in found if what in ("", each.what)]
        by_name = [each for each in of_kind if wanted and wanted in each.name.casefold().split()]
        if exact := [each for each in of_kind if each.name.casefold() == wanted and wanted]:
            return exact
        if by_name or not wanted:
            return by_name or of_kind
        length, at = durations.seconds(wanted), moments.read_time(wanted)
        by_length = [each for each in of_kind if length and each.length == length]
        return by_length or [each for each in of_kind if at and _at(each, *at)]

    def _at(alarm: Alarm, wanted: object, unclear: bool) -> bool:
        then = room.local(alarm.due).time().replace(second=0, microsecond=0)
        return then == wanted or (unclear and then.replace(hour=(then.hour + 12) % 24) == wanted)

    return [time_left, cancel, snooze]
