"""Keeps conversations in folders, to be replayed, where the gateway is told to."""

from __future__ import annotations

import errno
import logging
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from voice_kit.audio.formats import to_float, to_int16
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.line import Engines
from voice_kit.converse.recording import SOUND, Recorder
from voice_kit.errors import AudioError, VoiceKitError
from voice_kit.serve.shares import Shares
from voice_kit.serve.slow_disk import SlowDisk
from voice_kit.types import Audio, Samples

log = logging.getLogger(__name__)

EVERY = 0.25
"""Seconds between two visits to the disk."""
MOST = 4_000_000
"""Bytes of one conversation that may wait for the disk: one so slow gets no more."""
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
        whole = self._folder / name
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

    def _write(self) -> None:
        going = True
        while going:
            going = not self._stop.wait(self._every)
            with self._lock:
                parts = list(self._parts)
            for part in parts:
                if not part.write():
                    with self._lock:
                        self._parts.discard(part)

    def _tell(self, problem: str) -> None:
        self._failed()
        with self._lock:
            known = self._lines.add("", 1, time.monotonic())
        if not known:
            log.warning("A conversation is not recorded, and goes on. %s", problem)


class Unrecorded:
    """Takes the place of a recorder, and keeps nothing."""

    recorded = False
    microphone = None

    def engines(self, engines: Engines) -> Engines:
        """The same."""
        return engines

    def voice(self, engine: Any) -> Any:
        """The same."""
        return engine

    def said(self, sound: Audio) -> Audio:
        """The same."""
        return sound

    def follow(self, talk: Conversation) -> None:
        """Nothing."""

    def did(self, what: str, value: Any = True) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Part(Recorder):
    """A recorder whose lines and sounds wait in memory until `write` is called."""

    recorded = True
    """Whether what is said is kept, if only its beginning."""

    def __init__(self, folder: Path, tell: Callable[[str], object]) -> None:
        """`tell` hears why it is given up."""
        self._gave_up = tell
        self._waiting: defaultdict[str, list[bytes]] = defaultdict(list)
        self._size = 0
        self._over = False
        self.closed = threading.Event()
        """Set once nothing more of it is written."""
        super().__init__(folder)
        self._sound, self._wav = self._wav, _Later(self)  # type: ignore[assignment]

    def close(self) -> None:
        """Take nothing more; the file is closed once all of it was written."""
        self._over = True

    def write(self) -> bool:
        """Write what waits. Whether there may be more of it."""
        with self._lock:
            over, waiting = self._over or bool(self.problem), self._waiting
            self._waiting, self._size = defaultdict(list), 0
        try:
            for name, parts in waiting.items():
                data = b"".join(parts)
                if self.problem:
                    break
                if name == SOUND and self._sound:
                    self._sound.append(to_float(np.frombuffer(data, "<i2")))
                else:
                    super()._put(name, data)
        except (OSError, AudioError) as error:
            self._give_up(error)
        if over:
            with self._lock:  # not while they are closed: others wait for the lock
                files, self._files = [*self._files.values()], {}
            for file in (*files, self._sound):
                with suppress(OSError):
                    if file:
                        file.close()
            self.closed.set()
        return not over

    def _put(self, name: str, data: bytes) -> None:
        if self._over:
            return
        self._waiting[name].append(data)
        self._size += len(data)
        if self._size > MOST:
            raise OSError(errno.EIO, "the disk is too slow")

    def _give_up(self, error: Exception) -> None:
        if not self.problem:
            self._waiting.clear()
            super()._give_up(error)

    def _tell(self) -> None:
        self._gave_up(self.problem)


class _Later:
    """A sound file as a recorder knows it, which is written with all the rest."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def append(self, samples: Samples) -> None:
        self._part._write(SOUND, to_int16(samples).astype("<i2").tobytes())

    def close(self) -> None:
        """The file behind it is closed with the rest."""
