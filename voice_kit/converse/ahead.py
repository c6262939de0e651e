"""Transcribes ahead of a pause: from the moment at which someone seems to stop speaking."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any

import numpy as np

from voice_kit.converse.conversation import Conversation
from voice_kit.converse.steps import WORK, StageFailedError, call, may_be_undone
from voice_kit.hear.ears import FRAME_SECONDS, TAIL
from voice_kit.hear.partials import may_be_stopped
from voice_kit.hear.protocols import Transcriber
from voice_kit.types import (
    FRAME,
    Abandoned,
    Audio,
    Event,
    FellAsleep,
    FrameHeard,
    SpeechStarted,
    Stops,
    Transcript,
    Woke,
)

DOUBTFUL, SOFT = 0.98, 0.03
"""A frame that is less likely to be speech than this, and softer than the loudest of the turn by
so much, −30 dB, may be the first of a pause. Silero needs one or two more to call it one."""
BURST, INAUDIBLE = 2.0, 0.001
"""One that is louder by this than the softest since then is no pause: a “p” ends with a burst. What
is 60 dB softer than the loudest may be anything."""
REST = 4
"""Frames that its sound may gain before the pause is certain. A word does not fit into them. How
many come after those is a matter of `hear.eager`: ears leave the quiet behind a `TAIL` out."""
SPARE = 0.1
"""A transcription that cannot be stopped may take so many seconds."""


class Ahead:
    """A transcriber in front of another, for one conversation, with what was begun in time.

    `Ahead.of(talk)` lets a conversation have it. A pause takes at least `hear.eager` to be one;
    meanwhile this works already on the sound before it. Whoever then asks for the words of
    that sound, with nothing but quiet behind it, waits only for the rest; anyone else is
    answered as without it. What was begun in vain is stopped, and told of as `Abandoned`, of no
    turn. Only calls of the transcriber are made sooner: no answer begins, or is heard, before it
    would be otherwise. Asleep, nothing is begun: what is said is not meant for anyone.
    """

    stops: Stops = "async"
    name: str  # the other one's, whatever it is by now
    direct = True  # it waits for the other one as long as may be, and no step of its own is counted

    def __init__(self, engine: Transcriber, talk: Conversation) -> None:
        self.begun = 0
        """How many transcriptions began ahead."""
        self.used = 0
        """How many of them were asked for."""
        self.behind = engine
        """The other one."""
        self._talk = talk
        self._words: asyncio.Future[Transcript] | None = None
        self._work: asyncio.Task[None] | None = None
        self._alone = asyncio.Lock()
        self._sound = Audio.silence(0)
        self._peak = self._softest = self._took = self._since = 0.0
        self._rest = self._begun_in_turn = 0
        self._fading = True  # whether the frame before was soft
        self._meant = False  # whether what is said is heard by anyone: not so while it sleeps

    @classmethod
    def of(cls, talk: Conversation) -> Ahead:
        """Let `talk` transcribe ahead from now on."""
        ahead = cls(talk.engines.stt.current, talk)
        talk.engines.stt.current = ahead
        talk.observers.append(ahead)
        return ahead

    @property
    def stoppable(self) -> bool:
        """Whether the other one's calls can be stopped: one that is not goes on to its end."""
        return may_be_stopped(self.behind)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)

    def __call__(self, event: Event) -> None:
        """Take notice of what is heard."""
        if isinstance(event, FrameHeard):
            if self._meant and self._talk.ears.speaking:
                self._hear(event)
        elif isinstance(event, SpeechStarted | Woke):
            self._drop()
            self._peak, self._begun_in_turn = 0.0, 0
            self._fading = self._meant = True
        elif isinstance(event, FellAsleep):
            self._meant = False  # ears and frames go on, but no start of speech is told

    def _hear(self, frame: FrameHeard) -> None:
        ears = self._talk.ears
        left_out = round((ears.now - ears.ended) / FRAME_SECONDS) > TAIL
        self._peak, self._rest = max(self._peak, frame.level), self._rest + (not left_out)
        before, self._fading = self._fading, left_out or self._is_fading(frame)
        if not self._fading or self._rest > REST:
            self._drop()
        if self._fading and not before and ears.spoken >= ears.rules.shortest:
            self._begin(self._talk._floor.joined(ears.sound()))

    async def transcribe(self, audio: Audio) -> Transcript:
        """What is said in `audio`, of any rate."""
        words, since = self._words, self._since  # the next may begin before this one is over
        if words is None or not self._is_begun(audio):
            return await self._now(audio)
        self.used += 1
        work, self._words, self._work = self._work, None, None
        try:
            return await words
        finally:
            WORK.get()(self._worked(words, since))
            if work:
                work.cancel()

    def _begin(self, sound: Audio) -> None:
        engine, settings = self.behind, self._talk.settings
        if self._talk.engines.stt.current is not self:
            return  # another has taken over
        affordable = may_be_undone(engine) and (self.stoppable or 0 < self._took <= SPARE)
        if settings.hear.eager and affordable and self._begun_in_turn < settings.eager_starts:
            self.begun += 1
            self._begun_in_turn += 1
            self._sound, self._rest, self._since = sound, 0, self._talk.now()
            self._words = asyncio.get_running_loop().create_future()
            self._work = self._talk.begin(self._write(sound, self._words))

    def _is_fading(self, frame: FrameHeard) -> bool:
        soft = frame.probability < DOUBTFUL and frame.level < SOFT * self._peak
        if not soft and frame.probability >= self._talk.ears.rules.stop_below:
            return False
        before = self._softest if self._fading else frame.level
        self._softest = min(before, frame.level)
        return frame.level <= BURST * before + INAUDIBLE * self._peak

    def _drop(self) -> None:
        if self._work is not None:
            self._work.cancel()
        if self._words is not None:
            worked = self._worked(self._words, self._since)
            self._talk.tell(Abandoned(0, self._talk.now(), "it was no pause", worked))
        self._words = self._work = None

    def _worked(self, words: asyncio.Future[Transcript], since: float) -> float:
        """Seconds from `since`, when `words` were begun, until they were there."""
        there = words.done() and not words.cancelled() and not words.exception()
        return self._took if there else self._talk.now() - since

    def _is_begun(self, audio: Audio) -> bool:
        """Whether `audio` is the sound that was begun, and a little quiet behind it."""
        count = len(self._sound.samples)
        return (
            audio.rate == self._sound.rate
            and 0 <= len(audio.samples) - count <= REST * FRAME
            and np.array_equal(audio.samples[:count], self._sound.samples)
        )

    async def _write(self, sound: Audio, words: asyncio.Future[Transcript]) -> None:
        try:
            heard = await self._now(sound)
        except Exception as error:
            if not words.done():
                words.set_exception(error)
                words.exception()  # who asks hears of it; where nobody does, nothing was lost
        else:
            if not words.done():
                words.set_result(heard)

    async def _now(self, audio: Audio) -> Transcript:
        engine, limit = self.behind, self._talk.settings.timeouts.stt
        # `abort` ends whatever it works on: a call that waits must not have reached it.
        async with self._alone if hasattr(engine, "abort") else nullcontext():
            began = self._talk.now()
            try:
                heard = await call("stt", engine, lambda: engine.transcribe(audio), limit)
            except StageFailedError as failure:
                raise failure.cause from failure  # it is this one that failed, for who calls
            self._took = self._talk.now() - began
            return heard
