"""Writes lines into a store from a thread of its own, so that nobody waits for a disk or server."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

from voice_kit.think.memory.store import Line, MemoryStoreError, Store

log = logging.getLogger(__name__)


class Pen:
    """Writes what it is given, in order. The thread lives while there is something to write.

    What fails is kept, and tried again with the next line.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        *,
        wrote: Callable[[], None],
        on_problem: Callable[[str], None] | None = None,
    ) -> None:
        """`wrote` is called in the thread after each writing, and may use the store."""
        self.problem = ""
        """Why nothing can be written right now, with the fix; empty when all is well."""
        self.paper = threading.RLock()
        """Held while the store is used: whoever holds it comes between two writings."""
        self._store, self._name = store, name
        self._wrote = wrote
        self.told = [on_problem] if on_problem else []
        """Who is told, in some thread, when the store begins to fail, and "" when it works again;
        the log if nobody is."""
        self._lock = threading.Lock()  # held for moments only
        self._unwritten: list[Line] = []
        self._thread: threading.Thread | None = None

    @property
    def unwritten(self) -> Sequence[Line]:
        """What is not in the store yet."""
        return tuple(self._unwritten)

    def write(self, line: Line) -> None:
        """Have this written. Returns at once, and never raises."""
        with self._lock:
            self._unwritten.append(line)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="voice-kit memory")
                try:
                    self._thread.start()
                except RuntimeError:  # the program is ending: whoever closes us writes it
                    self._thread = None

    def strike(self, which: Callable[[Line], bool]) -> None:
        """Do not write these after all. Hold `paper`, or they may be written just now."""
        with self._lock:
            self._unwritten = [line for line in self._unwritten if not which(line)]

    def flush(self, seconds: float) -> bool:
        """Wait until all is written, or cannot be; whether it is."""
        with self._lock:
            thread = self._thread
        if thread is None:
            self._write()
        else:
            thread.join(seconds)
        return not self._unwritten

    def worked(self, work: Callable[[], object]) -> bool:
        """Whether the store could do it; if not, `problem` says why."""
        problem = ""
        with self.paper:
            try:
                work()
            except MemoryStoreError as error:
                problem = str(error)
        if problem != self.problem:
            self.problem = problem
            if problem and not self.told:
                log.warning("what is said is kept in memory only: %s", problem)
            for tell in self.told:
                tell(problem)
        return not problem

    def _write(self) -> None:
        while True:
            with self.paper:
                lines = self.unwritten
                worked = bool(lines) and self.worked(partial(self._store.append, self._name, lines))
                with self._lock:
                    if not lines and self._unwritten:
                        continue  # it came just now, and saw that somebody writes
                    if not worked:
                        self._thread = None
                        return
                    del self._unwritten[: len(lines)]
                self.worked(self._wrote)
