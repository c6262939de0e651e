"""Notes in Markdown files, one to a line, which people may edit too."""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from voice_kit.think.skills.room import Room
from voice_kit.think.tools import ToolError

NOTES = "notes"
"""The notebook that is meant when none is named."""
LONGEST = 1000
"""Characters of a note."""
LARGEST = 1_000_000
"""Bytes of a notebook."""

_NAME = re.compile(r"[^\W_][\w-]{0,39}")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)  # on Windows
_NOTE = re.compile(r"[-*] (?:\d{4}-\d\d-\d\d \d\d:\d\d )?(.*)")


class Notebook:
    """Notes and lists in the Markdown files of one folder. Nothing outside of it is touched."""

    def __init__(self, folder: Path, room: Room) -> None:
        self._folder = folder
        self._room = room
        self._lock = threading.Lock()

    def add(self, text: str, name: str = NOTES) -> None:
        """Write a note at the end. A reader finds the file with it or without it, never half."""
        line = " ".join(text.split())
        if not line or len(line) > LONGEST:
            raise ToolError(f"A note has 1 to {LONGEST:,} characters.")
        file = self._file(name)
        when = f"{self._room.local():%Y-%m-%d %H:%M} " if name == NOTES else ""
        with self._alone():
            before = self._read(file) or f"# {name.capitalize()}\n\n"
            self._write(file, f"{before.rstrip()}\n{_blank(before)}- {when}{line}\n")

    def notes(self, name: str = NOTES) -> list[str]:
        """Every note, the oldest first."""
        found = map(_NOTE.fullmatch, self._read(self._file(name)).splitlines())
        return [match[1] for match in found if match]

    def delete_last(self, name: str, expected: str) -> None:
        """Take the last note away, if it still is the expected one, and leave all else as it is."""
        file = self._file(name)
        with self._alone():
            lines = self._read(file).splitlines(keepends=True)
            places = [place for place, line in enumerate(lines) if _NOTE.match(line)]
            last = _NOTE.match(lines[places[-1]]) if places else None
            if last is None or last[1].strip() != expected.strip():
                raise ToolError("The last note is another one now. Ask again.")
            del lines[places[-1]]
            self._write(file, "".join(lines))

    def _file(self, name: str) -> Path:
        """Where this notebook is. Raises `ToolError` for a name that could lead elsewhere."""
        plain = "-".join(name.casefold().split())
        if not _NAME.fullmatch(plain) or _RESERVED.fullmatch(plain):
            raise ToolError("A notebook's name has letters and digits only.")
        return self._folder / f"{plain}.md"

    def _read(self, file: Path) -> str:
        """The whole text; empty when there is no such file."""
        try:
            # Without NONBLOCK a pipe of that name would hang us.
            flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            if file.is_symlink():
                raise OSError(errno.ELOOP, "a link")
            descriptor = os.open(file, os.O_RDONLY | flags)
            with os.fdopen(descriptor, encoding="utf-8", newline="") as opened:
                about = os.fstat(descriptor)
                if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
                    raise OSError(errno.EINVAL, "no file of ours")
                return opened.read()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            fix = "Move it away and ask again."
            raise ToolError(f"The notebook {file.name} cannot be read. {fix}") from error

    def _write(self, file: Path, text: str) -> None:
        new = ""
        try:
            descriptor, new = tempfile.mkstemp(".new", ".", self._folder)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as opened:
                opened.write(text)
                opened.flush()
                os.fsync(descriptor)
            os.replace(new, file)  # noqa: PTH105 - the same, and shorter
        except OSError as error:
            with suppress(OSError):
                Path(new).unlink()
            raise _unwritable(error) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other writer comes between reading and writing, of this process or of another."""
        with self._lock:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                lock = open(self._folder / ".lock", "a")  # noqa: SIM115, PTH123
            except OSError as error:
                raise _unwritable(error) from error
            with lock:
                _lock_file(lock.fileno())
                yield


def _lock_file(descriptor: int) -> None:
    """Wait for other processes, where the system can. Closing the file lets them go on."""
    try:
        import fcntl
    except ImportError:  # Windows: a lock within the process has to do
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def _blank(before: str) -> str:
    """A list begins after an empty line."""
    last = before.rstrip().rpartition("\n")[2]
    return "" if _NOTE.fullmatch(last) else "\n"


def _unwritable(error: OSError) -> ToolError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    why = "the disk is full. Make room" if full else "the folder cannot be written. Mend that"
    return ToolError(f"I cannot write that down: {why} and ask again.")
