"""The minutes of a conversation: what was heard, said, used and read, as plain data and text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from voice_kit.show.harmless import one_line, reference
from voice_kit.types import (
    Abandoned,
    EngineChanged,
    Event,
    Failed,
    FellAsleep,
    GateOpened,
    Interrupted,
    Misfire,
    Partial,
    Paused,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    Resumed,
    Routed,
    SpeechReady,
    SpeechStarted,
    ToolUsed,
    Transcribed,
    TurnEnded,
    TurnFinished,
    TurnStarted,
    Woke,
)


@dataclass(slots=True)
class Entry:
    """A turn as people read it, all of it plain data."""

    turn: int
    """Its number; a remark between turns counts from -1 downwards."""
    typed: bool = False
    you: str = ""
    sure: bool = False
    """Whether those words are final."""
    route: dict[str, Any] | None = None
    tools: list[dict[str, Any]] = field(default_factory=list)
    pieces: list[dict[str, Any]] = field(default_factory=list)
    """The answer as far as it is sound: `text` and `seconds` of each piece."""
    heard: float = 0.0
    """Seconds of the pieces that were heard when it was last told."""
    playing: bool = False
    said: str = ""
    """What memory keeps: the words that were heard. Empty before `done`."""
    missed: str = ""
    """What was said after them, and not heard."""
    interrupted: str = ""
    """Why it stopped; empty when it did not."""
    remarks: list[dict[str, Any]] = field(default_factory=list)
    """`text`, and whether something `failed`."""
    done: bool = False


class Minutes:
    """An observer that writes down what people said to each other."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        """The turns that are over, and the remarks between them."""
        self.partial = ""
        """The words so far of who is speaking; they may still change."""
        self._turns: dict[int, Entry] = {}
        self._open: list[int] = []  # those that are certain, in the order in which they became so
        self._since: dict[int, float] = {}  # up to when `heard` is counted, while it plays
        self._sent: list[str] = []  # typed lines without a turn yet
        self._remarks = 0
        self._speaking = False
        self._doubtful = ""  # the last words that may have been an interruption

    def sent(self, line: str) -> None:
        """A line was typed: the next typed turn is its own."""
        self._sent = [*self._sent, one_line(line)][-8:]

    def now(self) -> dict[str, Any]:
        """What is under way, as plain data: `open` turns, `partial` words, `sent` lines."""
        turns = [asdict(self._turns[number]) for number in self._open]
        return {"open": turns, "partial": self.partial, "sent": list(self._sent)}

    def __call__(self, event: Event) -> bool:
        """Take in what happened; gives whether the minutes may read otherwise now."""
        match event:
            case SpeechStarted() | Resumed():
                self._speaking = True
                return False
            case Paused() | TurnEnded():
                self._speaking = False
                return False
            case Misfire():
                self._speaking, self.partial = False, ""
            case Partial():
                self.partial = one_line(event.text)
            case Woke():
                self._remark("awake")
            case FellAsleep():
                self._remark("asleep until the wake phrase is heard")
            case EngineChanged():
                self._remark(f"from now on, {event.stage} is {event.engine}: {event.reason}")
            case Failed(turn=0):
                self._remark(f"{event.stage}: {event.message}", failed=True)
            case TurnStarted():
                self._turns[event.turn] = Entry(event.turn, event.typed)
            case _ if number := getattr(event, "turn", 0):
                self._add(number, self._turns.setdefault(number, Entry(number)), event)
            case _:
                return False
        return True

    def _add(self, number: int, entry: Entry, event: Event) -> None:
        match event:
            case GateOpened():
                self._open.append(number)
                if entry.typed and self._sent:
                    entry.you, entry.sure = self._sent.pop(0), True
                elif not entry.typed:
                    entry.you, self.partial = entry.you or self.partial, ""
            case Transcribed():
                entry.you, entry.sure = one_line(event.transcript.text), True
                if number not in self._open:
                    self.partial = self._doubtful = entry.you
            case Routed():
                kind, reason = event.route.kind, one_line(event.route.reason, 160)
                sure = round(event.route.confidence, 2)
                entry.route = {"kind": kind, "confidence": sure, "reason": reason}
            case ToolUsed():
                entry.tools.append(_used(event))
            case SpeechReady():
                self._count(entry, event.at)
                entry.pieces.append({"text": one_line(event.text), "seconds": event.seconds})
            case PlaybackStarted() | PlaybackResumed():
                entry.playing, self._since[number] = True, event.at
                if isinstance(event, PlaybackResumed):
                    what = f"“{self._doubtful}” is" if self._doubtful else "that was"
                    say = f"{what} no interruption: the answer goes on from the same word"
                    entry.remarks.append({"text": say, "failed": False})
                    self._doubtful = ""
            case PlaybackPaused() | Interrupted():
                self._count(entry, event.at)
                entry.playing = False
                entry.interrupted = getattr(event, "reason", "")
            case Failed():
                say = one_line(f"{event.stage}: {event.message}")
                entry.remarks.append({"text": say, "failed": True})
            case Abandoned():
                self._drop(number)
            case TurnFinished():
                self._finish(number, entry, event)

    def _count(self, entry: Entry, now: float) -> None:
        """Count what was heard until now: never more than there is, or a wait would count too."""
        if entry.playing:
            length = sum(piece["seconds"] for piece in entry.pieces)
            entry.heard = min(length, entry.heard + max(0.0, now - self._since[entry.turn]))
            self._since[entry.turn] = now

    def _drop(self, number: int) -> None:
        """Nothing of it stays but what failed, for it tells what to do."""
        failed = [each for each in self._forget(number).remarks if each["failed"]]
        if failed:
            self._between(failed)
        if not self._speaking:
            waiting = [each.you for at, each in self._turns.items() if at not in self._open]
            self.partial = waiting[-1] if waiting else ""

    def _finish(self, number: int, entry: Entry, event: TurnFinished) -> None:
        said, heard = one_line(event.said), one_line(event.said_heard)
        entry.you, entry.sure, entry.done, entry.playing = one_line(event.heard), True, True, False
        entry.said, entry.missed = heard, said.removeprefix(heard) if said != heard else ""
        entry.pieces = []
        if event.interrupted and not entry.interrupted:
            entry.interrupted = "the user took the turn"
        self.entries.append(self._forget(number))

    def _forget(self, number: int) -> Entry:
        self._open = [each for each in self._open if each != number]
        self._since.pop(number, None)
        return self._turns.pop(number)

    def _remark(self, text: str, *, failed: bool = False) -> None:
        remark = {"text": one_line(text), "failed": failed}
        if self._open:
            self._turns[self._open[-1]].remarks.append(remark)
        else:
            self._between([remark])

    def _between(self, remarks: list[dict[str, Any]]) -> None:
        self._remarks += 1
        self.entries.append(Entry(-self._remarks, remarks=remarks, done=True))

    def text(self) -> str:
        """All of it, to keep or to print: a line for each thing that was said or done."""
        turns = [self._turns[number] for number in self._open]
        return "".join(f"{line}\n" for entry in [*self.entries, *turns] for line in _lines(entry))


def _used(event: ToolUsed) -> dict[str, Any]:
    return {
        "tool": one_line(event.call.tool, 60),
        "arguments": one_line(_named(event.call.arguments), 200),
        "result": one_line(event.result, 400),
        "worked": event.worked,
        "took": round(event.took, 3),
        "sources": [reference(source) for source in event.sources],
    }


def _named(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in arguments.items())


def _lines(entry: Entry) -> list[str]:
    lines = [f"you: {entry.you}"] if entry.you else []
    if route := entry.route:
        lines.append(f"     (route: {route['kind']}, {route['confidence']:.2f}: {route['reason']})")
    for tool in entry.tools:
        failed = "" if tool["worked"] else "failed: "
        lines.append(f"     ({tool['tool']}: {tool['arguments']} → {failed}{tool['result']})")
        lines += [f"     (source: {each['title']} <{each['url']}>)" for each in tool["sources"]]
    said = entry.said if entry.done else " ".join(piece["text"] for piece in entry.pieces)
    missed = f" [not heard: {entry.missed.strip()}]" if entry.missed else ""
    if said or missed:
        lines.append(f"kit: {said}{missed}")
    lines += [f"     ({remark['text']})" for remark in entry.remarks]
    return [*lines, f"     (you interrupt: {entry.interrupted})"] if entry.interrupted else lines
