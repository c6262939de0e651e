"""One part of a recorded conversation, which waits in memory until it is written."""

from __future__ import annotations

import errno
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from voice_kit.audio.formats import to_float, to_int16
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.line import Engines
from voice_kit.converse.recording import SOUND, TAPE, Recorder
from voice_kit.errors import AudioError
from voice_kit.types import Audio, Samples

LATE, MOST = 10.0, 16_000_000
"""Seconds for which something may wait for the disk, and bytes of one conversation that may."""


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
        self.size = 0
        """Bytes that wait for the disk."""
        self._since = 0.0  # when the first of them came
        self._over = False
        self.empty = True
        """Whether nobody has spoken, and nothing has happened."""
        self.closed = threading.Event()
        """Set once nothing more of it is written."""
        super().__init__(folder)
        self._sound, self._wav = self._wav, _Later(self)  # type: ignore[assignment]

    def close(self) -> None:
        """Take nothing more; the file is closed once all of it was written."""
        self._over = True

    def stop(self, error: OSError) -> None:
        """Keep what there is, and no more."""
        with self._lock:
            self._give_up(error)

    def write(self) -> bool:
        """Write what waits. Whether there may be more of it."""
        with self._lock:
            over, waiting = self._over or bool(self.problem), self._waiting
            self._waiting, self.size = defaultdict(list), 0
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
        now = time.monotonic()
        self._since = self._since if self._waiting else now
        self._waiting[name].append(data)
        self.size += len(data)
        self.empty = self.empty and name == TAPE
        if self.size > MOST or now > self._since + LATE:
            raise OSError(errno.EIO, "the disk is too slow")

    def _give_up(self, error: Exception) -> None:
        if not self.problem:
            self._waiting.clear()
            self.size = 0
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
