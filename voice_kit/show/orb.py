"""SPARK's sphere, in a notebook: what the assistant is doing, at a glance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import traitlets

from voice_kit.settings import Settings
from voice_kit.show.mood import LABELS, Mood
from voice_kit.show.trickle import Trickle
from voice_kit.show.unhurried import Unhurried
from voice_kit.types import Event, FrameHeard


class Orb(Unhurried):
    """An observer that shows a sphere: calm, listening, thinking, speaking, failed or asleep.

    It moves with what the microphone hears, and with the voice. A page that listens and plays
    itself tells it both; of a microphone that is elsewhere the events do, and of a voice whoever
    plays it by `voice`. `text` says the same in words.
    """

    _esm = Path(__file__).parent / "orb.js"

    state = traitlets.Enum(list(LABELS), "idle").tag(sync=True)
    label = traitlets.Unicode(LABELS["idle"]).tag(sync=True)
    detail = traitlets.Unicode("").tag(sync=True)
    """What failed, and the fix; empty when nothing did."""
    size = traitlets.Int(240).tag(sync=True)
    """Its height and width, in CSS pixels."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        near: Callable[[], bool] = lambda: False,
        **more: Any,
    ) -> None:
        """`near` tells whether the microphone that is heard is the page's own."""
        self._near = near
        self._mood = Mood(phrase=(settings or Settings()).wake.phrase)
        self._level = self._voice = 0.0
        self._trickle = Trickle(self._tell)
        super().__init__(**(self._shown() | more))

    def __call__(self, event: Event) -> None:
        """Show what is new by this event."""
        self._mood(event)
        if isinstance(event, FrameHeard) and not self._near():
            self._level = event.level
            self._trickle()
        with self.hold_sync():
            for name, value in self._shown().items():
                self.set_trait(name, value)

    def voice(self, level: float) -> None:
        """The loudness of what is played right now: root mean square, full scale 1."""
        self._voice = level
        self._trickle()

    def text(self) -> str:
        """The state in words, and what failed."""
        return f"{self.label}. {self.detail}" if self.detail else self.label

    def _shown(self) -> dict[str, str]:
        return {"state": self._mood.state, "label": self._mood.label, "detail": self._mood.detail}

    def _tell(self) -> None:
        self.send({"level": round(self._level, 4), "voice": round(self._voice, 4)})
