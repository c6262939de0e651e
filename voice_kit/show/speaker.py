"""The browser's loudspeaker: sound is sent ahead, and the page says how much of it was heard."""

from __future__ import annotations

import asyncio
import itertools
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, overload

import anywidget
import traitlets

from voice_kit.audio.awaited import Awaited
from voice_kit.audio.formats import to_int16
from voice_kit.show.unannounced import unannounced
from voice_kit.types import Audio

STATES = ("off", "ready", "blocked")

RATE = 24_000
"""Samples per second of what is sent, in Hz; the browser converts it to what its card wants."""

AHEAD = 3.0
"""Seconds of sound that the page may have in store: a busy kernel must not be heard, and a burst
must stay far below the 1 MB a second that a Jupyter server lets through."""

FIRST, LONGEST = 0.1, 1.0
"""Seconds of sound in the first message of an answer, which is to be heard at once, and at most in
a later one: each is as long as all before it, for a command must not wait behind many."""

PATIENCE = 5
"""Seconds without progress after which the page counts as gone."""

LAST_WORD = 0.15
"""Seconds in which a page that was stopped may say how much was heard."""


class BrowserSpeaker(anywidget.AnyWidget):
    """The loudspeaker of the page that shows this notebook; of the last one, if there are several.

    What waits is kept until a page is there. A page that says nothing for 5 s is given up: what was
    heard stays counted, and the next answer tries again.
    """

    _esm = Path(__file__).parent / "speaker.js"

    page = traitlets.Unicode().tag(sync=True)
    """Which page plays; empty while there is none."""
    state = traitlets.Enum(STATES, "off").tag(sync=True)
    """“blocked” while the browser wants a click before it plays."""

    def __init__(self, **more: Any) -> None:
        self._playbacks: weakref.WeakValueDictionary[int, BrowserPlayback] = (
            weakref.WeakValueDictionary()
        )
        self._numbers = itertools.count(1)
        super().__init__(**more)
        self.on_msg(self._received)
        unannounced(self)

    @overload
    def open(self) -> None: ...

    @overload
    def open(self, on_start: Callable[[float], None]) -> BrowserPlayback: ...

    def open(self, on_start: Callable[[float], None] | None = None) -> BrowserPlayback | None:
        """A new playback. Call it on the event loop.

        Without `on_start` it is the widget's own `open`, which ipywidgets calls to reach the page.
        """
        if on_start is None:
            super().open()
            return None
        number = next(self._numbers)
        playback = BrowserPlayback(self, number, on_start)
        self._playbacks[number] = playback
        return playback

    def tell(self, content: dict[str, Any], sound: bytes | None = None) -> None:
        """Have the page do something with a playback."""
        self.send({"page": self.page, **content}, None if sound is None else [sound])

    def _received(self, _: object, content: Any, buffers: list[Any]) -> None:
        """Called with each message of a page, on whichever thread the kernel reads them."""
        match content:
            case {"kind": "here", "page": str(page)}:
                if page != self.page:
                    self._move(page)
            case {"kind": "gone", "page": self.page}:
                self._move("")
            case {"kind": "state", "page": self.page, "state": str(state)} if state in STATES:
                self.state = state
            case {"kind": "heard", "page": self.page, "heard": list(heard)}:
                for each in heard:
                    self._soon(each["id"], each["samples"], each["audible"], each["final"])

    def _move(self, page: str) -> None:
        """Another page plays from now on: what the one before had in store is gone with it."""
        with self.hold_sync():
            self.page, self.state = page, "off"
        for playback in list(self._playbacks.values()):
            playback.soon(playback.moved)

    def _soon(self, number: int, *said: Any) -> None:
        playback = self._playbacks.get(number)
        if playback is not None:
            playback.soon(playback.reported, *said)


class BrowserPlayback(Awaited):
    """The sound of one answer in a page."""

    def __init__(
        self, speaker: BrowserSpeaker, number: int, on_start: Callable[[float], None]
    ) -> None:
        super().__init__(RATE, 0.0)
        self._speaker, self._number, self._on_start = speaker, number, on_start
        self._sent = self._heard = 0  # samples
        self._started = self._whole = self._final = self._lost = self._settled = False
        self._level = 1.0
        self._stuck = 0  # seconds without progress
        self._watch: asyncio.TimerHandle | None = None

    def play(self, audio: Audio) -> None:
        """Append sound of any rate, heard gaplessly after what was given before."""
        if not self._lost:
            self._tape.add(audio)
            self.pump()

    def pause(self) -> None:
        """Fall silent and keep the place."""
        self._tape.pause()
        if self._sent:
            self._tell("pause")

    def go_on(self) -> None:
        """Go on from the very sample where `pause` stopped."""
        self._tape.go_on()
        if self._sent:
            self._tell("go_on")
        self.pump()

    def duck(self, level: float) -> None:
        """Play at `level` times the usual loudness, in [0, 1], from now on."""
        self._level = min(max(level, 0.0), 1.0)
        if self._sent:
            self._tell("duck")

    def stop(self) -> None:
        """Fall silent for good."""
        if not self._tape.stopped:
            self._whole = self._tape.drained and self._heard == self._sent
            self._tape.stop()
            if self._sent:
                self._tell("stop")

    @property
    def heard(self) -> float:
        """Seconds of the given sound that the page has said were heard."""
        stopped = self._tape.stopped
        whole = self._whole if stopped else self._tape.drained and self._heard == self._sent
        return self._tape.given if whole else min(self._heard / RATE, self._tape.given)

    async def settled(self) -> float:
        """`heard`, final: once the page has said what it was when it stopped, or after 150 ms."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD):
                while not (self._final or self._lost or self._whole or self._heard == self._sent):
                    await self._changed.wait()
        self._settled = True
        return self.heard

    def soon(self, call: Callable[..., None], *arguments: Any) -> None:
        """Call this on the event loop, from any thread."""
        with suppress(RuntimeError):  # the loop was closed: nobody waits for it
            self._loop.call_soon_threadsafe(call, *arguments)

    def pump(self) -> None:
        """Send what the page should have in store."""
        tape, most = self._tape, AHEAD * RATE
        while self._speaker.page and not tape.drained and self._sent - self._heard < most:
            piece = tape.take(round(min(max(FIRST * RATE, self._sent), LONGEST * RATE)))
            if not len(piece):
                break  # it is paused
            if not self._sent and self._level != 1:
                self._tell("duck")
            self._sent += len(piece)
            sound = to_int16(piece).astype("<i2").tobytes()
            self._speaker.tell({"kind": "sound", "id": self._number}, sound)
        if self._watch is None:
            self._watch = self._loop.call_later(1.0, self._look)

    def moved(self) -> None:
        """Another page plays from now on, or none."""
        if self._sent:
            self._give_up()
        else:
            self.pump()

    def reported(self, samples: int, audible: float | None, final: bool) -> None:
        """The page says how many samples were heard, and once, in how many seconds the first is."""
        if self._settled or self._lost:
            return  # too late to change what memory holds
        if samples > self._heard:
            self._heard, self._stuck = min(samples, self._sent), 0
        if audible is not None and not self._started:
            self._started = True
            at = self._loop.time() + max(0.0, audible)
            self._loop.call_at(at, self._begin, at)
        self._final |= final
        self.pump()
        self._wake()

    def _begin(self, at: float) -> None:
        if not self._tape.stopped:
            self._on_start(at)

    def _tell(self, kind: str) -> None:
        if not self._lost:
            self._speaker.tell({"kind": kind, "id": self._number, "level": self._level})
        self._stuck = 0
        self._wake()

    def _look(self) -> None:
        """Each second: does the page still play?"""
        self._watch = None
        if self._closed() or self._tape.stopped or self.heard >= self._tape.given:
            return
        self._stuck += not self._tape.paused
        if self._stuck >= PATIENCE:
            self._give_up()
        else:
            self._watch = self._loop.call_later(1.0, self._look)

    def _give_up(self) -> None:
        self._tell("stop")  # a page that comes back must not go on with an old answer
        self._lost = True
        self._wake()

    def _closed(self) -> bool:
        return self._lost
