"""One assistant in a notebook, from the loading of its engines to its end. It knows no widget."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from voice_kit.audio.convert import convert
from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.protocols import Speaker
from voice_kit.converse.assistant import Assistant
from voice_kit.converse.conversation import Observer
from voice_kit.converse.line import Engines
from voice_kit.converse.own import Own
from voice_kit.converse.recording import Recorder
from voice_kit.converse.steps import StageFailedError
from voice_kit.converse.timeline import Timeline, TurnTimes
from voice_kit.engines import STAGES
from voice_kit.errors import EngineTimeoutError, SettingsError, VoiceKitError
from voice_kit.settings import Settings
from voice_kit.show.panel_again import Again, ask_again
from voice_kit.show.panel_engines import Loaded, apart
from voice_kit.types import RATE, Audio, Event, FrameHeard, Samples

T = TypeVar("T")
BEFORE = 0.3
"""Seconds of quiet before a recording."""
FIX = "a faster engine, or a longer limit"


class Live:
    """Loads the engines that the settings ask for, holds one conversation, and writes it along.

    All of it is for one event loop. What is asked of it while it is not `ready` waits for that.
    """

    def __init__(
        self,
        settings: Settings,
        speaker: Speaker,
        *,
        engines: Engines | None = None,
        observers: Sequence[Observer] = (),
        say: Callable[[str], object] = lambda text: None,
        notes: Path | None = None,
        own: Own | None = None,
    ) -> None:
        """`say` is told what is being waited for; "" is nothing. Timers and notes go to `notes`."""
        self.settings = settings
        self.talk: Assistant | None = None
        self.loaded = Loaded(engines, say)
        self.times = Timeline()
        self.deaf = False
        """Whether it hears nothing for now: what is played is for somebody else."""
        self._speaker, self._notes, self._own = speaker, notes, own or Own()
        self._observers, self._say = observers, say
        self._recorder: Recorder | None = None
        self._ready: asyncio.Future[Assistant] = asyncio.get_running_loop().create_future()
        self._ears = asyncio.Lock()
        self._beside: set[asyncio.Task[Any]] = set()

    async def hold(
        self, folder: Path, listening: Callable[[], Coroutine[Any, Any, object]]
    ) -> None:
        """The whole conversation, written along to `folder`: until `listening` is done. Raises what
        ends it before."""
        try:
            self._folder = folder
            engines = self._own.among(await self.loaded.load(self.settings))
            with Recorder(folder) as recorder:
                self._recorder = recorder
                self._say("Learning what the assistant can do …")
                work = partial(self._assistant, recorder.engines(engines))
                self.talk = await apart("assistant", work)
                recorder.follow(self.talk)
                async with self.talk:
                    self._say("")
                    self._ready.set_result(self.talk)
                    try:
                        await listening()
                        await self.talk.idle()
                    finally:
                        await self._end_beside()
        except BaseException as error:
            if not self._ready.done():
                ended = isinstance(error, asyncio.CancelledError)
                self._ready.set_exception(VoiceKitError(STOPPED) if ended else error)
                self._ready.exception()  # nobody may be waiting
            raise

    async def ready(self) -> Assistant:
        """The assistant, once it can be talked to. Raises what kept it from that."""
        return await asyncio.shield(self._ready)

    def change(self, settings: Settings) -> None:
        """Go by these from the next turn on."""
        self.settings = settings
        if self.talk is not None:
            self.talk.settings = settings

    async def listen(self, microphone: AsyncIterable[Samples] | None) -> None:
        """Hear this microphone, again and again: its frames may end, and begin anew."""
        if microphone is None:
            await asyncio.Event().wait()
            return
        while True:
            async with aclosing(_each(microphone)) as frames:
                first = await anext(frames, None)
                if first is not None:  # from now on, a second without frames is worth telling
                    await self._hear(_with(first, frames))
            await asyncio.sleep(0)

    async def play(self, audio: Audio, limit: float) -> list[TurnTimes]:
        """Hear this recording as if it came from the microphone, and give the turns that came of
        it once they are over.

        Raises `EngineTimeoutError` when the last answer was not heard `limit` seconds after it.
        """
        talk, before = await self.ready(), len(self.times.turns)
        try:
            sound = _in_a_room(audio, self.settings.hear.unfinished)
            async with asyncio.timeout(sound.seconds + limit):
                await self._hear(FileMicrophone(sound))
                await talk.idle()
        except TimeoutError as error:
            talk.hush()
            raise EngineTimeoutError("The assistant", limit, fix=FIX) from error
        return self.times.turns[before:]

    async def ask(self, text: str) -> list[TurnTimes]:
        """Answer this typed line, and give the turns that came of it once they are over."""
        talk, before = await self.ready(), len(self.times.turns)
        talk.type(text)
        await talk.idle()
        return self.times.turns[before:]

    async def use(self, stage: str, spec: str) -> None:
        """Load another engine, and use it from the next turn on. Raises why it cannot be had."""
        if stage not in STAGES:
            raise SettingsError(f"There is no stage “{stage}”. Try: {', '.join(STAGES)}.")
        talk = await self.ready()
        settings = self.settings.changed({stage: spec})
        choice, line = await self.loaded.another(stage, settings)
        while talk._floor.taken:
            await talk.idle()
        assert self._recorder is not None
        self.loaded.put(talk, self._recorder, choice, line)
        self.change(self.settings.changed({stage: choice.spec}))

    async def again(self, changes: Mapping[str, Any], *, as_now: bool = True) -> Again:
        """The last question with the settings of now, and these changes. The loop goes on."""
        await self.ready()
        now = self.settings if as_now else None
        lend = partial(self.loaded.lend, self.settings)
        work = partial(ask_again, self._folder, now, changes, lend)
        return await apart("replay", work)

    async def play_to(self, speaker: Speaker, audio: Audio) -> None:
        """Play this to whoever is there, and do not take it for somebody who speaks."""
        talk = await self.ready()
        talk.hush()
        playback = speaker.open(lambda at: None)
        self.deaf = True
        try:
            playback.play(audio)
            await playback.finished()
        finally:
            self.deaf = False
            playback.stop()

    async def beside(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives; it ends with the conversation.

        Raises `VoiceKitError` if it did, or with what failed.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        try:
            return await task
        except StageFailedError as failure:
            raise failure.cause from failure
        except asyncio.CancelledError as error:
            me = asyncio.current_task()
            if me is not None and me.cancelling():
                raise
            raise VoiceKitError(STOPPED) from error

    async def _end_beside(self) -> None:
        for task in self._beside:
            task.cancel()
        if self._beside:
            await asyncio.wait(set(self._beside))

    async def _hear(self, frames: AsyncIterable[Samples]) -> None:
        assert self.talk is not None and self._recorder is not None
        async with self._ears, aclosing(self._awake(frames)) as heard:
            await self.talk.listen(self._recorder.microphone(heard))

    async def _awake(self, frames: AsyncIterable[Samples]) -> AsyncGenerator[Samples, None]:
        async for frame in frames:
            yield np.zeros_like(frame) if self.deaf else frame

    def _assistant(self, engines: Engines) -> Assistant:
        watching = [self._time, *self._observers]
        own = replace(self._own, vad=None)  # which is among the engines
        return Assistant(
            engines, self._speaker, self.settings, observers=watching, own=own, folder=self._notes
        )

    def _time(self, event: Event) -> None:
        if not isinstance(event, FrameHeard):  # of which there are too many to keep
            self.times(event)


STOPPED = "The assistant was stopped. Press Start, or call start()."


def _in_a_room(audio: Audio, wait: float) -> Audio:
    """The same as an open microphone hears it: quiet before, and until it is answered."""
    parts = [Audio.silence(BEFORE), audio, Audio.silence(wait + BEFORE)]
    return Audio(np.concatenate([convert(part, RATE).samples for part in parts]), RATE)


async def _each(frames: AsyncIterable[Samples]) -> AsyncGenerator[Samples, None]:
    async for frame in frames:
        yield frame


async def _with(first: Samples, others: AsyncIterator[Samples]) -> AsyncIterator[Samples]:
    yield first
    async for frame in others:
        yield frame
