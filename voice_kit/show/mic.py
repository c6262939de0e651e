"""The browser's microphone, as a widget: a button to press and an async source of frames."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from voice_kit.show.unannounced import unannounced
from voice_kit.types import FRAME, Samples

STATES = ("off", "asking", "live", "denied", "missing", "insecure", "busy", "lost")

KEPT = 312
"""Frames kept for a listener who is late, and the most that a hole is filled with: 10 s."""

PATIENCE = 20.0
"""Seconds without any frame after which the page counts as gone: a machine that loads a model may
not come to read them for long."""

CONFIRM = 16
"""Frames after which the page is told that they came: it must not speak to nobody."""

GONE = "The page with the microphone is gone: open the notebook again and press Start."

SILENCE: Samples = np.zeros(FRAME, np.float32)
SILENCE.flags.writeable = False


class Mic(anywidget.AnyWidget):
    """The browser's microphone: shape (512,), float32, 16 kHz, from the press of its button on.

    ```python
    mic = Mic()
    display(mic)
    talking = asyncio.create_task(talk.listen(mic))
    ```

    Whoever iterates waits for the button, hears everything from then on, and is done when it is
    pressed again or the page is gone; the next iteration waits for the next press. Sound that is
    lost on the way becomes silence, so that counting samples still tells the time.
    """

    _esm = Path(__file__).parent / "mic.js"

    state = traitlets.Enum(STATES, "off").tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)
    """What to do about the state, in one sentence."""
    device = traitlets.Unicode().tag(sync=True)
    """Which of the `devices`; empty for the usual one. May be changed while it is live."""
    devices: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """Each an `id` and a `label`; named only once the browser allowed the microphone."""
    echo_cancellation = traitlets.Bool(True).tag(sync=True)
    noise_suppression = traitlets.Bool(True).tag(sync=True)
    auto_gain = traitlets.Bool(True).tag(sync=True)
    page = traitlets.Unicode().tag(sync=True)
    """Which page has, or would open, the microphone: the one where it was pressed last."""
    lost = traitlets.Int(0)
    """Frames that did not come, or for which every listener was 10 s late."""

    def __init__(self, **more: Any) -> None:
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()
        self._run, self._next = "", 0
        self._wanted = False  # it was started before there was a page
        super().__init__(**more)
        self.on_msg(self._received)
        unannounced(self)

    def start(self) -> None:
        """Press the button for the user, whom the browser may ask, as soon as there is a page.

        Returns at once.
        """
        self._wanted = not self.page
        if self.page:
            self.send({"kind": "start", "page": self.page})

    def stop(self) -> None:
        """Let the microphone go; whoever iterates is done. Returns at once."""
        self._end("off", "")

    async def __aiter__(self) -> AsyncIterator[Samples]:
        """The frames from now on, or from the press of the button on, until it is stopped."""
        listener = Listener(asyncio.get_running_loop())
        with self._lock:
            self._listeners.append(listener)
        try:
            while True:
                over = listener.over  # before the last look
                for frame in listener.take():
                    yield frame
                if over:
                    return
                live = self.state == "live"
                try:
                    async with asyncio.timeout(PATIENCE if live else None):
                        await listener.arrived()
                except TimeoutError:
                    if self.state == "live" and not listener.kept:
                        self._end("lost", GONE)
        finally:
            with self._lock:
                self._listeners.remove(listener)

    def _end(self, state: str, message: str) -> None:
        self._wanted = False
        self.send({"kind": "stop", "state": state})
        self._become(state, message)

    def _become(self, state: str, message: str) -> None:
        was_live = self.state == "live"
        if state != "live":
            self._run = ""
        with self.hold_sync():
            self.state, self.message = state, message
        for listener in self._all():
            listener.wake(over=was_live and state != "live")

    def _received(self, _: object, content: Any, buffers: list[Any]) -> None:
        """Called with each message of a page, on whichever thread the kernel reads them."""
        match content:
            case {"kind": "frames", "run": str(run), "seq": int(first)}:
                for seq, data in enumerate(buffers, first):
                    self._heard(run, seq, data)
            case {"kind": "here", "page": str(page)} if self.state not in ("live", "asking"):
                self.page = page
                if self._wanted:
                    self.start()
            case {"kind": "state", "page": str(page), "run": str(run), "state": str(state)}:
                self._told(page, run, state, str(content.get("message", "")))
            case {"kind": "devices", "page": str(page), "devices": list(found)}:
                if page == self.page:
                    self.devices = found
            case {"kind": "halt"}:
                self.stop()

    def _told(self, page: str, run: str, state: str, message: str) -> None:
        if state not in STATES or (page != self.page and state != "asking"):
            return  # a page that another one took the microphone from
        self.page = page
        if state == "live":
            self._run, self._next = run, 0
        if state == "asking" and self.state == "live":
            return  # another page takes over: whoever listens goes on listening
        self._become(state, message)

    def _heard(self, run: str, seq: int, data: Any) -> None:
        frame = np.frombuffer(data, np.float32)
        if run != self._run or seq < self._next or len(frame) != FRAME:
            return
        hole = seq - self._next
        self._next = seq + 1
        if not np.isfinite(np.dot(frame, frame)):
            frame = SILENCE
        dropped = [listener.put(frame, min(hole, KEPT)) for listener in self._all()]
        self.lost += hole + min(dropped, default=0)
        if seq % CONFIRM == 0:
            self.send({"kind": "got", "run": run, "seq": seq})

    def _all(self) -> list[Listener]:
        with self._lock:
            return list(self._listeners)


class Listener:
    """Frames on their way from the kernel's thread to whoever iterates, on an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.over = False
        self.kept: deque[Samples] = deque()
        self._loop = loop
        self._event = asyncio.Event()
        self._owed = 0  # frames dropped, which come as silence first
        self._lock = threading.Lock()

    def put(self, frame: Samples, hole: int) -> int:
        """Add a frame, and silence for those that lack before it. Returns how many had to go."""
        with self._lock:
            self.kept.extend([SILENCE] * hole)
            self.kept.append(frame)
            dropped = max(0, len(self.kept) - KEPT)
            for _ in range(dropped):
                self.kept.popleft()
            self._owed += dropped
        self.wake()
        return dropped

    def take(self) -> list[Samples]:
        """What has come."""
        with self._lock:
            frames = [SILENCE] * self._owed + list(self.kept)
            self._owed = 0
            self.kept.clear()
        return frames

    def wake(self, *, over: bool = False) -> None:
        """Let it look again, and end after what has come if it is over."""
        self.over |= over
        with suppress(RuntimeError):  # the loop was closed: nobody listens
            self._loop.call_soon_threadsafe(self._event.set)

    async def arrived(self) -> None:
        """Return once there may be something new."""
        await self._event.wait()
        self._event.clear()
