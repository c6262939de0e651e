"""Conversations that are forgotten when the program ends."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence

from voice_kit.think.memory.store import Line


class RamStore:
    """Keeps conversations while the program runs, and nowhere else."""

    where = ""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: defaultdict[str, list[Line]] = defaultdict(list)

    def append(self, name: str, lines: Sequence[Line]) -> None:
        """Keep these, after what is there."""
        with self._lock:
            self._lines[name] += lines

    def last(self, name: str, count: int | None = None) -> list[Line]:
        """The last lines that were said, or all of them, oldest first."""
        said = [line for line in self._of(name) if line.role not in ("fact", "summary")]
        return said if count is None else said[len(said) - min(count, len(said)) :]

    def facts(self, name: str) -> list[Line]:
        """What is to be remembered, oldest first."""
        return [line for line in self._of(name) if line.role == "fact"]

    def summary(self, name: str) -> Line | None:
        """What the oldest lines were about, if that was written."""
        return next((line for line in self._of(name) if line.role == "summary"), None)

    def summarise(self, name: str, summary: Line) -> bool:
        """Keep this instead of the summary before; whether what it covers is still there."""
        there = any(line.exchange == summary.exchange for line in self.last(name))
        if there:
            with self._lock:
                self._keep(name, [each for each in self._lines[name] if each.role != "summary"])
                self._lines[name].append(summary)
        return there

    def forget(self, name: str, exchange: str) -> None:
        """Erase all lines and facts of an exchange, and the summary, which may tell of them."""
        with self._lock:
            kept = [each for each in self._lines[name] if each.role != "summary"]
            self._keep(name, [each for each in kept if each.exchange != exchange])

    def forget_everything(self, name: str) -> None:
        """Erase this conversation, its facts and its summary."""
        with self._lock:
            self._keep(name, [])

    def names(self) -> list[str]:
        """The conversations that are kept, in alphabetical order."""
        with self._lock:
            return sorted(name for name, lines in self._lines.items() if lines)

    def close(self) -> None:
        """Nothing to let go of."""

    def _of(self, name: str) -> list[Line]:
        with self._lock:
            return list(self._lines.get(name, ()))

    def _keep(self, name: str, lines: list[Line]) -> None:
        self._lines[name] = lines
