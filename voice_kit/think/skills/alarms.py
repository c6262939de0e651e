"""Timers, alarms and reminders: kept on a page, rung aloud when they are due."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from voice_kit.think.skills.durations import said_duration
from voice_kit.think.skills.moments import said_moment, said_time
from voice_kit.think.skills.pages import Pages, unreadable
from voice_kit.think.skills.room import Room
from voice_kit.think.tools import ToolError

What = Literal["timer", "alarm", "reminder"]

RINGS = 4
"""How often it rings, unless somebody stops it."""
EVERY = 15.0
"""Seconds from one ring to the next."""
LATE = 60.0
"""Seconds: what should have rung longer ago was missed, and is only told."""
NAP = 30.0
"""Seconds: the longest sleep. A machine that was suspended, or whose clock was set, is noticed."""
MOST = 100
"""So many may be set at once."""
PAGE = "alarms.json"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that rings. Moments are in seconds since 1970."""

    id: str
    what: What
    name: str
    """Of a reminder, what it reminds of."""
    due: float
    length: float
    """Seconds that a timer runs; 0 for others."""
    next: float
    """When it rings next: after the first ring, later than `due`."""
    rung: int

    @property
    def title(self) -> str:
        """ "pasta timer", "timer of 10 minutes", "alarm", "reminder"."""
        if self.what == "timer" and not self.name:
            return f"timer of {said_duration(self.length)}"
        return f"{self.name} {self.what}" if self.name and self.what != "reminder" else self.what


_ALARMS = TypeAdapter(list[Alarm])


class Alarms:
    """All that is set, on a page of its own. May be used from several threads."""

    def __init__(self, pages: Pages, room: Room) -> None:
        self._pages = pages
        self._room = room
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def add(self, what: What, due: float, *, name: str = "", length: float = 0.0) -> Alarm:
        """Set one. Raises `ToolError` when it cannot be kept."""
        alarm = Alarm(secrets.token_hex(4), what, name, due, length, due, 0)

        def with_it(alarms: list[Alarm]) -> list[Alarm]:
            if len(alarms) >= MOST:
                raise ToolError(f"{MOST} are set already. Cancel some of them first.")
            return [*alarms, alarm]

        self._change(with_it)
        return alarm

    def pending(self) -> list[Alarm]:
        """All that are set or ringing, the next one first."""
        return sorted(_read(self._pages.read(PAGE)), key=lambda alarm: alarm.next)

    def ringing(self) -> list[Alarm]:
        """Those that rang and that nobody has stopped yet."""
        return [each for each in self.pending() if each.rung]

    def remove(self, alarms: Iterable[Alarm]) -> None:
        """Let these never ring again."""
        self._replace(alarms, lambda alarm: [])

    def postpone(self, alarms: Iterable[Alarm], seconds: float) -> None:
        """Let these ring anew, so many seconds from now."""
        then = self._room.clock() + seconds
        self._replace(alarms, lambda alarm: [replace(alarm, due=then, next=then, rung=0)])

    def due(self) -> Iterator[str]:
        """What is to be said now of those that are due; each ring is given to one caller only.

        One that should have rung long ago is told once: the machine was off, or asleep.
        """
        now = self._room.clock()
        for each in self.pending():
            if each.next > now:
                break
            over = each.rung >= RINGS or now - each.next > LATE
            ours = self._claimed(each, None if over else now + EVERY)
            if ours and not over:
                yield self._ring(each)
            elif ours and not each.rung:
                yield self._missed(each)

    async def ring_forever(self, announce: Callable[[str], None]) -> None:
        """Announce whatever is due, when it is due, until cancelled.

        When the page cannot be read any more, that is announced, and it returns.
        """
        ours = (asyncio.get_running_loop(), asyncio.Event())
        self._waiting.add(ours)
        try:
            while True:
                ours[1].clear()
                for sentence in self.due():
                    announce(sentence)
                rest = [each.next - self._room.clock() for each in self.pending()[:1]]
                with suppress(TimeoutError):
                    async with asyncio.timeout(min([*rest, NAP])):
                        await ours[1].wait()
        except ToolError as error:
            announce(str(error))
        finally:
            self._waiting.discard(ours)

    def _ring(self, alarm: Alarm) -> str:
        if alarm.what == "reminder":
            return (
                f"Here is your reminder: {alarm.name}." if alarm.name else "Your reminder is due."
            )
        if alarm.what == "timer":
            return f"Your {alarm.title} is done."
        at = said_time(self._room.local(alarm.due).time())
        return f"It is {at}, time for {alarm.name}." if alarm.name else f"It is {at}. Your alarm."

    def _missed(self, alarm: Alarm) -> str:
        when = said_moment(self._room.local(alarm.due), self._room.local())
        about = f": {alarm.name}" if alarm.what == "reminder" and alarm.name else ""
        return f"While I was away, your {alarm.title} was due at {when}{about}."

    def _replace(self, alarms: Iterable[Alarm], by: Callable[[Alarm], list[Alarm]]) -> None:
        if which := {each.id for each in alarms}:
            self._change(
                lambda kept: [
                    new for each in kept for new in (by(each) if each.id in which else [each])
                ]
            )

    def _claimed(self, alarm: Alarm, then: float | None) -> bool:
        """Whether nobody else was faster. It rings next at `then`, or never again."""
        ours = False

        def rung(kept: list[Alarm]) -> list[Alarm]:
            nonlocal ours
            ours = alarm in kept
            rest = [each for each in kept if each != alarm]
            again = [] if then is None else [replace(alarm, rung=alarm.rung + 1, next=then)]
            return [*rest, *again] if ours else kept

        self._change(rung, tell=False)
        return ours

    def _change(self, edit: Callable[[list[Alarm]], list[Alarm]], tell: bool = True) -> None:
        def edited(text: str) -> str:
            return _ALARMS.dump_json(edit(_read(text))).decode()

        self._pages.change(PAGE, edited)
        for loop, event in list(self._waiting) if tell else ():
            with suppress(RuntimeError):  # that loop was closed
                loop.call_soon_threadsafe(event.set)


def _read(text: str) -> list[Alarm]:
    try:
        return _ALARMS.validate_json(text) if text else []
    except ValidationError as error:
        raise unreadable(PAGE) from error
