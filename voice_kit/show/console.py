"""A conversation as people read it in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from voice_kit.converse.timeline import Timeline
from voice_kit.show.timeline import headline, waterfall
from voice_kit.types import (
    EngineChanged,
    Event,
    Failed,
    Interrupted,
    PlaybackResumed,
    Transcribed,
    TurnFinished,
)


class ConsoleView:
    """An observer that prints what is heard and said, and each turn's waterfall."""

    def __init__(self, console: Console | None = None, *, waterfalls: bool = True) -> None:
        self.console = console or Console(highlight=False)
        self.timeline = Timeline()
        self.waterfalls = waterfalls

    def __call__(self, event: Event) -> None:
        """Print what there is to say about an event."""
        self.timeline(event)
        match event:
            case TurnFinished():
                self._turn(event)
            case Interrupted():
                self._aside(f"you interrupt: {event.reason}")
            case PlaybackResumed():
                self._aside("no interruption: the answer goes on from the same word")
            case Failed():
                self._aside(f"{event.stage} failed. {event.message}", style="bold")
            case EngineChanged():
                self._aside(f"{event.stage} goes on with {event.engine}")
            case Transcribed() if not event.transcript.text:
                self._aside("no words in that sound")

    def _turn(self, event: TurnFinished) -> None:
        unheard = event.said[len(event.said_heard) :] if event.interrupted else ""
        lines = Table.grid(padding=(0, 2))
        lines.add_column(width=5, justify="right")
        lines.add_column()
        lines.add_row(Text("you", "bold cyan"), Text(event.heard))
        said = Text.assemble(event.said_heard, (unheard, "dim strike"))
        lines.add_row(Text("kit", "bold magenta"), said)
        self.console.print(lines)
        turn = self.timeline.turns[-1]
        if turn.voice_to_voice is None or not self.waterfalls:
            return
        silence = headline(turn).rpartition(": ")[2]
        self.console.print(Text(f"       {silence}", "dim"))
        for line in waterfall(turn):
            self.console.print(Text(f"       {line}", "dim"), no_wrap=True, crop=True)
        self.console.print()

    def _aside(self, words: str, style: str = "dim") -> None:
        self.console.print(Text(f"       ({words})", style))
