"""What a gateway does while the cluster that it belonged to is gone."""

import errno
import os
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, closing
from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
pytest.importorskip("ray", reason="no ray in this Python: run make test")

import ray
from ray._private import worker

from voice_kit.serve import ray_cluster
from voice_kit.serve.ray_cluster import ENVIRONMENT, Asking, Deployment

ASKS = """
from voice_kit.serve.ray_cluster import imported
ray = imported("10.0.0.1:6379")
ray.init = lambda *_, **__: print("a cluster of its own")
try:
    ray.put("a call for a stage that is not known to be lost")
except ray.exceptions.RaySystemError:
    print("an error")
"""


def test_a_call_to_a_cluster_that_is_gone_fails_and_starts_none():
    env = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    done = subprocess.run(
        [sys.executable, "-c", ASKS], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[0] == "an error"


@pytest.fixture
def stages(monkeypatch):
    """Two that answered until now, of a cluster that this process belonged to."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    found = [Deployment(stage, object()) for stage in ("stt", "llm")]
    assert not any(each.away for each in found)
    return found


def asked_once(address, stages, again=None):
    """Ask a cluster, until it did or did not answer for the first time."""
    asking = Asking(address, stages, again)
    asking.start()
    try:
        assert asking.asked.wait(60)
    finally:
        asking.end()
        asking.join(60)
        assert not asking.is_alive()


def test_nobody_calls_a_cluster_any_more_when_it_is_left(monkeypatch, stages):
    left = []

    def fails(**_):
        raise ConnectionError

    monkeypatch.setattr(ray, "shutdown", lambda: left.append([each.away for each in stages]))
    monkeypatch.setattr(ray, "init", fails)
    with closing(socket.create_server(("", 0))) as other:
        asked_once(f"127.0.0.1:{other.getsockname()[1]}", stages)
    assert left[0] == [True, True]


def test_a_cluster_of_the_gateways_own_is_started_again(monkeypatch, stages):
    began = []
    monkeypatch.setattr(ray, "shutdown", lambda: None)

    def again():
        began.append([each.away for each in stages])
        monkeypatch.setattr(ray, "is_initialized", lambda: True)
        for each in stages:
            each.meet = lambda: None

    asked_once("local", stages, again)
    assert began == [[True, True]]


def test_a_cluster_of_the_gateways_own_is_looked_after_while_nobody_misses_it(monkeypatch, stages):
    monkeypatch.setattr(ray_cluster, "MOST", 0.01)
    looked = threading.Semaphore(0)
    monkeypatch.setattr(ray_cluster, "reach", lambda *_: looked.release())
    asking = Asking("local", stages, lambda: None)
    asking.start()
    assert all(looked.acquire(timeout=60) for _ in range(3))
    asking.end()
    asking.join(60)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full door refuses")
def test_a_node_that_is_too_busy_to_open_its_door_is_there(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # the path of such a socket has 107 letters at most
    node = SimpleNamespace(raylet_socket_name="raylet", dead_processes=list)
    monkeypatch.setattr(worker, "_global_node", node)
    with ExitStack() as open_:
        door = open_.enter_context(socket.socket(socket.AF_UNIX))
        door.bind("raylet")
        door.listen(1)
        found = 0
        while not found:
            waits = open_.enter_context(socket.socket(socket.AF_UNIX))
            waits.settimeout(1.0)
            found = waits.connect_ex("raylet")
        assert found == errno.EAGAIN
        assert not Deployment("stt", object()).empty
        node.dead_processes = lambda: [("gcs_server", None)]
        assert Deployment("stt", object()).empty, "of a cluster of our own, another part has gone"
        node.dead_processes = list
    assert Deployment("stt", object()).empty, "it has gone"
