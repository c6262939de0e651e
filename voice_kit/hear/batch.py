"""One detector for all conversations on an event loop: their frames are computed together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voice_kit.hear.protocols import VoiceDetector
from voice_kit.types import FRAME, RATE

WAIT = 0.005
"""Seconds that a frame waits for those of others, at most."""
FRAME_SECONDS = FRAME / RATE


class Heard(NamedTuple):
    """What is remembered of one stream."""

    stream: object
    """Which stream it is: the same object from `start` on."""
    state: Any
    """What the detector remembers of it."""


class _Waiting(NamedTuple):
    result: asyncio.Future[Any]
    frames: NDArray[np.float32]
    heard: Heard


class Batch:
    """A detector in front of another, which it calls for many streams at once.

    A frame waits only for the streams whose next frame is due within `wait` seconds, by the time
    of their earlier ones: the batch is computed with the last of them, or when that time is over.
    Nobody else is waited for: a stream alone is computed at once. A stream that is missed by
    a batch, because it is over or was muted, is not waited for again until it delivers: it costs
    the others one wait. So none has to be closed.
    """

    def __init__(self, detector: VoiceDetector, wait: float = WAIT) -> None:
        self.name = detector.name
        self.direct = bool(getattr(detector, "direct", False))
        self.wait = wait
        self._detector = detector
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due: dict[object, float] = {}  # when each stream's next frame is, in loop time
        self._missing: set[object] = set()  # the streams that the open batch waits for
        self._waiting: list[_Waiting] = []
        self._alarm: asyncio.TimerHandle | None = None

    def start(self) -> Heard:
        """The state of a new stream before any sound."""
        return Heard(object(), self._detector.start())

    def detect(self, frames: NDArray[np.float32], states: Sequence[Heard]) -> Any:
        """Chance of speech for one frame of each stream, and their next states; or, where
        others are waited for, an awaitable of them.

        Several frames at once, and frames from outside of an event loop, are computed at once.
        """
        loop = _running_loop()
        if loop is None or len(frames) != 1:
            return self._compute(frames, states)
        if loop is not self._loop:  # those that waited on another are gone with it
            self._loop, self._due, self._waiting = loop, {}, []
        now, stream = loop.time(), states[0].stream
        # A late frame says nothing of the next one, which was sent in time.
        in_time = min(now, self._due.get(stream, now)) + FRAME_SECONDS
        self._due[stream] = max(now, in_time)
        if not self._waiting:
            until = now + self.wait
            self._missing = {other for other, due in self._due.items() if due <= until}
            if not self._missing - {stream}:
                return self._compute(frames, states)
            self._alarm = loop.call_at(until, self._flush)
        self._missing.discard(stream)
        result = loop.create_future()
        self._waiting.append(_Waiting(result, frames, states[0]))
        if not self._missing:
            self._flush()
        return result

    def _flush(self) -> None:
        """Compute what is there, and let everyone go on who still waits for it."""
        if self._alarm is not None:
            self._alarm.cancel()
        for stream in self._missing:
            self._due.pop(stream, None)
        waiting = [each for each in self._waiting if not each.result.done()]
        self._waiting = []
        if not waiting:
            return
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
