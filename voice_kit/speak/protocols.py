"""What the loop needs from an engine that speaks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from voice_kit.types import Speech, Stops


class Synthesizer(Protocol):
    """Turns a sentence into sound. May be called from several threads."""

    name: str
    stops: Stops

    def speak(self, text: str) -> Iterator[Speech] | AsyncIterator[Speech]:
        """The sound of `text`, a sentence or a shorter piece, in one or more parts.

        A plain generator, or for `stops = "async"` an async one. Closing it early ends the work.
        The parts' texts, joined, are `text`. Raises `VoiceKitError`.
        """
