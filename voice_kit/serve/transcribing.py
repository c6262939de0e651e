"""A recording of any length, written down stretch by stretch."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio.microphone import frames
from voice_kit.converse.line import Engines
from voice_kit.converse.steps import call
from voice_kit.hear.detection import probabilities
from voice_kit.hear.ears import listen
from voice_kit.hear.protocols import Transcriber
from voice_kit.serve.standing_in import first_that_works
from voice_kit.settings import Settings
from voice_kit.types import Audio, Transcript, TurnEnded, Word

WHOLE = 30.0
"""Seconds of sound that are transcribed at once; longer ones are cut where nobody speaks."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was said from one second of a recording to another."""

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()
    """Where each is in the recording; empty when the engine does not tell."""


class Beside:
    """Makes `call` work in a thread, whatever the engine says of itself."""

    stops = "steps"

    def __init__(self, name: str) -> None:
        self.name = name


async def speech_chances(engines: Engines, audio: Audio) -> NDArray[np.float32]:
    """Chance of speech in each frame of a sound, computed in a thread."""
    vad = engines.vad.current
    work = partial(probabilities, vad, audio)
    return await call("vad", Beside(vad.name), work, 1.0 + audio.seconds)


async def stretches(
    audio: Audio, engines: Engines, settings: Settings, failed: Callable[[str], None]
) -> AsyncGenerator[Stretch, None]:
    """Each stretch of a recording in which something was said, as soon as it is known.

    `failed` hears of engines that another stood in for. Raises `StageFailedError`.
    """
    for start, sound in await _parts(audio, engines, settings):
        limit = settings.timeouts.stt + sound.seconds  # a file may be longer than any turn
        heard = first_that_works(engines.stt, partial(_heard, sound, limit), failed)
        async with aclosing(heard):
            async for what in heard:
                if what.text:
                    yield _placed(start, sound.seconds, what)


async def _heard(sound: Audio, limit: float, stt: Transcriber) -> AsyncGenerator[Transcript, None]:
    yield await call("stt", stt, lambda: stt.transcribe(sound), limit)


def _placed(start: float, seconds: float, heard: Transcript) -> Stretch:
    words = (Word(word.text, start + word.start, start + word.end) for word in heard.words)
    return Stretch(start, start + seconds, heard.text, tuple(words))


async def _parts(audio: Audio, engines: Engines, settings: Settings) -> list[tuple[float, Audio]]:
    if not len(audio.samples):
        return []
    if audio.seconds <= WHOLE:
        return [(0.0, audio)]
    chances = await speech_chances(engines, audio)
    rules = settings.hear.model_copy(update={"longest": WHOLE})
    turns = [
        event for event in listen(frames(audio), chances, rules) if isinstance(event, TurnEnded)
    ]
    return [(max(0.0, turn.started - rules.preroll), turn.audio) for turn in turns]
