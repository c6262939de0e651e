"""Where the time of each turn went, from the events alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from voice_kit.types import (
    Abandoned,
    Event,
    Failed,
    FirstToken,
    GateOpened,
    Interrupted,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    SentenceReady,
    SpeechReady,
    Transcribed,
    TurnEnded,
    TurnFinished,
    TurnStarted,
)

STAGES: Mapping[str, str] = {
    "speech": "you speak",
    "wait": "waiting, if you go on",
    "transcribe": "speech to text",
    "first_token": "model, to its first word",
    "first_sentence": "model, to a full sentence",
    "synthesis": "voice, first sentence",
    "playback": "the answer is heard",
}
"""The stages of a turn in their order, and what each of them is."""

TOOK = {Transcribed: "transcribe", FirstToken: "first_token", SpeechReady: "synthesis"}
"""The events that tell how long something took, the first time it was done in a turn."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time that a stage took. Seconds since the microphone opened."""

    stage: str
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


@dataclass(slots=True)
class TurnTimes:
    """What happened in one turn of the conversation, and when."""

    number: int
    heard: str = ""
    said: str = ""
    said_heard: str = ""
    interrupted: bool = False
    eager: bool = False
    typed: bool = False
    problem: str = ""
    """What failed, and the fix; empty when nothing did."""
    ended: float | None = None
    """When the last speech of the question ended."""
    first_sound: float | None = None
    """When the first sample of the answer was audible."""
    bars: list[Bar] = field(default_factory=list)

    @property
    def voice_to_voice(self) -> float | None:
        """Seconds from the last speech of the question to the first sound of the answer."""
        if self.ended is None or self.first_sound is None:
            return None
        return self.first_sound - self.ended

    def seconds(self, stage: str) -> float:
        """How long a stage took in this turn; 0 when it did not happen."""
        return sum(bar.seconds for bar in self.bars if bar.stage == stage)


class Timeline:
    """An observer that keeps the times of every turn. Give it to a `Conversation`."""

    def __init__(self) -> None:
        self.turns: list[TurnTimes] = []
        """The finished turns, in order."""
        self.abandoned = 0
        """How many early starts were dropped without a trace."""
        self.wasted = 0.0
        """Seconds that engines had worked on all that was dropped: on those, on what was only
        transcribed, for the judge or ahead of a pause that was none, and on answers whose speaker
        went on before anything was heard. An answer that is interrupted was wanted until then:
        what nobody heard of it is not counted."""
        self._open: dict[int, TurnTimes] = {}
        self._question: TurnEnded | None = None

    def __call__(self, event: Event) -> None:
        """Take in what happened. Of a turn whose start it did not see it keeps the rest."""
        match event:
            case TurnEnded():
                self._question = event
            case TurnStarted(number, _, eager, typed):
                self._open[number] = TurnTimes(number, eager=eager, typed=typed)
            case Abandoned(number):
                dropped = self._open.pop(number, None)
                self.abandoned += dropped is not None and dropped.eager
                self.wasted += event.worked
            case _ if number := getattr(event, "turn", 0):
                self._add(self._open.setdefault(number, TurnTimes(number)), event)

    def _add(self, turn: TurnTimes, event: Event) -> None:
        stages = [bar.stage for bar in turn.bars]
        match event:
            case GateOpened() if self._question is not None and not turn.typed:
                turn.ended = self._question.ended
                wait = Bar("wait", turn.ended, event.at)
                turn.bars[:0] = [Bar("speech", self._question.started, turn.ended), wait]
            case Transcribed() | FirstToken() | SpeechReady() if TOOK[type(event)] not in stages:
                turn.bars.append(Bar(TOOK[type(event)], event.at - event.took, event.at))
            case SentenceReady() if stages[-1:] == ["first_token"]:
                turn.bars.append(Bar("first_sentence", turn.bars[-1].end, event.at))
            case PlaybackStarted() | PlaybackResumed():
                if isinstance(event, PlaybackStarted):
                    turn.first_sound = event.at
                turn.bars.append(Bar("playback", event.at, event.at))
            case PlaybackPaused() | Interrupted() | TurnFinished():
                if stages[-1:] == ["playback"] and not turn.bars[-1].seconds:
                    turn.bars[-1] = Bar("playback", turn.bars[-1].start, event.at)
            case Failed():
                turn.problem = event.message
        if isinstance(event, TurnFinished):
            turn.heard, turn.said, turn.said_heard = event.heard, event.said, event.said_heard
            turn.interrupted = event.interrupted
            self.turns.append(self._open.pop(turn.number))
