"""A conversation as people read it in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.table import Table
from rich.text import Text

from voice_kit.converse.timeline import Timeline
from voice_kit.show.timeline import headline, waterfall
from voice_kit.types import (
    Abandoned,
    EngineChanged,
    Event,
    Failed,
    FellAsleep,
    Interrupted,
    Partial,
    PlaybackResumed,
    PlaybackStarted,
    SpeechReady,
    Transcribed,
    TurnFinished,
    Woke,
)

YOU, KIT = Text("you", "bold cyan"), Text("kit", "bold magenta")
MARGIN = " " * 7
WHOLE_LINE = (ControlType.ERASE_IN_LINE, 2)
BESIDE = 35
"""Columns of a waterfall beside its drawing: the names and the milliseconds."""


class ConsoleView:
    """An observer that prints what is heard and said as it happens, then where the time went."""

    def __init__(self, console: Console | None = None, *, waterfalls: bool = True) -> None:
        self.console = console or Console(highlight=False)
        self.timeline = Timeline()
        self.waterfalls = waterfalls
        self._words: dict[int, str] = {}  # what was said to us, by turn
        self._ready: dict[int, list[str]] = {}  # sentences of ours that nobody hears yet
        self._begun: set[int] = set()  # turns whose answer is on the screen
        self._along_shown = False

    def __call__(self, event: Event) -> None:
        """Print what there is to say about an event."""
        self.timeline(event)
        match event:
            case Transcribed():
                self._words[event.turn] = event.transcript.text
                if not event.transcript.text:
                    self._aside("there are no words in that sound")
            case SpeechReady():
                self._ready.setdefault(event.turn, []).append(event.text)
                if event.turn in self._begun:
                    self._print_ready(event.turn)
            case PlaybackStarted():
                self._begin(event.turn)
            case PlaybackResumed():
                self._aside(self._why_no_interruption(event.turn))
            case Interrupted():
                self._aside(f"you interrupt: {event.reason}")
            case Partial() if self.console.is_terminal:
                self._along(event.text)
            case Woke():
                self._aside("awake")
            case FellAsleep():
                self._aside("asleep until the wake phrase is heard")
            case Failed():
                self._aside(f"{event.stage}: {event.message}", style="bold")
            case EngineChanged():
                self._aside(f"from now on, {event.stage} is {event.engine}")
            case Abandoned():
                self._forget(event.turn)
            case TurnFinished():
                self._finish(event)

    def _begin(self, turn: int) -> None:
        self._begun.add(turn)
        if words := self._words.get(turn):
            self._line(YOU, words)
        self._print_ready(turn)

    def _print_ready(self, turn: int) -> None:
        for sentence in self._ready.pop(turn, []):
            self._line(KIT, sentence)

    def _finish(self, event: TurnFinished) -> None:
        if event.turn not in self._begun:
            self._begin(event.turn)
        if event.interrupted and event.said_heard != event.said:
            heard = f"only “{event.said_heard}”" if event.said_heard else "nothing of it"
            self._aside(f"of that answer you heard {heard}")
        self._forget(event.turn)
        turn = self.timeline.turns[-1]
        if self.waterfalls and turn.voice_to_voice is not None:
            silence = headline(turn).rpartition(": ")[2]
            self.console.print(Text(f"{MARGIN}{silence}", "dim"))
            room = self.console.width - len(MARGIN) - BESIDE
            for line in waterfall(turn, min(30, max(5, room))):
                self.console.print(Text(f"{MARGIN}{line}", "dim"), no_wrap=True, crop=True)
        self.console.print()

    def _forget(self, turn: int) -> None:
        self._begun.discard(turn)
        self._words.pop(turn, None)
        self._ready.pop(turn, None)

    def _why_no_interruption(self, answering: int) -> str:
        since = [words for turn, words in self._words.items() if turn > answering and words]
        what = f"“{since[-1]}” is no interruption" if since else "that was no interruption"
        return f"{what}: the answer goes on from the same word"

    def _along(self, words: str) -> None:
        """Show the words so far on a line that the next print takes back."""
        self._wipe()
        line = Text.assemble("  ", YOU, f"  {words} …")
        self.console.print(line, style="dim", end="", no_wrap=True, overflow="ellipsis")
        self._along_shown = True

    def _wipe(self) -> None:
        if self._along_shown:
            self.console.control(Control(ControlType.CARRIAGE_RETURN, WHOLE_LINE))
            self._along_shown = False

    def _line(self, who: Text, words: str) -> None:
        self._wipe()
        line = Table.grid(padding=(0, 2))
        line.add_column(width=5, justify="right")
        line.add_column()
        line.add_row(who, Text(words))
        self.console.print(line)

    def _aside(self, words: str, style: str = "dim") -> None:
        self._wipe()
        line = Table.grid()
        line.add_column(width=len(MARGIN))
        line.add_column()
        line.add_row("", Text(f"({words})", style))
        self.console.print(line)
