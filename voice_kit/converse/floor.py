"""Who has the floor: begins answers early, gives way to interruptions, joins broken turns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np

from voice_kit.converse.desk import Desk
from voice_kit.converse.turn import Turn
from voice_kit.hear.backchannels import is_backchannel, words
from voice_kit.hear.ears import Ears
from voice_kit.settings import Settings
from voice_kit.types import (
    Abandoned,
    Audio,
    HearingEvent,
    Interrupted,
    Misfire,
    Paused,
    PlaybackPaused,
    PlaybackResumed,
    Resumed,
    SpeechStarted,
    Transcript,
    TurnEnded,
    TurnStarted,
)


class Floor:
    """At most one turn has the floor and may be heard; at most one other works behind its gate."""

    def __init__(
        self, ears: Ears, desk: Desk, turns: asyncio.TaskGroup, settings: Settings
    ) -> None:
        self.ears = ears
        self.desk = desk
        self.settings = settings
        self.transcribing = 0.0
        """Seconds that the last transcription took."""
        self._turns = turns
        self._count = self._starts = 0
        self._answer: Turn | None = None  # has the floor: it speaks, or is about to
        self._early: Turn | None = None  # works behind its gate on the sound heard last
        self._last: Turn | None = None  # had the floor last; memory may not be settled yet
        self._before = Audio.silence(0)  # what its speaker had said before going on, unanswered

    def react(self, events: Sequence[HearingEvent]) -> None:
        """Do what follows from a frame: from its events, and from how long speech has lasted."""
        for event in events:
            self.desk.notify(event)
            match event:
                case SpeechStarted() | Resumed():
                    self._doubt()
                case Misfire():
                    self._go_on()
                case Paused() if self._worth_an_early_start():
                    self._starts += 1
                    self._begin(self.ears.sound(), event.ended, eager=True)
                case TurnEnded():
                    if self._early is None or self._early.covers != event.ended:
                        self._begin(event.audio, event.ended)
                    self._starts = 0
                    self._commit()
        self._weigh_duration()

    def type(self, text: str) -> None:
        """Give the floor to a typed line."""
        if self._answer is not None:
            self._interrupt("a line was typed")
        self._give_floor(self._start(typed=text, eager=False))

    def hush(self) -> None:
        """End the answer that has the floor."""
        self._interrupt("it was told to be quiet")

    async def idle(self) -> None:
        """Return once no answer is under way."""
        while self._last is not None and not self._last.closed.is_set():
            await self._last.closed.wait()

    def _worth_an_early_start(self) -> bool:
        rules = self.settings.hear
        fits = self.transcribing <= rules.stop - rules.eager
        busy = self._early is not None and self._early.transcript is None
        return fits and not busy and self._starts < self.settings.eager_starts

    # What may be an interruption

    def _doubt(self) -> None:
        """Someone speaks while we do: hold the answer, its place kept, until we know more."""
        answer, mode = self._answer, self.settings.interrupt.mode
        if answer is None or mode == "never":
            return
        if mode == "any" and answer.heard:
            self._interrupt("any sound interrupts")
        elif answer.pause() and answer.heard:
            self.desk.notify(PlaybackPaused(answer.number, self.desk.now()))

    def _go_on(self) -> None:
        """It was no interruption: the answer goes on from the same sample."""
        if self._answer is not None and self._answer.go_on() and self._answer.heard:
            self.desk.notify(PlaybackResumed(self._answer.number, self.desk.now()))

    def _weigh_duration(self) -> None:
        answer, rules = self._answer, self.settings.interrupt
        if answer is None or not self.ears.speaking:
            return
        if not answer.heard and answer.audio is not None:
            if self.ears.spoken >= self.settings.hear.shortest:
                self._before = answer.audio  # one turn: both sounds are transcribed as one
                answer.stop("its speaker went on before it was heard")
                self._answer = None
        elif rules.mode != "never" and self.ears.spoken >= rules.after:
            self._interrupt(f"speech lasted {rules.after:g} s")

    def _weigh_words(self, turn: Turn) -> bool:
        """Whether `turn`, whose words are known now, is meant for us and goes on."""
        transcript = turn.transcript
        if transcript is None:  # it failed: say so, unless that would interrupt
            turn.dropped = "" if self._answer in (None, turn) else "it could not be transcribed"
            transcript = Transcript("")
        elif (earlier := turn.instead_of) is not None and not earlier.closed.is_set():
            if words(earlier.transcript) == words(transcript):
                earlier.covers, earlier.audio, earlier.ended = turn.covers, turn.audio, turn.ended
                self._early = earlier
                if self._answer is turn:
                    self._answer = None
                turn.dropped = "the same words: the earlier start stands"
                self._open(earlier)
                return False
            earlier.stop("its speaker went on with other words")
        if transcript is not None and not transcript.text:
            turn.dropped = "no words in it"
        elif self._answer not in (None, turn) and self.settings.interrupt.mode == "evidence":
            if not transcript.confident or is_backchannel(transcript.text, transcript.language):
                turn.dropped = "its words were no interruption"
            else:
                self._interrupt("its words")
        if turn.dropped:
            self._before = Audio.silence(0)
            self._go_on()
            return False
        self._open(turn)
        return True

    def _interrupt(self, reason: str) -> None:
        answer = self._answer
        if answer is not None:
            answer.interrupted = True
            answer.stop()
            self.desk.notify(Interrupted(answer.number, self.desk.now(), reason))
            self._answer = None

    # What is answered

    def _start(self, *, eager: bool, **what: Any) -> Turn:
        self._count += 1
        turn = Turn(self._count, self.desk, self.settings, before=self._last, **what)
        typed = bool(turn.typed)
        self.desk.notify(TurnStarted(turn.number, self.desk.now(), eager, typed))
        turn.task = self._turns.create_task(
            turn.answer(self._weigh_words), name=f"turn {turn.number}"
        )
        turn.task.add_done_callback(lambda _: self._over(turn))
        return turn

    def _begin(self, sound: Audio, covers: float, *, eager: bool = False) -> None:
        """Start an answer to this sound behind a closed gate."""
        earlier = self._early
        if earlier is not None and earlier.ended and not earlier.closed.is_set():
            self._before = earlier.audio or self._before  # ended, unanswered, and more was said
            earlier.stop("its speaker went on before it was heard")
            earlier = None
        whole = Audio(np.concatenate([self._before.samples, sound.samples]), sound.rate)
        self._early = self._start(eager=eager, audio=whole, covers=covers, instead_of=earlier)

    def _commit(self) -> None:
        """The turn has ended: what works on its answer may have the floor."""
        if self._early is not None:
            self._early.ended = True
            self._open(self._early)

    def _open(self, turn: Turn) -> None:
        """Give it the floor, if its turn has ended, it is wanted, and nobody else has it."""
        if turn.ended and not turn.dropped and self._answer is None:
            self._give_floor(turn)

    def _give_floor(self, turn: Turn) -> None:
        if self._early is turn:
            self._early, self._before = None, Audio.silence(0)
        self._answer = self._last = turn
        turn.open_gate()

    def _over(self, turn: Turn) -> None:
        if not turn.closed.is_set():  # cancelled before its first step
            turn.closed.set()
            self.desk.notify(Abandoned(turn.number, self.desk.now(), turn.dropped))
        if turn is self._answer:
            self._answer = None
            if self._early is not None:
                self._open(self._early)
