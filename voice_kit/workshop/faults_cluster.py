"""A Ray cluster on this machine whose replicas cost no time, and can be killed.

`python -m voice_kit.workshop.faults_cluster` runs until its input ends; it says when it is ready.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from voice_kit.engines import Stage
from voice_kit.errors import VoiceKitError, install, need
from voice_kit.serve.ray_app import NAME, STAGES, Replica, Together
from voice_kit.serve.ray_cluster import FIX, imported
from voice_kit.serve.ray_start import started_here
from voice_kit.settings import Settings
from voice_kit.workshop.fakes import Script, scripted
from voice_kit.workshop.load_gateway import Waits

SLOW = 0.3
"""Seconds that a transcription takes: at any moment somebody's is under way."""


class Stub(Replica):
    """A replica that holds no engine of weight."""

    def __init__(self, stage: Stage, settings: Settings) -> None:
        self._stage = stage
        self._engine: Any = (
            Waits(SLOW) if stage == "stt" else getattr(scripted(Script()), stage).current
        )


@contextmanager
def cluster() -> Iterator[None]:
    """One in a process of its own, while this is open. Raises `VoiceKitError`."""
    need("a Ray cluster", "ray", "psutil", fix=install("ray,test"))
    command = [sys.executable, "-m", __name__]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, text=True, **pipes) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        try:
            if not any("ready" in line for line in iter(running.stdout.readline, "")):
                raise VoiceKitError("Ray could not be started here: is the machine very busy?")
            yield
        finally:
            running.stdin.close()


def kill(stage: str) -> int:
    """Kill (-9) the replicas of this stage; how many there were."""
    import psutil  # type: ignore[import-untyped]

    killed = 0
    for each in psutil.process_iter(["cmdline"]):
        words = " ".join(each.info["cmdline"] or ())
        if f"ServeReplica:{NAME}:{stage}" in words:
            with suppress(psutil.NoSuchProcess):
                each.kill()
                killed += 1
    return killed


def strike(stage: str) -> None:
    """Kill (-9) the replicas of this stage. Raises `VoiceKitError` where none was there: who
    survives what did not happen has shown nothing."""
    if not kill(stage):
        raise VoiceKitError(f"No replica of {stage} runs, so none was killed: {FIX}.")


def main() -> None:
    """Run it."""
    ray = imported("local")
    from ray import serve

    started_here(ray)
    none = {"num_cpus": 0}

    def deployed(stage: Stage) -> Any:
        few: dict[str, Any] = {"max_ongoing_requests": 32, "health_check_period_s": 1.0}
        made: Any = serve.deployment(Stub, name=stage, ray_actor_options=none, **few)
        return made.bind(stage, Settings())

    whole: Any = serve.deployment(Together, name="together", ray_actor_options=none)
    serve.run(whole.bind(*map(deployed, STAGES)), name=NAME, route_prefix=None)
    print("ready", flush=True)
    sys.stdin.read()
    ray.shutdown()


if __name__ == "__main__":
    main()
