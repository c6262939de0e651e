"""Writes along while the user speaks, as often as the transcriber can afford."""

from __future__ import annotations

import asyncio
from math import inf

from voice_kit.converse.ahead import Ahead
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.steps import StageFailedError, call, may_be_undone
from voice_kit.hear.partials import affordable, confirmed, may_be_stopped
from voice_kit.hear.protocols import Transcriber
from voice_kit.types import (
    Audio,
    Event,
    FrameHeard,
    Misfire,
    Partial,
    Paused,
    Resumed,
    SpeechStarted,
    Transcribed,
    TurnEnded,
)


class Captions:
    """An observer that tells of `Partial`s: `talk.observers.append(Captions(talk))`.

    Every `settings.partials` seconds of speech, whatever these are by then, the whole turn so far
    is transcribed again; while they are 0, it is not. A pass gives way to the early start of an
    answer. How long a transcription last took per second of sound, and the shortest at all, say
    whether the next pass is affordable; where that is not known yet, only one that can be stopped
    is made. None is made with a transcriber that is `speculative = False` or `partials = False`:
    there each pass would be paid for. What `Ahead` began is for the answer: a pass asks the
    transcriber behind it.
    """

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._pass: asyncio.Task[None] | None = None
        self._since: float | None = None  # the last pass, or when someone who speaks began
        self._rate: dict[str, float] = {}  # seconds that one of sound takes, by engine
        self._shortest: dict[str, float] = {}  # Whisper takes as long for a word as for 30 s
        self._started = self._sound = 0.0
        self._heard = self._told = ""

    def __call__(self, event: Event) -> None:
        """Take notice of what is heard."""
        match event:
            case SpeechStarted():
                self._heard = self._told = ""
                self._started = self._since = event.at
            case Resumed():
                self._since = event.at
            case Paused() | TurnEnded() | Misfire():
                self._since = None
                self._sound = getattr(event, "ended", event.at) - self._started
                if self._pass:
                    self._pass.cancel()
            case Transcribed() if self._sound > 0:
                self._learn(event.engine, event.took, self._sound)
            case FrameHeard() if self._is_due(event.at):
                self._since = event.at
                self._begin(self._talk._floor.joined(self._talk.ears.sound()))

    def _is_due(self, now: float) -> bool:
        every = self._talk.settings.partials
        return bool(every) and self._since is not None and now >= self._since + every

    def _learn(self, engine: str, took: float, seconds: float) -> None:
        self._rate[engine] = took / seconds
        self._shortest[engine] = min(took, self._shortest.get(engine, inf))

    def _begin(self, sound: Audio) -> None:
        engine, every = self._talk.engines.stt.current, self._talk.settings.partials
        engine = engine.behind if isinstance(engine, Ahead) else engine
        stoppable = may_be_stopped(engine)
        rate = self._rate.get(engine.name, 0.0 if stoppable else inf)
        takes = max(rate * sound.seconds, self._shortest.get(engine.name, 0.0))
        costless = may_be_undone(engine) and getattr(engine, "partials", True)
        free = costless and (self._pass is None or self._pass.done())
        if free and affordable(takes, every, stoppable=stoppable):
            self._pass = self._talk.begin(self._write(engine, sound))

    async def _write(self, engine: Transcriber, sound: Audio) -> None:
        began, limit = self._talk.now(), self._talk.settings.timeouts.stt
        try:
            heard = await call("stt", engine, lambda: engine.transcribe(sound), limit)
        except StageFailedError:
            return  # the turn itself will tell of it
        self._learn(engine.name, self._talk.now() - began, sound.seconds)
        text = confirmed(self._heard, heard.text)
        self._heard = heard.text
        if len(text.split()) > len(self._told.split()):
            self._told = text
            self._talk.tell(Partial(self._talk.ears.now, text))
