"""Sleeps until the wake phrase is said, and again after a while of quiet."""

from __future__ import annotations

from collections import deque

from voice_kit.hear.protocols import WakeSpotter
from voice_kit.types import FellAsleep, Samples, Woke

BEFORE, BEYOND = 7, 12
"""Frames heard from before speech, and after it: the phrase is found 0.2 s after its end."""


class Sleep:
    """A `Sleeper`, asleep at first: `Conversation(…, sleep=Sleep(SphinxWake("hey computer"), 30))`.

    What is asked in the same breath as the phrase is answered, and nothing said before it is.
    The spotter hears speech only: quiet would cost time, and make PocketSphinx deaf in a minute.
    """

    def __init__(self, spotter: WakeSpotter, after: float) -> None:
        """`after`: seconds in which nobody speaks, and nobody is answered, until it sleeps."""
        self.asleep = True
        self._spotter = spotter
        self._after = after
        self._quiet_since = 0.0
        self._quiet = BEYOND  # frames since someone spoke
        self._before: deque[Samples] = deque(maxlen=BEFORE)

    def feed(self, frame: Samples, now: float, busy: bool) -> Woke | FellAsleep | None:
        """What the next frame changes. `busy` while someone speaks or is answered."""
        if self.asleep:
            ago = self._heard(frame, busy)
            if ago is None:
                return None
            self.asleep, self._quiet_since = False, now
            return Woke(now, now - ago)
        if busy:
            self._quiet_since = now
        elif now - self._quiet_since >= self._after:
            self.asleep, self._quiet = True, BEYOND
            self._spotter.reset()
            return FellAsleep(now)
        return None

    def _heard(self, frame: Samples, busy: bool) -> float | None:
        """How many seconds ago the phrase ended, if it was just said, else None."""
        self._quiet = 0 if busy else self._quiet + 1
        if self._quiet > BEYOND:
            self._before.append(frame)
            return None
        for earlier in self._before:
            self._spotter.heard(earlier)
        self._before.clear()
        if self._quiet == BEYOND:
            self._spotter.reset()
            return None
        return self._spotter.heard(frame)
