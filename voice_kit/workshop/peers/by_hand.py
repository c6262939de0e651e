"""The shortest loop one can write: a counter of quiet frames, three awaits, and a gate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import numpy as np
from numpy.typing import NDArray

from voice_kit.hear.protocols import VoiceDetector
from voice_kit.workshop.peers.network import Network
from voice_kit.workshop.peers.stage import (
    ABOVE,
    FRAME,
    GAP,
    RATE,
    Conversation,
    Job,
    Record,
    frames,
    main,
)

SETTINGS = {
    "plain": "a turn ends after {stop}; then stt, llm, tts",
    "early": "stt, llm and tts begin after {eager} behind a gate that opens after {stop}",
}


class Loop:
    """One conversation."""

    def __init__(self, job: Job, record: Record) -> None:
        self._job, self._record = job, record
        self._reply: asyncio.Task[None] | None = None
        self._gate = asyncio.Event()
        self._sounding = False
        self._heard = self._ended = 0.0

    async def _answer(self, gate: asyncio.Event, begun: float, spoken: float) -> None:
        job, record = self._job, self._record
        try:
            await record.work(job.stt)
            if not job.said(record.now(), spoken + 1):
                return
            record.add("began")
            await record.work(job.llm)
            await record.work(job.tts)
            await gate.wait()
            begun += job.stt + job.llm + job.tts
            record.add("sounded", due=max(self._ended, begun))
            self._sounding = True
            await record.work(GAP)
            await record.work(job.tts)
            await asyncio.sleep(2 * job.answer - job.tts)
        finally:
            self._sounding = False

    def _begin(self, spoken: float) -> None:
        self._gate = asyncio.Event()
        self._reply = asyncio.ensure_future(self._answer(self._gate, self._heard, spoken))

    def _cancel(self) -> None:
        if self._reply is not None and not self._reply.done():
            if self._sounding:
                self._record.add("interrupted")
                self._record.add("silent")
            self._reply.cancel()
        self._reply = None

    async def run(self, sound: NDArray[np.float32], network: VoiceDetector) -> None:
        """Hear it all, and answer."""
        job, record = self._job, self._record
        seconds = FRAME / RATE
        end, early = round(job.stop / seconds), round(job.eager / seconds)
        early = early if job.way == "early" else end
        state = network.start()
        loud = quiet = 0
        async for frame in frames(sound, record, FRAME):
            self._heard += seconds
            (chance,), (state,) = network.detect(frame[np.newaxis], [state])
            if chance >= ABOVE:
                if loud == 0 or quiet >= early:
                    self._cancel()
                loud, quiet = loud + 1, 0
            elif loud:
                quiet += 1
                if quiet == early:
                    self._begin((loud + quiet) * seconds)
                if quiet == end:
                    self._ended = self._heard
                    record.add("decided")
                    self._gate.set()
                    loud = 0
        if self._reply is not None and self._gate.is_set():
            await asyncio.wait([self._reply])


def prepare(job: Job) -> Conversation:
    """A conversation that uses the network."""
    network = Network(job.network)

    def converse(job: Job, sound: NDArray[np.float32], record: Record) -> Awaitable[None]:
        return Loop(job, record).run(sound, network)

    return converse


if __name__ == "__main__":
    main("by hand", ("numpy", "onnxruntime"), SETTINGS, prepare)
