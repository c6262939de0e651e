"""What a page draws of its conversation, as the messages that the notebook's modules take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from voice_kit.settings import Settings
from voice_kit.show.bars import stages
from voice_kit.show.minutes import Minutes
from voice_kit.show.mood import Mood
from voice_kit.show.picture import MARKS
from voice_kit.show.redrawn import Redrawn
from voice_kit.show.timeline import HUMAN
from voice_kit.show.trickle import Trickle
from voice_kit.types import (
    Event,
    FrameHeard,
)

Message = dict[str, Any]
Rules = Callable[[], Settings]

TURNS = 50
"""Turns of the transcript that are sent; a page keeps those it has seen."""
BARS = 8
"""Turns of the timeline that are sent."""


class View(Protocol):
    """Makes the messages of one view."""

    def __call__(self, event: Event) -> bool:
        """Take in what happened; gives whether there may be something new to see."""

    def first(self) -> Message:
        """All that a page needs that has seen nothing yet."""

    def news(self) -> Message:
        """What is new since it was asked last; empty when nothing is."""


class Sphere:
    """What the assistant is doing, and how loud it is heard."""

    def __init__(self, rules: Rules) -> None:
        self._mood = Mood(phrase=rules().wake.phrase)
        self._level = 0.0
        self._told: Message = {}

    def __call__(self, event: Event) -> bool:
        self._mood(event)
        if isinstance(event, FrameHeard):
            self._level = event.level
        return self._now() != self._told

    def first(self) -> Message:
        self._told = self._now()
        return self._told

    def news(self) -> Message:
        told, now = self._told, self.first()
        return {name: value for name, value in now.items() if told.get(name) != value}

    def _now(self) -> Message:
        mood = self._mood
        level = round(self._level, 3)
        return {"state": mood.state, "label": mood.label, "detail": mood.detail, "level": level}


class Words:
    """What was heard and said."""

    def __init__(self, rules: Rules) -> None:
        self.minutes = Minutes()
        self._over = 0

    def __call__(self, event: Event) -> bool:
        return self.minutes(event)

    def first(self) -> Message:
        self._over = len(self.minutes.entries)
        entries = [asdict(entry) for entry in self.minutes.entries[-TURNS:]]
        return {"entries": entries, "now": self.minutes.now(), "typing": True}

    def news(self) -> Message:
        if len(self.minutes.entries) == self._over:
            return {"now": self.minutes.now()}
        fresh = self.first()
        del fresh["typing"]
        return fresh


class Times:
    """Where the time of each turn went."""

    def __init__(self, rules: Rules) -> None:
        self._redrawn = Redrawn(rules)
        self._turns: dict[int, Message] = {}

    def __call__(self, event: Event) -> bool:
        if (redrawn := self._redrawn(event)) is None:
            return False
        turn, drawn = redrawn
        self._turns.pop(turn.number, None)
        self._turns[turn.number] = drawn
        for old in list(self._turns)[:-BARS]:
            del self._turns[old]
        return True

    def first(self) -> Message:
        return {"turns": list(self._turns.values()), "stages": stages(), "human": HUMAN}

    def news(self) -> Message:
        return {"turns": list(self._turns.values())}


class Wave:
    """What the microphone hears, how likely it is speech, and what was made of it."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._frames: list[list[float]] = []
        self._marks: list[list[Any]] = []
        self._told: Message = {}

    def __call__(self, event: Event) -> bool:
        if isinstance(event, FrameHeard):
            heard = [round(event.at, 3), round(event.level, 4), round(event.probability, 3)]
            self._frames = [*self._frames[-311:], heard]  # 10 s, should nobody ask
        elif (mark := MARKS.get(type(event))) is not None:
            self._marks = [*self._marks[-199:], [round(event.at, 3), mark.letter]]
        else:
            return False
        return True

    def first(self) -> Message:
        named = {mark.letter: [mark.shape, mark.words] for mark in MARKS.values()}
        self._told = self._thresholds()
        return {"rules": self._told, "marks": named, "seconds": 10.0, **self._heard()}

    def news(self) -> Message:
        told, self._told = self._told, self._thresholds()
        rules = {"rules": self._told} if told != self._told else {}
        return {**rules, **self._heard()}

    def _heard(self) -> Message:
        frames, marks, self._frames, self._marks = self._frames, self._marks, [], []
        return {"frames": frames, "events": marks}

    def _thresholds(self) -> Message:
        heard = self._rules().hear
        return {"start_above": heard.start_above, "stop_below": heard.stop_below}


MAKERS: Mapping[str, Callable[[Rules], View]] = {
    "orb": Sphere,
    "transcript": Words,
    "timeline": Times,
    "waveform": Wave,
}


class Views:
    """An observer that calls `send(view, message)` for each view that is wanted, at most ten times
    a second and view. A view that comes late is first told all of the present.

    `settings` is what the conversation goes by, or gives it. Call everything on the event loop.
    """

    def __init__(
        self,
        wanted: Iterable[str],
        send: Callable[[str, Message], object],
        settings: Settings | Rules | None = None,
    ) -> None:
        given = settings or Settings()
        self._rules: Rules = (lambda: given) if isinstance(given, Settings) else given
        self._send = send
        self._views: dict[str, View] = {}
        self._trickles: dict[str, Trickle] = {}
        self.wanted: frozenset[str] = frozenset()
        self.want(wanted)

    def want(self, names: Iterable[str]) -> None:
        """From now on these views. One that was wanted before has seen what happened meanwhile;
        the timeline has too where any was, for a phone opens it after it has talked."""
        before, self.wanted = self.wanted, frozenset(names) & MAKERS.keys()
        followed = self.wanted | {"timeline"} if self.wanted else self.wanted
        for name in MAKERS:  # in their order
            if name in followed and name not in self._views:
                self._views[name] = MAKERS[name](self._rules)
                self._trickles[name] = Trickle(lambda name=name: self._tell(name))  # type: ignore[misc]
            if name in self.wanted - before:
                self._send(name, self._views[name].first())

    def __call__(self, event: Event) -> None:
        """Tell what is new by this event."""
        for name, view in self._views.items():
            if view(event) and name in self.wanted:
                self._trickles[name]()

    def typed(self, line: str) -> None:
        """A line was typed: the next typed turn is its own."""
        words = self._views.get("transcript")
        if isinstance(words, Words):
            words.minutes.sent(line)
            if "transcript" in self.wanted:
                self._trickles["transcript"]()

    def close(self) -> None:
        """Nobody is there any more: say nothing, not even what still waits."""
        self.wanted = frozenset()

    def _tell(self, name: str) -> None:
        if name in self.wanted and (news := self._views[name].news()):
            self._send(name, news)
