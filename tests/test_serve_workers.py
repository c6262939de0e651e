"""Several processes that answer on one port."""

import os
import signal

import pytest

pytest.importorskip("fastapi", reason="no FastAPI: pip install 'voice-kit[serve]'")
pytest.importorskip("prometheus_client", reason="no client: pip install 'voice-kit[serve]'")

from fastapi import FastAPI

from voice_kit.errors import VoiceKitError
from voice_kit.serve.config import Serve
from voice_kit.serve.metrics import Metrics
from voice_kit.serve.running import Running
from voice_kit.serve.server import Worker, config_of, listening
from voice_kit.settings import Settings


def one_session_and_one_refusal():
    """An app in whose process they are counted."""
    app, metrics = FastAPI(), Metrics()
    app.state.session = metrics.session("s")
    app.state.session.__enter__()
    metrics.refused("too_fast")
    return app


def counts():
    """The sessions that are open and those that were refused, in all processes."""
    lines = Metrics().text().decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    refused = values.get('voice_kit_refused_total{reason="too_fast"}', "0")
    return float(values.get("voice_kit_sessions", "0")), float(refused)


def test_a_process_that_was_killed_leaves_no_sessions_in_the_metrics(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    serve = Serve(port=0, token="only-for-these-tests")
    with listening(serve) as sock:
        worker = Worker(config_of(one_session_and_one_refusal, serve), [sock])
        worker.start()
        try:
            assert worker.wait_until_ready(60)
            assert counts() == (1, 1)
        finally:
            os.kill(worker.pid, signal.SIGKILL)
            worker.join()
    assert counts() == (0, 1)
    assert any(tmp_path.glob("counter_*")), "what it has counted is not forgotten"


def test_each_of_several_processes_would_start_a_cluster_of_its_own():
    with pytest.raises(VoiceKitError, match="--ray auto"):
        Running(Settings(), Serve(port=0, workers=2, ray="local"))
