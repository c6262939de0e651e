"""Gateways, and a Redis, that a notebook starts: they end when it does, however it ends."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from voice_kit.errors import MissingEngineError, VoiceKitError, install, need
from voice_kit.workshop.leash import GRACE

LEASH = Path(__file__).with_name("leash.py")
SERVE = ("voice_kit.cli", "serve", "--json", "--port", "0")
CROWD = {"PER_ADDRESS": "1000", "CONNECTS_PER_SECOND": "1000", "MAX_CONNECTIONS": "1000"}
"""Limits that let a whole crowd in from one address: this notebook's."""
STARTS = 180.0
"""Seconds in which a gateway answers, with a cluster and on a busy machine too."""


class Program:
    """Something that runs beside this process, and no longer than it."""

    def __init__(self, *command: str, **environment: str) -> None:
        """Starts it. `environment` is added to that of this process."""
        self._name = Path(command[0]).name
        self._notes = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as it runs)
        self._leash = subprocess.Popen(
            [sys.executable, str(LEASH), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._notes,
            text=True,
            env=os.environ | environment,
            start_new_session=True,  # an interrupt of the notebook is none of it
        )
        atexit.register(self.end)
        self.pid = int(self.line())

    def line(self) -> str:
        """The next line that it prints. Blocks. Raises `VoiceKitError` where it has ended."""
        assert self._leash.stdout is not None
        if line := self._leash.stdout.readline():
            return line.strip()
        raise self._failed()

    def _failed(self) -> VoiceKitError:
        """Why it did not start, as it said itself."""
        with suppress(subprocess.TimeoutExpired):
            self._leash.wait(GRACE)  # or its last words would be that it was told to stop
        self.end()
        self._notes.seek(0)
        said = self._notes.read().decode(errors="replace").strip().splitlines()
        why = said[-1] if said else "it said nothing"
        return VoiceKitError(f"{self._name} did not start: {why}")

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._leash.poll() is None

    def kill(self) -> None:
        """End it as a power cut does: it is told nothing, and can save nothing."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        self.end()

    def end(self) -> None:
        """Have it stop, and wait until it has. May be called again."""
        atexit.unregister(self.end)
        assert self._leash.stdin is not None
        with suppress(BrokenPipeError):
            self._leash.stdin.close()
        try:
            self._leash.wait(2 * GRACE)
        except subprocess.TimeoutExpired:
            self._leash.kill()


class Gateway(Program):
    """A `voice-kit serve` on a free port of this machine. A whole crowd may come from one address.

    `Gateway("--llm", "ollama").ready()` is one whose engines are loaded.
    """

    address = ""
    """Where its page and its HTTP are, without the token: http://127.0.0.1:PORT."""
    url = ""
    """The same with the token, for a browser."""
    socket = ""
    """Where its conversations are held: ws://127.0.0.1:PORT/v1/realtime."""
    fingerprint = ""
    """SHA-256 of its certificate, where it made one for the phones of this network."""

    def __init__(self, *options: str, module: tuple[str, ...] = SERVE, **serve: str) -> None:
        """Starts it. `serve` is the gateway's own settings, such as REDIS. Raises
        `MissingEngineError` where the packages for it are not installed."""
        packages = ("fastapi", "uvicorn", "websockets", "jwt", "segno")
        need("The gateway", *packages, fix=install("serve"))
        crowd = {f"VOICE_KIT_SERVE_{name}": value for name, value in (CROWD | serve).items()}
        super().__init__(sys.executable, "-m", *module, *options, **crowd)
        self._name = "voice-kit serve"

    def ready(self) -> Gateway:
        """Itself, once its engines are loaded. Blocks. Raises `VoiceKitError`."""
        told = json.loads(self.line())
        self.url, self.fingerprint = told["url"], told.get("fingerprint", "")
        found = urlsplit(self.url)
        self.token = parse_qs(found.query)["token"][0]
        self.address = f"{found.scheme}://{found.netloc}"
        self.socket = f"{self.address.replace('http', 'ws', 1)}/v1/realtime"
        # It listens already, and answers when it can. A certificate of its own is as good as none.
        trusting = ssl._create_unverified_context() if found.scheme == "https" else None
        direct = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting)
        )
        try:
            direct.open(f"{self.address}/ready", timeout=STARTS).close()
        except OSError as error:
            raise self._failed() from error
        return self

    @property
    def headers(self) -> dict[str, str]:
        """What a request has to show."""
        return {"Authorization": f"Bearer {self.token}"}


class Redis(Program):
    """A Redis on a free port, which writes down what it is told before it answers."""

    def __init__(self, folder: Path) -> None:
        """Starts it; its files go into `folder`. Raises `MissingEngineError`."""
        need("Redis", "redis", fix=install("redis"))
        program = shutil.which("redis-server")
        if program is None or sys.platform == "win32":
            raise MissingEngineError(
                "Redis", fix="apt-get install redis-server (macOS: brew install redis)"
            )
        from voice_kit.workshop.faults_world import DURABLE, free_port

        port = free_port()
        place = ("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder))
        super().__init__(program, *place, *DURABLE)
        self.url = f"redis://127.0.0.1:{port}/0"
        while "Ready to accept connections" not in self.line():
            pass
