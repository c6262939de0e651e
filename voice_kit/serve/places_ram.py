"""Conversations, their sessions and limits, while this process runs."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

from voice_kit.serve.hold import Hold, TakenError, name_of
from voice_kit.serve.places import (
    PAGE,
    ConversationInfo,
    UnknownConversationError,
    checked,
    new_id,
    title_of,
)
from voice_kit.serve.windows import Windows
from voice_kit.think.memory.ram_store import RamStore
from voice_kit.think.memory.store import Line

MOST = 10_000
"""Conversations that are remembered; the one that was silent for longest makes room."""


class RamPlaces:
    """What is kept here is gone when the process ends, and other processes know nothing of it."""

    problem = ""

    def __init__(self, keep: float = 0.0, clock: Callable[[], float] = time.time) -> None:
        """`keep` as in `make_places`, in seconds; `clock` gives seconds since 1970."""
        self.memory = ListedStore(keep, clock)
        self._holds: dict[str, Hold] = {}
        self._windows, self._clock = Windows(), clock

    async def __aenter__(self) -> RamPlaces:
        return self

    async def __aexit__(self, *error: object) -> None:
        """Nothing to let go of."""

    async def conversations(
        self, subject: str, most: int = PAGE, after: str = ""
    ) -> list[ConversationInfo]:
        """Those of this guest, last changed first."""
        found = self.memory.listed(subject)
        places = [place for place, info in enumerate(found, 1) if info.id == after]
        if after and not places:
            raise UnknownConversationError
        first = places[0] if after else 0
        return found[first : first + most]

    async def open(self, subject: str, conversation: str | None = None) -> ConversationInfo:
        """What is known of it; a new one for None."""
        known = new_id(subject) if conversation is None else checked(subject, conversation)
        return self.memory.info(subject, known)

    async def take(
        self, subject: str, conversation: str, let_go: Callable[[], None] | None = None
    ) -> Hold:
        """Serve it from here on."""
        name = name_of(subject, checked(subject, conversation))
        if before := self._holds.get(name):
            await before.hand_over()
        hold = Hold(self, subject, conversation, let_go)
        former = self._holds.get(hold.name)
        self._holds[hold.name] = hold
        if former is not None:
            former.lose(hold.at)
        return hold

    async def rename(self, subject: str, conversation: str, title: str) -> ConversationInfo:
        """As its owner calls it from now on."""
        return self.memory.rename(subject, checked(subject, conversation), title)

    async def delete(self, subject: str, conversation: str) -> bool:
        """Erase what was said, facts, summary and listing, and end its session."""
        name = name_of(subject, checked(subject, conversation))
        if hold := self._holds.pop(name, None):
            hold.lose(0)
        return self.memory.delete(name)

    async def count(self, key: str, amount: float, per_seconds: float) -> float:
        """How much was counted under this key within about the last `per_seconds`, with this."""
        return self._windows.count(key, amount, per_seconds, self._clock())

    def pages(self, subject: str, hold: Hold | None) -> None:
        """Notes and timers are in a folder, which outlives this process."""

    def memory_of(self, hold: Hold) -> ListedStore:
        """Where all conversations are."""
        return self.memory

    async def released(self, hold: Hold) -> None:
        """Forget this hold."""
        if self._holds.get(hold.name) is hold:
            del self._holds[hold.name]


class ListedStore(RamStore):
    """Conversations with their titles, by name, the one that was silent for longest first."""

    def __init__(self, keep: float, clock: Callable[[], float]) -> None:
        super().__init__()
        self._keep_seconds, self._clock = keep, clock
        self._listed: OrderedDict[str, ConversationInfo] = OrderedDict()
        self._renamed: set[str] = set()
        self._listing = threading.RLock()

    def append_held(self, hold: Hold, lines: Sequence[Line]) -> None:
        """Keep these, and list the conversation."""
        with self._listing:
            if any(line.at >= hold.until for line in lines):
                raise TakenError
            self.append(hold.name, lines)
            self._touch(hold.subject, hold.id)
            if not self._listed[hold.name].title:
                self.retitle(hold)

    def retitle(self, hold: Hold) -> None:
        """Have it titled by what it begins with now, unless its owner named it."""
        with self._listing:
            info = self._listed.get(hold.name)
            if info and hold.name not in self._renamed:
                said = (line.text for line in self.last(hold.name) if line.role == "user")
                self._listed[hold.name] = replace(info, title=title_of(next(said, "")))

    def listed(self, subject: str) -> list[ConversationInfo]:
        """Those of this guest, last changed first."""
        with self._listing:
            self._sweep()
            return [
                info
                for name, info in reversed(self._listed.items())
                if name == name_of(subject, info.id)
            ]

    def info(self, subject: str, conversation: str) -> ConversationInfo:
        """What is known of it, or what would be of a new one."""
        with self._listing:
            self._sweep()
            now = self._clock()
            new = ConversationInfo(conversation, "", now, now)
            return self._listed.get(name_of(subject, conversation), new)

    def rename(self, subject: str, conversation: str, title: str) -> ConversationInfo:
        """Name it, and list it if it was not."""
        name = name_of(subject, conversation)
        with self._listing:
            if name not in self._listed:
                self._touch(subject, conversation)
            self._listed[name] = info = replace(self._listed[name], title=title)
            self._renamed.add(name)
            return info

    def delete(self, name: str) -> bool:
        """Erase all of it; whether there was anything."""
        with self._listing:
            there = self._listed.pop(name, None) is not None
            self._renamed.discard(name)
            self.forget_everything(name)
            return there

    def _touch(self, subject: str, conversation: str) -> None:
        info, name = self.info(subject, conversation), name_of(subject, conversation)
        self._listed[name] = replace(info, changed=self._clock())
        self._listed.move_to_end(name)
        if len(self._listed) > MOST:
            self.delete(next(iter(self._listed)))

    def _sweep(self) -> None:
        kept_since = self._clock() - self._keep_seconds if self._keep_seconds else 0.0
        while self._listed:
            name, info = next(iter(self._listed.items()))
            if info.changed >= kept_since:
                return
            self.delete(name)

    def _keep(self, name: str, lines: list[Line]) -> None:
        super()._keep(name, lines)
        if not lines:
            del self._lines[name]
