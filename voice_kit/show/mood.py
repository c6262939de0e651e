"""What a conversation is doing right now, in one word: from its events alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from voice_kit.show.harmless import one_line
from voice_kit.types import (
    Abandoned,
    Event,
    Failed,
    FellAsleep,
    FrameHeard,
    GateOpened,
    Interrupted,
    Misfire,
    Paused,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    Resumed,
    SpeechStarted,
    TurnEnded,
    TurnFinished,
    TurnStarted,
    Woke,
)

State = Literal["idle", "listening", "thinking", "speaking", "failed", "asleep"]

LABELS: Mapping[State, str] = {
    "idle": "Ready",
    "listening": "Listening",
    "thinking": "Thinking",
    "speaking": "Speaking",
    "failed": "Something failed",
    "asleep": "Asleep",
}

CALLED = 3.0
"""Seconds in which whoever woke it may begin to speak."""

COMING = 0
"""Stands for the turn that follows at once when nothing began early."""

Phase = Literal["working", "audible", "held"]
"""Of a turn: not heard yet, heard, or paused in the middle."""


class Mood:
    """An observer that knows the state. Turns overlap, so it follows each of them."""

    def __init__(self, *, phrase: str = "") -> None:
        """With a wake `phrase` it is asleep at first, as the conversation is."""
        self.phrase = phrase
        self.detail = ""
        """What failed, and the fix, until another turn does better."""
        self._asleep = bool(phrase)
        self._speaking = False  # someone speaks, or is only taking breath
        self._called = -CALLED
        self._turns: dict[int, Phase] = {}
        self._failed: int | None = None  # in which turn; 0 in none
        self._stage = ""

    @property
    def state(self) -> State:
        """One word for all of it: what is heard of us first, then who else has the floor."""
        phases = set(self._turns.values())
        if self._speaking and "audible" not in phases:
            return "listening"
        if self._failed is not None:
            return "failed"
        if "audible" in phases:
            return "speaking"
        if phases:
            return "thinking"
        return "asleep" if self._asleep else "idle"

    @property
    def label(self) -> str:
        """The state, for those who read it."""
        state = self.state
        if state == "asleep" and self.phrase:
            return f"Asleep: say “{one_line(self.phrase)}”"
        if state == "listening" and "held" in self._turns.values():
            return "Listening, the answer is held"
        return LABELS[state]

    def __call__(self, event: Event) -> None:
        """Take in what happened. A turn whose start it did not see is followed from here on."""
        match event:
            case FrameHeard():
                self._turns.pop(COMING, None)
                if self._stage == "microphone":
                    self._heal()
                if self._called >= 0 and event.at - self._called >= CALLED:
                    self._called, self._speaking = -CALLED, False
            case SpeechStarted() | Resumed() | Paused():
                self._speaking, self._called = True, -CALLED
            case Misfire() | TurnEnded():
                self._speaking, self._called = False, -CALLED
                if isinstance(event, TurnEnded):
                    if self._failed not in self._turns:
                        self._heal()
                    self._turns[COMING] = "working"
            case Woke():  # the rest of the same breath has no start of its own
                self._asleep, self._speaking, self._called = False, True, event.at
            case FellAsleep():
                self._asleep, self._speaking = True, False
                self._heal()
            case Failed():
                self._failed, self._stage = event.turn, event.stage
                self.detail = one_line(f"{event.stage}: {event.message}", 300)
            case _ if number := getattr(event, "turn", 0):
                self._follow(number, event)

    def _follow(self, turn: int, event: Event) -> None:
        match event:
            case TurnStarted() | GateOpened():
                self._turns.pop(COMING, None)
                self._turns[turn] = "working"
            case PlaybackStarted() | PlaybackResumed():
                self._turns[turn] = "audible"
            case PlaybackPaused():
                self._turns[turn] = "held"
            case Interrupted() | Abandoned() | TurnFinished():
                self._turns.pop(turn, None)
        if isinstance(event, GateOpened | PlaybackStarted) and turn != self._failed:
            self._heal()

    def _heal(self) -> None:
        self._failed, self._stage, self.detail = None, "", ""
