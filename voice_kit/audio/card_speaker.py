"""The sound card's loudspeaker, with PortAudio."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio import card_devices as card
from voice_kit.audio.awaited import Awaited
from voice_kit.audio.tap import Tap
from voice_kit.errors import AudioError
from voice_kit.types import Audio, Samples


class SoundCardSpeaker:
    """The loudspeaker of this machine. It stays open, so that an answer starts at once.

    `latency` is in seconds, or “low” or “high”: more of it where the sound stutters. `fade` is how
    many seconds a sound takes to fall silent: at once would click.
    """

    def __init__(
        self, device: int | str | None = None, *, latency: float | str = "low", fade: float = 0.005
    ) -> None:
        self.fade = fade
        self.underflows = 0
        """How often the card had to wait for us, which can be heard."""
        self.closed = False
        self.lock = threading.Lock()
        self._latency = latency
        self._device = card.find("output", device)
        self.rate = self._device.rate
        self._channels = 1 if card.can("output", self._device, self.rate, 1) else 2
        self._playing: list[SoundCardPlayback] = []
        self._taps: weakref.WeakSet[Tap] = weakref.WeakSet()
        self._start()

    def open(self, on_start: Callable[[float], None]) -> SoundCardPlayback:
        """A new playback. Call it on the event loop. Raises `AudioError` if the card is gone."""
        if self.closed:
            raise AudioError("The loudspeaker was closed. Make a new SoundCardSpeaker.")
        if self.ended.is_set():
            self._stream.close()
            self._start()
        return SoundCardPlayback(self, on_start)

    def tap(self) -> Tap:
        """What it plays from now on, silence included, for as long as someone keeps the tap."""
        tap = Tap(self.rate)
        with self.lock:
            self._taps.add(tap)
        return tap

    def close(self) -> None:
        """Fall silent and let the card go."""
        self.closed = True
        self._stream.close()

    def __enter__(self) -> SoundCardSpeaker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def join(self, playback: SoundCardPlayback) -> None:
        """Let it be heard, until it has no more to say. Hold the lock."""
        if playback not in self._playing:
            self._playing.append(playback)

    def _start(self) -> None:
        self.ended = threading.Event()  # set when the stream ends, also by itself
        self._usual_delay = 0.0  # the first callback may come before the stream is ours
        self._stream = card.open_stream(
            "output",
            self._device,
            self.rate,
            self._channels,
            latency=self._latency,
            callback=self._render,
            finished_callback=self.ended.set,
        )
        self._usual_delay = float(self._stream.latency)

    def _render(self, block: NDArray[Any], count: int, time: Any, status: Any) -> None:
        """Called by PortAudio, in its thread, to fill the block."""
        self.underflows += bool(status.output_underflow)
        delay = time.outputBufferDacTime - time.currentTime
        if not 0 < delay < 2:  # some drivers do not know
            delay = self._usual_delay
        sound = np.zeros(count, np.float32)
        with self.lock:
            for playback in self._playing:
                piece = playback.render(count, delay)
                sound[: len(piece)] += piece
            self._playing = [playback for playback in self._playing if not playback.idle]
            sound = np.clip(sound, -1, 1)
            for tap in self._taps:
                tap.write(sound)
        block[:] = sound[:, np.newaxis]


class SoundCardPlayback(Awaited):
    """The sound of one answer on a `SoundCardSpeaker`."""

    def __init__(self, speaker: SoundCardSpeaker, on_start: Callable[[float], None]) -> None:
        super().__init__(speaker.rate, speaker.fade)
        self._speaker = speaker
        self._ended = speaker.ended
        self._on_start = on_start
        self._started = False
        self._audible = 0.0  # the loop's time when the last sample taken leaves the loudspeaker
        self._most = 0.0

    def play(self, audio: Audio) -> None:
        """Append sound of any rate, heard gaplessly after what was given before."""
        with self._speaker.lock:
            self._tape.add(audio)
            self._speaker.join(self)

    def pause(self) -> None:
        """Fall silent, with the next block, and keep the place."""
        with self._speaker.lock:
            self._tape.pause()
        self._wake()

    def go_on(self) -> None:
        """Go on from the very sample where `pause` stopped."""
        with self._speaker.lock:
            self._tape.go_on()
            self._speaker.join(self)
        self._wake()

    def duck(self, level: float) -> None:
        """Play at `level` times the usual loudness, in [0, 1], from now on."""
        with self._speaker.lock:
            self._tape.duck(level)

    def stop(self) -> None:
        """Fall silent for good, with the next block."""
        with self._speaker.lock:
            self._tape.stop()
        self._wake()

    @property
    def heard(self) -> float:
        """Seconds of the given sound that have left the loudspeaker."""
        with self._speaker.lock:
            on_the_way = max(0.0, self._audible - self._loop.time())
            self._most = max(self._most, self._tape.played - on_the_way)
            return self._most

    async def settled(self) -> float:
        """`heard`, once what was already in the card has left the loudspeaker."""
        await asyncio.sleep(min(self._audible - self._loop.time(), 0.15))
        return self.heard

    @property
    def idle(self) -> bool:
        """Whether there is nothing to render now. Hold the lock."""
        return self._tape.idle

    def render(self, count: int, delay: float) -> Samples:
        """The next samples, at most `count`, audible in `delay` seconds. Hold the lock."""
        held = self._tape.paused or self._tape.stopped
        piece = self._tape.take(count)
        if len(piece) and not held:
            first = self._loop.time() + delay
            self._audible = first + len(piece) / self._tape.rate
            if not self._started:
                self._started = True
                with suppress(RuntimeError):  # the loop was closed: nobody wants to know
                    self._loop.call_soon_threadsafe(self._loop.call_at, first, self._tell, first)
        return piece

    def _tell(self, at: float) -> None:
        if not self._tape.stopped:
            self._on_start(at)

    def _closed(self) -> bool:
        if self._ended.is_set() and not self._speaker.closed:
            raise AudioError("The loudspeaker is gone. Plug it in and start again.")
        return self._speaker.closed
