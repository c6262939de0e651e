"""A widget that is only looked at: what it shows waits for what is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import anywidget

from voice_kit.show.trickle import Trickle


class Unhurried(anywidget.AnyWidget):
    """Its traits change at once; the page is told a little later, of all of them together."""

    def __init__(self, **more: Any) -> None:
        self._untold: set[str] = set()
        self._soon = Trickle(self._tell_state)
        super().__init__(**more)

    def send_state(self, key: str | Iterable[str] | None = None) -> None:
        """As in ipywidgets, which calls it: one trait, several, or the whole state."""
        if key is None:
            super().send_state()
            return
        if self.comm is None:  # it opens with all of it
            return
        self._untold |= {key} if isinstance(key, str) else set(key)
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # nobody would come back to it
            self._tell_state()
        else:
            self._soon()

    def _tell_state(self) -> None:
        untold, self._untold = self._untold, set()
        if untold and self.comm is not None:
            super().send_state(untold)
