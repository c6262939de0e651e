"""The conversation as text, in a notebook: word by word as it is heard, and a box to type in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import traitlets

from voice_kit.show.home_loop import HomeLoop
from voice_kit.show.minutes import Minutes
from voice_kit.show.unhurried import Unhurried
from voice_kit.types import Event

LONGEST = 2000
"""Signs of a typed line; more is cut."""


class Transcript(Unhurried):
    """An observer that shows what is heard and said, with routes, tools, sources and failures.

    `on_line` is called with every line that is typed, on the event loop on which this was made;
    without it there is no box to type in. Only the last `keep` turns are shown, `text` has all.
    """

    _esm = Path(__file__).parent / "transcript.js"

    entries: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """The turns that are over, as plain data (see `Minutes`)."""
    now: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    """What is under way."""
    typing = traitlets.Bool(False).tag(sync=True)
    """Whether there is a box to type in."""

    def __init__(
        self, on_line: Callable[[str], object] | None = None, *, keep: int = 100, **more: Any
    ) -> None:
        self.minutes = Minutes()
        self.on_line = on_line
        self._keep = keep
        super().__init__(now=self.minutes.now(), typing=on_line is not None, **more)
        self._home = HomeLoop()
        self.on_msg(self._received)

    def __call__(self, event: Event) -> None:
        """Show what is new by this event."""
        if self.minutes(event):
            self._show()

    def text(self) -> str:
        """The whole conversation, to keep or to print."""
        return self.minutes.text()

    def _show(self) -> None:
        with self.hold_sync():  # one message, or a turn would be gone, or there twice, in between
            if len(self.minutes.entries) != self._shown:
                self._shown = len(self.minutes.entries)
                self.entries = [asdict(entry) for entry in self.minutes.entries[-self._keep :]]
            self.now = self.minutes.now()

    _shown = 0

    def _received(self, _: object, content: object, buffers: object) -> None:
        """Take a typed line from the browser, on whatever thread it comes."""
        line = content.get("line") if isinstance(content, dict) else None
        if not isinstance(line, str) or not line.strip():
            return
        self._home.soon(self._type, line)

    def _type(self, line: str) -> None:
        if self.on_line is not None:
            line = line.strip()[:LONGEST]
            self.minutes.sent(line)
            self._show()
            self.on_line(line)
