"""Where the time of each turn went, in a notebook: bars to look into, beside the last turns'."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from voice_kit.converse.timeline import Timeline
from voice_kit.settings import Settings
from voice_kit.show.bars import as_bars, as_csv, row, stages
from voice_kit.show.home_loop import HomeLoop
from voice_kit.show.redrawn import Redrawn
from voice_kit.show.timeline import HUMAN, draw
from voice_kit.show.unhurried import Unhurried
from voice_kit.types import Event

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class TimelineView(Unhurried):
    """An observer that shows each turn's stages on one axis, from the last word of the question.

    `timeline` holds earlier turns; somebody else feeds it. `settings` is what the conversation
    goes by, or gives it. A click on a bar shows why it is that long and calls `on_pick` with the
    turn's number and the stage, on the event loop on which this was made.
    """

    _esm = Path(__file__).parent / "timeline_view.js"

    turns: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """The last turns, as plain data (see `as_bars`)."""
    stages: traitlets.List[Any] = traitlets.List().tag(sync=True)
    human = traitlets.Float(HUMAN).tag(sync=True)

    def __init__(
        self,
        timeline: Timeline | None = None,
        *,
        settings: Settings | Callable[[], Settings] | None = None,
        on_pick: Callable[[int, str], object] | None = None,
        keep: int = 12,
        **more: Any,
    ) -> None:
        self.on_pick = on_pick
        self._settings = settings
        self._keep = keep
        self._times = {turn.number: turn for turn in (timeline.turns if timeline else ())}
        self._redrawn = Redrawn(self._now)
        known = [as_bars(turn) for turn in list(self._times.values())[-keep:]]
        super().__init__(turns=known, stages=stages(), **more)
        self._home = HomeLoop()
        self.on_msg(self._received)

    def __call__(self, event: Event) -> None:
        """Draw a turn once its first sound is heard, and again when it is over."""
        if (redrawn := self._redrawn(event)) is not None:
            turn, drawn = redrawn
            self._times[turn.number] = turn
            others = [each for each in self.turns if each["turn"] != turn.number]
            self.turns = [*others, drawn][-self._keep :]

    def why(self, turn: int, stage: str = "") -> str:
        """Why a stage of a turn took so long, or where its time went; empty if it is not shown."""
        shown = next((each for each in self.turns if each["turn"] == turn), None)
        if shown is None or not stage:
            return str(shown["why"]) if shown else ""
        return " ".join(bar["why"] for bar in shown["bars"] if bar["stage"] == stage)

    def rows(self) -> list[dict[str, Any]]:
        """Every turn as a row of a table, times in milliseconds."""
        return [row(turn) for turn in self._times.values()]

    def csv(self) -> str:
        """That table, as spreadsheets read it."""
        return as_csv(self.rows())

    def figure(self, last: int = 4) -> Figure:
        """The last turns that were answered aloud, as a picture."""
        heard = [turn for turn in self._times.values() if turn.voice_to_voice is not None]
        return draw(heard[-last:])

    def save(self, path: str | Path, last: int = 4) -> Path:
        """Write that picture into a file: .png, .svg or .pdf."""
        self.figure(last).savefig(path, dpi=150)
        return Path(path)

    def _now(self) -> Settings:
        settings = self._settings
        return (
            settings if isinstance(settings, Settings) else settings() if settings else Settings()
        )

    def _received(self, _: object, content: object, buffers: object) -> None:
        """Take a click from the browser, on whatever thread it comes."""
        match content:
            case {"pick": [int(turn), str(stage)]} if self.on_pick is not None:
                self._home.soon(self.on_pick, turn, stage)
