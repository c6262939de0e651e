"""The loop with everything around it that the settings ask for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from voice_kit.audio.echo import without_echo
from voice_kit.audio.protocols import Speaker
from voice_kit.audio.volume import Volume
from voice_kit.converse.ahead import Ahead
from voice_kit.converse.captions import Captions
from voice_kit.converse.conversation import Conversation, Observer
from voice_kit.converse.line import Engines, Line
from voice_kit.converse.own import Own
from voice_kit.converse.steps import stream
from voice_kit.hear.sleep import Sleep
from voice_kit.hear.wake_sphinx import SphinxWake
from voice_kit.settings import Settings, home
from voice_kit.speak.pace import change_pace
from voice_kit.think.acting import Router
from voice_kit.think.mcp_tools import McpServers
from voice_kit.think.memory import KeptHistory, make_history
from voice_kit.think.memory.summary import summarise
from voice_kit.think.protocols import Chat
from voice_kit.think.skills import Alarms, Folder, Pages, Room
from voice_kit.think.whole import BOOK, make_brain
from voice_kit.types import Event, Failed, Message, Samples, TurnFinished

Filter = Callable[[AsyncIterable[Samples]], AsyncIterable[Samples]]
REPHRASE = "Say the following in other words, just as short, and nothing else: "


class Assistant(Conversation):
    """A conversation that also acts, searches, remembers, writes along and sleeps.

    Use it as a `Conversation`; each of these is a part that any conversation can be given alone.
    """

    def __init__(
        self,
        engines: Engines,
        speaker: Speaker,
        settings: Settings | None = None,
        *,
        observers: Sequence[Observer] = (),
        history: KeptHistory | None = None,
        router: Router | None = None,
        own: Own | None = None,
        clock: Callable[[], float] = time.time,
        folder: Path | None = None,
        pages: Pages | None = None,
    ) -> None:
        """Blocks for a moment, and the first time on a machine while the router learns, for a
        second or two, unless one is given.

        `clock` tells timers the time, in seconds since 1970; `folder` is where they and the notes
        are kept, VOICE_KIT_HOME or ~/.voice-kit unless it is given, or where these `pages` are;
        parts of your `own` take the place of the kit's. Raises `VoiceKitError` for settings that
        cannot be had here.
        """
        settings, folder, own = settings or Settings(), folder or home(), own or Own()
        # What is wrong with it by now is told when the conversation begins.
        self.kept = history or make_history(settings, on_problem=lambda problem: None)
        self.volume = Volume(speaker)
        self._bell = self._summary = None
        wake, book = settings.wake, engines.llm.name == BOOK
        room = Room(
            clock,
            last_answer=self._last_answer,
            change_volume=self.volume.change,
            change_pace=lambda steps: change_pace(self.engines.tts.current, steps),
            rephrase=None if book else self._rephrased,
        )
        self.alarms = Alarms(pages or Folder(folder), room)
        self._servers = McpServers(settings.tools.servers)
        brain = make_brain(
            settings,
            lambda: engines.llm.current,
            self.kept,
            room=room,
            alarms=self.alarms,
            servers=self._servers,
            router=router,
            decides=own.router,
            folder=folder,
            pages=pages,
            more=own.skills,
            before_tool=own.before_tool,
        )
        if own.cutter is not None:
            brain.cutter = own.cutter
        super().__init__(
            replace(
                own.among(engines),
                stt=Line("stt", engines.stt.current, engines.stt.then),
                brain=Line("brain", brain, [Chat]),
            ),
            self.volume,
            settings,
            history=self.kept,
            observers=observers,
            sleep=Sleep(SphinxWake(wake.phrase), wake.after) if wake.phrase else None,
        )
        Ahead.of(self)
        self.observers += [self._after_each_turn, Captions(self)]

    _bell: asyncio.Task[None] | None
    _summary: asyncio.Task[None] | None

    async def __aenter__(self) -> Assistant:
        await super().__aenter__()
        self.kept.tell_problems(partial(self._from_the_pen, asyncio.get_running_loop()))
        self._bell = self.begin(self.alarms.ring_forever(self.announce))
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        for task in (self._bell, self._summary):
            if task is not None:
                task.cancel()
        try:
            await super().__aexit__(kind, error, trace)
        finally:
            await self._servers.__aexit__()
            await asyncio.to_thread(self.kept.close)

    async def listen(self, frames: AsyncIterable[Samples], through: Filter | None = None) -> None:
        """Hear every frame, and answer, until the frames end.

        From a microphone that hears our loudspeaker, as its `open_air` says, our own voice is
        taken out. `through`, such as `Recorder.microphone`, is given what is left, and what it
        gives is heard: a recording holds what was heard, for a replay has no echo to take out.
        """
        speaker = self.volume.speaker if getattr(frames, "open_air", False) else None
        guarded = without_echo(frames, speaker, lambda: self.settings.interrupt.guard)
        async with aclosing(guarded) as heard:
            await super().listen(through(heard) if through else heard)

    def _from_the_pen(self, loop: asyncio.AbstractEventLoop, problem: str) -> None:
        """In whichever thread writes down what is said, that it cannot."""
        with suppress(RuntimeError):  # the loop was closed: nobody is there to be told
            loop.call_soon_threadsafe(self._not_kept, problem)

    def _not_kept(self, problem: str) -> None:
        if problem:
            self.tell(Failed(0, self.now(), "memory", self.kept.store.where, problem))

    def _last_answer(self) -> str:
        said = (line.content for line in reversed(self.history.lines) if line.role == "assistant")
        return next(said, "")

    async def _rephrased(self, text: str) -> str:
        return await self._model([Message("user", REPHRASE + text)])

    async def _model(self, messages: Sequence[Message]) -> str:
        model = self.engines.llm.current
        tokens = stream("llm", model, lambda: model.reply(messages), self.settings.timeouts.llm)
        async with aclosing(tokens):
            return "".join([token async for token in tokens])

    def _after_each_turn(self, event: Event) -> None:
        """Sum up what no longer fits into the prompt, while nobody waits for an answer."""
        free = not self._closed and (self._summary is None or self._summary.done())
        if isinstance(event, TurnFinished) and free and self.engines.llm.name != BOOK:
            self._summary = self.begin(self._sum_up())

    async def _sum_up(self) -> None:
        model, budget = self.engines.llm.current, self.settings.memory.tokens
        with suppress(Exception):  # else the lines that matter are selected, as without a model
            await summarise(self.kept, model.reply, budget)
