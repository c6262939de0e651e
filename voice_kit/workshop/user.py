"""A person made of recordings, who waits for the answer, goes on, and sometimes interrupts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from voice_kit.audio.convert import convert
from voice_kit.types import (
    FRAME,
    RATE,
    Audio,
    Event,
    GateOpened,
    Interrupted,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    Samples,
    TurnFinished,
)

FRAME_SECONDS = FRAME / RATE
PAUSE = 0.8
FIRST = 0.5
"""Seconds until the first line, whose pause is the usual one."""


@dataclass(frozen=True, slots=True)
class Words:
    """A place in an answer: after so many of its words, or after these."""

    count: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Something to say, to type or to do, and when."""

    audio: Audio
    pause: float = PAUSE
    """Seconds of quiet after the answer to the line before."""
    into: float | None = None
    """Or: seconds into the answer to the line before, whatever is being said then."""
    words: Words | None = None
    """Or: once these words of the answer to the line before were heard."""
    goes_on: bool = False
    """Or: `pause` seconds after the line before, whatever came of it."""
    typed: str = ""
    """Typed instead of spoken."""
    hush: bool = False
    """Instead, the assistant is told to be quiet."""


class Hands(Protocol):
    """What a line that is typed goes to: a `Conversation`."""

    def type(self, text: str) -> None:
        """Answer a typed line."""

    def hush(self) -> None:
        """Fall silent."""


class SyntheticUser:
    """An async iterable of frames, like a microphone, and an observer of the conversation.

    It goes by the event loop's time and by what the assistant does, so the same engines get the
    same conversation. `on_line` is called when a line begins. Someone who gets no answer goes on
    after `patience` seconds. `heard` says whether words of the answer were heard by now, and
    `background` is heard all the time, over and over.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        *,
        patience: float = 20.0,
        on_line: Callable[[Audio], None] = lambda audio: None,
        heard: Callable[[Words], bool] = lambda words: False,
        background: Audio | None = None,
    ) -> None:
        self.patience = patience
        self.on_line = on_line
        self.hands: Hands | None = None
        """Where typed lines go."""
        self.opened = 0.0
        """The event loop's time of the first sample."""
        self.spoken: list[tuple[float, Audio]] = []
        """What was said and when: seconds since the first sample, sound at 16 kHz."""
        self.begun: list[float] = []
        """When each line began, typed ones too."""
        self.missed: list[int] = []
        """Lines whose place in an answer never came, by number from 0: said all the same."""
        self._lines = list(lines)
        self._heard = heard
        self._background = convert(background or Audio.silence(0), RATE).samples
        self._started: float | None = None  # when the answer under way was first heard
        self._held = False  # that answer is paused: nobody knows yet whether it goes on
        self._answered: float | None = FIRST - PAUSE  # when the last answer had been heard
        self._quiet_since = 0.0
        self._now = 0.0

    def __call__(self, event: Event) -> None:
        """Take notice of what the assistant does."""
        match event:
            case GateOpened():
                self._answered = None
            case PlaybackStarted():
                self._started, self._held = event.at, False
            case PlaybackPaused() | PlaybackResumed():
                self._held = isinstance(event, PlaybackPaused)
            case Interrupted() | TurnFinished():
                self._started = None
                self._quiet_since = max(self._quiet_since, event.at)
                if isinstance(event, TurnFinished) and not event.interrupted:
                    self._answered = event.at

    async def __aiter__(self) -> AsyncIterator[Samples]:
        loop = asyncio.get_running_loop()
        self.opened = loop.time()
        said: Samples = np.zeros(0, np.float32)
        index = 0
        while self._lines or len(said) or not self._is_over():
            self._now = index * FRAME_SECONDS
            if not len(said) and self._lines and self._turn_is_mine(self._lines[0]):
                said = self._begin(self._lines.pop(0))
            frame, said = said[:FRAME], said[FRAME:]
            index += 1
            await asyncio.sleep(max(0.0, self.opened + index * FRAME_SECONDS - loop.time()))
            yield np.pad(frame, (0, FRAME - len(frame))) + self._behind(index * FRAME - FRAME)

    def sound(self, seconds: float) -> Audio:
        """Everything said in the first `seconds`, at its time."""
        samples = np.zeros(round(seconds * RATE), np.float32)
        for start, audio in self.spoken:
            first = round(start * RATE)
            piece = audio.samples[: len(samples) - first]
            samples[first : first + len(piece)] += piece
        return Audio(samples + self._behind(0, len(samples)), RATE)

    def _behind(self, first: int, count: int = FRAME) -> Samples:
        if not len(self._background):
            return np.zeros(count, np.float32)
        return np.take(self._background, np.arange(first, first + count), mode="wrap")

    def _begin(self, line: Line) -> Samples:
        said = convert(line.audio, RATE).samples
        self._answered = None
        self._quiet_since = self._now + len(said) / RATE
        self.begun.append(self._now)
        if line.typed and self.hands:
            self.hands.type(line.typed)
        elif line.hush and self.hands:
            self.hands.hush()
            self._answered = self._now
        else:
            self.spoken.append((self._now, Audio(said, RATE)))
            self.on_line(self.spoken[-1][1])
        return said

    def _turn_is_mine(self, line: Line) -> bool:
        if line.goes_on:
            return self._now >= self._quiet_since + line.pause
        if self._started is not None and not self._held:
            if line.words is not None:
                return self._heard(line.words)
            if line.into is not None:
                return self._now >= self._started + line.into
        mine = self._is_over(line.pause)
        if mine and (line.words or line.into is not None):
            self.missed.append(len(self.begun))
        return mine

    def _is_over(self, pause: float = PAUSE) -> bool:
        """Whether the last answer was heard and some quiet after it, or none came."""
        if self._answered is not None and self._now >= self._answered + pause:
            return True
        return self._started is None and self._now - self._quiet_since > self.patience
