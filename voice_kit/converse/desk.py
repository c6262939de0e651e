"""What every turn of a conversation works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from voice_kit.audio.protocols import Speaker
from voice_kit.converse.line import Engines, Line
from voice_kit.converse.steps import StageFailedError, name_of
from voice_kit.settings import Settings
from voice_kit.think.history import History
from voice_kit.types import EngineChanged, Event, Failed


@dataclass(frozen=True, slots=True)
class Desk:
    """Engines, loudspeaker, memory, clock, and whoever watches."""

    engines: Engines
    speaker: Speaker
    history: History
    notify: Callable[[Event], None]
    now: Callable[[], float]
    """Seconds since the microphone opened."""
    settings: Callable[[], Settings]
    """Those of the moment; a turn under way keeps the ones it began with."""

    async def replace(self, turn: int, failure: StageFailedError) -> bool:
        """Tell of the failure and let the next engine take over; whether there was one."""
        line: Line[Any] = getattr(self.engines, failure.stage)
        why = str(failure.cause)
        self.notify(Failed(turn, self.now(), failure.stage, name_of(failure.engine), why))
        replaced = await line.replace(failure)
        if line.met is failure:  # it is told of once, however many met it
            self.notify(EngineChanged(self.now(), line.stage, line.name, why))
        return replaced
