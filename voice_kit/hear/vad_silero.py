"""Silero: a small neural network that knows speech from noise, in a tenth of a millisecond."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voice_kit.errors import MissingEngineError, need
from voice_kit.hear.detection import finite

CONTEXT = 64  # samples of the frame before, which the network reads again
FIX = "pip install faster-whisper onnxruntime"


class Heard(NamedTuple):
    """What the network remembers of one stream."""

    tail: NDArray[np.float32]
    """The last samples of the frame before, shape (64,)."""
    h: NDArray[np.float32]
    c: NDArray[np.float32]


class Silero:
    """Silero v6, as it comes with faster-whisper, on onnxruntime. Needs no torch and no download.

    Whispering is silence to it.
    """

    name = "silero"
    direct = True

    def __init__(self) -> None:
        network = _network()
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
                network.read_bytes(), options, providers=["CPUExecutionProvider"]
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

    def start(self) -> Heard:
        """The state before any sound."""
        tail, memory = np.zeros(CONTEXT, np.float32), np.zeros((1, 1, 128), np.float32)
        return Heard(_frozen(tail), _frozen(memory), memory)

    def detect(
        self, frames: NDArray[np.float32], states: Sequence[Any]
    ) -> tuple[NDArray[np.float32], list[Any]]:
        """Chance of speech for one frame of each stream, one after the other.

        The first axis of this network's input is time, so streams cannot share a call.
        """
        frames = finite(frames)
        chances = np.empty(len(frames), np.float32)
        after: list[Any] = []
        for index, (frame, heard) in enumerate(zip(frames, states, strict=True)):
            chance, h, c = self._session.run(
                None,
                {
                    "input": np.concatenate((heard.tail, frame))[np.newaxis],
                    "h": heard.h,
                    "c": heard.c,
                },
            )
            chances[index] = chance.item()
            after.append(Heard(_frozen(frame[-CONTEXT:].copy()), _frozen(h), _frozen(c)))
        return chances, after


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
