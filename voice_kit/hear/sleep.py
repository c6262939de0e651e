"""Sleeps until the wake phrase is said, and again after a while of quiet."""

from __future__ import annotations

from voice_kit.hear.protocols import WakeSpotter
from voice_kit.types import FellAsleep, Samples, Woke


class Sleep:
    """A `Sleeper`, asleep at first: `Conversation(…, sleep=Sleep(SphinxWake("hey computer"), 30))`.

    What is asked in the same breath as the phrase is answered, and nothing said before it is.
    """

    def __init__(self, spotter: WakeSpotter, after: float) -> None:
        """`after`: seconds in which nobody speaks, and nobody is answered, until it sleeps."""
        self.asleep = True
        self._spotter = spotter
        self._after = after
        self._quiet_since = 0.0

    def feed(self, frame: Samples, now: float, busy: bool) -> Woke | FellAsleep | None:
        """What the next frame changes. `busy` while someone speaks or is answered."""
        if self.asleep:
            ago = self._spotter.heard(frame)
            if ago is None:
                return None
            self.asleep, self._quiet_since = False, now
            return Woke(now, now - ago)
        if busy:
            self._quiet_since = now
        elif now - self._quiet_since >= self._after:
            self.asleep = True
            self._spotter.reset()
            return FellAsleep(now)
        return None
