"""The loop: every frame and every typed line comes in here, every event goes out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Callable, Coroutine, Sequence
from typing import Any

import numpy as np

from voice_kit.audio.protocols import Speaker
from voice_kit.converse.desk import Desk
from voice_kit.converse.floor import Floor
from voice_kit.converse.line import Engines
from voice_kit.converse.steps import as_failure, call
from voice_kit.errors import EngineTimeoutError
from voice_kit.hear.ears import FRAME_SECONDS, Ears
from voice_kit.hear.protocols import Sleeper
from voice_kit.settings import Settings
from voice_kit.think.history import History
from voice_kit.types import FRAME, Event, Failed, FrameHeard, Samples, Transcribed, Woke

log = logging.getLogger(__name__)

Observer = Callable[[Event], None]
HUSHED = "it was told to be quiet"
"""Why an answer was interrupted by `hush`: a recording knows it by this."""


class Conversation:
    """Hears frames and typed lines, and answers them. It knows neither microphone nor screen.

    Use it as `async with Conversation(…) as talk: await talk.listen(frames)`; leaving the block
    waits for the last answer to be heard.
    """

    def __init__(
        self,
        engines: Engines,
        speaker: Speaker,
        settings: Settings | None = None,
        *,
        history: History | None = None,
        observers: Sequence[Observer] = (),
        sleep: Sleeper | None = None,
    ) -> None:
        self.settings = settings or Settings()
        """May be replaced at any time; a turn under way keeps the ones it began with."""
        self.history = history or History()
        self.ears = Ears(self.settings.hear)
        self.observers = list(observers)
        self.engines = engines
        self._turns = asyncio.TaskGroup()
        self._sleep = sleep
        changing = self.tell, self.now, lambda: self.settings
        self._desk = Desk(engines, speaker, self.history, *changing)
        self._floor = Floor(self.ears, self._desk, self._turns)
        self._origin = np.inf
        self._closed = self._given_up = False

    async def __aenter__(self) -> Conversation:
        await self._turns.__aenter__()
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._closed = error is not None
        if not self._closed:
            self._pause()
        if self._floor.taken:  # who waits for it begins a turn, which no group takes that has ended
            self._turns.create_task(self.idle())
        try:
            await self._turns.__aexit__(kind, error, trace)
        finally:
            self._closed = True

    def now(self) -> float:
        """Seconds since the microphone opened, on its own sample clock."""
        loop_time = asyncio.get_running_loop().time()
        self._origin = min(self._origin, loop_time)
        return loop_time - self._origin

    async def listen(self, frames: AsyncIterable[Samples]) -> None:
        """Hear every frame, and answer, until the frames end.

        When none comes for a while, what was said so far is answered, and `Failed` tells why. So
        it is when this is cancelled or the frames fail.
        """
        loop = asyncio.get_running_loop()
        detector, state = self.engines.vad.current, self.engines.vad.current.start()
        self.ears.skip_to(self.now())
        self._due = loop.time() + self.settings.timeouts.vad
        self._look()
        try:
            async for frame in frames:
                given_up, self._given_up, self._due = self._given_up, False, np.inf
                if given_up:
                    self.ears.skip_to(self.now() - FRAME_SECONDS)
                # The earliest arrival so far is the one least delayed on its way.
                self._origin = min(self._origin, loop.time() - self.ears.now - FRAME_SECONDS)
                if self.engines.vad.current is not detector:
                    detector, state = self.engines.vad.current, self.engines.vad.current.start()
                probability, state = await self._detect(frame, state)
                self.hear(frame, probability)
                self._due = loop.time() + self.settings.timeouts.vad
        finally:
            self._alarm.cancel()
            if not self._closed:
                self._pause()

    async def _detect(self, frame: Samples, state: Any) -> tuple[float, Any]:
        """Chance of speech, and the detector's next state."""
        detector, limit = self.engines.vad.current, self.settings.timeouts.vad
        try:
            chances, states = await call(
                "vad", detector, lambda: detector.detect(frame[np.newaxis], [state]), limit
            )
            return float(chances[0]), states[0]
        except Exception as error:
            await self._desk.replace(0, as_failure("vad", detector, error))
            return 0.0, self.engines.vad.current.start()

    def _look(self, expected: float = np.inf) -> None:
        """Say it when no frame has come for too long. A timer for each of them would cost more."""
        loop, wait = asyncio.get_running_loop(), self.settings.timeouts.vad
        if self._due <= loop.time() > expected + wait / 4:
            self._due = loop.time() + wait  # it was we who did not listen: frames may be waiting
        elif self._due <= loop.time():
            late = EngineTimeoutError("The microphone", wait, fix="plug it in, or voice-kit doctor")
            self.tell(Failed(0, self.now(), "microphone", "microphone", str(late)))
            self._due, self._given_up = np.inf, True  # once is enough, until it is heard again
            self._pause()
        then = min(self._due, loop.time() + wait)
        self._alarm = loop.call_at(then, self._look, then)

    def _pause(self) -> None:
        """Nothing more is heard for now: what was said so far is all, unless it was said asleep."""
        events = self.ears.end()
        self._floor.react([] if self._sleep and self._sleep.asleep else events)

    def hear(self, frame: Samples, probability: float) -> None:
        """Take in one frame and do at once what follows from it: no wait, no copy."""
        if not self.ears.speaking and self.ears.rules is not self.settings.hear:
            self.ears.rules = self.settings.hear
        events = self.ears.feed(frame, probability)
        self.tell(FrameHeard(self.ears.now, probability, float(frame.dot(frame) / FRAME) ** 0.5))
        if self._sleep is not None:
            busy = self.ears.speaking or self._floor.taken
            if change := self._sleep.feed(frame, self.ears.now, busy):
                self.tell(change)
            if self._sleep.asleep or change:
                events = self.ears.begin_at(change.ended) if isinstance(change, Woke) else []
        self._floor.react(events)

    def type(self, text: str) -> None:
        """Answer a typed line, unless the conversation is over. It interrupts: whoever types
        means it."""
        if text.strip() and not self._closed:
            self._floor.type(text)

    def announce(self, text: str) -> None:
        """Say this of our own accord once nobody speaks. It can be interrupted like any answer."""
        if text.strip() and not self._closed:
            self._floor.announce(text)

    def hush(self) -> None:
        """Fall silent now; memory keeps what was heard."""
        self._floor.interrupt(HUSHED)

    async def idle(self) -> None:
        """Return once no answer is under way."""
        await self._floor.idle()

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do this beside the turns; leaving the conversation waits for it."""
        return self._turns.create_task(work)

    def tell(self, event: Event) -> None:
        """Let every observer know. One that fails changes nothing."""
        if isinstance(event, Transcribed):
            self._floor.took = event.took
        for observer in self.observers:
            try:
                observer(event)
            except Exception:
                log.exception("an observer failed at %s", type(event).__name__)
