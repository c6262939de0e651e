"""One question to an assistant: the very loop of a conversation, as fast as it can be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from voice_kit.audio.microphone import FileMicrophone
from voice_kit.converse.assistant import Assistant
from voice_kit.converse.line import Line
from voice_kit.converse.own import Own
from voice_kit.converse.steps import StageFailedError
from voice_kit.serve.doors import Guest
from voice_kit.serve.hold import Hold
from voice_kit.serve.problems import PATIENCE, Problem
from voice_kit.serve.shared import Shared
from voice_kit.serve.sound_in import LONGEST
from voice_kit.serve.transcribing import speech_chances
from voice_kit.serve.turn_notes import Notes
from voice_kit.serve.turn_sound import Known, Taker
from voice_kit.think.memory.kept import KeptHistory
from voice_kit.think.memory.ram_store import RamStore
from voice_kit.types import Audio, Samples, ToolCall

ONE_TURN = {
    "hear.eager": 0.0,  # nothing is waited for, so nothing is gained by beginning early
    "hear.stop": 10.0,  # the recording says where the question ends
    "hear.longest": 2 * LONGEST,
    "partials": 0.0,
    "wake.phrase": "",
}


class Turn:
    """A question and its answer. What it holds of a conversation is let go of in the end."""

    def __init__(self, shared: Shared, guest: Guest, hold: Hold | None = None) -> None:
        self.notes = Notes()
        self.sent = False
        """Whether any sound was taken."""
        self._shared, self._guest, self._hold = shared, guest, hold
        self._taker = Taker()

    @asynccontextmanager
    async def answering(self, audio: Audio) -> AsyncIterator[None]:
        """The answer is made while this is open, and what was taken of it remembered."""
        work = asyncio.ensure_future(self._converse(audio))
        try:
            yield
            await work
        finally:
            work.cancel()
            await asyncio.wait([work])
            if self._hold is not None:
                await self._hold.release()

    async def sounds(self) -> AsyncGenerator[Samples, None]:
        """The answer's sound, 24 kHz, until it is over."""
        async for samples in self._taker.sounds():
            self.sent = True
            yield samples

    def check(self) -> None:
        """Raise `Problem` where all there is to say is that something failed."""
        if self.notes.problem and not self.sent:
            raise Problem(self.notes.problem, 503, code="engine_failed", retry_after=PATIENCE)

    def named(self) -> dict[str, str]:
        """Which conversation remembers it, as a header."""
        return {} if self._hold is None else {"Voice-Kit-Conversation": self._hold.id}

    def as_json(self) -> dict[str, Any]:
        """All that is known so far."""
        return self.notes.as_json(conversation=self._hold.id if self._hold else None)

    async def _converse(self, audio: Audio) -> None:
        loop = asyncio.get_running_loop()
        try:
            began = loop.time()
            chances = await speech_chances(self._shared.engines, audio)
            self.notes.took["detect"] = loop.time() - began
            vad, began = Known(self._shared.engines.vad.name, chances), loop.time()
            async with await asyncio.to_thread(self._assistant, vad) as talk:
                self.notes.took["prepare"] = loop.time() - began
                await talk.listen(FileMicrophone(audio, fast=True))
                self._taker.question_over()
                await talk.idle()
        except StageFailedError as failure:
            self.notes.problem = str(failure.cause)
        finally:
            self._taker.question_over()
            self._taker.close()

    def _assistant(self, vad: Known) -> Assistant:
        shared, hold, subject = self._shared, self._hold, self._guest.subject
        settings = shared.settings.changed(ONE_TURN)
        return Assistant(
            replace(shared.engines_for_one(), vad=Line("vad", vad)),
            self._taker,
            settings,
            observers=[self.notes, shared.metrics.observer(kind="http")],
            history=hold.history() if hold else KeptHistory(RamStore(), "turn"),
            router=shared.router,
            folder=shared.folder(subject, hold.id if hold else ""),
            pages=shared.places.pages(subject, hold),
            own=Own(before_tool=self._before_tool),
        )

    def _before_tool(self, call: ToolCall) -> None:
        limits = self._shared.limits
        limits.tool(limits.account(self._guest))
