"""Who has the floor: begins answers early, gives way to interruptions, joins broken turns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np

from voice_kit.converse.desk import Desk
from voice_kit.converse.judging import is_worth_words, judge_end
from voice_kit.converse.turn import Turn
from voice_kit.hear.backchannels import words
from voice_kit.hear.ears import Ears
from voice_kit.hear.own_words import FEW, wants_us
from voice_kit.speak.heard import told
from voice_kit.types import (
    Audio,
    HearingEvent,
    Interrupted,
    Misfire,
    Paused,
    Resumed,
    SpeechStarted,
    Transcript,
    TurnEnded,
    TurnStarted,
)


class Floor:
    """At most one turn has the floor and may be heard; at most one other works behind its gate."""

    def __init__(self, ears: Ears, desk: Desk, turns: asyncio.TaskGroup) -> None:
        self.ears = ears
        self.desk = desk
        self.took = 0.0
        """Seconds that the last transcription took."""
        self._turns = turns
        self._count = self._starts = 0
        self._answer: Turn | None = None  # has the floor: it speaks, or is about to
        self._early: Turn | None = None  # works behind its gate on the sound heard last
        self._last: Turn | None = None  # had the floor last; memory may not be settled yet
        self._news: list[str] = []  # what is to be said of our own accord
        self._before = Audio.silence(0)  # what its speaker had said before going on, unanswered
        self._spoken = 0.0  # of the speech under way, before the answer had the floor

    def react(self, events: Sequence[HearingEvent]) -> None:
        """Do what follows from a frame: from its events, and from how long speech has lasted."""
        for event in events:
            self.desk.notify(event)
            match event:
                case SpeechStarted():
                    self._spoken = 0.0
                    self._doubt()
                case Resumed():
                    self._doubt()
                case Misfire():
                    if self._early is not None and not self._early.ended:
                        self._early.stop("what was heard is no turn")
                        self._early = None
                    self._starts, self._before = 0, Audio.silence(0)
                    self._go_on()
                case Paused() if is_worth_words(self.desk, self._early, self._starts, self.took):
                    self._starts += 1
                    eager = self._starts <= self.desk.settings().eager_starts
                    self._consult(self._begin(self.ears.sound(), event.ended, eager=eager))
                case Paused() if not self.desk.engines.judge.current.needs_words:
                    self._consult(self._turn(0, audio=self.ears.sound(), covers=event.ended))
                case TurnEnded():
                    early = self._early
                    if early is None or early.covers != event.ended:
                        early = self._begin(event.audio, event.ended)
                    early.ended, self._starts = True, 0
                    self._open()
        self._weigh_duration()
        if self._news:
            self._open()

    @property
    def taken(self) -> bool:
        """Whether an answer has the floor."""
        return self._answer is not None

    def type(self, text: str) -> None:
        """Give the floor to a typed line."""
        self.interrupt("a line was typed")
        self._give_floor(self._start(typed=text, ended=True))

    def announce(self, text: str) -> None:
        """Give the floor to this once nobody speaks or is about to."""
        self._news.append(text)
        self._open()

    def interrupt(self, reason: str) -> None:
        """End the answer that has the floor."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.interrupted = True
            answer.stop()
            answer.tell(Interrupted, reason)

    async def idle(self) -> None:
        """Return once no answer is under way."""
        while self._last is not None and not self._last.closed.is_set():
            await self._last.closed.wait()  # after it, who waited has the floor

    def _consult(self, turn: Turn) -> None:
        judge, heard = self.desk.engines.judge.current, turn.transcript is not None
        if not heard:
            self.ears.expect(self.ears.rules.unfinished)  # until the judge has spoken
        if not turn.ended and judge.needs_words == heard:
            work = judge_end(turn, judge, self.ears, lambda: self._early)
            self._turns.create_task(work, name=f"judge {turn.number}")

    # What may be an interruption

    def _doubt(self) -> None:
        """Someone speaks while we do: hold the answer, its place kept, until we know more."""
        answer = self._answer
        if answer and answer.settings.interrupt.mode == "any" and answer.heard:
            self.interrupt("any sound interrupts")
        elif answer and answer.settings.interrupt.mode != "never":
            answer.hold()

    def _go_on(self) -> None:
        """The answer goes on where it was, unless someone speaks again or words are awaited."""
        early = self._early
        again = self.ears.speaking and (early is None or early.covers != self.ears.ended)
        unknown = early is not None and early.transcript is None
        if self._answer is not None and not again and not unknown:
            self._answer.hold(False)

    def _weigh_duration(self) -> None:
        answer = self._answer
        if answer is None or not self.ears.speaking:
            return
        if not answer.heard and not answer.acted.is_set() and answer.audio is not None:
            if self.ears.spoken >= self.ears.rules.shortest:
                self._join(answer)
                self._answer = None
        elif answer.paused and self.ears.spoken - self._spoken >= answer.settings.interrupt.after:
            self.interrupt(f"speech lasted {answer.settings.interrupt.after:g} s")

    def _weigh_words(self, turn: Turn) -> bool:
        """Whether `turn` is meant for us and goes on, now that its words are known, or lost."""
        if turn.interrupted:
            return False
        heard, earlier, answer = turn.transcript, turn.instead_of, self._answer
        turn.transcript, turn.instead_of = heard or Transcript(""), None
        self._consult(turn)
        if earlier is not None:
            if heard is not None and words(earlier.transcript) == words(heard):
                turn.dropped = "the same words: the earlier start stands"
                earlier.covers, earlier.audio, earlier.ended = turn.covers, turn.audio, turn.ended
                earlier.hold(turn.paused)
                self._early, self._answer = earlier, None if answer is turn else answer
                self._go_on()
                self._open()
                return False
            earlier.stop("its speaker went on with other words")
        over = None if answer is turn else answer
        held = over if over and over.paused else None
        said, left = told(over.spoken, over.heard) if over else ("", "")
        ours = said if turn.settings.interrupt.guard else ""
        asks = (said + left).rstrip().endswith(("?", "？")) and len(left.split()) <= FEW
        meant = heard is None or wants_us(heard, ours, asked=bool(over and over.made and asks))
        if heard is None:  # say so, unless that would interrupt
            turn.dropped = "it could not be transcribed" if held else ""
        elif not heard.text:
            turn.dropped = "no words in it"
        elif (over and not meant) or (held and not heard.confident):
            turn.dropped = "its words were no interruption"
        elif held:
            self.interrupt("its words")
        if turn.dropped:
            self._before = Audio.silence(0)
            if not meant:  # what follows is weighed anew
                self._spoken = self.ears.spoken
            self._go_on()
        self._open()
        return not turn.dropped

    # What is answered

    def _start(self, **what: Any) -> Turn:
        self._count += 1
        turn = self._turn(self._count, **what)
        work = turn.answer(self._weigh_words)
        turn.task = self._turns.create_task(work, name=f"turn {turn.number}")
        turn.task.add_done_callback(lambda task: self._over(turn, task.cancelled()))
        turn.tell(TurnStarted, turn.eager, turn.audio is None)
        return turn

    def _turn(self, number: int, **what: Any) -> Turn:
        return Turn(number, self.desk, self.desk.settings(), before=self._last, **what)

    def _begin(self, sound: Audio, covers: float, *, eager: bool = False) -> Turn:
        """Start an answer to this sound behind a closed gate."""
        earlier = self._early
        if earlier is not None and (earlier.ended or earlier.closed.is_set()):
            if not earlier.closed.is_set():
                self._join(earlier)
            earlier = None
        elif earlier is not None and earlier.transcript is None:  # this one's words decide
            late, earlier = earlier, earlier.instead_of
            late.instead_of = None
            late.stop("its speaker went on before its words were known")
        whole = self.joined(sound)
        self._early = self._start(eager=eager, audio=whole, covers=covers, instead_of=earlier)
        return self._early

    def joined(self, sound: Audio) -> Audio:
        """What ears hear, behind what its speaker had said before going on."""
        return Audio(np.concatenate([self._before.samples, sound.samples]), sound.rate)

    def _join(self, unheard: Turn) -> None:
        """Its speaker goes on: one turn, transcribed as one. Of a radio, only the last is kept."""
        if (said := unheard.audio) is not None:
            most = round(self.ears.rules.longest * said.rate)
            self._before = Audio(said.samples[-most:], said.rate)
        unheard.stop("its speaker went on before it was heard")

    def _open(self) -> None:
        """Give the floor to who waits for it, if its speaker has finished and nobody has it."""
        early = self._early
        if self._answer is not None:
            return
        if early is not None and not early.closed.is_set():
            if early.ended and not early.dropped:
                self._give_floor(early)
        elif self._news and not self.ears.speaking:
            self._give_floor(self._start(announced=self._news.pop(0), ended=True))

    def _give_floor(self, turn: Turn) -> None:
        if turn is self._early:
            self._early, self._before = None, Audio.silence(0)
        self._answer = self._last = turn
        self._spoken = self.ears.spoken
        turn.open_gate()

    def _over(self, turn: Turn, cancelled: bool) -> None:
        if cancelled and not (turn.interrupted or turn.dropped):  # everything is being ended
            self._news.clear()
        turn.close()
        self._answer = None if turn is self._answer else self._answer
        self._open()
