"""Listens along with an answer: which of its words have been heard by now."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, closing
from typing import Any

from voice_kit.audio.speaker import SilentPlayback, SilentSpeaker
from voice_kit.types import Audio, Speech
from voice_kit.workshop.user import Words
from voice_kit.workshop.wer import plain


class Listener:
    """A silent loudspeaker that knows the words it plays, from the voices it listens to."""

    def __init__(self, rate: int = 24_000) -> None:
        self.speaker = _Speaker(rate, self._named)
        self._by_sound: dict[int, Speech] = {}
        self._whole: set[int] = set()

    def voice(self, engine: Any) -> Any:
        """The same text-to-speech engine, overheard."""
        return _Overheard(engine, self._keep, self._end)

    def heard(self, words: Words) -> bool:
        """Whether these words of the answer that is played now were heard to their end."""
        playback = self.speaker.latest
        if playback is None:
            return False
        moment = after(self._sure(playback.given), words)
        return moment is not None and playback.heard >= moment

    def _keep(self, speech: Speech) -> None:
        self._by_sound[id(speech.audio)] = speech

    def _end(self, last: Speech) -> None:
        self._whole.add(id(last.audio))

    def _named(self, audio: Audio) -> Speech:
        return self._by_sound.get(id(audio), Speech("", audio))

    def _sure(self, speeches: Sequence[Speech]) -> list[Speech]:
        """Less the last ones, while more sound for their text may come and words have no times."""
        timed = [index for index, speech in enumerate(speeches, 1) if speech.words]
        whole = [i for i, speech in enumerate(speeches, 1) if id(speech.audio) in self._whole]
        return list(speeches[: max([0, *timed, *whole])])


def after(speeches: Sequence[Speech], words: Words) -> float | None:
    """Seconds into an answer after which these words have been said; None if they are not in it.

    By the words' own times where the voice tells them, else by their share of the text.
    """
    said = [(word, end) for word, end in _ends(speeches) if word]
    if words.count:
        return said[words.count - 1][1] if words.count <= len(said) else None
    wanted = plain(words.text).split()
    for first in range(len(said) - len(wanted) + 1):
        last = first + len(wanted)
        if " ".join(word for word, _ in said[first:last]) == " ".join(wanted):
            return said[last - 1][1]
    return None


def _ends(speeches: Sequence[Speech]) -> Iterator[tuple[str, float]]:
    """Each word, plain, and when it ends."""
    at = 0.0
    for index, speech in enumerate(speeches):
        length = speech.audio.seconds
        if speech.words:
            for word in speech.words:
                yield from _shared(word.text, at + word.start, at + word.end)
        elif speech.text:
            for more in speeches[index + 1 :]:  # sound without text goes on with this one's
                if more.text:
                    break
                length += more.audio.seconds
            yield from _shared(speech.text, at, at + length)
        at += speech.audio.seconds


def _shared(text: str, start: float, end: float) -> Iterator[tuple[str, float]]:
    words, reached = plain(text).split(), 0
    letters = sum(map(len, words))
    for word in words:
        reached += len(word)
        yield word, start + (end - start) * reached / letters


class _Overheard:
    def __init__(
        self, engine: Any, keep: Callable[[Speech], None], end: Callable[[Speech], None]
    ) -> None:
        self._engine, self._keep, self._end = engine, keep, end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def speak(self, text: str) -> Iterator[Speech] | AsyncIterator[Speech]:
        parts = self._engine.speak(text)
        return self._later(parts) if hasattr(parts, "__aiter__") else self._now(parts)

    def _now(self, parts: Any) -> Iterator[Speech]:
        last: Speech | None = None
        with closing(parts):
            for last in parts:
                self._keep(last)
                yield last
        if last is not None:
            self._end(last)

    async def _later(self, parts: Any) -> AsyncIterator[Speech]:
        last: Speech | None = None
        async with aclosing(parts):
            async for last in parts:
                self._keep(last)
                yield last
        if last is not None:
            self._end(last)


class _Speaker(SilentSpeaker):
    def __init__(self, rate: int, named: Callable[[Audio], Speech]) -> None:
        super().__init__(rate)
        self.named = named
        self.latest: _Playback | None = None

    def open(self, on_start: Callable[[float], None]) -> SilentPlayback:
        self.latest = _Playback(self, on_start)
        self._playbacks.append(self.latest)
        return self.latest


class _Playback(SilentPlayback):
    def __init__(self, speaker: _Speaker, on_start: Callable[[float], None]) -> None:
        super().__init__(speaker, on_start)
        self.given: list[Speech] = []
        self._named = speaker.named

    def play(self, audio: Audio) -> None:
        super().play(audio)
        self.given.append(self._named(audio))
