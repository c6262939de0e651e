"""The command on a Ray cluster: one that it starts itself, and one that comes, goes, and comes."""

import asyncio
import json
import os
import signal
from contextlib import contextmanager
from urllib.parse import unquote

import httpx
import pytest

pytest.importorskip("ray", reason="no ray in this Python: run make test")
pytest.importorskip("fastapi", reason="the serve extra is not installed")
pytest.importorskip("psutil", reason="no psutil in this Python: run make test")

import helpers_ray
import psutil
import websockets
from helpers_serve import command, say, until

from voice_kit.errors import SettingsError
from voice_kit.serve.config import Serve
from voice_kit.serve.ray_engines import ray_engines
from voice_kit.settings import Settings
from voice_kit.sounds import clip
from voice_kit.workshop.faults_world import free_port

pytestmark = [pytest.mark.needs("ray", "serve"), pytest.mark.timeout(300)]

STARTS = 200
"""Seconds that a busy machine may take to start a cluster, and its engines."""
OWN = {"stt": "sphinx", "llm": "handbook", "tts": "espeak:en-us"}


class Gateway:
    """The command, and what it says of itself."""

    def __init__(self, running, told):
        self.running, self.url = running, told["url"].partition("?")[0]
        self.token = told["token"]

    def get(self, path):
        return httpx.get(self.url + path, timeout=STARTS)

    def ready(self):
        return self.get("ready").json()

    def engines(self):
        known = self.ready()["engines"]
        return {stage: known[stage] for stage in OWN}

    def heard(self, name):
        """What is written down of a recording, and said to it; and the sound of that, in bytes."""
        headers = {"Content-Type": "audio/wav"}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        sound = clip(name).path.read_bytes()
        answer = httpx.post(self.url + "v1/turn", content=sound, headers=headers, timeout=60)
        answer.raise_for_status()
        assert "voice-kit-problem" not in answer.headers
        told = (answer.headers[f"voice-kit-{each}"] for each in ("transcript", "answer"))
        return *map(unquote, told), len(answer.content)

    def tells(self, words, times=1):
        """Wait until its log has said this so often."""
        for _ in range(times):
            assert any(words in line for line in self.running.stderr), f"it never said “{words}”"

    def socket(self):
        query = f"?token={self.token}" if self.token else ""
        return websockets.connect(self.url.replace("http", "ws") + "v1/realtime" + query)


async def answered(socket, question):
    """What is said to a question that is typed."""
    content = [{"type": "input_text", "text": question}]
    item = {"type": "message", "role": "user", "content": content}
    await say(socket, type="conversation.item.create", item=item)
    await say(socket, type="response.create")
    seen = []
    done = await until(socket, "response.done", seconds=60, seen=seen)
    assert done["response"]["status"] == "completed"
    told = [each for each in seen if isinstance(each, dict)]
    kind = "response.output_audio_transcript.delta"
    return "".join(each["delta"] for each in told if each["type"] == kind)


@contextmanager
def gateway(*arguments, home, **environment):
    """The command, until the test is over; it is told to end, and has to."""
    flags = [*arguments, "--port", "0", "--json"]
    with command(*flags, home=home, **environment) as running:
        try:
            yield Gateway(running, json.loads(running.stdout.readline()))
            running.send_signal(signal.SIGTERM)
            _, errors = running.communicate(timeout=60)
        finally:
            running.kill()
    assert "Traceback" not in errors, errors


LOCAL = ("--ray", "local", "--stt", "sphinx", "--llm", "handbook", "--tts", "espeak")


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a program without telling it")
def test_one_command_starts_it_all_answers_and_leaves_nothing_behind(tmp_path):
    with gateway(*LOCAL, home=tmp_path) as served:
        assert served.engines() == {stage: f"ray:{name}" for stage, name in OWN.items()}
        assert served.ready()["degraded"] == []
        transcript, answer, sound = served.heard("question_latency")
        assert "latency" in transcript and "Latency is the time" in answer and sound > 48_000
        begun = psutil.Process(served.running.pid).children(recursive=True)
        assert any("raylet" in each.name() for each in begun)
    _, alive = psutil.wait_procs(begun, timeout=30)
    assert not alive


TWO_CLUSTERS = pytest.mark.skipif(
    os.environ.get("SOAK") != "whole", reason="two clusters take minutes to start: make soak"
)


@pytest.mark.soak
@TWO_CLUSTERS
def test_a_head_that_dies_is_started_again_and_ends_no_gateway(tmp_path):
    """Ray ends who belongs to it, a minute later."""

    def head():
        every = psutil.Process(served.running.pid).children(recursive=True)
        return next(each for each in every if each.name() == "gcs_server")

    with gateway(*LOCAL, home=tmp_path) as served:
        assert served.ready()["ready"]
        first = head()
        first.kill()
        served.tells("answers for this gateway", times=3)
        assert served.ready()["degraded"] == [] and head().pid != first.pid
        assert "Latency is the time" in served.heard("question_latency")[1]


@pytest.mark.soak
@TWO_CLUSTERS
def test_a_gateway_whose_cluster_is_away_answers_by_itself_until_it_comes_and_when_it_goes(
    tmp_path, tmp_path_factory
):
    address = f"127.0.0.1:{(port := free_port())}"
    cluster = {f"ray:{name}" for name in ("sphinx", "afar", "espeak:en-us")}

    async def scene(served):
        assert served.engines() == OWN
        assert served.ready()["degraded"] == ["ray"] and served.ready()["ready"]
        assert 'voice_kit_degraded{without="ray"} 1.0' in served.get("metrics").text.splitlines()
        served.tells("does not answer (ConnectionRefusedError)")
        async with served.socket() as socket:
            await until(socket, "session.created")
            assert "Latency is the time" in await answered(socket, "What is latency?")
            for _ in range(2):  # one that comes, and another after it
                with helpers_ray.head(port, tmp_path_factory.mktemp("ray")):
                    helpers_ray.deploy(address)
                    await asyncio.to_thread(served.tells, "answers for this gateway", times=3)
                    assert served.ready()["degraded"] == []
                    assert set(served.engines().values()) == cluster
                    assert await answered(socket, "What is latency?") == helpers_ray.ANSWER
                    transcript, answer, _ = served.heard("question_latency")
                    assert "latency" in transcript and answer == helpers_ray.ANSWER
                assert "Latency is the time" in await answered(socket, "What is latency?")
                assert "ray" in served.ready()["degraded"]
                assert served.engines()["llm"] == "handbook"

    with gateway("--ray", address, home=tmp_path) as served:
        asyncio.run(scene(served))


def test_what_is_no_address_is_one_sentence():
    with pytest.raises(SettingsError, match="“cluster” is no cluster's address"):
        ray_engines(Settings(), Serve(ray="cluster"))
