"""What the loop needs from a loudspeaker. A microphone is any `AsyncIterable` of frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from voice_kit.types import Audio


class Playback(Protocol):
    """The sound of one answer. It belongs to one turn and dies with it."""

    def play(self, audio: Audio) -> None:
        """Append sound of any rate, heard without a gap after what came before. Returns at once."""

    def pause(self) -> None:
        """Fall silent and keep the place."""

    def go_on(self) -> None:
        """Go on from the very sample where `pause` stopped."""

    def duck(self, level: float) -> None:
        """Play at `level` times the usual loudness, in [0, 1], from now on."""

    def stop(self) -> None:
        """Fall silent for good. What was not heard never will be."""

    @property
    def heard(self) -> float:
        """Seconds of the given sound that have left the loudspeaker."""

    async def finished(self) -> None:
        """Return once all sound given so far was heard, or when it was stopped."""

    async def settled(self) -> float:
        """`heard`, final: after `stop`, once a far loudspeaker had its say (at most 150 ms)."""


class Speaker(Protocol):
    """A loudspeaker."""

    def open(self, on_start: Callable[[float], None]) -> Playback:
        """A new playback. `on_start` is called on the event loop when its first sample is
        audible, with the event loop's time of that moment."""
