"""One socket: one assistant with a memory, notes and timers of its own."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import aclosing
from functools import partial
from typing import Any

from voice_kit.converse.assistant import Assistant
from voice_kit.converse.conversation import Observer
from voice_kit.converse.own import Own
from voice_kit.serve.doors import Guest
from voice_kit.serve.hold import Hold
from voice_kit.serve.listening import Listener
from voice_kit.serve.logs import observer
from voice_kit.serve.outbox import Outbox, Send
from voice_kit.serve.part import Part, Unrecorded
from voice_kit.serve.protocol import GOING_AWAY, TAKEN_OVER, TOO_SLOW, Asked
from voice_kit.serve.refused import OverLimit
from voice_kit.serve.shared import Shared
from voice_kit.serve.socket_audio import SocketMicrophone
from voice_kit.serve.socket_speaker import SocketSpeaker
from voice_kit.serve.telling import Teller
from voice_kit.serve.too_big import message_of
from voice_kit.serve.views import Views
from voice_kit.serve.voices import voice_of
from voice_kit.serve.wishes import Wishes, described, wished
from voice_kit.types import Event, FrameHeard, ToolCall

log = logging.getLogger(__name__)
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
SOON, SELDOM = 0.05, 60.0
"""Seconds after its end, and between two looks, at which a session's age is seen."""


class EndedError(Exception):
    """The session is over, and nothing of it is waited for."""


class Session:
    """A conversation with a client, from its admission to its end."""

    def __init__(self, shared: Shared, guest: Guest) -> None:
        self.id = f"sess_{secrets.token_hex(8)}"
        self.shared, self.guest = shared, guest
        self._account = shared.limits.account(guest, self.id)
        self.outbox = Outbox(partial(self.end, TOO_SLOW, "It does not read what it is sent."))
        self.microphone = SocketMicrophone()
        self.teller = Teller(self.outbox.put, lambda: self.microphone.heard)
        self.speaker = SocketSpeaker(self.teller)
        self.teller.seconds = self.speaker.seconds
        self.code, self.reason = 0, ""
        """What the socket is closed with; 0 when its client has left."""
        self.settings = shared.settings
        self.talk: Assistant
        self._recorder: Part | Unrecorded = Unrecorded()
        self._wishes = Wishes()
        self._views: Views | None = None
        self._over, self._hurry = asyncio.Event(), asyncio.Event()
        self._polite = False  # whether answers under way may finish

    async def run(self, receive: Receive, send: Send, hold: Hold) -> None:
        """Hold the conversation, until its client leaves or `end` is called."""
        loop = asyncio.get_running_loop()
        self._began, shared = loop.time(), self.shared
        self._age: asyncio.Handle = loop.call_soon(self._watch_age)
        shared.sessions.add(self)
        writing = loop.create_task(self.outbox.run(send))
        try:
            with shared.metrics.session(self.id) as counted:
                seldom = _but_frames(observer(self.id), counted)
                observers: list[Observer] = [self.teller, seldom]
                self.talk = await asyncio.to_thread(self._assistant, hold, observers)
                await self._converse(receive, hold)
        finally:
            self._age.cancel()
            self.outbox.close()
            self._recorder.close()
            shared.sessions.discard(self)
            shared.limits.left(self._account)
            if self.code == TOO_SLOW or not self.code:
                writing.cancel()
            await asyncio.wait([writing], timeout=5.0)
            writing.cancel()

    def end(self, code: int, reason: str, *, polite: bool = False) -> None:
        """Have it closed with this code: at once, or after the answer under way."""
        if not self._over.is_set():
            self.code, self.reason, self._polite = code, reason, polite
            self._over.set()

    def let_go(self) -> None:
        """Another session serves this conversation from now on."""
        self.end(TAKEN_OVER, "This conversation goes on in another window.")

    def drain(self) -> None:
        """The gateway stops: finish what is being said."""
        self.end(GOING_AWAY, "This gateway stops. Connect again.", polite=True)

    def cut(self) -> None:
        """It was asked to end, and is not waited for any longer."""
        self._hurry.set()

    async def _converse(self, receive: Receive, hold: Hold) -> None:
        self._recorder.follow(self.talk)
        try:
            async with self.talk:
                self._greet(hold)
                hearing = self.talk.begin(self._hear())
                reading = asyncio.ensure_future(self._read(receive))
                try:
                    await _first(reading, self._over.wait())
                    self.microphone.close()
                    if reading.done():
                        reading.result()
                    if self._polite:
                        enough = asyncio.sleep(self.shared.serve.drain_seconds)
                        await _first(reading, self._hurry.wait(), enough, self._finish(hearing))
                    raise EndedError
                finally:
                    self.speaker.leave()
                    reading.cancel()
                    if self._views is not None:
                        self._views.close()
        except* EndedError:
            log.debug("%s has ended at once", self.id)

    def _greet(self, hold: Hold) -> None:
        self._conversation = hold.id
        self._listener = Listener(
            self.talk,
            self.microphone,
            self.speaker,
            self.teller,
            self._update,
            partial(self.shared.limits.sound, self._account),
            self._typed,
            self._recorder,
        )
        self.teller.say("session.created", session=self._described())

    def _assistant(self, hold: Hold, observers: list[Observer]) -> Assistant:
        shared, engines = self.shared, self.shared.engines_for_one()
        self._recorder = shared.recorder(self.guest.subject, hold.id)
        return Assistant(
            self._recorder.engines(engines),
            self.speaker,
            self.settings,
            observers=observers,
            history=hold.history(),
            own=Own(before_tool=self._before_tool),
            router=shared.router,
            folder=shared.folder(self.guest.subject, hold.id),
            pages=shared.places.pages(self.guest.subject, hold),
        )

    async def _finish(self, hearing: asyncio.Task[None]) -> None:
        """Hear what has come, and answer it."""
        await asyncio.wait([hearing])
        await self.talk.idle()

    async def _hear(self) -> None:
        while await self.microphone.ready():
            async with aclosing(self.microphone.frames()) as frames:
                await self.talk.listen(frames, self._recorder.microphone)

    async def _read(self, receive: Receive) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            taken, size = message_of(message)
            try:
                self.shared.limits.message(size)
            except OverLimit as limit:
                self.teller.over(limit)
                self.end(limit.close, limit.message)
                return
            await self._listener.take(taken)

    async def _update(self, asked: Asked) -> None:
        wishes, settings = wished(asked.session, self._wishes, self.settings)
        if wishes.voice != self._wishes.voice:
            voice = await voice_of(self.shared, wishes.voice)
            self.talk.engines.tts.current = self._recorder.voice(voice)
        self._wishes, self.settings, self.talk.settings = wishes, settings, settings
        self._listener.manual, self._listener.rate = wishes.manual, wishes.rate
        self.teller.manual = wishes.manual
        self.teller.binary = self.speaker.acknowledged = wishes.binary
        self.teller.say("session.updated", session=self._described())
        if self._views is None and wishes.views:
            self._views = Views((), self._view, lambda: self.settings)
            self.talk.observers.append(self._views)
        if self._views is not None:
            self._views.want(wishes.views)

    def _described(self) -> dict[str, Any]:
        about = self.id, self._conversation, self.talk.engines.tts.name, self._recorder.recorded
        return described(self._wishes, self.settings, *about)

    def _view(self, view: str, message: dict[str, Any]) -> None:
        self.teller.say("voice_kit.view", view=view, message=message)

    def _typed(self, line: str) -> None:
        if self._views is not None:
            self._views.typed(line)

    def _before_tool(self, call: ToolCall) -> None:
        try:
            self.shared.limits.tool(self._account)
        except OverLimit as limit:
            self.teller.over(limit)
            raise

    def _watch_age(self) -> None:
        """Look at its age now and again: a clock that is set, or a machine that slept, tells no
        timer."""
        loop, limits = asyncio.get_running_loop(), self.shared.limits
        seconds = loop.time() - self._began
        try:
            limits.age(seconds, self.guest)
        except OverLimit as limit:
            self.teller.over(limit)
            self.end(limit.close, limit.message, polite=True)
        else:
            wait = min(limits.lasts(self.guest, seconds) + SOON, SELDOM)
            self._age = loop.call_later(wait, self._watch_age)


def _but_frames(*observers: Observer) -> Observer:
    """One that tells these of everything but frames, of which there are too many."""

    def observe(event: Event) -> None:
        if type(event) is not FrameHeard:
            for each in observers:
                each(event)

    return observe


async def _first(*works: Awaitable[Any]) -> None:
    """Return once one of these is done. Those that were begun here are ended."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, work in zip(tasks, works, strict=True):
            if task is not work:
                task.cancel()
