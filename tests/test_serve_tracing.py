"""A trace of every turn, as OpenTelemetry's own SDK hands it out."""

import pytest
from scenes import Faulty, Scene
from scripted_server import ScriptedServer

from voice_kit.serve.tracing import Tracing, address
from voice_kit.types import ToolCall, ToolUsed, TurnFinished, TurnStarted
from voice_kit.workshop.fakes import Script, ScriptedModel, scripted

SECRET = "my cat is called Aristotle"
ANSWER = "Then her name is wise."


@pytest.fixture
def exporter():
    pytest.importorskip("opentelemetry.sdk", reason="no SDK: pip install 'voice-kit[otel]'")
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    return InMemorySpanExporter()


def traced(exporter, *parts, script=None, **more):
    """A scripted conversation, and its spans by name; those of one name in order."""
    script = script or Script()
    observe = Tracing(exporter=exporter).observer("sess_1")
    scene = Scene(script, *parts, during=lambda talk, _: talk.observers.append(observe), **more)
    spans = {}
    for span in exporter.get_finished_spans():
        spans.setdefault(span.name, []).append(span)
    return scene, spans


def seconds(span):
    return (span.end_time - span.start_time) / 1e9


def test_a_turn_is_a_trace_with_its_stages_in_it(exporter):
    scene, spans = traced(exporter, 0.5, (SECRET, 1.5), 3.0, answers={SECRET: ANSWER})
    (turn,) = spans["voice_kit.turn"]
    (times,) = scene.timeline.turns
    stages = [bar.stage for bar in times.bars]
    assert {f"voice_kit.{stage}" for stage in stages} <= spans.keys()
    for stage in stages:
        for span in spans[f"voice_kit.{stage}"]:
            assert span.context.trace_id == turn.context.trace_id
            assert span.parent.span_id == turn.context.span_id
            assert turn.start_time <= span.start_time <= span.end_time <= turn.end_time
        assert seconds(spans[f"voice_kit.{stage}"][0]) == pytest.approx(
            times.bars[stages.index(stage)].seconds, abs=1e-6
        )
    assert turn.attributes["voice_kit.session"] == "sess_1"
    assert turn.attributes["voice_kit.voice_to_voice"] == times.voice_to_voice
    assert spans["voice_kit.transcribe"][0].attributes["voice_kit.engine"] == "scripted"


def test_two_turns_are_two_traces(exporter):
    _, spans = traced(exporter, 0.5, ("one", 1.0), 4.0, ("two", 1.0), 4.0)
    first, second = spans["voice_kit.turn"]
    assert first.context.trace_id != second.context.trace_id


def test_no_span_holds_a_word_of_anybody(exporter):
    def used(talk, _):
        call = ToolCall("remember", {"what": SECRET}, "1")
        talk.observers.append(observe := Tracing(exporter=exporter).observer("s"))
        observe(TurnStarted(9, 0.0, False))
        observe(ToolUsed(9, 1.0, call, f"noted: {SECRET}", 0.5))
        observe(TurnFinished(9, 2.0, SECRET, ANSWER, ANSWER, False))

    script = Script()
    Scene(script, 0.5, (SECRET, 1.5), 3.0, answers={SECRET: ANSWER}, during=used)
    spans = exporter.get_finished_spans()
    assert len(spans) > 5
    assert "voice_kit.tool" in {span.name for span in spans}
    for span in spans:
        told = span.to_json()
        assert not [word for word in ("cat", "Aristotle", "wise") if word in told]


def test_an_interruption_and_a_failure_are_marked(exporter):
    script = Script()
    long = ScriptedModel({"tell": " ".join(["word"] * 40) + "."})
    _, spans = traced(
        exporter,
        0.5,
        ("tell", 1.0),
        3.0,
        ("stop now please", 1.5),
        4.0,
        script=script,
        engines=scripted(script, llm=long),
    )
    first = spans["voice_kit.turn"][0]
    assert first.attributes["voice_kit.interrupted"]
    assert "interrupted" in [event.name for event in first.events]

    exporter.clear()
    script = Script()
    faulty = Faulty(ScriptedModel({}), ["raises"])
    _, spans = traced(
        exporter, 0.5, ("hello", 1.0), 4.0, script=script, engines=scripted(script, llm=faulty)
    )
    (turn,) = spans["voice_kit.turn"]
    assert turn.status.description == "llm failed"
    assert turn.events[0].attributes["voice_kit.stage"] == "llm"


def test_an_abandoned_start_leaves_no_trace(exporter):
    scene, spans = traced(exporter, 0.5, ("one", 1.0), 0.2, ("two", 1.0), 4.0)
    assert scene.timeline.abandoned
    assert len(spans["voice_kit.turn"]) == 1


def test_without_an_address_nothing_is_made():
    tracing = Tracing()
    assert not tracing
    tracing.observer("s")(TurnStarted(1, 0.0, False))
    tracing.close()


def test_without_the_package_nothing_is_made_and_the_fix_is_told(monkeypatch, caplog):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    tracing = Tracing("http://localhost:4318")
    assert not tracing
    tracing.observer("s")(TurnStarted(1, 0.0, False))
    assert "otel" in caplog.text


def test_spans_are_sent_to_a_collector(exporter):
    async def takes(request, reply):
        await reply.whole(b"", 200, "application/x-protobuf")

    with ScriptedServer(takes) as collector:
        tracing = Tracing(collector.url)
        observe = tracing.observer("sess_1")
        observe(TurnStarted(1, 0.0, False))
        observe(TurnFinished(1, 2.0, SECRET, ANSWER, ANSWER, False))
        tracing.close()
        (request,) = collector.asked("/v1/traces")
    assert b"voice_kit.turn" in request.body
    assert b"Aristotle" not in request.body


def test_a_collectors_address_needs_no_path():
    assert address("http://collector:4318") == "http://collector:4318/v1/traces"
    assert address("http://collector:4318/") == "http://collector:4318/v1/traces"
    assert address("https://host/otlp/v1/traces") == "https://host/otlp/v1/traces"
