"""Somebody who calls a gateway: from a recording, in real time. Knows only the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from socket import gaierror
from typing import Any

import numpy as np
import websockets
from numpy.typing import NDArray

from voice_kit.audio.formats import to_int16
from voice_kit.serve.protocol import HEADER, OUT_RATE, SILENCE, SOUND, SPEECH
from voice_kit.types import FRAME, RATE
from voice_kit.workshop.peers.scenes import Scene
from voice_kit.workshop.peers.stage import Record, frames
from voice_kit.workshop.peers.table import Row, turn_rows

REPORT = 8
"""Frames after which a caller says what was heard, 0.26 s."""
HOLD, BEFORE, TOGETHER = 2.0, 0.4, 8
"""A caller's gate, as our page's: it stays open for so many seconds after speech, opens so many
before it, and meanwhile tells of so many frames of silence at once."""
PATIENCE = 30.0
"""Seconds in which a gateway has to greet who connects."""


class Loudspeaker:
    """Plays in thought what a gateway sends, and says how much of it was heard by now."""

    def __init__(self) -> None:
        self._number = -1
        self._samples, self._began = 0, 0.0
        self._told = True

    def take(self, message: bytes, now: float) -> bool:
        """More speech; whether it is the first of an answer."""
        kind, _, count, number = HEADER.unpack_from(message)
        if kind != SPEECH or number < self._number:
            return False
        first = bool(number > self._number)
        if first:
            self._number, self._samples, self._began = number, 0, now
        self._samples += count
        self._told = False
        return first

    def report(self, now: float, *, stopped: bool = False) -> str | None:
        """The message that says so; None while there is nothing new to say."""
        if self._told:
            return None
        heard = min(self._samples, round((now - self._began) * OUT_RATE))
        self._told = stopped or heard == self._samples
        line = {"id": self._number, "samples": heard, "audible": 0.0, "final": self._told}
        return json.dumps({"type": "voice_kit.heard", "heard": [line]})


class Caller:
    """One conversation with a gateway."""

    def __init__(self, address: str, token: str, heard: Scene) -> None:
        self.rows: list[Row] = []
        """A line for each question, as the bench has them."""
        self.late: list[float] = []
        """Seconds by which each frame left us too late: then it is we who are overloaded."""
        self.refused = ""
        """Why the gateway would not have us, or what it closed with."""
        self.errors: list[str] = []
        """Codes of the errors that it told."""
        self._address, self._token, self._scene = address, token, heard
        self._record, self._speaker = Record(), Loudspeaker()
        # Before anyone calls: callers that compute while they speak would measure themselves.
        self._pcm = to_int16(heard.sound).astype("<i2").tobytes()

    async def call(self, others: Others, wait: float = 0.0) -> None:
        """Connect, wait for the others and `wait` seconds more, ask all questions, and leave.

        It never raises.
        """
        try:
            async with websockets.connect(
                self._address,
                additional_headers={"Authorization": f"Bearer {self._token}"},
                max_size=None,
                max_queue=None,
                compression=None,
                open_timeout=PATIENCE,
            ) as socket:
                await self._greet(socket)
                await others.wait(self)
                await asyncio.sleep(wait)
                await self._talk(socket)
        except (OSError, TimeoutError, websockets.WebSocketException, _NoGreetingError) as error:
            self.refused = _why(error)
            others.leave(self)
        if self._record.opened:
            self.rows = turn_rows(self._record.lines, self._scene.turns, 0.0)

    async def _greet(self, socket: Any) -> None:
        wish = {"type": "session.update", "session": {"voice_kit": {"binary": True}}}
        async with asyncio.timeout(PATIENCE):
            await socket.send(json.dumps(wish))
            while True:
                message = json.loads(await socket.recv())
                if message["type"] == "session.updated":
                    return
                if message["type"] == "error":
                    raise _NoGreetingError(message["error"]["message"])

    async def _talk(self, socket: Any) -> None:
        reading = asyncio.ensure_future(self._read(socket))
        record, spoken = self._record, iter(self._spoken())
        number = silent = 0
        try:
            async for _ in frames(self._scene.sound, record, FRAME):
                self.late.append(record.now() - (number + 1) * FRAME / RATE)
                number, loud = number + 1, next(spoken)
                silent += not loud
                if silent and (loud or silent == TOGETHER):
                    first = number - silent - loud
                    await socket.send(HEADER.pack(SILENCE, 0, silent, first))
                    silent = 0
                if loud:
                    sound = self._pcm[2 * FRAME * (number - 1) : 2 * FRAME * number]
                    await socket.send(HEADER.pack(SOUND, 0, 1, number - 1) + sound)
                if not number % REPORT and (report := self._speaker.report(record.now())):
                    await socket.send(report)
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    def _spoken(self) -> NDArray[np.bool_]:
        """Of each frame, whether it passes the gate."""
        loud = np.zeros(len(self._scene.sound) // FRAME, np.bool_)
        for turn in self._scene.turns:
            begin, end = max(0.0, turn.start - BEFORE), turn.end + HOLD
            loud[int(begin * RATE / FRAME) : int(end * RATE / FRAME)] = True
        return loud

    async def _read(self, socket: Any) -> None:
        async for message in socket:
            now = self._record.now()
            if isinstance(message, bytes):
                if self._speaker.take(message, now):
                    self._record.add("sounded", now)
            elif '"voice_kit.playback"' in message and json.loads(message)["kind"] == "stop":
                if report := self._speaker.report(now, stopped=True):
                    await socket.send(report)
            elif '"error"' in message and (told := json.loads(message))["type"] == "error":
                self.errors.append(told["error"]["code"])


class Others:
    """Lets callers begin together, once each of them has connected or was refused."""

    def __init__(self, callers: Sequence[Caller]) -> None:
        self._expected = set(callers)
        self._all = asyncio.Event()

    async def wait(self, caller: Caller) -> None:
        """This one has connected: return when all have."""
        self.leave(caller)
        await self._all.wait()

    def leave(self, caller: Caller) -> None:
        """Wait for this one no longer."""
        self._expected.discard(caller)
        if not self._expected:
            self._all.set()


class _NoGreetingError(Exception):
    """The gateway says why not."""


def _why(error: BaseException) -> str:
    if isinstance(error, websockets.ConnectionClosed) and error.rcvd is not None:
        return f"closed with {error.rcvd.code}: {error.rcvd.reason}"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, gaierror):
        return "no computer of that name is known here"
    if isinstance(error, TimeoutError):
        return f"no greeting within {PATIENCE:.0f} s"
    return str(error) or type(error).__name__
