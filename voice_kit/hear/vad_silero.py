"""Silero: a small neural network that knows speech from noise, in a tenth of a millisecond."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.errors import MissingEngineError, need
from voice_kit.hear.detection import finite
from voice_kit.hear.onnx_weights import weights
from voice_kit.hear.silero_network import CONTEXT, MEMORY, STATE, Network

FIX = "pip install faster-whisper onnxruntime"

TOGETHER = 2
"""From so many streams on they are computed together, in numpy.

Microseconds of one core for a frame of one stream, on a Zen 3 at 2.4 GHz with numpy 2.4 and
onnxruntime 1.31, the second line by `voice-kit bench --only detector`:

    streams        1     2     4    16    64   100
    onnxruntime  150   150   150   150   150   150
    numpy        148    97    60    33    27    29

onnxruntime can only take the streams one after the other, since the first axis of this file is
time. Made to batch all the same, by two changed axes, it is slower from four streams on.
"""


class Silero:
    """Silero v6, as it comes with faster-whisper. Needs no torch and no download.

    Whispering is silence to it.
    """

    name = "silero"
    direct = True

    def __init__(self) -> None:
        self._file = _network()
        try:
            import onnxruntime  # type: ignore[import-untyped]
        except ImportError as error:
            raise MissingEngineError("silero", fix=FIX) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # too small to share
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                self._file.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own errors share no public base
            raise MissingEngineError(
                "silero", fix="pip install --force-reinstall faster-whisper onnxruntime"
            ) from error

    @classmethod
    def here(cls) -> str:
        """Nothing to choose: its one network is in the wheel. Raises `MissingEngineError`."""
        _network()
        need("silero", "onnxruntime", fix=FIX)
        return ""

    def start(self) -> NDArray[np.float32]:
        """The state before any sound: shape (320,), read-only, as every later one is."""
        return _frozen(np.zeros(STATE, np.float32))

    def detect(
        self, frames: NDArray[np.float32], states: Sequence[Any]
    ) -> tuple[NDArray[np.float32], list[Any]]:
        """Chance of speech for one frame of each stream."""
        frames = finite(frames)
        if len(frames) >= TOGETHER and self._together is not None:
            chances, after = self._together(frames, np.array(states))
            return chances, list(_frozen(after))
        heard = [self._alone(*pair) for pair in zip(frames, states, strict=True)]
        return np.array([chance for chance, _ in heard], np.float32), [after for _, after in heard]

    @cached_property
    def _together(self) -> Network | None:
        """The network for many; None if this file holds another one, which only runs alone."""
        try:
            return Network(weights(self._file.read_bytes()))
        except ValueError:
            return None

    def _alone(
        self, frame: NDArray[np.float32], state: NDArray[np.float32]
    ) -> tuple[float, NDArray[np.float32]]:
        memory = state[CONTEXT:].reshape(2, 1, 1, MEMORY)
        sound = np.concatenate((state[:CONTEXT], frame))[np.newaxis]
        chance, h, c = self._session.run(None, {"input": sound, "h": memory[0], "c": memory[1]})
        return chance.item(), _frozen(np.concatenate((frame[-CONTEXT:], h[0, 0], c[0, 0])))


def _frozen(array: NDArray[np.float32]) -> NDArray[np.float32]:
    array.flags.writeable = False
    return array


def _network() -> Path:
    """The network's file, found without importing faster-whisper and all that it needs."""
    package = importlib.util.find_spec("faster_whisper")
    for folder in (package and package.submodule_search_locations) or ():
        for network in sorted(Path(folder, "assets").glob("silero_vad_v6*.onnx")):
            return network
    raise MissingEngineError("silero", fix=FIX)
