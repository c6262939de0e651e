"""Turns frames and their speech probabilities into turns. Knows no clock, no thread, no engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil

import numpy as np

from voice_kit.errors import AudioError
from voice_kit.settings.groups import Endpointing
from voice_kit.types import (
    FRAME,
    RATE,
    Audio,
    HearingEvent,
    Misfire,
    Paused,
    Resumed,
    Samples,
    SpeechStarted,
    TurnEnded,
)

FRAME_SECONDS = FRAME / RATE
TAIL = 3
"""Frames of quiet kept after the last speech, 0.1 s: a final “t” is softer than the threshold."""
PHRASE = 3
"""Frames after the end of a wake phrase that may still be its own: that end is known so well."""


def in_frames(seconds: float) -> int:
    """How many frames last at least this long; one or more."""
    return max(1, ceil(seconds / FRAME_SECONDS - 1e-9))


class Ears:
    """Decides when someone starts to speak, pauses, goes on and has finished.

    A pure state machine: the same frames and probabilities give the same events. Time is
    counted in samples. A frame is kept, not copied: do not change it after feeding it.
    """

    def __init__(self, rules: Endpointing | None = None) -> None:
        self._before: list[Samples] = []
        self._frames: list[Samples] = []
        self._heard = self._loud = self._quiet = 0
        self._started, self._resting, self._paused = 0.0, True, False
        self.rules = rules or Endpointing()
        """When a sound becomes a turn. New rules count from the next frame on."""
        self._wait = self.rules.stop

    @property
    def now(self) -> float:
        """Seconds heard so far."""
        return self._heard * FRAME_SECONDS

    @property
    def speaking(self) -> bool:
        """Whether a turn, or what may become one, is under way."""
        return bool(self._frames)

    @property
    def spoken(self) -> float:
        """Seconds of speech in the turn under way, its pauses left out."""
        return self._loud * FRAME_SECONDS

    @property
    def ended(self) -> float:
        """When the last speech so far ended."""
        return (self._heard - self._quiet) * FRAME_SECONDS

    def sound(self) -> Audio:
        """The turn under way so far, with a little quiet on both sides. 16 kHz."""
        last = len(self._frames) - max(0, self._quiet - TAIL)
        return Audio(np.concatenate(self._frames[:last] or [np.zeros(0, np.float32)]), RATE)

    def expect(self, wait: float) -> None:
        """Let the turn under way end after this many seconds of quiet, unless speech goes on."""
        self._wait = wait

    def begin_at(self, seconds: float) -> list[HearingEvent]:
        """What was heard until then does not belong to the turn under way, which begins now."""
        self._frames = self._frames[-in_frames(max(0.0, self.now - seconds)) :]
        self._loud, self._started = max(0, len(self._frames) - self._quiet - PHRASE), seconds
        return [SpeechStarted(seconds)] if self.speaking else []

    def feed(self, frame: Samples, probability: float) -> list[HearingEvent]:
        """What this frame changes. `frame` has shape (512,), 16 kHz.

        `SpeechStarted` comes with the first frame above `start_above`; then either `Misfire`,
        or `Paused` and `Resumed` any number of times, and at last `TurnEnded`.
        """
        if frame.shape != (FRAME,):
            raise AudioError(f"A frame has {FRAME} samples, not {frame.shape}. Use frames(audio).")
        rules = self.rules
        self._heard += 1
        loud = probability >= (rules.start_above if self._resting else rules.stop_below)

        if not self._frames:
            self._before = [*self._before[-in_frames(rules.preroll) :], frame]
            if not loud:
                return []
            self._frames, self._before = self._before, []
            self._loud, self._quiet, self._resting = 1, 0, False
            self._wait = rules.stop
            self._started = (self._heard - 1) * FRAME_SECONDS
            return [SpeechStarted(self._started)]

        self._frames.append(frame)
        events: list[HearingEvent] = []
        if loud:
            self._loud, self._quiet, self._resting = self._loud + 1, 0, False
            if self._paused:
                self._paused, self._wait = False, rules.stop
                events.append(Resumed((self._heard - 1) * FRAME_SECONDS))
        else:
            self._quiet, self._resting = self._quiet + 1, True

        if self._loud < in_frames(rules.shortest):
            if self._quiet >= in_frames(rules.misfire):
                events += self.end()
        elif self._quiet >= in_frames(self._wait) or len(self._frames) >= in_frames(rules.longest):
            events += self.end()
        elif not self._paused and rules.eager and self._quiet >= in_frames(rules.eager):
            self._paused = True
            events.append(Paused(self.now, self.ended))
        return events

    def end(self) -> list[HearingEvent]:
        """Nothing more comes, for now: a turn that was not finished ends here."""
        if not self._frames:
            return []
        event: HearingEvent = Misfire(self.now, self._started)
        if self._loud >= in_frames(self.rules.shortest):
            event = TurnEnded(self.now, self._started, self.ended, self.sound())
            del self._frames[: len(self._frames) - max(0, self._quiet - TAIL)]  # or heard twice
        self._before = self._frames[-in_frames(self.rules.preroll) :]
        self._frames = []
        self._loud = self._quiet = 0
        self._resting, self._paused = True, False
        return [event]

    def skip_to(self, seconds: float) -> None:
        """Nothing was heard until then: the clock goes on, though never back."""
        self._heard = max(self._heard, int(seconds / FRAME_SECONDS + 1e-6))


def listen(
    frames: Iterable[Samples], probabilities: Iterable[float], rules: Endpointing | None = None
) -> Iterator[HearingEvent]:
    """Every hearing event of a recording, as `Ears` gives them."""
    ears = Ears(rules)
    for frame, probability in zip(frames, probabilities, strict=False):
        yield from ears.feed(frame, probability)
    yield from ears.end()
