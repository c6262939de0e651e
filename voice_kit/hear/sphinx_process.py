"""A PocketSphinx process, seen from ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from typing import Any

from voice_kit.errors import EngineFailedError, SettingsError
from voice_kit.hear import sphinx_worker
from voice_kit.hear.sphinx_worker import GRAMMAR, OPEN, SETUP, SOUND, STOP, receive, send

REINSTALL = "pip install --force-reinstall pocketsphinx"


class GoneError(Exception):
    """The process ended before it answered."""


class Worker:
    """One process. Loads as soon as it is made, and ends when this object is gone or we are."""

    def __init__(self, setup: Mapping[str, Any]) -> None:
        # Its own session or group: Ctrl-C in the terminal is meant for us, and we close it.
        alone: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            alone = {
                "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
            }
        self._process = subprocess.Popen(
            # By its path: `-m` would load the package first. -P: our folder's modules must not
            # pass for those of the standard library.
            [sys.executable, "-P", sphinx_worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            **alone,
        )
        self.pid = self._process.pid
        self._writing = threading.Lock()
        self._ready = False
        self.end = weakref.finalize(self, _end, self._process, os.getpid())
        try:
            self._send(SETUP, 0, json.dumps(setup).encode())
        except GoneError:
            self.end()

    @property
    def gone(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def wait_until_ready(self) -> None:
        """Return once it has loaded. Raises `SettingsError` when it cannot take the commands."""
        if self._ready:
            return
        answer = self._receive()
        if missing := answer.get("missing"):
            raise SettingsError(
                f"PocketSphinx cannot pronounce {' or '.join(f'“{word}”' for word in missing)}. "
                "Say it in other words in [options.sphinx] commands, or add it to pronunciations."
            )
        if answer.get("problem", "").startswith(("ModuleNotFound", "Import", "OSError")):
            raise EngineFailedError("sphinx", "pocketsphinx cannot be loaded", fix=REINSTALL)
        if "problem" in answer:
            raise SettingsError(
                f"PocketSphinx cannot take these commands ({answer['problem']}). Check the JSGF "
                "grammar and the ARPABET of the pronunciations in [options.sphinx]."
            )
        self._ready = True

    def ask(self, number: int, pcm: bytes) -> None:
        """Let it hear 16-bit sound. Raises `GoneError`."""
        self._send(SOUND, number, pcm)

    def answer(self) -> dict[str, Any]:
        """What it takes the sound for, or that it was stopped. Raises `GoneError`.

        Blocks on a pipe, and so without Python's lock.
        """
        return self._receive()

    def stop(self, number: int) -> None:
        """Ask it to drop this call, which it does within a tenth of a second. May block."""
        self._send(STOP, number)

    def _send(self, kind: bytes, number: int, body: bytes = b"") -> None:
        assert self._process.stdin is not None
        with self._writing:
            try:
                send(self._process.stdin, kind, number, body)
            except (OSError, ValueError) as error:  # ValueError: the pipe is closed
                raise GoneError from error

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        try:
            message = receive(self._process.stdout)
        except (OSError, ValueError) as error:
            raise GoneError from error
        if message is None:
            raise GoneError
        answer: dict[str, Any] = json.loads(message[2])
        return answer


class Pair:
    """Two processes that hear the same sound at once: the commands, and any English."""

    def __init__(self, setup: Mapping[str, Any]) -> None:
        self._workers = {way: Worker({**setup, "way": way}) for way in (GRAMMAR, OPEN)}

    @property
    def pids(self) -> list[int]:
        """The numbers of the processes."""
        return [worker.pid for worker in self._workers.values()]

    @property
    def gone(self) -> bool:
        """Whether one has ended."""
        return any(worker.gone for worker in self._workers.values())

    def wait_until_ready(self) -> None:
        """Return once both have loaded. Raises `SettingsError`, `GoneError`."""
        for worker in self._workers.values():
            worker.wait_until_ready()

    def ask(self, number: int, pcm: bytes) -> dict[str, dict[str, Any]]:
        """What either takes the sound for. Raises `GoneError`."""
        for worker in self._workers.values():
            worker.ask(number, pcm)
        return {way: worker.answer() for way, worker in self._workers.items()}

    def stop(self, number: int) -> None:
        """Ask both to drop this call."""
        for worker in self._workers.values():
            worker.stop(number)

    def end(self) -> None:
        """End both."""
        for worker in self._workers.values():
            worker.end()


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() != owner:  # a fork of us ends; the worker is still wanted
        return
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # what was left unsent
                continue
