"""Engines as plain functions, to be called in a cell one after the other: asynchronous ones too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from voice_kit.hear.protocols import Transcriber
from voice_kit.speak.protocols import Synthesizer
from voice_kit.think.protocols import LanguageModel
from voice_kit.types import Audio, Message, Speech, Transcript
from voice_kit.workshop.lab_engines import beside, timed

_DONE = object()


def transcribe(stt: Transcriber, audio: Audio) -> Transcript:
    """What is said in a sound. Blocks. Raises `VoiceKitError`."""
    return beside(lambda: timed(lambda: stt.transcribe(audio))[0])


def reply(llm: LanguageModel, messages: Sequence[Message]) -> Iterator[str]:
    """The model's answer, token by token. Blocks at each. Raises `VoiceKitError`."""
    return _one_by_one(llm.reply(messages))


def speak(tts: Synthesizer, text: str) -> Iterator[Speech]:
    """A text as sound, in one or more parts. Blocks at each. Raises `VoiceKitError`."""
    return _one_by_one(tts.speak(text))


def _one_by_one(items: Any) -> Iterator[Any]:
    """The items, one at a time; those of an async generator from a thread with its own loop."""
    if not hasattr(items, "__aiter__"):
        yield from items
        return
    with ThreadPoolExecutor(1) as thread:
        runner = asyncio.Runner()
        try:
            while (item := thread.submit(runner.run, _next(items)).result()) is not _DONE:
                yield item
        finally:
            thread.submit(_end, runner, items).result()


async def _next(items: AsyncGenerator[Any, None]) -> Any:
    return await anext(items, _DONE)


def _end(runner: asyncio.Runner, items: AsyncGenerator[Any, None]) -> None:
    with runner:
        runner.run(items.aclose())
