"""A Ray cluster at an address that is known before, and what runs on it.

`python tests/helpers_ray.py ADDRESS` deploys the three engines there, with a language model whose
answer nobody here would give, and ends; they stay.
"""

import os
import subprocess
import sys
from contextlib import contextmanager, suppress

import psutil

from voice_kit.serve.ray_app import NAME, STAGES, Replica, Together
from voice_kit.serve.ray_cluster import ENVIRONMENT, QUIET

ANSWER = "Greetings from afar."


class Afar:
    """A language model that says one sentence."""

    name = "afar"
    stops = "async"

    async def reply(self, messages):
        """That."""
        yield ANSWER


class There(Replica):
    """A replica whose language model is that one."""

    def __init__(self, stage, settings):
        if stage == "llm":
            self._stage, self._engine = stage, Afar()
        else:
            super().__init__(stage, settings)


@contextmanager
def head(port, folder):
    """A cluster of one node at this port of this machine, while this is open: then it is killed."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    about = {
        "--port": port,
        "--node-ip-address": "127.0.0.1",
        "--num-cpus": 2,
        "--temp-dir": folder,
        "--include-dashboard": "false",
        "--object-store-memory": 100_000_000,
    }
    command += [f"{name}={value}" for name, value in about.items()]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **ENVIRONMENT}
    ) as running:
        try:
            started = any("Ray runtime started" in line for line in running.stdout)
            assert started, "Ray did not start"
            yield
        finally:
            for each in [running, *psutil.Process(running.pid).children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    each.kill()


def deploy(address):
    """Have the three engines there. Blocks until they are."""
    subprocess.run([sys.executable, __file__, address], check=True, timeout=120)


def main(address):
    """Deploy them."""
    os.environ |= ENVIRONMENT
    import ray
    from ray import serve

    from voice_kit.settings import Settings

    ray.init(address=address, **QUIET)
    none = {"num_cpus": 0}
    settings = Settings(stt="sphinx", tts="espeak")
    made = [
        serve.deployment(There, name=stage, ray_actor_options=none).bind(stage, settings)
        for stage in STAGES
    ]
    whole = serve.deployment(Together, name="together", ray_actor_options=none)
    serve.run(whole.bind(*made), name=NAME, route_prefix=None)


if __name__ == "__main__":
    main(sys.argv[1])
