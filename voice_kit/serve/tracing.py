"""A trace of every turn, for OpenTelemetry: which stage took how long, and never what was said."""

from __future__ import annotations

import importlib.util
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from voice_kit.converse.timeline import Timeline, TurnTimes
from voice_kit.errors import install
from voice_kit.types import (
    Abandoned,
    EngineChanged,
    Event,
    Failed,
    FirstToken,
    FrameHeard,
    Interrupted,
    Routed,
    SpeechReady,
    ToolUsed,
    Transcribed,
    TurnFinished,
)

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = logging.getLogger(__name__)

Observer = Callable[[Event], None]
BY = {Transcribed: "transcribe", FirstToken: "first_token", SpeechReady: "synthesis"}
"""The events that tell which engine did a stage."""
PATH = "/v1/traces"


class Tracing:
    """Makes the spans of one app, and sends them on from a thread of its own.

    Where opentelemetry is not installed it does nothing.
    """

    def __init__(self, otlp: str = "", *, exporter: Any = None) -> None:
        """`otlp` is where they go, such as http://localhost:4318; or `exporter` takes them."""
        self._provider: TracerProvider | None = None
        if not otlp and exporter is None:
            return
        if importlib.util.find_spec("opentelemetry.sdk") is None:
            log.warning("no traces are made: opentelemetry is missing. Try: %s", install("otel"))
            return
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

        provider = TracerProvider(resource=Resource.create({"service.name": "voice-kit"}))
        if exporter is not None:
            provider.add_span_processor(SimpleSpanProcessor(exporter))
        else:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(address(otlp))))
        self._provider = provider

    def __bool__(self) -> bool:
        """Whether traces are made."""
        return self._provider is not None

    def observer(self, session: str = "", *, kind: str = "") -> Observer:
        """What makes the traces of one conversation."""
        if self._provider is None:
            return _nothing
        about = {"voice_kit.session": session, "voice_kit.kind": kind}
        return _Traced(self._provider.get_tracer("voice_kit"), about)

    def close(self) -> None:
        """Send what is left. Blocks, for seconds where nobody takes it."""
        if self._provider is not None:
            self._provider.shutdown()


class _Traced:
    """The turns of one conversation. Their times, which are those of its sound, become ours when
    a turn is over."""

    def __init__(self, tracer: Any, about: Mapping[str, str]) -> None:
        self._tracer = tracer
        self._about = {name: value for name, value in about.items() if value}
        self._timeline = Timeline()
        self._kept: dict[int, list[Event]] = {}

    def __call__(self, event: Event) -> None:
        """Take in what happened."""
        if isinstance(event, FrameHeard):
            return
        self._timeline(event)
        match event:
            case Abandoned():
                self._kept.pop(event.turn, None)
            case TurnFinished():
                kept = self._kept.pop(event.turn, [])
                self._trace(self._timeline.turns.pop(), kept, event.at)
            case EngineChanged():
                for kept in self._kept.values():
                    kept.append(event)
            case _ if number := getattr(event, "turn", 0):
                self._kept.setdefault(number, []).append(event)

    def _trace(self, turn: TurnTimes, events: list[Event], over: float) -> None:
        from opentelemetry.trace import Status, StatusCode, set_span_in_context

        zero = time.time_ns() - round(over * 1e9)  # when the microphone opened

        def at(seconds: float) -> int:
            return zero + round(seconds * 1e9)

        begins = [bar.start for bar in turn.bars] + [event.at for event in events]
        root = self._tracer.start_span(
            "voice_kit.turn",
            start_time=at(min(begins, default=over)),
            attributes={**self._about, **_facts(turn)},
        )
        inside = set_span_in_context(root)
        engines = {BY[type(each)]: each for each in reversed(events) if type(each) in BY}
        for bar in turn.bars:
            by = getattr(engines.get(bar.stage), "engine", "")
            span = self._tracer.start_span(
                f"voice_kit.{bar.stage}",
                context=inside,
                start_time=at(bar.start),
                attributes={"voice_kit.engine": by} if by else None,
            )
            span.end(at(bar.end))
        for event in events:
            match event:
                case ToolUsed() | Routed():
                    self._work(event, inside, at)
                case Failed():
                    about = {"voice_kit.stage": event.stage, "voice_kit.engine": event.engine}
                    root.add_event("failed", about, at(event.at))
                    root.set_status(Status(StatusCode.ERROR, f"{event.stage} failed"))
                case EngineChanged():
                    about = {"voice_kit.stage": event.stage, "voice_kit.engine": event.engine}
                    root.add_event("engine changed", about, at(event.at))
                case Interrupted():
                    root.add_event("interrupted", {"reason": event.reason}, at(event.at))
        root.end(at(over))

    def _work(self, event: ToolUsed | Routed, inside: Any, at: Callable[[float], int]) -> None:
        if isinstance(event, Routed):
            name = "voice_kit.route"
            about: dict[str, Any] = {"voice_kit.route": event.route.kind}
        else:
            name = "voice_kit.tool"
            about = {"voice_kit.tool": event.call.tool, "voice_kit.worked": event.worked}
        began = at(event.at - event.took)
        span = self._tracer.start_span(name, context=inside, start_time=began, attributes=about)
        span.end(at(event.at))


def address(otlp: str) -> str:
    """Where spans are posted: a collector's address is given without the path."""
    return otlp if urlsplit(otlp).path.strip("/") else otlp.rstrip("/") + PATH


def _facts(turn: TurnTimes) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "voice_kit.turn": turn.number,
        "voice_kit.early": turn.eager,
        "voice_kit.typed": turn.typed,
        "voice_kit.interrupted": turn.interrupted,
    }
    if turn.voice_to_voice is not None:
        facts["voice_kit.voice_to_voice"] = turn.voice_to_voice
    return facts


def _nothing(event: Event) -> None:
    """Traces are not asked for."""
