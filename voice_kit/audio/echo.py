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
ECHOES = 14
"""Whoever is heard for so many frames after us, 0.45 s, is no echo."""
QUIET, FAINT = 4, 0.01
"""So many frames, 20 dB softer, are silence after what seemed to be somebody."""
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
    """Tells our own voice from somebody else's, frame by frame.

    It may be wrong where the way of the sound has changed: somebody turned the loudspeaker up or
    pulled the headphones out. Whoever seemed to speak then falls silent as soon as we do, and it
    believes less of what it has learnt.
    """

    def __init__(self) -> None:
        self._rest = EchoRest()
        self._filter = EchoFilter(self._rest.expect)
        self._since = BLOCKS + 1  # frames since something was played
        self._clear: deque[bool] = deque(maxlen=3)
        self._pass = 0
        self._surprise = 0.0  # the most that was left, of what passes now as somebody
        self._loud = 0.0  # their loudest frame
        self._after: list[float] = []  # their power in each frame since we fell silent

    def feed(self, heard: Samples, played: Samples) -> Samples:
        """The frame that was heard, as others said it. Both have shape (512,), 16 kHz."""
        begins = np.dot(played, played) > UNHEARD * FRAME
        if self._after and (begins or self._since == BLOCKS):
            self._reconsider()
        self._since = 0 if begins else self._since + 1
        if self._since > BLOCKS:
            return heard
        heard = finite(heard)
        left = self._filter.feed(heard, played)
        self._judge(left, played, float(np.dot(heard, heard)))
        return left if self._pass else np.zeros(FRAME, np.float32)

    def _judge(self, left: Samples, played: Samples, power: float) -> None:
        """Is more left than usually stays of us? Two frames of three are not by chance."""
        share = self._rest.share(left, played)
        self._clear.append(share > CLEARLY)
        self._rest.learn(somebody=self._clear[-1])
        self._pass = KEPT if sum(self._clear) >= 2 else max(0, self._pass - 1)
        if self._since:
            self._after.append(power)
        else:
            self._surprise = max(self._surprise, share) if self._pass else 0.0
            self._loud = max(self._loud, power) if self._pass else 0.0

    def _reconsider(self) -> None:
        """Was it us whom we heard before we fell silent?"""
        least = FAINT * max(self._loud, *self._after, 0.0)
        lasted = max((at for at, power in enumerate(self._after, 1) if power > least), default=0)
        if self._surprise and lasted <= min(ECHOES, len(self._after) - QUIET):
            self._rest.expect_more(self._surprise)
            self._filter.look_again()
        self._surprise, self._loud = 0.0, 0.0
        self._after.clear()


def finite(samples: Samples) -> Samples:
    """The same, without what is no number: the filter would never forget it."""
    return np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0).clip(-1, 1)
