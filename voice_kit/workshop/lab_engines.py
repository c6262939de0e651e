"""Engines that do their work once and then give the same again, in no time at all."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio.speaker import SilentPlayback, SilentSpeaker
from voice_kit.hear.protocols import Transcriber
from voice_kit.speak.protocols import Synthesizer
from voice_kit.types import Audio, Speech, Stops, Transcript

T = TypeVar("T")


def timed(work: Callable[[], T | Awaitable[T]]) -> tuple[T, float]:
    """What the work gives, awaited where need be, and the seconds that took."""
    began = time.perf_counter()
    given: Any = work()
    if inspect.isawaitable(given):
        given = asyncio.run(_wait_for(given))
    return given, time.perf_counter() - began


async def _wait_for(given: Awaitable[T]) -> T:
    return await given


def beside(work: Callable[[], T]) -> T:
    """What the work gives, done in another thread, for it may need an event loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def spoken(tts: Synthesizer, text: str) -> list[Speech]:
    """All that a voice makes of a text."""
    given: Any = tts.speak(text)
    if hasattr(given, "__aiter__"):
        return beside(lambda: asyncio.run(_collected(given)))
    return list(given)


async def _collected(given: AsyncIterator[Speech]) -> list[Speech]:
    return [speech async for speech in given]


class Replayed:
    """A voice detector that says of each frame in turn what was found out before."""

    name = "replayed"
    direct = True

    def __init__(self, chances: NDArray[np.float32]) -> None:
        self._chances = chances

    def start(self) -> int:
        """The number of the first frame."""
        return 0

    def detect(
        self, frames: NDArray[np.float32], states: Sequence[int]
    ) -> tuple[NDArray[np.float32], list[int]]:
        """What is known of these frames; behind the last one it is quiet."""
        known = [self._chances[at] if at < len(self._chances) else 0.0 for at in states]
        return np.array(known, np.float32), [at + 1 for at in states]


class Remembering:
    """Speech-to-text that hears every sound once, and takes as long as it took: or `latency`."""

    stops: Stops = "async"
    in_loop_time = True

    def __init__(self, stt: Transcriber, latency: float | None = None) -> None:
        self.name = stt.name
        self.took: list[float] = []
        """Seconds that each sound took."""
        self.speculative = getattr(stt, "speculative", True)
        if hasattr(stt, "abort"):  # with which it may begin early however slow it is
            self.abort = lambda: None
        self._stt = stt
        self._latency = latency
        self._known: dict[bytes, tuple[Transcript, float]] = {}

    async def transcribe(self, audio: Audio) -> Transcript:
        """The words, after as many seconds as they took the first time."""
        key = audio.samples.tobytes()
        if key not in self._known:
            stt = self._stt
            self._known[key] = beside(lambda: timed(lambda: stt.transcribe(audio)))
            self.took.append(self._known[key][1])
        heard, took = self._known[key]
        await asyncio.sleep(took if self._latency is None else self._latency)
        return heard


class Repeating:
    """A voice that speaks every text once, then repeats itself."""

    stops: Stops = "steps"

    def __init__(self, tts: Synthesizer) -> None:
        self.name = tts.name
        self._tts = tts
        self._known: dict[str, list[Speech]] = {}

    def speak(self, text: str) -> Iterator[Speech]:
        """The sound of the text."""
        if text not in self._known:
            self._known[text] = spoken(self._tts, text)
        yield from self._known[text]


class KeepingSpeaker(SilentSpeaker):
    """A pretended loudspeaker that keeps its playbacks."""

    def __init__(self, rate: int = 16_000) -> None:
        super().__init__(rate)
        self.opened: list[SilentPlayback] = []

    def open(self, on_start: Callable[[float], None]) -> SilentPlayback:
        """A new playback."""
        self.opened.append(super().open(on_start))
        return self.opened[-1]

    def played(self, index: int = 0) -> float:
        """Seconds of sound that left it for this playback, counted in samples."""
        if index >= len(self.opened):
            return 0.0
        return sum(len(piece) for _, piece in self.opened[index].pieces()) / self.rate
