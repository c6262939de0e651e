"""Timers, alarms and reminders: kept in a file, rung aloud when they are due."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from voice_kit.think.skills.durations import said_duration
from voice_kit.think.skills.moments import said_moment, said_time
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

_TABLE = """CREATE TABLE IF NOT EXISTS alarms (
    id INTEGER PRIMARY KEY, what TEXT NOT NULL, name TEXT NOT NULL, due REAL NOT NULL,
    length REAL NOT NULL, next REAL NOT NULL, rung INTEGER NOT NULL DEFAULT 0)"""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that rings. Moments are in seconds since 1970."""

    id: int
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


class Alarms:
    """All that is set, in `alarms.db` of a folder. May be used from several threads."""

    def __init__(self, folder: Path, room: Room) -> None:
        """Nothing is opened before it is needed."""
        self._file = folder / "alarms.db"
        self._room = room
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def add(self, what: What, due: float, *, name: str = "", length: float = 0.0) -> Alarm:
        """Set one. Raises `ToolError` when it cannot be kept."""
        with self._open() as db:
            if db.execute("SELECT count(*) FROM alarms").fetchone()[0] >= MOST:
                raise ToolError(f"{MOST} are set already. Cancel some of them first.")
            row = db.execute(
                "INSERT INTO alarms (what, name, due, length, next) VALUES (?, ?, ?, ?, ?)",
                (what, name, due, length, due),
            )
            alarm = Alarm(int(row.lastrowid or 0), what, name, due, length, due, 0)
        self._changed()
        return alarm

    def pending(self) -> list[Alarm]:
        """All that are set or ringing, the next one first."""
        if self._db is None and not self._file.exists():
            return []  # most conversations never set one
        with self._open() as db:
            return [Alarm(*row) for row in db.execute("SELECT * FROM alarms ORDER BY next, id")]

    def ringing(self) -> list[Alarm]:
        """Those that rang and that nobody has stopped yet."""
        return [each for each in self.pending() if each.rung]

    def remove(self, alarms: Iterable[Alarm]) -> None:
        """Let these never ring again."""
        with self._open() as db:
            db.executemany("DELETE FROM alarms WHERE id = ?", [(each.id,) for each in alarms])
        self._changed()

    def postpone(self, alarms: Iterable[Alarm], seconds: float) -> None:
        """Let these ring anew, so many seconds from now."""
        then = self._room.clock() + seconds
        with self._open() as db:
            rows = [(then, then, each.id) for each in alarms]
            db.executemany("UPDATE alarms SET due = ?, next = ?, rung = 0 WHERE id = ?", rows)
        self._changed()

    def close(self) -> None:
        """Let the file go. It is opened again when it is needed."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def due(self) -> Iterator[str]:
        """What is to be said now of those that are due; each ring is given to one caller only.

        One that should have rung long ago is told once: the machine was off, or asleep.
        """
        now = self._room.clock()
        for each in self.pending():
            if each.next > now:
                break
            over = each.rung >= RINGS or now - each.next > LATE
            with self._open() as db:
                if over:
                    changed = db.execute("DELETE FROM alarms WHERE id = ?", (each.id,))
                else:
                    changed = db.execute(
                        "UPDATE alarms SET rung = rung + 1, next = ? WHERE id = ? AND rung = ?",
                        (now + EVERY, each.id, each.rung),
                    )
                ours = changed.rowcount == 1
            if ours and not over:
                yield self._ring(each)
            elif ours and not each.rung:
                yield self._missed(each)

    async def ring_forever(self, announce: Callable[[str], None]) -> None:
        """Announce whatever is due, when it is due, until cancelled.

        When the file cannot be read any more, that is announced, and it returns.
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

    def _changed(self) -> None:
        for loop, event in list(self._waiting):
            with suppress(RuntimeError):  # that loop was closed
                loop.call_soon_threadsafe(event.set)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is kept, or nothing. Raises `ToolError`."""
        with self._lock:
            try:
                if self._db is None:
                    self._db = self._connect()
                with self._db:
                    yield self._db
            except (sqlite3.Error, OSError) as error:
                why = "the disk is full" if "full" in str(error) else f"{self._file} is unusable"
                fix = "Make room" if "full" in str(error) else "Move it away"
                raise ToolError(f"I cannot keep timers: {why}. {fix} and ask again.") from error

    def _connect(self) -> Any:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self._file, timeout=2.0, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        # Kept through a crash of ours; when the power fails, the last seconds may be lost.
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(_TABLE)
        return db
