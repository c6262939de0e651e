"""A person made of recordings, who waits for the answer, goes on, and sometimes interrupts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from voice_kit.audio.convert import convert
from voice_kit.types import (
    FRAME,
    RATE,
    Audio,
    Event,
    GateOpened,
    PlaybackStarted,
    Samples,
    TurnFinished,
)

FRAME_SECONDS = FRAME / RATE


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Something to say, and when."""

    audio: Audio
    pause: float = 0.8
    """Seconds of quiet after the answer to the line before."""
    into: float | None = None
    """Or: seconds into the answer to the line before, whatever is being said then."""


class SyntheticUser:
    """An async iterable of frames, like a microphone, and an observer of the conversation.

    It goes by the event loop's time and by what the assistant does, so the same engines get the
    same conversation. `on_line` is called when a line begins. Someone who gets no answer goes on
    after `patience` seconds.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        *,
        patience: float = 20.0,
        on_line: Callable[[Audio], None] = lambda audio: None,
    ) -> None:
        self.patience = patience
        self.on_line = on_line
        self.opened = 0.0
        """The event loop's time of the first sample."""
        self.spoken: list[tuple[float, Audio]] = []
        """What was said and when: seconds since the first sample, sound at 16 kHz."""
        self._lines = list(lines)
        self._next_at: float | None = 0.5
        self._quiet_since = 0.0
        self._now = 0.0

    def __call__(self, event: Event) -> None:
        """Take notice of what the assistant does."""
        coming = self._lines[0] if self._lines else Line(Audio.silence(0))
        match event:
            case GateOpened():
                self._next_at = None
            case PlaybackStarted():
                self._next_at = None if coming.into is None else event.at + coming.into
            case TurnFinished() if not event.interrupted and self._next_at is None:
                self._next_at = event.at + coming.pause
                self._quiet_since = event.at

    async def __aiter__(self) -> AsyncIterator[Samples]:
        loop = asyncio.get_running_loop()
        self.opened = loop.time()
        said: Samples = np.zeros(0, np.float32)
        index = 0
        while self._lines or len(said) or not self._over():
            self._now = index * FRAME_SECONDS
            if not len(said) and self._lines and self._turn_is_mine():
                said = convert(self._lines.pop(0).audio, RATE).samples
                self._next_at = None
                self._quiet_since = self._now + len(said) / RATE
                self.spoken.append((self._now, Audio(said, RATE)))
                self.on_line(self.spoken[-1][1])
            frame, said = said[:FRAME], said[FRAME:]
            index += 1
            await asyncio.sleep(max(0.0, self.opened + index * FRAME_SECONDS - loop.time()))
            yield np.pad(frame, (0, FRAME - len(frame)))

    def sound(self, seconds: float) -> Audio:
        """Everything said in the first `seconds`, at its time."""
        samples = np.zeros(round(seconds * RATE), np.float32)
        for start, audio in self.spoken:
            first = round(start * RATE)
            piece = audio.samples[: len(samples) - first]
            samples[first : first + len(piece)] += piece
        return Audio(samples, RATE)

    def _turn_is_mine(self) -> bool:
        waited = self._now - self._quiet_since
        return waited > self.patience or (self._next_at is not None and self._now >= self._next_at)

    def _over(self) -> bool:
        """Whether the last answer was heard, or none came."""
        answered = self._next_at is not None and self._now >= self._next_at
        return answered or self._now - self._quiet_since > self.patience
