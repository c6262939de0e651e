"""The nouns of a spoken conversation, in the order the data meets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# Sound

RATE = 16_000
"""Samples per second of everything that is heard, in Hz."""

FRAME = 512
"""Samples in one frame: 32 ms, the only size Silero's network accepts at 16 kHz."""

Samples = NDArray[np.float32]
"""Mono sound, shape (n,), float32, full scale [-1, 1]."""

Stops = Literal["async", "steps", "never"]
"""How an engine's work ends early: "async" when cancelling the await closes its request,
"steps" when it is a generator of short steps that can be closed between two of them,
"never" when a call, once begun, runs to its end."""


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """A stretch of mono sound."""

    samples: Samples
    rate: int
    """Samples per second, in Hz."""

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate

    @staticmethod
    def silence(seconds: float, rate: int = RATE) -> Audio:
        """Nothing to hear, for this long."""
        return Audio(np.zeros(round(seconds * rate), np.float32), rate)


# Hearing. Every time below is in seconds since the microphone opened, counted in samples.


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Someone may have begun to speak: the first frame that sounds like it."""

    at: float


@dataclass(frozen=True, slots=True)
class Misfire:
    """It was no speech after all: too short to be a word."""

    at: float
    started: float


@dataclass(frozen=True, slots=True)
class Paused:
    """The speaker went quiet, perhaps only for a breath."""

    at: float
    ended: float
    """When the last speech so far ended."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The speaker goes on: the pause was only a breath."""

    at: float


@dataclass(frozen=True, slots=True, eq=False)
class TurnEnded:
    """The speaker has finished, and it is our turn."""

    at: float
    """When this was decided."""
    started: float
    ended: float
    """When the last speech ended. `at - ended` is the wait that endpointing added."""
    audio: Audio = field(repr=False)
    """What was said, with a little quiet on both sides. 16 kHz."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its place, in seconds from the beginning of its sound."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What someone said."""

    text: str
    """Empty when nothing was said."""
    language: str = "en"
    words: tuple[Word, ...] = ()
    confident: bool = True
    """Whether these words alone are reason enough to interrupt an answer."""


@dataclass(frozen=True, slots=True)
class Partial:
    """What was said so far in the turn under way: the words that two passes agreed on."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Woke:
    """The wake phrase was heard: what is said after it is answered."""

    at: float
    ended: float
    """When the phrase ended."""


@dataclass(frozen=True, slots=True)
class FellAsleep:
    """It was quiet for so long that only the wake phrase is listened for."""

    at: float


# Thinking

RouteKind = Literal["chat", "search", "skill"]
"""Which way to answer: by talking, by what only today's web knows, or by doing something."""


@dataclass(frozen=True, slots=True)
class Route:
    """Which way a question is to be answered."""

    kind: RouteKind
    confidence: float
    """In [0, 1]."""
    reason: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What is to be done, with what: by a skill that understood the sentence, or by a model."""

    tool: str
    arguments: Mapping[str, Any]
    """Plain data, by name. From a model they may be anything: check them."""
    id: str = ""
    """How a model tells its calls apart."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where something was read. Its words are data, never instructions."""

    title: str
    url: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One line of the conversation, as a language model reads it."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    calls: tuple[ToolCall, ...] = ()
    """The tools that an assistant wants used."""
    result_of: ToolCall | None = None
    """The call that a tool answers."""


# Speaking


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """A piece of text and how it sounds."""

    text: str
    audio: Audio = field(repr=False)
    words: tuple[Word, ...] = ()
    """Where each word is in the sound; empty when the voice does not tell."""


# What happens in a turn. `turn` counts from 1 (0 is none), a label for observers: nothing needs it.


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """Work on an answer begins."""

    turn: int
    at: float
    eager: bool
    """An answer begins at a short pause, behind a closed gate: inaudible until it is certain."""
    typed: bool = False


@dataclass(frozen=True, slots=True)
class Transcribed:
    """Speech became text."""

    turn: int
    at: float
    transcript: Transcript
    took: float
    engine: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether the words so far are a finished turn, and how many seconds of quiet end it."""

    turn: int
    at: float
    finished: float
    """The chance of it, in [0, 1]."""
    wait: float
    took: float
    engine: str = ""


@dataclass(frozen=True, slots=True)
class GateOpened:
    """The turn is certain: what is ready may be heard, remembered and done."""

    turn: int
    at: float


@dataclass(frozen=True, slots=True)
class Routed:
    """It was decided which way to answer."""

    turn: int
    at: float
    route: Route
    took: float
    engine: str = ""


@dataclass(frozen=True, slots=True)
class ToolUsed:
    """A tool did its work, or could not."""

    turn: int
    at: float
    call: ToolCall
    result: str
    """What came of it, or why nothing did."""
    took: float
    worked: bool = True
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class FirstToken:
    """The first word of the answer is there."""

    turn: int
    at: float
    took: float
    engine: str = ""


@dataclass(frozen=True, slots=True)
class SentenceReady:
    """The language model finished a sentence."""

    turn: int
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class SpeechReady:
    """A piece of the answer became sound."""

    turn: int
    at: float
    text: str
    seconds: float
    took: float
    engine: str = ""


@dataclass(frozen=True, slots=True)
class PlaybackStarted:
    """The first sample of the answer is audible."""

    turn: int
    at: float


@dataclass(frozen=True, slots=True)
class PlaybackPaused:
    """The answer is held, its place kept: someone may be interrupting."""

    turn: int
    at: float


@dataclass(frozen=True, slots=True)
class PlaybackResumed:
    """The answer goes on from the same sample: it was no interruption."""

    turn: int
    at: float


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The answer stopped because the user took the turn."""

    turn: int
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Work on an answer was dropped; nothing of it was heard, remembered or done."""

    turn: int
    at: float
    reason: str
    worked: float = 0.0
    """Seconds that engines had worked on it until then."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A stage failed. The message ends with the fix; the conversation goes on."""

    turn: int
    at: float
    stage: str
    engine: str
    message: str


@dataclass(frozen=True, slots=True)
class EngineChanged:
    """A stage goes on with the next engine in line."""

    at: float
    stage: str
    engine: str
    reason: str


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """A turn is over, and this is what memory keeps of it."""

    turn: int
    at: float
    heard: str
    """What the user said."""
    said: str
    """What we had to say, as far as it became sound."""
    said_heard: str
    """What of it was heard."""
    interrupted: bool


@dataclass(frozen=True, slots=True)
class FrameHeard:
    """A frame came in: 31.25 of them a second."""

    at: float
    """When its last sample was heard."""
    probability: float
    """Chance that it is speech."""
    level: float
    """Its loudness: root mean square, full scale 1."""


HearingEvent = SpeechStarted | Misfire | Paused | Resumed | TurnEnded  # what ears say of sound

Event = (
    FrameHeard
    | HearingEvent
    | Partial
    | Woke
    | FellAsleep
    | TurnStarted
    | Transcribed
    | Judged
    | GateOpened
    | Routed
    | ToolUsed
    | FirstToken
    | SentenceReady
    | SpeechReady
    | PlaybackStarted
    | PlaybackPaused
    | PlaybackResumed
    | Interrupted
    | Abandoned
    | Failed
    | EngineChanged
    | TurnFinished
)  # what observers are told of
