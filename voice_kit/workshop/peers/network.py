"""Silero's own network, the same file that the peers bring, for those who bring none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONTEXT = 64


class Network:
    """Chances of speech for frames of 512 samples, 16 kHz, of many streams at once."""

    name = "silero"
    direct = True

    def __init__(self, path: str) -> None:
        import onnxruntime  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self._rate = np.array(16_000, np.int64)

    def start(self) -> Any:
        """The state before any sound: the samples before, and what the network remembers."""
        return np.zeros(CONTEXT, np.float32), np.zeros((2, 128), np.float32)

    def detect(
        self, frames: NDArray[np.float32], states: Sequence[Any]
    ) -> tuple[NDArray[np.float32], list[Any]]:
        """A chance for each frame, and the states after them."""
        tails, memories = zip(*states, strict=True)
        chances, after = self._session.run(
            None,
            {
                "input": np.concatenate((np.stack(tails), frames), axis=1),
                "state": np.stack(memories, axis=1),
                "sr": self._rate,
            },
        )
        kept = [(frames[index, -CONTEXT:].copy(), after[:, index]) for index in range(len(frames))]
        return chances[:, 0], kept
