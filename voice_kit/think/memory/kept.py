"""A conversation that goes on where it ended, in a store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from uuid import uuid4

from voice_kit.think.history import MARKS, History, Role, estimated_tokens
from voice_kit.think.memory.pen import Pen
from voice_kit.think.memory.recall import matching
from voice_kit.think.memory.store import Line, Store, exported, said, used
from voice_kit.think.memory.told import overflow, told
from voice_kit.types import Message, ToolCall

LOADED = 200
"""Lines of the past that are taken up again."""
SHARE = 4
"""One in so many tokens of the budget may go to what is recalled."""


class KeptHistory(History):
    """What was said on both sides, kept in a store by a thread of its own.

    It never raises for the store's sake: while that fails, `problem` says why, all stays in
    memory, and whatever is not written yet is written once it works again.
    """

    def __init__(
        self,
        store: Store,
        name: str = "default",
        *,
        tokens: Callable[[str], int] = estimated_tokens,
        on_problem: Callable[[str], None] | None = None,
    ) -> None:
        """Goes on where `name` ended. `on_problem` is told when the store begins to fail, in some
        thread, and "" when it works again."""
        super().__init__(tokens)
        self.store, self.name = store, name
        self._pen = Pen(store, name, wrote=self._wrote, on_problem=on_problem)
        self._lock = threading.RLock()  # held for moments only: never while the store works
        self._kept: list[Line] = []  # beside `_lines`
        self._facts: list[Line] = []
        self._summary: Line | None = None
        self._next, self._current, self._answered = _new(), _new(), True
        self._unspoken: set[str] = set()  # exchanges of which nothing is kept
        self._taken_up = False
        self._pen.worked(self._take_up)

    @property
    def problem(self) -> str:
        """Why nothing is kept right now, with the fix; empty when all is well."""
        return self._pen.problem

    def tell_problems(self, told: Callable[[str], None]) -> None:
        """Let `told` know, as `on_problem` is, also of what is wrong by now."""
        self._pen.told.append(told)
        if self.problem:
            told(self.problem)

    def add(self, role: Role, text: str, call: ToolCall | None = None) -> None:
        """Remember what was said, at once; it is written down a moment later."""
        if not text.strip():
            return
        with self._lock:
            if role == "user":
                self._current, self._next, self._answered = self._next, _new(), False
            elif role == "assistant":
                if self._answered:  # nobody asked: an alarm, say
                    self._current = _new()
                self._answered = True
            if self._current in self._unspoken:
                return
            super().add(role, text, call)
            kept = text if call is None else used(call, text)
            self._kept.append(Line(self._current, role, kept, time.time()))
            self._pen.write(self._kept[-1])

    def prompt(self, persona: str, budget: int, about: str = "") -> list[Message]:
        """As before, and in the system message what matters to `about`: facts, what came earlier.

        That takes a quarter of the budget at most.
        """
        with self._lock:
            added = self._told(about, budget)
            cost = self._tokens(added) if added else 0
            system, *shown = super().prompt(persona, budget - cost)
            text = "\n\n".join(part for part in (system.content, added) if part)
            return [Message("system", text), *shown]

    def recall(self, about: str, most: int = 3) -> list[str]:
        """What is to be remembered and matters to these words, in the user's own, best first."""
        return [line.text for line in matching(about, self.facts, lambda line: line.text)[:most]]

    @property
    def facts(self) -> Sequence[Line]:
        """All that is to be remembered, oldest first."""
        return tuple(self._facts)

    def remember(self, fact: str) -> None:
        """Keep a fact, in the user's own words, until it is forgotten."""
        with self._lock:
            line = Line(self._next, "fact", fact.strip(), time.time())
            self._facts.append(line)
            self._pen.write(line)

    @property
    def last_exchange(self) -> str:
        """The newest one of which something is kept; empty when there is none."""
        with self._lock:
            newest = max((*self._kept[-1:], *self._facts[-1:]), key=_when, default=None)
            return newest.exchange if newest else ""

    def forget_last(self) -> bool:
        """Forget the last exchange, and what was to be remembered of it; whether there was one.

        Raises `MemoryStoreError` when the store still has it. Blocks, as all that forgets.
        """
        if last := self.last_exchange:
            self.forget(last)
        return bool(last)

    def forget(self, *exchanges: str) -> None:
        """Forget these exchanges and their facts. Raises like `forget_last`."""
        with self._pen.paper:
            self._drop(lambda line: line.exchange in exchanges)
            for exchange in exchanges:
                self.store.forget(self.name, exchange)

    def forget_everything(self) -> None:
        """Forget the conversation and all facts, here and in the store. Raises
        `MemoryStoreError`."""
        with self._pen.paper:
            self._drop(lambda line: True)
            self.store.forget_everything(self.name)

    def off_the_record(self) -> None:
        """Keep nothing of the exchange under way."""
        with self._lock:
            self._unspoken.add(self._next)

    def export(self) -> str:
        """All that is kept of this conversation, as JSON. Raises `MemoryStoreError`."""
        self.flush()
        return exported(self.store, self.name)

    def flush(self, seconds: float = 10.0) -> bool:
        """Wait until all is written, or cannot be; whether it is."""
        return self._pen.flush(seconds)

    def close(self) -> None:
        """Write what is left and let go of the store."""
        self.flush()
        with self._pen.paper:
            self.store.close()

    def summary_needs(self, budget: int) -> list[Line]:
        """The oldest lines, which no longer fit into the budget and are in no summary yet.

        Half of the budget is left to the newest, so that this seldom happens.
        """
        with self._lock:
            fresh = self._not_summarised()
            costs = [self._tokens(line.text) + MARKS for line in fresh]
            return list(overflow(fresh, costs, budget))

    @property
    def summary(self) -> str:
        """What the oldest lines were about; empty when none was written."""
        return self._summary.text if self._summary else ""

    def summarised(self, lines: Sequence[Line], text: str) -> bool:
        """Keep `text` as the summary of all up to these lines, unless one was forgotten since."""
        self.flush()
        with self._pen.paper:
            with self._lock:
                there = {line.exchange for line in self._kept}
                if not text.strip() or any(line.exchange not in there for line in lines):
                    return False
                summary = Line(lines[-1].exchange, "summary", text.strip(), time.time())
                self._summary = summary
            if not self._pen.unwritten:  # or the store does not know what it covers
                self._pen.worked(lambda: self.store.summarise(self.name, summary))
            return True

    def _not_summarised(self) -> list[Line]:
        covered = self._summary.exchange if self._summary else ""
        places = [place for place, line in enumerate(self._kept) if line.exchange == covered]
        return self._kept[places[-1] + 1 if places else 0 :]

    def _told(self, about: str, budget: int) -> str:
        """What is added to the persona, in a share of the budget."""
        room, older = budget // SHARE, self._kept[:0]
        if about and not self._summary:
            shown = len(super().prompt("", budget - room)) - 1
            older = self._kept[: len(self._kept) - shown]
        return told(about, self.recall(about), self.summary, older, room, self._tokens)

    def _drop(self, which: Callable[[Line], bool]) -> None:
        with self._lock:
            stay = [place for place, line in enumerate(self._kept) if not which(line)]
            self._kept = [self._kept[place] for place in stay]
            self._lines = [self._lines[place] for place in stay]
            self._costs = [self._costs[place] for place in stay]
            self._facts = [line for line in self._facts if not which(line)]
            self._pen.strike(which)
            self._summary = None

    def _take_up(self) -> None:
        """The past, before what was said since; later, where the store could not be read."""
        past = self.store.last(self.name, LOADED)
        with self._lock:
            there = set(past)
            self._kept = [*past, *(line for line in self._kept if line not in there)]
            self._lines = [said(line) for line in self._kept]
            self._costs = [self._tokens(line.content) + MARKS for line in self._lines]
        facts, summary = self.store.facts(self.name), self.store.summary(self.name)
        with self._lock:
            later = [line for line in self._facts if line not in facts]
            self._facts, self._summary = [*facts, *later], summary
            self._taken_up = True

    def _wrote(self) -> None:
        self._take_facts() if self._taken_up else self._take_up()

    def _take_facts(self) -> None:
        facts = self.store.facts(self.name)  # others may have brought or forgotten some
        with self._lock:
            later = [line for line in self._pen.unwritten if line.role == "fact"]
            self._facts = [*facts, *later]


def _new() -> str:
    return uuid4().hex


def _when(line: Line) -> float:
    return line.at
