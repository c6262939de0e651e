"""What engines were asked, what they gave, and how long it took: as lines of JSON."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voice_kit import types
from voice_kit.audio.formats import to_float
from voice_kit.errors import VoiceKitError
from voice_kit.types import (
    Audio,
    Event,
    Route,
    Samples,
    Source,
    Speech,
    ToolCall,
    Transcript,
    TurnEnded,
    Word,
)

HEADER = 44  # bytes of a WAV file before its sound, as we write them


@dataclass(slots=True)
class Step:
    """One step of a call."""

    cost: float | None
    """Seconds of the loop's time; None when it did not wait at all."""
    gave: Any = None
    """What came of it, as plain data."""
    end: bool = False
    """Nothing more comes."""
    cut: bool = False
    """Nobody waited for it any longer."""
    raised: str = ""
    """The kind of error that it ended with."""
    message: str | None = None
    """The sentence of that error, if it was one of ours: a stranger's may quote what was said."""
    told: dict[str, Any] | None = None
    """An event that a brain told of."""
    gate: bool = False
    """A brain waited for the turn to be certain. `cost` is without that."""
    asked: bool = False
    """A brain asked the language model."""
    acted: bool = False
    """A brain is about to use a tool."""
    by: str = ""
    """Who answers, of a brain."""

    def fail(self) -> None:
        """Raise what it ended with, if it did, as the loop would tell it."""
        if self.message is not None:
            raise VoiceKitError(self.message)
        if self.raised:
            stranger: type[Exception] = type(self.raised, (Exception,), {})
            raise stranger


@dataclass(slots=True)
class Call:
    """One question to an engine."""

    key: str
    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Done:
    """Something that was done to the conversation."""

    what: str
    """typed, announced, hushed, chosen (an engine), or settings; by a client also said, cleared,
    written, or voice."""
    value: Any
    at: float
    before: int | None = None
    """For settings: before which frame, counted from 0."""


class Tape:
    """Calls by what was asked, each told once, in the order in which they were made."""

    def __init__(self, calls: Iterable[Call] = (), folder: Path = Path()) -> None:
        """`folder` is where their sounds are."""
        self.folder = folder
        self._calls: dict[str, deque[Call]] = defaultdict(deque)
        self._whole: dict[str, Call] = {}
        for call in calls:
            self._calls[call.key].append(call)
            if call.steps and not call.steps[-1].cut:
                self._whole[call.key] = call

    def next(self, key: str) -> deque[Step]:
        """The steps of the next call with this question; after the last of them, those of one that
        was not cut short; none if it was never asked."""
        calls = self._calls.get(key)  # of one that is being written, no place is made for it
        return deque(calls.popleft().steps) if calls else self.whole(key)

    def whole(self, key: str) -> deque[Step]:
        """The steps of a call with this question that was not cut short, if there is one."""
        return deque(self._whole[key].steps if key in self._whole else ())


def key(stage: str, engine: str, *asked: Any) -> str:
    """A name for what an engine is asked: the same for the same question to the same engine."""
    digest = hashlib.blake2b(f"{stage}\0{engine}\0".encode(), digest_size=16)
    for part in asked:
        if isinstance(part, Audio):
            digest.update(f"{part.rate}\0".encode() + part.samples.tobytes())
        else:
            digest.update(json.dumps(part, default=as_fields).encode() + b"\0")
    return digest.hexdigest()


def as_fields(value: Any) -> Any:
    """What JSON does not know, as plain data."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


def plain(value: Any, sound: str = "") -> Any:
    """What an engine gave, as plain data; `sound` is where that of a `Speech` is."""
    match value:
        case Speech():
            words = [asdict(word) for word in value.words]
            return {"text": value.text, "words": words, "sound": sound, "rate": value.audio.rate}
        case Transcript() | ToolCall():
            return asdict(value)
        case (chances, _):  # of a detector
            return float(chances[0])
    return value if isinstance(value, str | dict) else float(value)


def restored(stage: str, value: Any, folder: Path) -> Any:
    """What `plain` was given."""
    if stage == "stt":
        return _transcript(**value)
    if stage == "llm" and isinstance(value, dict):
        return ToolCall(**value)
    if stage == "tts":
        sound = Audio(samples_of(folder / value["sound"]), value["rate"])
        return Speech(value["text"], sound, _words(value["words"]))
    return value


def samples_of(path: Path) -> Samples:
    """The sound in a WAV file of ours; of one that was cut off, what is there."""
    data = path.read_bytes()[HEADER:] if path.exists() else b""
    return to_float(np.frombuffer(data[: len(data) // 2 * 2], "<i2"))


def _words(plain: Iterable[dict[str, Any]]) -> tuple[Word, ...]:
    return tuple(Word(**word) for word in plain)


def _transcript(words: Any, **plain: Any) -> Transcript:
    return Transcript(**plain, words=_words(words))


NESTED: Mapping[str, Callable[[Any], Any]] = {
    "transcript": lambda plain: _transcript(**plain),
    "route": lambda plain: Route(**plain),
    "call": lambda plain: ToolCall(**plain),
    "sources": lambda plain: tuple(Source(**source) for source in plain),
}


def event_of(line: dict[str, Any]) -> Event | None:
    """What `as_json` made plain, without its sound; None for what this version does not know.

    What an earlier version did not tell is as if nothing were known of it.
    """
    given = dict(line)
    kind = getattr(types, given.pop("event", ""), None)
    given |= {name: NESTED[name](given[name]) for name in NESTED.keys() & given.keys()}
    if kind is TurnEnded:
        given["audio"] = Audio.silence(0)
    known = {each.name: each.default for each in fields(kind)} if kind else {}
    needed = {name for name, default in known.items() if default is MISSING}
    if kind is None or not needed <= given.keys() <= known.keys():
        return None
    event: Event = kind(**given)
    return event
