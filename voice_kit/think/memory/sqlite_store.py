"""Conversations in one SQLite file."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from voice_kit.think.memory.store import Line, MemoryStoreError

T = TypeVar("T")

WAIT = 5.0
"""Seconds to wait for other writers."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS lines (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    exchange TEXT NOT NULL,
    role TEXT NOT NULL,
    text TEXT NOT NULL,
    at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS by_name ON lines (name, kind, number);
CREATE INDEX IF NOT EXISTS by_exchange ON lines (name, exchange);
"""
MARKS = ("application_id", "user_version")
APPLICATION, VERSION = 0x766B6974, 1
COLUMNS = "exchange, role, text, at"


class SqliteStore:
    """Keeps conversations in a file that several processes may share.

    What is forgotten is overwritten in the file and in its log beside it; copies that the disk or
    a backup made are out of reach. Turns of the last moments may be lost when the power fails,
    and never when only the program ends.
    """

    def __init__(self, path: str | Path) -> None:
        """Opens nothing yet: that happens at the first use, and again after it failed."""
        self.path = Path(path).expanduser()
        self.where = str(self.path)
        self._lock = threading.RLock()
        self._opened: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def append(self, name: str, lines: Sequence[Line]) -> None:
        """Keep these, after what is there: all of them or, when it raises, none."""
        rows = [(name, _kind(each), each.exchange, each.role, each.text, each.at) for each in lines]
        insert = "INSERT INTO lines (name, kind, exchange, role, text, at) VALUES (?,?,?,?,?,?)"
        self._do(lambda file: file.executemany(insert, rows))

    def last(self, name: str, count: int | None = None) -> list[Line]:
        """The last lines that were said, or all of them, oldest first."""
        return self._read(name, "said", -1 if count is None else count)

    def facts(self, name: str) -> list[Line]:
        """What is to be remembered, oldest first."""
        return self._read(name, "fact", -1)

    def summary(self, name: str) -> Line | None:
        """What the oldest lines were about, if that was written."""
        found = self._read(name, "summary", 1)
        return found[0] if found else None

    def summarise(self, name: str, summary: Line) -> bool:
        """Keep this instead of the summary before; whether what it covers is still there."""
        there = "SELECT 1 FROM lines WHERE name = ? AND exchange = ? AND kind = 'said'"

        def replace(file: sqlite3.Connection) -> bool:
            if file.execute(there, (name, summary.exchange)).fetchone() is None:
                return False
            file.execute("DELETE FROM lines WHERE name = ? AND kind = 'summary'", (name,))
            self.append(name, [summary])
            return True

        return self._do(replace)

    def forget(self, name: str, exchange: str) -> None:
        """Erase all lines and facts of an exchange, and the summary, which may tell of them."""
        which = "name = ? AND (exchange = ? OR kind = 'summary')"
        self._erase(f"DELETE FROM lines WHERE {which}", (name, exchange))

    def forget_everything(self, name: str) -> None:
        """Erase this conversation, its facts and its summary."""
        self._erase("DELETE FROM lines WHERE name = ?", (name,))

    def names(self) -> list[str]:
        """The conversations that are kept, in alphabetical order."""
        query = "SELECT DISTINCT name FROM lines ORDER BY name"
        rows = self._do(lambda file: file.execute(query).fetchall(), write=False)
        return [name for (name,) in rows]

    def close(self) -> None:
        """Let go of the file. It is opened again when it is needed."""
        with self._lock:
            if self._opened is not None:
                with suppress(sqlite3.Error):
                    self._opened.close()
                self._opened = None

    def _read(self, name: str, kind: str, count: int) -> list[Line]:
        query = f"SELECT {COLUMNS} FROM lines WHERE name = ? AND kind = ? ORDER BY number DESC"
        rows = self._do(
            lambda file: file.execute(f"{query} LIMIT ?", (name, kind, count)).fetchall(),
            write=False,
        )
        return [Line(*row) for row in reversed(rows)]

    def _erase(self, statement: str, values: tuple[str, ...]) -> None:
        def erase(file: sqlite3.Connection) -> None:
            file.execute(statement, values)
            file.execute("COMMIT")
            # Deleted rows are overwritten already; pages may hold older copies of them, and the
            # log has all that was written since it was last emptied.
            file.execute("VACUUM")
            busy, *_ = file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise MemoryStoreError(
                    f"It is forgotten, but traces are left in {self.where}-wal, which another "
                    "program is reading. Close that one and ask again."
                )

        self._do(erase)

    def _do(self, work: Callable[[sqlite3.Connection], T], *, write: bool = True) -> T:
        """What `work` gives back; if it writes, in one transaction with what surrounds it."""
        with self._lock:
            try:
                file = self._connection()
                if not write or file.in_transaction:
                    return work(file)
                file.execute("BEGIN IMMEDIATE")
                try:
                    done = work(file)
                    if file.in_transaction:
                        file.execute("COMMIT")
                    return done
                finally:
                    if file.in_transaction:
                        file.execute("ROLLBACK")
            except (sqlite3.Error, OSError) as error:
                self.close()
                raise self._explained(error) from error

    def _connection(self) -> sqlite3.Connection:
        # SQLite would go on writing into a file that someone has deleted or replaced.
        if self._opened is None or self._identity != self._seen():
            self.close()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Nobody else's to read; SQLite gives the files beside it the same mode.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            file = sqlite3.connect(
                self.path, timeout=WAIT, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(file)
            except BaseException:
                file.close()
                raise
            self._opened, self._identity = file, self._seen()
        return self._opened

    def _seen(self) -> tuple[int, int] | None:
        try:
            about = self.path.stat()
        except FileNotFoundError:
            return None
        return about.st_dev, about.st_ino

    def _prepare(self, file: sqlite3.Connection) -> None:
        ours = (0, 0), (APPLICATION, VERSION)
        file.execute("BEGIN")  # or another program could make the tables between these
        empty = file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        marks = tuple(file.execute(f"PRAGMA {each}").fetchone()[0] for each in MARKS)
        file.execute("COMMIT")
        if marks not in ours or (marks == (0, 0) and not empty):
            raise MemoryStoreError(
                f"{self.where} belongs to another program, or to a newer voice-kit. "
                "Name another file in memory.store."
            )
        file.execute("PRAGMA secure_delete = ON")
        file.execute("PRAGMA synchronous = NORMAL")
        file.execute("PRAGMA temp_store = MEMORY")
        if marks == (0, 0):
            _first(file)

    def _explained(self, error: sqlite3.Error | OSError) -> MemoryStoreError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        number = getattr(error, "errno", None)
        if code == sqlite3.SQLITE_FULL or number in (errno.ENOSPC, errno.EDQUOT):
            return MemoryStoreError(f"The disk with {self.where} is full. Make room on it.")
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            fix = f"Move it away, or name another in memory.store: mv {self.where} {self.where}.bad"
            return MemoryStoreError(f"{self.where} is damaged or no memory of ours. {fix}")
        if code == sqlite3.SQLITE_BUSY:
            return MemoryStoreError(
                f"Another program has held {self.where} for {WAIT:g} s. Close that program."
            )
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN) or (
            number is not None
        ):
            fix = "Make it and its folder writable, or name another file in memory.store."
            return MemoryStoreError(f"{self.where} cannot be written. {fix}")
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        fix = "Check the disk, or name another file in memory.store."
        return MemoryStoreError(f"{self.where} cannot be used ({name}). {fix}")


def _first(file: sqlite3.Connection) -> None:
    """Make the tables, while others may be doing so too."""
    until = time.monotonic() + WAIT
    while True:
        try:
            file.execute("PRAGMA journal_mode = WAL")  # does not wait for others by itself
            file.execute("BEGIN IMMEDIATE")
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
    for statement in SCHEMA.split(";"):
        file.execute(statement)
    for mark, value in zip(MARKS, (APPLICATION, VERSION), strict=True):
        file.execute(f"PRAGMA {mark} = {value}")
    file.execute("COMMIT")


def _kind(line: Line) -> str:
    return line.role if line.role in ("fact", "summary") else "said"
