"""Where notes and timers are kept: texts with names, in a folder or wherever else they may be."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from voice_kit.think.tools import ToolError

LARGEST = 1_000_000
"""Bytes of a page."""

Edit = Callable[[str], str]
"""The text as it is to be, from the text as it is. May be called again, with what came of another
change; raises `ToolError` where there is nothing to be done any more."""


class Pages(Protocol):
    """Texts with names such as “notes.md”. May be used from several threads."""

    def read(self, page: str) -> str:
        """The whole text; empty when there is none. Raises `ToolError`."""

    def change(self, page: str, edit: Edit) -> None:
        """Put what `edit` makes of it in its place; nobody else's change comes between, or gets
        lost. Raises `ToolError`, also what `edit` raises, and then nothing is changed."""


class Folder:
    """Pages as files of one folder, which people may edit too."""

    def __init__(self, folder: Path) -> None:
        """Nothing is opened or written before it is needed."""
        self._folder = folder
        self._lock = threading.Lock()

    def read(self, page: str) -> str:
        """The whole text; empty when there is no such file."""
        file = self._folder / page
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
            raise unreadable(page) from error

    def change(self, page: str, edit: Edit) -> None:
        """Write the file anew. A reader finds it as it was or as it is, never half."""
        with self._alone():
            before = self.read(page)
            if (after := edit(before)) != before:
                self._write(self._folder / page, after)

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


def unreadable(page: str) -> ToolError:
    """What is said of a page that somebody has spoilt."""
    return ToolError(f"{page} cannot be read. Move it away and ask again.")


def _lock_file(descriptor: int) -> None:
    """Wait for other processes, where the system can. Closing the file lets them go on."""
    try:
        import fcntl
    except ImportError:  # Windows: a lock within the process has to do
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def _unwritable(error: OSError) -> ToolError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    why = "the disk is full. Make room" if full else "the folder cannot be written. Mend that"
    return ToolError(f"I cannot write that down: {why} and ask again.")
