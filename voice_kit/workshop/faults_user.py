"""Somebody who talks with a gateway while things go wrong, and notes what they heard."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import websockets

from voice_kit.audio.convert import convert
from voice_kit.audio.formats import to_int16
from voice_kit.serve.protocol import OUT_RATE
from voice_kit.types import Audio
from voice_kit.workshop.faults_world import Gateway, World

PATIENCE = 25.0
"""Seconds after which who hears nothing has been left hanging: no engine may take as long."""
TRIES = 2
"""How often a question is asked: once more when its answer broke off."""
WRITTEN = 3.0
"""Seconds in which an answer that was heard is in memory, else it is looked for at the end."""
SECOND = 48_000
"""Bytes of speech in a second: 24 kHz, int16."""


class GoneError(Exception):
    """The gateway is not there, or has closed."""


@dataclass
class Told:
    """What one user asked and heard."""

    asked: int = 0
    heard: int = 0
    """Questions of which the whole answer came."""
    again: int = 0
    """Questions that were asked a second time, because the first one's answer broke off."""
    hung: int = 0
    """Questions of which nothing more came, although the gateway was there."""
    waits: list[float] = field(default_factory=list)
    """Seconds from a question to the first sound of its answer."""
    pause: float = 0.0
    """Seconds in which nothing came of an answer that was asked for, the longest."""
    away: float = 0.0
    """Seconds until they were connected again, or gave up, the longest."""
    seconds: float = 0.0
    """Of speech."""
    remembered: set[str] = field(default_factory=set)
    """What was in memory once it was answered."""
    answered: set[str] = field(default_factory=set)
    closes: list[int] = field(default_factory=list)
    lost: int = 0
    """What was remembered, and is not at the end."""
    missing: int = 0
    """What was answered, and is not in memory at the end."""
    left: bool = False
    """Whether they went away for good, as the fault has it."""


class User:
    """Asks `questions` one after another, at whichever gateway is there."""

    def __init__(
        self,
        world: World,
        number: int,
        questions: int,
        slow: bool = False,
        spoken: Sequence[Audio] = (),
    ) -> None:
        """Who is `slow` reads a message every two seconds; who has `spoken` questions does not
        type them."""
        self.told, self.number = Told(), number
        self._world, self._questions, self._slow = world, questions, slow
        self._spoken = spoken
        self._socket: Any = None
        self._conversation = ""
        self._first = number % len(world.gateways)

    async def talk(self) -> None:
        """Until all is answered, or `vanish` is called."""
        for number in range(self._questions):
            question = f"Question {number} of user {self.number}."
            self.told.asked += 1
            for attempt in range(TRIES):
                if self.told.left:
                    return
                self.told.again += attempt > 0
                try:
                    if self._socket is not None and self._socket.close_code is not None:
                        await self._gone()  # while nobody asked anything
                    if self._socket is None:
                        await self._connect()
                    question = await self._ask(question, number)
                    break
                except (GoneError, TimeoutError, OSError, websockets.WebSocketException):
                    await self._gone()
            if self.told.left:
                return
            await self._note(question)
            await asyncio.sleep(0.5 + 0.05 * self.number)
        if self._socket is not None:
            await self._socket.close()

    def vanish(self) -> None:
        """Be gone, as a phone without a network is: nobody is told."""
        self.told.left = True
        if self._socket is not None:
            self._socket.transport.abort()

    async def look_back(self) -> None:
        """Compare memory with what was said."""
        lines = await self._world.lines(self._conversation) if self._conversation else []
        there = {line["text"] for line in lines or []}
        self.told.lost = len(self.told.remembered - there)
        self.told.missing = len(self.told.answered - there)

    async def _connect(self) -> None:
        began, order, again = time.monotonic(), self._gateways(), bool(self._conversation)
        try:
            while True:
                for gateway in order:
                    with suppress(OSError, TimeoutError, GoneError, websockets.WebSocketException):
                        await self._open(gateway)
                        return
                if time.monotonic() - began > PATIENCE:
                    raise GoneError
                await asyncio.sleep(0.1)
        finally:
            if again:
                self.told.away = max(self.told.away, time.monotonic() - began)

    async def _open(self, gateway: Gateway) -> None:
        query = f"?conversation={self._conversation}" if self._conversation else ""
        async with asyncio.timeout(PATIENCE):
            self._socket = await websockets.connect(
                gateway.ws + query,
                additional_headers=gateway.headers,
                max_queue=1 if self._slow else 64,
                max_size=None,
                ping_interval=None,
            )
            created = await self._until("session.created")
        known = created["session"]["voice_kit"]["conversation"]
        assert self._conversation in ("", known), "it is another conversation"
        self._conversation = known
        if self._spoken:
            by_hand = {"audio": {"input": {"turn_detection": None}}}
            await self._socket.send(json.dumps({"type": "session.update", "session": by_hand}))

    def _gateways(self) -> Sequence[Gateway]:
        both = self._world.gateways
        return both[self._first :] + both[: self._first]

    async def _gone(self) -> None:
        if self._socket is not None:
            self.told.closes.append(self._socket.close_code or 0)
            self._socket.transport.abort()
            self._socket = None
            self._first = 1 - self._first  # the other one first

    def _asking(self, question: str, number: int) -> list[dict[str, Any]]:
        if not self._spoken:
            content = [{"type": "input_text", "text": question}]
            item = {"type": "message", "role": "user", "content": content}
            return [{"type": "conversation.item.create", "item": item}]
        sound = convert(self._spoken[number % len(self._spoken)], OUT_RATE)
        audio = base64.b64encode(to_int16(sound.samples).tobytes()).decode()
        append = {"type": "input_audio_buffer.append", "audio": audio}
        return [append, {"type": "input_audio_buffer.commit"}]

    async def _ask(self, question: str, number: int) -> str:
        """What was asked, as it was heard, once its answer is whole."""
        for each in (*self._asking(question, number), {"type": "response.create"}):
            await self._socket.send(json.dumps(each))
        began, first = time.monotonic(), True
        while True:
            asked = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE):
                    message = await self._next()
            except TimeoutError:
                self.told.hung += 1
                raise
            self.told.pause = max(self.told.pause, time.monotonic() - asked)
            if message["type"] == "response.output_audio.delta":
                if first:
                    self.told.waits.append(time.monotonic() - began)
                first = False
                self.told.seconds += len(base64.b64decode(message["delta"])) / SECOND
                if self._slow:
                    await asyncio.sleep(2)
            elif message["type"].endswith("input_audio_transcription.completed"):
                question = message["transcript"]
            elif message["type"] == "response.done":
                status = message["response"]["status"]
                if status != "completed":
                    raise GoneError
                self.told.heard += 1
                self.told.answered.add(question)
                return question

    async def _note(self, question: str) -> None:
        """Whether it is in memory: from then on it must not be lost."""
        until = time.monotonic() + WRITTEN
        while question in self.told.answered and time.monotonic() < until:
            lines = await self._world.lines(self._conversation)
            if question in {line["text"] for line in lines or []}:
                self.told.remembered.add(question)
                return
            await asyncio.sleep(0.2)
        socket = self._socket
        if socket is None or socket.close_code is not None:  # killed before it was written
            self.told.answered.discard(question)

    async def _next(self) -> dict[str, Any]:
        try:
            message = await self._socket.recv()
        except websockets.ConnectionClosed as closed:
            raise GoneError from closed
        found: dict[str, Any] = json.loads(message)
        return found

    async def _until(self, kind: str) -> dict[str, Any]:
        while True:
            message = await self._next()
            if message["type"] == kind:
                return message
