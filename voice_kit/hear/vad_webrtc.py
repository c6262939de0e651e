"""WebRTC's detector: fast, easily fooled, from before neural networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio.formats import to_int16
from voice_kit.errors import MissingEngineError, SettingsError, need
from voice_kit.hear.detection import finite
from voice_kit.types import RATE

PIECE = RATE // 100  # it takes 10, 20 or 30 ms: a frame of 32 ms is three pieces and a rest
FIX = "pip install webrtcvad-wheels"


class Heard(NamedTuple):
    """What is remembered of one stream."""

    rest: NDArray[np.int16]
    """The samples that did not fill a piece yet."""
    gaussians: _Gaussians | None
    """The C library's memory; None before the first frame."""
    pieces: int
    """How many pieces that memory had heard when this state was given out."""


class _Gaussians:
    """One stream's memory inside the C library. It moves on with each piece, uncopiable."""

    def __init__(self, aggressiveness: int) -> None:
        import webrtcvad  # type: ignore[import-untyped]

        self._vad = webrtcvad.Vad(aggressiveness)
        self.pieces = 0

    def speech(self, piece: NDArray[np.int16]) -> bool:
        self.pieces += 1
        found: bool = self._vad.is_speech(piece.tobytes(), RATE)
        return found


class WebRtc:
    """The detector of browsers and telephones, which takes any loud hum with harmonics for speech.

    `aggressiveness` 0 calls most things speech, 3 the fewest. The probability is coarse: the share
    of the frame's pieces of 10 ms that are speech. A frame is three or four pieces; samples left
    over wait for the next frame.

    The library's memory cannot be copied, so a state is good for one `detect`: pass each only
    once, which is what a stream does. `start()` is reusable.
    """

    name = "webrtc"
    direct = True

    def __init__(self, *, aggressiveness: int = 2) -> None:
        if aggressiveness not in range(4):
            raise SettingsError(
                f"webrtc's aggressiveness cannot be {aggressiveness!r}. Use 0, 1, 2 or 3."
            )
        self._aggressiveness = aggressiveness
        try:
            import webrtcvad  # noqa: F401
        except ImportError as error:
            raise MissingEngineError("webrtc", fix=FIX) from error

    @classmethod
    def here(cls) -> str:
        """Nothing to choose. Raises `MissingEngineError` without the package."""
        need("webrtc", "webrtcvad", fix=FIX)
        return ""

    def start(self) -> Heard:
        """The state before any sound."""
        return Heard(np.empty(0, np.int16), None, 0)

    def detect(
        self, frames: NDArray[np.float32], states: Sequence[Any]
    ) -> tuple[NDArray[np.float32], list[Any]]:
        """Share of pieces that are speech, for one frame of each stream.

        Raises `ValueError` for a state that was passed before.
        """
        sound = to_int16(finite(frames))
        heard = [self._one(frame, state) for frame, state in zip(sound, states, strict=True)]
        return np.array([share for share, _ in heard], np.float32), [state for _, state in heard]

    def _one(self, frame: NDArray[np.int16], state: Heard) -> tuple[float, Heard]:
        gaussians = state.gaussians or _Gaussians(self._aggressiveness)
        if gaussians.pieces != state.pieces:
            raise ValueError("This state of webrtc was passed before. Pass the one you got last.")
        waiting = np.concatenate((state.rest, frame))
        whole = len(waiting) // PIECE
        pieces = waiting[: whole * PIECE].reshape(whole, PIECE)
        share = sum(map(gaussians.speech, pieces)) / whole
        return share, Heard(waiting[whole * PIECE :], gaussians, gaussians.pieces)
