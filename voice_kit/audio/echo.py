"""Keeps the assistant from hearing itself: a filter on the microphone that knows what is played."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import Protocol, runtime_checkable

import numpy as np

from voice_kit.audio.echo_filter import BLOCKS, EchoFilter
from voice_kit.audio.echo_rest import EchoRest
from voice_kit.types import FRAME, Samples

UNHEARD = 1e-8
"""What is played at this mean power, −80 dBFS, is silence."""
CLEARLY = 1.7
"""So many times the expected amplitude is somebody else: 5 dB."""
KEPT = 8
"""Frames that pass after the last that is clearly somebody, 0.26 s: no word is cut to pieces."""


@runtime_checkable
class Tapped(Protocol):
    """A loudspeaker that can say what it plays."""

    def tap(self) -> Tap:
        """What is played from now on."""


class Tap(Protocol):
    """What a loudspeaker plays, in step with a microphone."""

    def take(self) -> Samples:
        """What was played while the next frame was heard: shape (512,), 16 kHz."""


async def without_echo(
    frames: AsyncIterable[Samples], speaker: object, wanted: Callable[[], bool] = lambda: True
) -> AsyncGenerator[Samples, None]:
    """The same frames without what this loudspeaker plays.

    While nothing is played they pass as they are. While something is, our own voice is taken out,
    and what is left passes if it is clearly somebody; else it is silence. Every frame passes while
    it is not `wanted`, and always of a loudspeaker that cannot say what it plays.
    """
    if not isinstance(speaker, Tapped):
        async for frame in frames:
            yield frame
        return
    tap, guard = speaker.tap(), EchoGuard()
    async for frame in frames:
        left = guard.feed(frame, tap.take())
        yield left if wanted() else frame


class EchoGuard:
    """Tells our own voice from somebody else's, frame by frame."""

    def __init__(self) -> None:
        self._filter = EchoFilter()
        self._rest = EchoRest()
        self._since = BLOCKS + 1  # frames since something was played
        self._clear: deque[bool] = deque(maxlen=3)
        self._pass = 0

    def feed(self, heard: Samples, played: Samples) -> Samples:
        """The frame that was heard, as others said it. Both have shape (512,), 16 kHz."""
        self._since = 0 if np.dot(played, played) > UNHEARD * FRAME else self._since + 1
        if self._since > BLOCKS:
            return heard
        left = self._filter.feed(finite(heard), played)
        self._judge(left, played)
        return left if self._pass else np.zeros(FRAME, np.float32)

    def _judge(self, left: Samples, played: Samples) -> None:
        """Is more left than usually stays of us? Two frames of three are not by chance."""
        share = self._rest.share(left, played)
        self._clear.append(share > CLEARLY)
        self._rest.learn(share, somebody=self._clear[-1])
        self._pass = KEPT if sum(self._clear) >= 2 else max(0, self._pass - 1)


def finite(samples: Samples) -> Samples:
    """The same, without what is no number: the filter would never forget it."""
    return np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0).clip(-1, 1)
