"""A Redis and two gateways as processes of their own, which can be stopped and killed."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from voice_kit.errors import MissingEngineError, VoiceKitError

STARTS = 90.0
"""Seconds that a gateway may take to start on a busy machine."""
DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")


class Process:
    """A program that runs until it is ended."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        self._command, self._environment = command, environment
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, again if need be."""
        self._running = subprocess.Popen(
            self._command,
            stdout=subprocess.DEVNULL,
            stderr=None if os.environ.get("FAULTS_LOG") else subprocess.DEVNULL,
            env=os.environ | (self._environment or {}),
        )

    def signal(self, number: int) -> None:
        """Send it a signal. Raises `VoiceKitError` if it has ended: nothing would come of it."""
        if self._running is None or self._running.poll() is not None:
            raise VoiceKitError(
                f"{self._command[0]} does not run. Try: FAULTS_LOG=1, which shows why"
            )
        self._running.send_signal(number)

    async def ended(self) -> None:
        """Wait until it has."""
        if self._running is not None:
            await asyncio.to_thread(self._running.wait)

    async def end(self) -> None:
        """Kill it if it still runs."""
        if self._running is not None:
            with suppress(ProcessLookupError):
                self._running.kill()
            await self.ended()


class Redis(Process):
    """A server that writes everything down before it answers."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise MissingEngineError("redis-server", fix="apt-get install redis-server")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder)]
        super().__init__([program, *place, *DURABLE])

    async def stop(self) -> None:
        """Have it end as a service does."""
        self.signal(signal.SIGTERM)
        await self.ended()


class Gateway(Process):
    """`voice-kit serve` with engines that cost no time; its token is in its environment."""

    def __init__(self, redis: Redis, ray: str = "") -> None:
        """With engines in this process, or those of the cluster at this address."""
        self.port, self.token = free_port(), secrets.token_hex(16)
        self.http = f"http://127.0.0.1:{self.port}"
        self.ws = f"ws://127.0.0.1:{self.port}/v1/realtime"
        command = [sys.executable, "-m", __name__, redis.url, str(self.port), ray]
        super().__init__(command, {"FAULTS_TOKEN": self.token, "OMP_NUM_THREADS": "1"})

    @property
    def headers(self) -> dict[str, str]:
        """What a request shows."""
        return {"Authorization": f"Bearer {self.token}"}

    async def ready(self) -> None:
        """Wait until it answers."""
        async with asyncio.timeout(STARTS), httpx.AsyncClient() as client:
            while True:
                with suppress(httpx.HTTPError):
                    await client.get(f"{self.http}/v1/conversations", headers=self.headers)
                    return
                await asyncio.sleep(0.2)


class World:
    """One Redis and two gateways: `async with World() as world`."""

    def __init__(self, ray: str = "") -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="voice-kit-faults-")
        self.redis = Redis(Path(self._folder.name))
        self.gateways = [Gateway(self.redis, ray) for _ in range(2)]

    async def __aenter__(self) -> World:
        self.redis.start()
        for gateway in self.gateways:
            gateway.start()
        await asyncio.gather(*[gateway.ready() for gateway in self.gateways])
        return self

    async def __aexit__(self, *error: object) -> None:
        for process in (*self.gateways, self.redis):
            await process.end()
        self._folder.cleanup()

    async def lines(self, conversation: str) -> list[dict[str, Any]] | None:
        """What memory holds of a conversation, by any gateway that answers; None if none does."""
        async with httpx.AsyncClient(timeout=10) as client:
            for gateway in self.gateways:
                with suppress(httpx.HTTPError):
                    url = f"{gateway.http}/v1/conversations/{conversation}/lines"
                    answer = await client.get(url, headers=gateway.headers)
                    if answer.status_code == 200:
                        found: list[dict[str, Any]] = answer.json()["data"]
                        return found
        return None


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _serve(redis: str, port: int, ray: str) -> None:
    """Be such a gateway."""
    from voice_kit.serve.app import create_app
    from voice_kit.serve.config import Serve
    from voice_kit.serve.server import Server, config_of, listening
    from voice_kit.settings import Settings
    from voice_kit.workshop.fakes import Script, scripted

    serve = Serve(
        port=port,
        token=os.environ["FAULTS_TOKEN"],
        redis=redis,
        ray=ray,
        per_address=1000,
        connects_per_second=1000.0,
        drain_seconds=15.0,
    )
    engines = scripted(Script())
    if ray:
        from voice_kit.serve.ray_engines import ray_engines

        engines = ray_engines(Settings(), serve)
    app = create_app(settings=Settings(), serve=serve, engines=engines)
    sock = listening(serve)
    Server(config_of(app, serve)).run(sockets=[sock])


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
