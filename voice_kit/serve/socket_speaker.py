"""A loudspeaker at the other end of a socket: it says what was heard, or that is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio.awaited import Awaited
from voice_kit.audio.formats import to_int16
from voice_kit.serve.protocol import OUT_RATE, Control, Heard
from voice_kit.types import Audio

AHEAD, FIRST, CHUNK = 3.0, 0.1, 0.25
"""Seconds of speech that a client who says what it heard may have in store, in the first message
of an answer, and in the others."""
STORE = 20.0
"""Seconds of speech that any other client may have in store."""
PATIENCE = 5
"""Seconds without progress after which a loudspeaker counts as gone."""
LAST_WORD = 0.15
"""Seconds in which a client that was stopped may say how much was heard."""


class Wire(Protocol):
    """Where speech goes."""

    def opened(self, playback: int) -> None:
        """An answer begins to be heard."""

    def sound(self, playback: int, samples: NDArray[np.int16]) -> None:
        """More of it, 24 kHz."""

    def control(self, playback: int, kind: Control, level: float) -> None:
        """The client is to pause, go_on, duck or stop it."""

    def whole(self, playback: int) -> None:
        """All of it was sent."""


class SocketSpeaker:
    """The loudspeaker of a client.

    One that is `acknowledged` says what was heard, and can hold its place. Any other plays what
    comes when it comes; what it heard is counted in real time from the sending.
    """

    def __init__(self, wire: Wire, acknowledged: bool = False) -> None:
        self.wire, self.acknowledged = wire, acknowledged
        self.gone = False
        self._number = 0
        self._open: dict[int, SocketPlayback] = {}

    def open(self, on_start: Callable[[float], None]) -> SocketPlayback:
        """A new playback. Call it on the event loop."""
        self._number += 1
        self._open = {number: each for number, each in self._open.items() if not each.over}
        playback = SocketPlayback(self, self._number, on_start)
        self._open[self._number] = playback
        self.wire.opened(self._number)
        return playback

    def heard(self, reports: Iterable[Heard]) -> None:
        """The client says what left its loudspeaker."""
        for each in reports:
            if playback := self._open.get(each.id):
                playback.reported(each.samples, each.audible, each.final)

    def seconds(self, number: int) -> float:
        """How much of this playback was heard."""
        playback = self._open.get(number)
        return playback.heard if playback else 0.0

    def cut(self, number: int, seconds: float) -> None:
        """The client has stopped this playback after so many seconds."""
        if playback := self._open.get(number):
            playback.reported(round(seconds * OUT_RATE), None, True, cut=True)

    def leave(self) -> None:
        """The client is gone: what was heard stays counted."""
        self.gone = True
        for playback in self._open.values():
            playback.give_up()


class SocketPlayback(Awaited):
    """The sound of one answer on its way to a client."""

    def __init__(
        self, speaker: SocketSpeaker, number: int, on_start: Callable[[float], None]
    ) -> None:
        super().__init__(OUT_RATE, 0.0)
        self._speaker, self._number, self._on_start = speaker, number, on_start
        self._told = speaker.acknowledged  # whether the client says what it heard
        self._sent = self._counted = 0  # samples
        self._dry = 0.0  # loop time at which a client that says nothing has played what was sent
        self._level = 1.0
        self._started = self._whole = self._final = self.over = self._given = False
        self._still = 0  # seconds without progress
        self._timer: asyncio.TimerHandle | None = None
        self._lost = speaker.gone

    def play(self, audio: Audio) -> None:
        """Append sound of any rate, heard gaplessly after what was given before."""
        if not self._lost:
            self._tape.add(audio)
            self._pump()

    def pause(self) -> None:
        """Fall silent and keep the place; only a client that says what it heard can."""
        if self._told:
            self._tape.pause()
            self._control("pause")

    def go_on(self) -> None:
        """Go on from the very sample where `pause` stopped."""
        if self._told:
            self._tape.go_on()
            self._control("go_on")
            self._pump()

    def duck(self, level: float) -> None:
        """Play at `level` times the usual loudness, in [0, 1], from now on."""
        self._level = min(max(level, 0.0), 1.0)
        self._control("duck")

    def stop(self) -> None:
        """Fall silent for good."""
        if not self._tape.stopped:
            self._counted = self._samples()
            self._whole = self._tape.drained and self._counted == self._sent
            self._tape.stop()
            if self._sent and not self._whole:
                self._control("stop")

    @property
    def heard(self) -> float:
        """Seconds of the given sound that were heard, as far as is known."""
        stopped, samples = self._tape.stopped, self._samples()
        whole = self._whole if stopped else self._tape.drained and samples == self._sent
        return self._tape.given if whole else min(samples / OUT_RATE, self._tape.given)

    async def finished(self) -> None:
        """Return once all was heard, it was stopped, or the client is gone."""
        self._given = True
        self._pump()
        await super().finished()

    async def settled(self) -> float:
        """`heard`, final: once the client has said where it stopped, or after 150 ms."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD):
                while not (self._final or self._lost or self._whole or not self._sent):
                    await self._changed.wait()
        self.over = True
        return self.heard

    def reported(
        self, samples: int, audible: float | None, final: bool, *, cut: bool = False
    ) -> None:
        """The client says how many samples were heard, and once, in how many seconds the first
        is; one that has `cut` it may have heard less than was counted."""
        if self.over or self._lost or not (self._told or cut):
            return  # too late to change what memory holds
        if cut:
            self._counted, self._told, self._whole = min(samples, self._sent), True, False
        elif samples > self._counted:
            self._counted, self._still = min(samples, self._sent), 0
        if audible is not None:
            self._start(max(0.0, audible))
        self._final |= final
        self._pump()
        self._wake()

    def give_up(self) -> None:
        """Nobody plays this any more."""
        self._counted, self._told = self._samples(), True
        self._lost = True
        self._wake()

    def _samples(self) -> int:
        """How many of the sent samples were heard by now."""
        if self._told or self._tape.stopped:
            return self._counted
        left = max(0.0, self._dry - self._loop.time())
        return max(0, self._sent - round(left * OUT_RATE))

    def _pump(self) -> None:
        """Send what the client should have in store."""
        tape, most = self._tape, (AHEAD if self._told else STORE) * OUT_RATE
        while not (tape.drained or self._lost) and self._sent - self._samples() < most:
            piece = tape.take(round((CHUNK if self._sent else FIRST) * OUT_RATE))
            if not len(piece):
                break  # it is paused
            self._dry = max(self._dry, self._loop.time()) + len(piece) / OUT_RATE
            first, self._sent = not self._sent, self._sent + len(piece)
            if first and self._level != 1:
                self._control("duck")
            self._speaker.wire.sound(self._number, to_int16(piece))
            if first and not self._told:
                self._start(0.0)
        if self._given and tape.drained and not (tape.stopped or self._lost):
            self._given = False
            self._speaker.wire.whole(self._number)
        if self._timer is None and not self._lost:
            self._timer = self._loop.call_later(1.0, self._look)

    def _start(self, wait: float) -> None:
        if not self._started:
            self._started = True
            at = self._loop.time() + wait
            self._loop.call_at(at, self._begin, at)

    def _begin(self, at: float) -> None:
        if not self._tape.stopped:
            self._on_start(at)

    def _control(self, kind: Control) -> None:
        self._still = 0
        if self._told and self._sent and not self._lost:
            self._speaker.wire.control(self._number, kind, self._level)
        self._wake()

    def _look(self) -> None:
        """Each second: send more; does the client still play?"""
        self._timer = None
        if self._lost or self._tape.stopped or self.heard >= self._tape.given:
            return
        self._pump()
        self._still += self._told and not self._tape.paused
        if self._still > PATIENCE:
            self._control("stop")  # a client that comes back must not go on with an old answer
            self.give_up()

    def _closed(self) -> bool:
        return self._lost
