"""What surrounds an engine: the state of the process, its log, and what importing it loads."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from typing import Any

HEAVY = frozenset(
    {
        *("torch", "tensorflow", "jax", "onnxruntime", "transformers", "ctranslate2"),
        *("sklearn", "scipy", "spacy", "matplotlib", "IPython"),
    }
)
"""Packages that take long to import."""

SIGNALS, LEVEL, HANDLERS, TIMEOUT = (
    *("signal handlers", "the level of logging", "the handlers of logging"),
    "the time limit of sockets",
)
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Surroundings:
    """Settings of the process that nobody has, put in place while this lasts; then those before.

    What is still another one at the end was changed meanwhile, even by who does so at every call.
    """

    def __enter__(self) -> Surroundings:
        self._before = _settings()
        self._may_set = threading.current_thread() is threading.main_thread()
        ours: dict[str, Any] = {TIMEOUT: 123.0, LEVEL: 7, SIGNALS: [self._pass_on] * len(_SIGNALS)}
        self._put(self._before | ours)
        self._ours = _settings()
        return self

    def changed(self) -> list[str]:
        """The names of what is no longer as it was put in place."""
        now = _settings()
        return [name for name in now if now[name] != self._ours[name]]

    def __exit__(self, *problem: object) -> None:
        self._put(self._before)

    def _pass_on(self, number: int, _: object) -> None:
        self._put(self._before)
        signal.raise_signal(number)

    def _put(self, settings: dict[str, Any]) -> None:
        socket.setdefaulttimeout(settings[TIMEOUT])
        logging.root.setLevel(settings[LEVEL])
        logging.root.handlers[:] = settings[HANDLERS]
        if self._may_set:
            for each, handler in zip(_SIGNALS, settings[SIGNALS], strict=True):
                signal.signal(each, handler)


def _settings() -> dict[str, Any]:
    return {
        SIGNALS: [signal.getsignal(each) for each in _SIGNALS],
        LEVEL: logging.root.level,
        HANDLERS: list(logging.root.handlers),
        "whether logging is off": logging.root.manager.disable,
        TIMEOUT: socket.getdefaulttimeout(),
        "the proxies": {name: os.environ[name] for name in os.environ if "PROXY" in name.upper()},
        "the working folder": os.getcwd(),  # noqa: PTH109
    }


class LogLines(logging.Handler):
    """Collects every log message there is."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())

    def __enter__(self) -> LogLines:
        self._level = logging.root.level
        logging.root.setLevel(logging.DEBUG)
        logging.root.addHandler(self)
        return self

    def __exit__(self, *problem: object) -> None:
        logging.root.removeHandler(self)
        logging.root.setLevel(self._level)


@cache
def loads_heavy(module: str) -> frozenset[str]:
    """The heavy packages that importing a module loads in a fresh Python, by name."""
    if module == "__main__" or not _can_be_found(module):
        return frozenset()
    code = f"import sys; sys.path[:] = {sys.path!r}; import {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{module} cannot be imported alone: {done.stderr[-300:]}"
    return HEAVY & {name.partition(".")[0] for name in done.stdout.split()}


def _can_be_found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
