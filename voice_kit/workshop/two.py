"""Two assistants that talk with each other: what one of them plays, the other one hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.line import Engines, Line
from voice_kit.engines import Stage, choose, make
from voice_kit.settings import Settings
from voice_kit.types import (
    FRAME,
    RATE,
    Audio,
    Event,
    Message,
    PlaybackStarted,
    Samples,
    SpeechReady,
    Stops,
    Transcript,
    TurnFinished,
)

LIMIT = 120.0
"""Seconds that they may talk."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: a conversation that is not under way yet, and its loudspeaker."""

    talk: Conversation
    speaker: SilentSpeaker


class Across:
    """The loudspeaker of one as the microphone of the other: an async iterable of frames."""

    def __init__(self, speaker: SilentSpeaker) -> None:
        self._speaker = speaker
        self._over = False

    def close(self) -> None:
        """Nothing more is heard."""
        self._over = True

    async def __aiter__(self) -> AsyncIterator[Samples]:
        loop, count = asyncio.get_running_loop(), 0
        tap, opened = self._speaker.tap(), loop.time()
        while not self._over:
            count += 1
            await asyncio.sleep(max(0.0, opened + count * FRAME / RATE - loop.time()))
            yield tap.take()


def guests(
    settings: Settings, questions: Sequence[str], *, voice: str, told: bool
) -> tuple[Side, Side]:
    """One who asks these questions in another `voice`, such as “espeak:en-us+f3”, and one who
    answers. With `told`, their ears are told the words, as `Told` is. Loads what they need."""
    asks, answers = Told(), Told()
    stages: list[Stage] = ["vad", "llm", "tts"] if told else ["vad", "llm", "tts", "stt"]
    found = {stage: make(stage, choose(stage, settings).spec, settings) for stage in stages}

    def side(ears: Told, hears: Told, model: Any, says: Any) -> Side:
        speaker = SilentSpeaker()
        engines = Engines(
            Line("vad", found["vad"]),
            Line("stt", ears if told else found["stt"]),
            Line("llm", model),
            Line("tts", says),
        )
        return Side(Conversation(engines, speaker, settings, observers=[hears]), speaker)

    another = make("tts", voice, settings)
    return (
        side(asks, answers, Interviewer(questions), another),
        side(answers, asks, found["llm"], found["tts"]),
    )


async def talk_together(
    one: Side, other: Side, opening: str, *, turns: int = 4, limit: float = LIMIT
) -> Audio:
    """Let `one` begin with these words, and end after so many answers of both. Gives what both
    have said, from the beginning on; whatever happened is left when the time is over."""
    loop = asyncio.get_running_loop()
    began, done, over = loop.time(), 0, asyncio.Event()

    def count(event: Event) -> None:
        nonlocal done
        done += isinstance(event, TurnFinished)
        if done > turns:  # the opening is none
            over.set()

    ways = [Across(side.speaker) for side in (one, other)]
    async with one.talk as first, other.talk as second:
        for talk in (first, second):
            talk.observers.append(count)
        async with asyncio.TaskGroup() as hearing:
            hearing.create_task(first.listen(ways[1]))
            hearing.create_task(second.listen(ways[0]))
            first.announce(opening)
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), limit)
            for way in ways:
                way.close()
            for talk in (first, second):
                talk.hush()
    seconds = loop.time() - began
    asked, answered = (side.speaker.rendered(began, seconds) for side in (one, other))
    return Audio(asked.samples + answered.samples, asked.rate)


@dataclass
class Told:
    """Ears that are told the words instead of recognising them: give it to one as its transcriber,
    and to the other among its observers.

    PocketSphinx understands people, and hardly a word of espeak-ng.
    """

    name: str = "told"
    stops: Stops = "async"
    in_loop_time: bool = True
    _said: dict[int, list[str]] = field(default_factory=dict)
    _turn: int = 0

    def __call__(self, event: Event) -> None:
        """What the other one says."""
        if isinstance(event, SpeechReady):
            self._said.setdefault(event.turn, []).append(event.text)
        elif isinstance(event, PlaybackStarted):
            self._turn = event.turn

    async def transcribe(self, audio: Audio) -> Transcript:
        """The words of the answer that the other one was heard to begin last, whatever the sound
        is."""
        return Transcript(" ".join(self._said.get(self._turn, [])))


@dataclass
class Interviewer:
    """A language model that asks these questions, one an answer, and then says goodbye."""

    questions: Sequence[str]
    name: str = "interviewer"
    stops: Stops = "steps"

    def reply(self, messages: Sequence[Message]) -> Iterator[str]:
        """The question that is next by what it has said so far."""
        asked = sum(message.role == "assistant" for message in messages)
        questions = [*self.questions, "Thank you, and goodbye."]
        yield questions[min(asked, len(questions) - 1)]
