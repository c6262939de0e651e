"""What the loop needs from an engine that hears."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from voice_kit.types import Audio, FellAsleep, Samples, Stops, Transcript, Woke


class VoiceDetector(Protocol):
    """Says how likely a frame is speech. One for the process; each conversation owns its state.

    One that always takes well under a millisecond says `direct = True` and is called in place;
    any other is called in a thread, where it can be late or hang without harm.
    """

    name: str

    def start(self) -> Any:
        """The state before any sound. Never changed in place, so it can be kept and reused."""

    def detect(
        self, frames: NDArray[np.float32], states: Sequence[Any]
    ) -> tuple[NDArray[np.float32], list[Any]]:
        """Chance of speech for one frame of each stream.

        `frames` has shape (B, 512), 16 kHz, and is not changed; `states` has B states, one a
        stream. Gives back B probabilities in [0, 1] and the B states to pass next time.
        """


class Transcriber(Protocol):
    """Writes down what is said. May be called from several threads, one call at a time or more."""

    name: str
    stops: Stops

    def transcribe(self, audio: Audio) -> Transcript | Awaitable[Transcript]:
        """What is said in `audio`, of any rate. Silence gives an empty text.

        A blocking method, or for `stops = "async"` a coroutine. Raises `VoiceKitError`.
        One whose call cannot be taken back, because it costs money, say, has
        `speculative = False`: it is called once the turn is certain. So for every engine.
        `partials = False` alone keeps the words so far from being asked for along the way.
        An engine with `stops = "never"` also has `abort()`, which may be called from another
        thread, ends the call under way with an error, and leaves the engine ready for the next.
        """


class TurnJudge(Protocol):
    """Says how likely it is that someone who pauses has finished.

    One that takes well under a millisecond says `direct = True`, as a detector does.
    """

    name: str
    stops: Stops
    needs_words: bool
    """Whether it reads the transcript; one that only listens is asked while that is made."""

    def finished(self, audio: Audio, transcript: Transcript) -> float | Awaitable[float]:
        """Chance, in [0, 1], that nothing more comes. 0.5 says that it cannot tell.

        `audio` is the turn so far, `transcript` its words, empty for a judge that needs none.
        A blocking method, or for `stops = "async"` a coroutine. Raises `VoiceKitError`.
        """


class WakeSpotter(Protocol):
    """Listens for one phrase, and costs so little that it is called in place."""

    phrase: str

    def heard(self, frame: Samples) -> float | None:
        """How many seconds ago the phrase ended, if it was just said, else None.

        `frame` is the next one: shape (512,), 16 kHz.
        """

    def reset(self) -> None:
        """Forget what was heard."""


class Sleeper(Protocol):
    """Says whether anyone is being spoken to. While it is asleep nothing is answered."""

    asleep: bool
    """Whether only the wake phrase counts."""

    def feed(self, frame: Samples, now: float, busy: bool) -> Woke | FellAsleep | None:
        """What the next frame changes. `busy` while someone speaks or is answered."""
