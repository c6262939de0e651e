"""Loudspeakers: one that only pretends, in the event loop's time, and the real one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import numpy as np

from voice_kit.audio.awaited import Awaited
from voice_kit.audio.card_speaker import SoundCardSpeaker
from voice_kit.audio.tap import Tap
from voice_kit.types import Audio, Samples

__all__ = ["SilentSpeaker", "SoundCardSpeaker"]


class SilentSpeaker:
    """A pretended sound card without latency, which remembers what it would have played.

    It plays in the event loop's time, real or virtual, without a thread or a task. `fade` is how
    many seconds a sound takes to fall silent; 0 cuts it exactly.
    """

    def __init__(self, rate: int = 24_000, *, fade: float = 0.0) -> None:
        self.rate = rate
        self.fade = fade
        self._playbacks: list[SilentPlayback] = []

    def open(self, on_start: Callable[[float], None]) -> SilentPlayback:
        """A new playback. Call it on the event loop."""
        playback = SilentPlayback(self, on_start)
        self._playbacks.append(playback)
        return playback

    def tap(self) -> SilentTap:
        """What it plays from now on. Call it on the event loop."""
        return SilentTap(self)

    def rendered(self, origin: float, seconds: float) -> Audio:
        """What was audible in the `seconds` after the loop's time `origin`; silence elsewhere."""
        first = round(origin * self.rate)
        sound = np.zeros(round(seconds * self.rate), np.float32)
        for playback in self._playbacks:
            for start, piece in reversed(playback.pieces()):
                if start + len(piece) <= first:
                    break
                begin, end = max(start, first), min(start + len(piece), first + len(sound))
                if begin < end:
                    sound[begin - first : end - first] += piece[begin - start : end - start]
        return Audio(np.clip(sound, -1, 1), self.rate)


class SilentTap:
    """What a `SilentSpeaker` plays, frame by frame."""

    def __init__(self, speaker: SilentSpeaker) -> None:
        self._speaker = speaker
        self._loop = asyncio.get_running_loop()
        self._tap = Tap(speaker.rate)
        self._at = self._loop.time()

    def take(self) -> Samples:
        """What was played while the microphone heard its next frame: shape (512,), 16 kHz."""
        count = math.floor((self._loop.time() - self._at) * self._speaker.rate + 1e-3)
        seconds = count / self._speaker.rate
        self._tap.write(self._speaker.rendered(self._at, seconds).samples)
        self._at += seconds
        return self._tap.take()


class SilentPlayback(Awaited):
    """The sound of one answer on a `SilentSpeaker`."""

    def __init__(self, speaker: SilentSpeaker, on_start: Callable[[float], None]) -> None:
        super().__init__(speaker.rate, speaker.fade)
        self._on_start = on_start
        self._starting: asyncio.Handle | None = None
        self._started = False
        self._at = self._now()  # the card has played up to this sample of the loop's time
        self._pieces: list[tuple[int, Samples]] = []

    def play(self, audio: Audio) -> None:
        """Append sound of any rate, heard gaplessly after what was given before."""
        self._catch_up()
        self._tape.add(audio)
        self._begin()

    def pause(self) -> None:
        """Fall silent and keep the place."""
        self._catch_up()
        self._tape.pause()
        self._not_yet()
        self._wake()

    def go_on(self) -> None:
        """Go on from the very sample where `pause` stopped."""
        self._catch_up()
        self._tape.go_on()
        self._begin()
        self._wake()

    def duck(self, level: float) -> None:
        """Play at `level` times the usual loudness, in [0, 1], from now on."""
        self._catch_up()
        self._tape.duck(level)

    def stop(self) -> None:
        """Fall silent for good."""
        self._catch_up()
        self._tape.stop()
        self._not_yet()
        self._wake()

    @property
    def heard(self) -> float:
        """Seconds of the given sound that were played."""
        self._catch_up()
        return self._tape.played

    async def settled(self) -> float:
        """`heard`, which is final at once."""
        return self.heard

    def pieces(self) -> list[tuple[int, Samples]]:
        """What was played until now, each with the number of its first sample in loop time."""
        self._catch_up()
        return self._pieces

    def _now(self) -> int:
        # Less a thousandth: a timer may come a hair early.
        return math.ceil(self._loop.time() * self._tape.rate - 1e-3)

    def _catch_up(self) -> None:
        now = self._now()
        if now > self._at and not self._tape.idle:
            piece = self._tape.take(now - self._at)
            if len(piece):
                self._pieces.append((self._at, piece))
        self._at = max(now, self._at)

    def _begin(self) -> None:
        waiting = self._started or self._starting is not None
        if not waiting and not self._tape.idle:
            self._starting = self._loop.call_soon(self._tell, self._loop.time())

    def _tell(self, at: float) -> None:
        self._started, self._starting = True, None
        self._on_start(at)

    def _not_yet(self) -> None:
        if self._starting is not None and not self._started:
            self._starting.cancel()
            self._starting = None
