"""The engines of a conversation, each with those that stand in for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from voice_kit.converse.steps import StageFailedError, call, name_of
from voice_kit.engines import Choice
from voice_kit.hear.judge_silence import Silence
from voice_kit.hear.protocols import Transcriber, TurnJudge, VoiceDetector
from voice_kit.speak.protocols import Synthesizer
from voice_kit.think.protocols import Brain, Chat, LanguageModel

E = TypeVar("E")
LOADING = 60.0
"""Seconds that an engine which takes over may need to load."""


class Line(Generic[E]):
    """An engine and those that take over when it fails. The last one stays, whatever happens."""

    def __init__(self, stage: str, first: E, then: Sequence[Callable[[], E]] = ()) -> None:
        self.stage = stage
        self.current = first
        self.then = list(then)
        self.met: StageFailedError | None = None
        """The failure for which the current engine has taken over."""
        self._one_at_a_time = asyncio.Lock()

    @property
    def name(self) -> str:
        """What the current engine calls itself."""
        return name_of(self.current)

    async def replace(self, failure: StageFailedError) -> bool:
        """Put the next engine that can be had in the failed one's place.

        Gives back whether the current engine is now another than the one that failed. Whoever meets
        the same engine meanwhile waits for it. When this is cancelled, the next one stays in line.
        """
        async with self._one_at_a_time:
            while self.current is failure.engine and self.then:
                waiting, make_next = self.then, self.then[0]
                with suppress(StageFailedError):
                    ready = await call(self.stage, make_next, make_next, LOADING)
                    if self.current is failure.engine:  # and no other was chosen meanwhile
                        self.current, self.met = ready, failure
                waiting.remove(make_next)
        return self.current is not failure.engine


@dataclass(frozen=True, slots=True)
class Engines:
    """A line of engines for every stage."""

    vad: Line[VoiceDetector]
    stt: Line[Transcriber]
    llm: Line[LanguageModel]
    tts: Line[Synthesizer]
    judge: Line[TurnJudge] = field(default_factory=lambda: Line("judge", Silence()))
    brain: Line[Brain] = field(default_factory=lambda: Line("brain", Chat()))
    choices: tuple[Choice, ...] = ()
    """Why these engines, and how to get better ones."""
