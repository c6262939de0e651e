"""The microphone live, in a notebook: its wave, the chance of speech, and what was made of it."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import traitlets

from voice_kit.hear.ears import FRAME_SECONDS
from voice_kit.settings import Settings
from voice_kit.show.picture import MARKS, Mark, alt_text, figure, in_words
from voice_kit.show.trickle import Trickle
from voice_kit.show.unhurried import Unhurried
from voice_kit.types import Event, FrameHeard, Samples

__all__ = ["Waveform", "alt_text", "figure"]


class Waveform(Unhurried):
    """An observer that draws the last `seconds` of what the microphone hears.

    Loudness alone draws its outline; `frame`, given each frame before its event, draws the wave.
    """

    _esm = Path(__file__).parent / "waveform.js"

    rules: traitlets.Dict[Any, Any] = traitlets.Dict().tag(sync=True)
    """The thresholds: `start_above` and `stop_below`."""
    marks: traitlets.Dict[Any, Any] = traitlets.Dict().tag(sync=True)
    """What is drawn of an event, by its letter: a shape, and what it is called."""
    seconds = traitlets.Float(10.0).tag(sync=True)

    def __init__(
        self, settings: Settings | None = None, *, seconds: float = 10.0, **more: Any
    ) -> None:
        frames = max(1, round(seconds / FRAME_SECONDS))
        self._frames: deque[list[float]] = deque(maxlen=frames)
        self._marks: deque[tuple[float, Mark]] = deque(maxlen=200)
        self._new: list[list[float]] = []
        self._new_marks: list[list[Any]] = []
        self._peaks: list[float] = []
        self._trickle = Trickle(self._tell)
        named = {mark.letter: [mark.shape, mark.words] for mark in MARKS.values()}
        super().__init__(seconds=seconds, marks=named, **more)
        self.settings = settings or Settings()

    @property
    def settings(self) -> Settings:
        """Whose thresholds are drawn."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings = settings
        heard = settings.hear
        self.rules = {"start_above": heard.start_above, "stop_below": heard.stop_below}

    def frame(self, frame: Samples) -> None:
        """The samples of the frame whose `FrameHeard` comes next."""
        self._peaks = [round(float(frame.min()), 4), round(float(frame.max()), 4)]

    def __call__(self, event: Event) -> None:
        """Draw what is new by this event."""
        if isinstance(event, FrameHeard):
            heard = [round(event.at, 3), round(event.level, 4), round(event.probability, 3)]
            self._frames.append(heard)
            self._new = [*self._new, [*heard, *self._peaks]][-len(self._frames) :]
            self._peaks = []
        elif (mark := MARKS.get(type(event))) is not None:
            self._marks.append((event.at, mark))
            self._new_marks = [*self._new_marks, [round(event.at, 3), mark.letter]][-200:]
        else:
            return
        self._trickle()

    def text(self) -> str:
        """What it shows, in words."""
        if not self._frames:
            return "Nothing was heard yet."
        first, last = self._frames[0][0] - FRAME_SECONDS, self._frames[-1][0]
        times, chances = [at for at, _, _ in self._frames], [chance for *_, chance in self._frames]
        shown = [(at, mark) for at, mark in self._marks if first <= at]
        said = f"From {first:.1f} to {last:.1f} s"
        return said + in_words(times, chances, shown, self._settings)

    def _tell(self) -> None:
        frames, marked, self._new, self._new_marks = self._new, self._new_marks, [], []
        self.send({"frames": frames, "events": marked})
