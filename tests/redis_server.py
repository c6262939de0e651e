"""A real Redis server on a free port of this machine."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path

READY = "Ready to accept connections"
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


@contextmanager
def redis_server(folder: Path, *options: str, port: int = 0):
    """Its port, once it accepts connections. Nothing is left of it afterwards."""
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    command = [shutil.which("redis-server"), "--bind", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [*command, "--dir", str(folder), "--save", "", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = []
        for line in server.stdout:  # ends when the server does
            said.append(line)
            if READY in line:
                break
        assert READY in said[-1], "".join(said)
        yield port
    finally:
        server.kill()
        server.communicate()


@contextmanager
def redis_that_stops(folder: Path):
    """Its port, and functions that take it away, and bring it back with what it had."""
    with ExitStack() as running:
        port = running.enter_context(redis_server(folder, *DURABLE))

        def back():
            running.enter_context(redis_server(folder, *DURABLE, port=port))

        yield port, running.close, back
