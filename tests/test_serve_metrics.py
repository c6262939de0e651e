"""What Prometheus is told, and how the gateway says that it is well."""

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="no FastAPI: pip install 'voice-kit[serve]'")
pytest.importorskip("prometheus_client", reason="no client: pip install 'voice-kit[serve]'")

import httpx
import websockets
from helpers_http import TOKEN, app_of, serving, shared_with
from helpers_serve import say, served, stubs, until
from prometheus_client.parser import text_string_to_metric_families
from scenes import Faulty, Scene
from scripted_server import ScriptedServer

from voice_kit.hear.batch import Batch
from voice_kit.serve import health
from voice_kit.serve.metrics import REASONS, Metrics
from voice_kit.serve.shared import Shared
from voice_kit.types import (
    FRAME,
    RATE,
    Abandoned,
    Audio,
    Failed,
    FrameHeard,
    SpeechReady,
    Transcript,
)
from voice_kit.workshop.fakes import (
    LoudnessDetector,
    Script,
    ScriptedModel,
    ScriptedTranscriber,
    scripted,
)


def read(metrics):
    """Every value, by name and labels."""
    text = metrics if isinstance(metrics, str) else metrics.text().decode()
    return {
        (sample.name.removeprefix("voice_kit_"), *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def counted(*parts, metrics=None, script=None, **more):
    metrics = metrics or Metrics()
    observe = metrics.observer("sess_1")
    scene = Scene(
        script or Script(), *parts, during=lambda talk, _: talk.observers.append(observe), **more
    )
    return scene, read(metrics)


def test_a_turn_is_counted_with_its_stages():
    scene, values = counted(0.5, ("hello", 1.0), 4.0)
    (turn,) = scene.timeline.turns
    assert values["turns_total", "spoken"] == 1
    assert values["voice_to_voice_seconds_count",] == 1
    assert values["voice_to_voice_seconds_sum",] == pytest.approx(turn.voice_to_voice)
    for stage in ("wait", "transcribe", "first_token", "synthesis", "playback"):
        assert values["stage_seconds_sum", stage] == pytest.approx(turn.seconds(stage))
    assert ("stage_seconds_sum", "speech") not in values


def test_interruptions_and_abandoned_starts_are_counted():
    script = Script()
    long = ScriptedModel({"tell": " ".join(["word"] * 40) + "."})
    parts = (0.5, ("tell", 1.0), 3.0, ("stop now please", 1.5), 4.0)
    scene, values = counted(*parts, script=script, engines=scripted(script, llm=long))
    assert values["interruptions_total",] == 1
    assert values["turns_total", "spoken"] == 2
    scene, values = counted(0.5, ("one", 1.0), 0.2, ("two", 1.0), 4.0)
    assert scene.timeline.abandoned == values["abandoned_starts_total",] > 0
    assert values["abandoned_seconds_total",] == pytest.approx(scene.timeline.wasted)


def test_a_start_that_was_dropped_leaves_nothing_but_that_it_was_abandoned():
    scene, values = counted(0.5, ("one", 1.0), 0.4, ("two", 1.0), 4.0)
    dropped = scene.all(Abandoned)[0].turn
    assert dropped in [event.turn for event in scene.all(SpeechReady)], "it had not got so far"
    assert values["abandoned_starts_total",] == len(scene.all(Abandoned)) == 1
    assert values["turns_total", "spoken"] == 1
    assert values["voice_to_voice_seconds_count",] == 1
    stages = {name[1]: value for name, value in values.items() if name[0] == "stage_seconds_count"}
    assert stages.keys() >= {"transcribe", "first_token", "synthesis"}
    assert set(stages.values()) <= {0, 1}
    (turn,) = scene.timeline.turns
    for stage in ("transcribe", "first_token", "synthesis"):
        assert values["stage_seconds_sum", stage] == pytest.approx(turn.seconds(stage))
    assert values["interruptions_total",] == 0


def test_failures_are_counted_by_stage_and_what_stood_in():
    script = Script()
    engines = scripted(
        script,
        llm=Faulty(ScriptedModel({}), ["raises"]),
        then={"llm": [lambda: ScriptedModel({})]},
    )
    _, values = counted(0.5, ("hello", 1.0), 4.0, script=script, engines=engines)
    assert values["failures_total", "llm"] == 1
    assert values["failures_total", "tts"] == 0
    assert values["engine_changes_total", "llm"] == 1


def test_two_conversations_are_counted_together():
    metrics = Metrics()
    counted(0.5, ("hello", 1.0), 4.0, metrics=metrics)
    _, values = counted(0.5, ("hello", 1.0), 4.0, metrics=metrics)
    assert values["turns_total", "spoken"] == 2


def test_a_typed_line_and_an_announcement_are_told_apart():
    def arrange(talk, _):
        talk.observers.append(metrics.observer())
        asyncio.get_running_loop().call_later(0.5, talk.type, "hello")
        asyncio.get_running_loop().call_later(5.0, talk.announce, "Your timer is over.")

    metrics = Metrics()
    Scene(Script(), 12.0, during=arrange)
    values = read(metrics)
    assert values["turns_total", "typed"] == 1
    assert values["turns_total", "announced"] == 1
    assert values["voice_to_voice_seconds_count",] == 0


def test_a_spoken_turn_that_could_not_be_transcribed_is_counted_as_spoken():
    script = Script()
    engines = scripted(script, stt=Faulty(ScriptedTranscriber(script), ["raises"]))
    scene, values = counted(0.5, ("hello", 1.0), 4.0, script=script, engines=engines)
    (turn,) = scene.timeline.turns
    assert (turn.heard, bool(turn.said_heard)) == ("", True)
    assert (values["turns_total", "spoken"], values["turns_total", "announced"]) == (1, 0)
    assert values["voice_to_voice_seconds_sum",] == pytest.approx(turn.voice_to_voice)


def test_a_session_is_open_until_it_is_closed():
    metrics = Metrics()
    with metrics.session("a") as observe:
        observe(FrameHeard(0.0, 0.0, 0.0))
        with metrics.session("b"):
            assert read(metrics)["sessions",] == 2
    values = read(metrics)
    assert (values["sessions",], values["sessions_opened_total",]) == (0, 2)


def test_labels_stay_few_whatever_happens():
    metrics = Metrics()
    observe = metrics.observer("s")
    for number in range(1_000):
        metrics.refused(f"reason {number}")
        metrics.waited(f"queue {number}", 0.1)
        observe(Failed(0, 0.0, f"stage {number}", "engine", "a message with words"))
        metrics.observer(f"session {number}")
    values = read(metrics)
    assert len([1 for name, *_ in values if name == "refused_total"]) == REASONS + 1
    assert values["refused_total", "other"] == 1_000 - REASONS
    assert values["failures_total", "other"] == 1_000
    assert values["queue_seconds_count", "other"] == 1_000
    text = metrics.text().decode()
    assert "session 7" not in text
    assert "words" not in text


def test_an_observer_remembers_nothing_of_turns_that_are_over():
    metrics = Metrics()
    observe = metrics.observer("s")
    parts = [part for _ in range(5) for part in (0.5, ("hello", 1.0), 4.0)]
    Scene(Script(), *parts, during=lambda talk, _: talk.observers.append(observe))
    assert read(metrics)["turns_total", "spoken"] == 5
    assert not observe._timeline.turns
    assert not observe._timeline._open


def test_the_wait_for_the_frames_of_others_is_counted():
    metrics = Metrics()
    detector = Batch(LoudnessDetector(), wait=0.02, waited=metrics.queue("vad_batch"))

    async def two():
        frame = np.full((1, FRAME), 0.1, np.float32)
        states = [detector.start(), detector.start()]
        for _ in range(3):
            found = [detector.detect(frame, [state]) for state in states]
            heard = [await each if asyncio.isfuture(each) else each for each in found]
            states = [after[0] for _, after in heard]

    asyncio.run(two())
    assert read(metrics)["queue_seconds_count", "vad_batch"] > 0


@dataclass
class Held:
    """A recogniser that hears once it is let."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    name: str = "held"
    stops: str = "async"

    async def transcribe(self, audio):
        self.asked.set()
        await self.go.wait()
        return Transcript("hello")

    def abort(self):
        """Nothing to do: for this it is put in a pool."""


def test_the_wait_for_a_recogniser_is_counted():
    async def scene():
        stt = Held()
        shared = Shared(engines=stubs(stt=stt))
        sound = Audio(np.zeros(1600, np.float32), RATE)
        pool = shared.engines.stt.current
        both = [asyncio.ensure_future(pool.transcribe(sound)) for _ in range(2)]
        await stt.asked.wait()
        one = read(shared.metrics)["queue_seconds_count", "stt"]
        stt.go.set()
        await asyncio.gather(*both)
        return one, read(shared.metrics)

    one, values = asyncio.run(scene())
    assert (one, values["queue_seconds_count", "stt"]) == (1, 2)
    assert values["queue_seconds_sum", "stt"] > 0


@dataclass
class Batching:
    """A recogniser in which a sound waits for others."""

    waited: object = None
    name: str = "batching"
    stops: str = "async"

    async def transcribe(self, audio):
        self.waited(0.3)
        return Transcript("hello")


def test_the_wait_within_a_recogniser_is_counted_too():
    shared = Shared(engines=stubs(stt=Batching()))
    asyncio.run(shared.engines.stt.current.transcribe(Audio.silence(0.1)))
    values = read(shared.metrics)
    assert values["queue_seconds_count", "stt"] == 1
    assert values["queue_seconds_sum", "stt"] == pytest.approx(0.3)


def test_a_late_event_loop_is_seen():
    async def scene():
        metrics, seen = Metrics(), asyncio.Event()
        counted, metrics.waited = metrics.waited, lambda *what: (counted(*what), seen.set())
        watch = asyncio.ensure_future(metrics.watch(every=0.0))
        await seen.wait()
        watch.cancel()
        assert read(metrics)["queue_seconds_count", "loop"] > 0

    asyncio.run(scene())


def test_several_workers_answer_for_all(tmp_path):
    code = (
        "import sys\n"
        "from voice_kit.serve.metrics import Metrics\n"
        "metrics = Metrics()\n"
        "metrics.refused('too_fast')\n"
        "session = metrics.session('s'); session.__enter__()\n"
        "if sys.argv[1] == 'last': print(metrics.text().decode())\n"
        "else: print('ready', flush=True); sys.stdin.read()\n"
    )
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [*command, "first"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    ) as first:
        assert first.stdout.readline() == "ready\n"
        last = subprocess.run(
            [*command, "last"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
        )
        first.stdin.close()
    values = read(last.stdout)
    assert values["refused_total", "too_fast"] == 2
    assert values["sessions",] == 2


def test_each_turn_of_a_conversation_is_counted_and_traced_once():
    service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")

    async def takes(request, reply):
        await reply.whole(b"", 200, "application/x-protobuf")

    async def one_turn(address):
        async with websockets.connect(address.realtime) as socket:
            content = [{"type": "input_text", "text": "a secret"}]
            item = {"type": "message", "role": "user", "content": content}
            await say(socket, type="conversation.item.create", item=item)
            await say(socket, type="response.create")
            await until(socket, "response.done")

    with ScriptedServer(takes) as collector:
        with served(otlp=collector.url) as address:
            asyncio.run(one_turn(address))
        requests = collector.asked("/v1/traces")
    assert read(address.shared.metrics)["turns_total", "typed"] == 1
    assert requests
    names = [
        span.name
        for request in requests
        for of in service.ExportTraceServiceRequest.FromString(request.body).resource_spans
        for scope in of.scope_spans
        for span in scope.spans
    ]
    assert names.count("voice_kit.turn") == 1
    assert not any(b"secret" in request.body for request in requests)


# Over HTTP


@pytest.fixture
def shared():
    return shared_with()


@pytest.fixture
def url(shared):
    with serving(app_of(shared, health.router)) as address:
        yield address


def get(url, path, **headers):
    with httpx.Client(base_url=url, trust_env=False, headers=headers) as client:
        return client.get(path)


def test_who_is_alive_says_so_to_anybody(url):
    assert get(url, "/health").json() == {"status": "alive"}


def test_it_is_ready_once_engines_are_there_until_it_stops(url, shared):
    answer = get(url, "/ready")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert answer.json()["engines"]["llm"] == "scripted"
    assert answer.json()["degraded"] == []
    shared.draining = True
    answer = get(url, "/ready")
    assert answer.status_code == 503
    assert "about to stop" in answer.json()["reasons"][0]


def test_before_the_engines_are_loaded_it_is_not_ready(url, shared):
    shared.engines = None
    answer = get(url, "/ready")
    assert answer.status_code == 503
    assert "not loaded yet" in answer.json()["reasons"][0]


def test_metrics_are_for_this_machine_and_for_who_has_the_token(url):
    assert get(url, "/metrics").status_code == 200
    assert "voice_kit_sessions" in get(url, "/metrics").text
    far = {"x-forwarded-for": "203.0.113.7"}
    assert get(url, "/metrics", **far).status_code == 401
    assert get(url, "/metrics", **far, authorization=f"Bearer {TOKEN}").status_code == 200


def test_metrics_can_be_opened():
    shared = shared_with()
    open_ = type("Open", (), {"open_metrics": True})()
    shared.serve = open_
    with serving(app_of(shared, health.router)) as url:
        assert get(url, "/metrics", **{"x-forwarded-for": "203.0.113.7"}).status_code == 200


def test_two_apps_in_a_process_count_for_themselves():
    one, other = Metrics(), Metrics()
    one.refused("too_fast")
    assert ("refused_total", "too_fast") in read(one)
    assert ("refused_total", "too_fast") not in read(other)
