"""Asks an engine as the loop does: a blocking call, a generator, or what has to be awaited."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

from voice_kit.audio.convert import convert
from voice_kit.errors import VoiceKitError
from voice_kit.sounds import clip
from voice_kit.types import RATE, Audio

SECRET = "xylophone"
"""A word of what an engine is given, which no log may show."""


@cache
def spoken() -> Audio:
    """Two seconds of a question, 16 kHz."""
    return convert(clip("question_vad").audio(), RATE)


def one_sentence(error: VoiceKitError) -> None:
    """An error is for the person at the keyboard: one line, which says what to do."""
    assert str(error).strip() and "\n" not in str(error), f"no single sentence: {error!s}"


def result(value: Any, engine: Any) -> Any:
    """What a call gave back, awaited where the engine declares it so."""
    declared = getattr(engine, "stops", "steps") == "async"
    assert inspect.isawaitable(value) == declared, (
        f"`stops` is {engine.stops!r}, but the call gives back {type(value).__name__}"
    )
    return _run(_awaited(value)) if declared else value


def items(stream: Any, engine: Any, most: int | None = None) -> list[Any]:
    """What a generator yields, or its first `most`; then it is closed."""
    declared = getattr(engine, "stops", "steps") == "async"
    assert hasattr(stream, "__aiter__") == declared, (
        f"`stops` is {engine.stops!r}, but the call gives back {type(stream).__name__}"
    )
    return _run(_all_async(stream, most)) if declared else _all(stream, most)


def in_order(words: Iterable[Any], seconds: float) -> None:
    """Words have places in their sound, one after the other."""
    last = 0.0
    for word in words:
        assert 0 <= word.start <= word.end <= seconds + 0.1, f"{word} lies outside {seconds:.2f} s"
        assert word.start >= last, f"{word} begins before the word before it"
        last = word.start


def same(one: Audio, copy: np.ndarray[Any, Any]) -> None:
    """The sound that was given is as it was."""
    assert np.array_equal(one.samples, copy, equal_nan=True), "it changed the sound it was given"


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    with ThreadPoolExecutor(1) as thread:  # here a loop may be running, as in a notebook
        return thread.submit(asyncio.run, work).result()


async def _awaited(value: Any) -> Any:
    return await value


def _all(stream: Any, most: int | None) -> list[Any]:
    found = []
    try:
        for item in stream:
            found.append(item)
            if len(found) == most:
                break
    finally:
        if hasattr(stream, "close"):
            stream.close()
    return found


async def _all_async(stream: AsyncIterator[Any], most: int | None) -> list[Any]:
    found = []
    try:
        async for item in stream:
            found.append(item)
            if len(found) == most:
                break
    finally:
        if hasattr(stream, "aclose"):
            await stream.aclose()
    return found
