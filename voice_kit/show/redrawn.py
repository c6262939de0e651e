"""Each turn of a conversation as bars: once its first sound is heard, and again when it is over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from voice_kit.converse.timeline import TurnTimes
from voice_kit.settings import Settings
from voice_kit.show.bars import as_bars, so_far
from voice_kit.types import (
    Abandoned,
    Audio,
    Event,
    FrameHeard,
    Partial,
    PlaybackStarted,
    TurnEnded,
    TurnFinished,
    TurnStarted,
)

EVENTS = 600
"""How many of the last events are kept for the reasons: those of some twenty turns."""


class Redrawn:
    """Follows the events, and gives a turn whenever it reads otherwise."""

    def __init__(self, now: Callable[[], Settings]) -> None:
        """`now` gives what the conversation goes by."""
        self._now = now
        self.events: deque[Event] = deque(maxlen=EVENTS)
        self.rules: dict[int, Settings] = {}
        """Those that a turn under way began with."""

    def __call__(self, event: Event) -> tuple[TurnTimes, dict[str, Any]] | None:
        """The turn and its bars (see `as_bars`), if they are to be drawn now."""
        match event:
            case FrameHeard() | Partial():
                return None
            case TurnEnded():
                event = replace(event, audio=Audio.silence(0))  # which would be kept with it
            case TurnStarted():
                self.rules[event.turn] = self._now()
            case Abandoned():
                self.rules.pop(event.turn, None)
        self.events.append(event)
        if not isinstance(event, PlaybackStarted | TurnFinished):
            return None
        events, rules = tuple(self.events), self.rules.get(event.turn) or self._now()
        if isinstance(event, TurnFinished):
            self.rules.pop(event.turn, None)
        turn = so_far(event.turn, events)
        return turn, as_bars(turn, events, rules)
