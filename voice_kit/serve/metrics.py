"""What all conversations together did, in numbers, as Prometheus reads them.

Labels come from short lists that are known here: no session, no word and no address is in one.

With several workers each process counts for itself, and a scrape meets any of them. Set
PROMETHEUS_MULTIPROC_DIR to an empty folder before they start (`voice-kit serve --workers` does):
then each answers for all, but for what Python and the system know of one process.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from voice_kit.converse.timeline import STAGES, Timeline, TurnTimes
from voice_kit.types import (
    Abandoned,
    EngineChanged,
    Event,
    Failed,
    FrameHeard,
    Interrupted,
    TurnFinished,
)

if TYPE_CHECKING:
    from voice_kit.serve.tracing import Tracing

Observer = Callable[[Event], None]

FAILING = (
    *("vad", "stt", "judge", "llm", "tts", "brain", "microphone", "speaker", "memory"),
    "recording",
)
MEASURED = tuple(stage for stage in STAGES if stage != "speech")
"""How long people speak is theirs alone."""
QUEUES = ("vad_batch", "stt", "http", "loop")
"""For the frames of others, a recogniser, a request's turn, and the event loop itself."""
WITHOUT = ("redis", "ray")
"""What a gateway can do without."""
REASONS = 32
"""So many reasons of a refusal are told apart; further ones are "other"."""

TURN = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Seconds: between people it is 0.2, and above 1 it is felt."""
STAGE = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
QUEUE = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Counters and histograms of one app; `observer` is one conversation's share of them."""

    def __init__(self, tracing: Tracing | None = None) -> None:
        """`tracing` watches every conversation, too."""
        self.registry = registry = CollectorRegistry()
        if not several_workers():
            ProcessCollector(registry=registry)
            PlatformCollector(registry=registry)

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"voice_kit_{name}", about, labels, registry=registry)

        def histogram(name: str, about: str, bounds: tuple[float, ...], *labels: str) -> Histogram:
            name = f"voice_kit_{name}_seconds"
            return Histogram(name, about, labels, buckets=bounds, registry=registry)

        self._turns = counter("turns", "Turns that were answered.", "kind")
        self._interruptions = counter("interruptions", "Answers that their user interrupted.")
        self._failures = counter("failures", "Stages that failed in a turn.", "stage")
        self._changes = counter("engine_changes", "Engines that another stood in for.", "stage")
        self._abandoned = counter("abandoned_starts", "Answers begun early, and not needed.")
        self._wasted = counter("abandoned_seconds", "Seconds that engines worked in vain.")
        self._refused = counter("refused", "Who was not let in, or not now.", "reason")
        self._opened = counter("sessions_opened", "Sessions that began.")
        self._silence = histogram(
            "voice_to_voice", "From the end of a question to the sound of its answer.", TURN
        )
        self._stages = histogram("stage", "How long a stage of a turn took.", STAGE, "stage")
        self._queues = histogram("queue", "How long work waited for its turn.", QUEUE, "queue")
        self._open = Gauge(
            "voice_kit_sessions",
            "Sessions that are open now.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._degraded = Gauge(
            "voice_kit_degraded",
            "1 while it does without something that all gateways share.",
            ["without"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._tracing = tracing
        self._reasons: set[str] = set()
        for stage in FAILING:  # a rate needs a first value
            self._failures.labels(stage)
        for name in WITHOUT:
            self._degraded.labels(name)
        for kind in ("spoken", "typed", "announced", "http"):
            self._turns.labels(kind)

    def observer(self, session: str = "", *, kind: str = "") -> Observer:
        """What counts the events of one conversation. `session` is its name: it is in no label.

        `kind` "http" is for a recording that was answered: its wait for the end is nobody's.
        """
        share = _Share(self, kind)
        if not self._tracing:
            return share
        traced = self._tracing.observer(session, kind=kind)

        def both(event: Event) -> None:
            share(event)
            traced(event)

        return both

    @contextmanager
    def session(self, session: str = "") -> Iterator[Observer]:
        """The same, and the session is open meanwhile."""
        self._opened.inc()
        self._open.inc()
        try:
            yield self.observer(session)
        finally:
            self._open.dec()

    def refused(self, reason: str) -> None:
        """Somebody was not let in, or not now; `reason` is a code such as `too_much_sound`."""
        if reason not in self._reasons and len(self._reasons) >= REASONS:
            reason = "other"
        self._reasons.add(reason)
        self._refused.labels(reason).inc()

    def failed(self, stage: str) -> None:
        """A stage failed outside of a conversation."""
        self._failures.labels(stage if stage in FAILING else "other").inc()

    def waited(self, queue: str, seconds: float) -> None:
        """Work waited so long for its turn at one of `QUEUES`."""
        self.queue(queue)(seconds)

    def queue(self, name: str) -> Callable[[float], None]:
        """What is told how long work waited for its turn at one of `QUEUES`."""
        counting: Callable[[float], None] = self._queues.labels(
            name if name in QUEUES else "other"
        ).observe
        return counting

    async def watch(
        self, degraded: Callable[[], Collection[str]] = tuple, every: float = 0.25
    ) -> None:
        """Count how late the event loop is, and tell what is done without, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            missing = degraded()
            for name in WITHOUT:
                self._degraded.labels(name).set(name in missing)
            due = loop.time() + every
            await asyncio.sleep(every)
            self.waited("loop", max(0.0, loop.time() - due))

    def text(self) -> bytes:
        """All of it, in Prometheus' format; of all workers where there are several."""
        if not several_workers():
            return generate_latest(self.registry)
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def happened(self, event: Event) -> None:
        """Count what is no turn's end."""
        match event:
            case Interrupted():
                self._interruptions.inc()
            case Failed():
                self.failed(event.stage)
            case EngineChanged():
                self._changes.labels(event.stage if event.stage in FAILING else "other").inc()

    def abandoned(self, starts: int, seconds: float) -> None:
        """Early starts were dropped, or a transcription alone; engines had worked so long."""
        self._abandoned.inc(starts)
        self._wasted.inc(seconds)

    def turn(self, turn: TurnTimes, kind: str) -> None:
        """A turn is over."""
        self._turns.labels(kind).inc()
        if turn.voice_to_voice is not None and kind == "spoken":
            self._silence.observe(max(0.0, turn.voice_to_voice))
        unknown = {"wait"} if kind == "http" else set[str]()
        for stage in {bar.stage for bar in turn.bars} & set(MEASURED) - unknown:
            self._stages.labels(stage).observe(max(0.0, turn.seconds(stage)))


class _Share:
    """What one conversation adds."""

    def __init__(self, metrics: Metrics, kind: str) -> None:
        self._metrics, self._kind = metrics, kind
        self._timeline = Timeline()

    def __call__(self, event: Event) -> None:
        if isinstance(event, FrameHeard):  # 31 a second, and of no turn
            return
        timeline = self._timeline
        timeline(event)
        self._metrics.happened(event)
        if isinstance(event, Abandoned):
            self._metrics.abandoned(timeline.abandoned, timeline.wasted)
            timeline.abandoned, timeline.wasted = 0, 0.0
        elif isinstance(event, TurnFinished):
            turn = timeline.turns.pop()
            silent = "typed" if turn.heard else "announced"
            self._metrics.turn(turn, self._kind or (silent if turn.typed else "spoken"))


def several_workers() -> bool:
    """Whether this process counts together with others."""
    return bool(os.environ.get("PROMETHEUS_MULTIPROC_DIR"))
