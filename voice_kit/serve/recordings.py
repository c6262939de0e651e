"""Keeps conversations in folders, to be replayed, where the gateway is told to."""

from __future__ import annotations

import errno
import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from voice_kit.errors import VoiceKitError
from voice_kit.serve.part import Part, Unrecorded
from voice_kit.serve.shares import Shares
from voice_kit.serve.slow_disk import SlowDisk

log = logging.getLogger(__name__)

EVERY = 0.25
"""Seconds between two visits to the disk."""
MOST = 64_000_000
"""Bytes of all conversations that may wait for the disk when another is begun."""
SPARE = 1_000_000_000
"""Bytes of the disk that are left to notes, timers and all else."""
LOOK = 1.0
"""Seconds between two looks at how much is left."""
BEGINS, REMOVES = 2.0, 10.0
"""Seconds for which the disk is waited for when a part begins, and when all of them go."""
ENDS = 10.0
"""Seconds in which what is left has to be on the disk once the gateway stops."""


class Recordings:
    """A recorder for each session. One thread writes for all, so that nobody waits for a disk."""

    def __init__(
        self, folder: str | Path, failed: Callable[[], object] = lambda: None, every: float = EVERY
    ) -> None:
        """`failed` hears of each conversation that cannot be kept, or not to its end. Raises
        `VoiceKitError` where nothing can be written."""
        self._folder, self._failed, self._every = Path(folder).expanduser(), failed, every
        self._parts: set[Part] = set()
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._folders = threading.Lock()  # held by none but those who may wait for the disk
        self._thread: threading.Thread | None = None
        self._begins, self._removes = SlowDisk(BEGINS), SlowDisk(REMOVES)
        self._lines = Shares(1, 600)  # a full disk is no flood of lines
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self._folder).close()
        except OSError as error:
            raise VoiceKitError(
                f"Nothing can be recorded in {self._folder}: {error.strerror}. Choose another "
                "folder with --record, or leave it out."
            ) from error

    def begin(self, name: str) -> Part | Unrecorded:
        """What keeps the next part of the conversation with this name, or nothing where that
        cannot be. Blocks, but not for a disk that hangs."""
        try:
            return self._begins.wait(partial(self._begin, name), lambda late: late.close())
        except OSError as error:
            self._tell(f"{self._folder} cannot be written: {error.strerror}.")
            return Unrecorded()

    def forget(self, name: str) -> None:
        """Remove all parts of that conversation, also one that is being written. Blocks, but not
        for a disk that hangs. Raises `OSError` where some of it may still be there."""
        self._removes.wait(partial(self._forget, name))

    def close(self) -> None:
        """Write what is left. Blocks, but not for ever."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(ENDS)

    def _begin(self, name: str) -> Part | Unrecorded:
        self._check_disk()
        with self._lock:
            waiting = sum(part.size for part in self._parts)
        if waiting > MOST:
            raise OSError(errno.EIO, "the disk is too slow")
        whole = self._folder / name
        with self._folders:
            whole.mkdir(mode=0o700, exist_ok=True)
            number = 1 + sum(1 for _ in whole.iterdir())
            while True:  # another gateway may take the same number
                with suppress(FileExistsError):
                    (whole / f"{number:03}").mkdir(mode=0o700)
                    break
                number += 1
        part = Part(whole / f"{number:03}", self._tell)
        if part.problem:
            return Unrecorded()
        with self._lock:
            self._parts.add(part)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="recordings", daemon=True)
                self._thread.start()
        return part

    def _forget(self, name: str) -> None:
        with self._lock:
            parts = [part for part in self._parts if part.folder.parent.name == name]
        for part in parts:
            part.problem = "It was deleted."
        for part in parts:  # or the thread that writes puts a file where all were removed
            part.closed.wait()
        whole = self._folder / name
        while whole.exists():
            with suppress(FileNotFoundError):  # whoever else removes it
                shutil.rmtree(whole)

    def _check_disk(self) -> None:
        if shutil.disk_usage(self._folder).free < SPARE:
            raise OSError(errno.ENOSPC, f"less than {SPARE / 1e9:g} GB of the disk is free")

    def _write(self) -> None:
        going, looked = True, 0.0
        while going:
            going = not self._stop.wait(self._every)
            with self._lock:
                parts = list(self._parts)
            if time.monotonic() > looked + LOOK:
                looked = time.monotonic()
                self._spare(parts)
            for part in parts:
                if not part.write():
                    self._drop(part)

    def _spare(self, parts: list[Part]) -> None:
        try:
            self._check_disk()
        except OSError as error:
            for part in parts:
                part.stop(error)

    def _drop(self, part: Part) -> None:
        """It has ended. One of a connection in which nothing was said is removed."""
        with self._lock:
            self._parts.discard(part)
        if part.empty:
            with self._folders:
                shutil.rmtree(part.folder, ignore_errors=True)
                with suppress(OSError):  # there are others
                    part.folder.parent.rmdir()

    def _tell(self, problem: str) -> None:
        self._failed()
        with self._lock:
            known = self._lines.add("", 1, time.monotonic())
        if not known:
            log.warning("A conversation is not recorded, and goes on. %s", problem)
