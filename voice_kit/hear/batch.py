"""One detector for all conversations on an event loop: their frames are computed together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voice_kit.hear.protocols import VoiceDetector
from voice_kit.types import FRAME, RATE

WAIT = 0.005
"""Seconds that a frame waits for those of others, at most."""
FRAME_SECONDS = FRAME / RATE
LOST, FORGET = 1.0, 0.01
"""Seconds after which a stream is as new; of a delay that stays, the part forgotten each frame."""
NOTHING: NDArray[np.float32] = np.zeros(1, np.float32)


class Stream:
    """The pace of one stream."""

    __slots__ = ("due",)

    def __init__(self) -> None:
        self.due: float | None = None
        """When its next frame is to come, in loop time, by the earlier ones; None if unknown."""

    def came(self, now: float) -> float:
        """A frame of it comes; how late it is, in seconds."""
        if self.due is None or abs(now - self.due) > LOST:
            self.due = now
        late = max(0.0, now - self.due)
        # A late frame says little of the next one, which was sent in time.
        self.due = min(now, self.due + FORGET * late) + FRAME_SECONDS
        return late


class Heard(NamedTuple):
    """What is remembered of one stream."""

    stream: Stream
    """Which stream it is: the same object from `start` on."""
    state: Any
    """What the detector remembers of it."""


class _Waiting(NamedTuple):
    since: float  # in loop time
    result: asyncio.Future[Any]
    frames: NDArray[np.float32]
    heard: Heard


class Batch:
    """A detector in front of another, which it calls for many streams at once.

    A frame waits only for the streams whose next frame is due within `wait` seconds, by the time
    of their earlier ones: the batch is computed with the last of them, or when that time is over.
    Nobody else is waited for: a stream alone is computed at once. A stream that is missed by
    a batch, because it is over or was muted, is not waited for again until it delivers: it costs
    the others one wait. So none has to be closed. A frame that is late itself waits for nobody:
    it is computed with what came in the same moment.
    """

    def __init__(
        self,
        detector: VoiceDetector,
        wait: float = WAIT,
        waited: Callable[[float], object] = lambda seconds: None,
    ) -> None:
        """`waited` is told of each frame that waited, for how many seconds."""
        self.name = detector.name
        self._waited = waited
        self.direct = bool(getattr(detector, "direct", False))
        self.wait = wait
        self._detector = detector
        self._loop: asyncio.AbstractEventLoop | None = None
        self._punctual: set[Stream] = set()  # those whose last frame was in time
        self._missing: set[Stream] = set()  # the streams that the open batch waits for
        self._waiting: list[_Waiting] = []
        self._last: Stream | None = None
        self._others_until = 0.0  # while there are several streams, in loop time
        self._alarm: asyncio.Handle | None = None

    def start(self) -> Heard:
        """The state of a new stream before any sound."""
        return Heard(Stream(), self._detector.start())

    def detect(self, frames: NDArray[np.float32], states: Sequence[Heard]) -> Any:
        """Chance of speech for one frame of each stream, and their next states; or, where
        others are waited for, an awaitable of them.

        Several frames at once, and frames from outside of an event loop, are computed at once.
        Digital silence, of a muted microphone or one whose gate is closed, is not computed at all.
        """
        loop = _running_loop()
        if loop is None or len(frames) != 1:
            return self._compute(frames, states)
        stream = states[0].stream
        if not np.count_nonzero(frames):
            self._punctual.discard(stream)
            stream.due = None
            return NOTHING, states
        now = loop.time()
        if loop is not self._loop:  # those that waited on another are gone with it
            self._loop, self._punctual, self._waiting, self._last = loop, set(), [], stream
            self._others_until = now
        late = stream.came(now) > self.wait
        (self._punctual.discard if late else self._punctual.add)(stream)
        if stream is not self._last:
            self._last, self._others_until = stream, now + LOST
        if not self._waiting:
            if now >= self._others_until:
                return self._compute(frames, states)
            until = now + self.wait
            expected = {each for each in self._punctual if (each.due or now) <= until}
            self._missing = set() if late else expected - {stream}
            self._alarm = (
                loop.call_at(until, self._flush) if self._missing else loop.call_soon(self._flush)
            )
        result = loop.create_future()
        self._waiting.append(_Waiting(now, result, frames, states[0]))
        if self._missing:
            self._missing.discard(stream)
            if not self._missing:
                self._flush()
        return result

    def _flush(self) -> None:
        """Compute what is there, and let everyone go on who still waits for it."""
        if self._alarm is not None:
            self._alarm.cancel()
        for stream in self._missing:
            self._punctual.discard(stream)
            stream.due = None
        waiting = [each for each in self._waiting if not each.result.done()]
        self._waiting = []
        if not waiting or self._loop is None:
            return
        now = self._loop.time()
        for each in waiting:
            self._waited(now - each.since)
        try:
            chances, after = self._compute(
                np.concatenate([each.frames for each in waiting]), [each.heard for each in waiting]
            )
        except Exception as error:
            for each in waiting:
                each.result.set_exception(error)
            return
        for number, each in enumerate(waiting):
            each.result.set_result((chances[number : number + 1], after[number : number + 1]))

    def _compute(
        self, frames: NDArray[np.float32], states: Sequence[Heard]
    ) -> tuple[NDArray[np.float32], list[Heard]]:
        chances, after = self._detector.detect(frames, [heard.state for heard in states])
        pairs = zip(states, after, strict=True)
        return chances, [Heard(heard.stream, state) for heard, state in pairs]


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
