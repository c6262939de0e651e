"""Runs the gateway on uvicorn, and lets it stop politely."""

from __future__ import annotations

import errno
import gc
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from fastapi import FastAPI
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.supervisors import multiprocess

from voice_kit.errors import VoiceKitError
from voice_kit.serve.config import Serve
from voice_kit.serve.headers import behind
from voice_kit.serve.logs import log_config
from voice_kit.serve.metrics import several_workers
from voice_kit.serve.shared import Shared
from voice_kit.serve.too_big import Sockets

BACKLOG = 2048
PONG = 60.0
"""Seconds without an answer to a ping after which a client is gone: longer than it takes until one
that has stopped to read is told so."""


class Server(uvicorn.Server):
    """Before it shuts down, no session begins, and answers under way may finish."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain; stop listening; then close what is left."""
        app: Any = self.config.loaded_app
        while not isinstance(app, FastAPI):
            app = app.app
        shared: Shared = app.state.shared
        await shared.drain(lambda: self.force_exit)
        await super().shutdown(sockets)


def config_of(app: FastAPI | Callable[[], FastAPI], serve: Serve, **more: Any) -> uvicorn.Config:
    """How uvicorn is to run it. `more` is uvicorn's own, such as a certificate."""
    factory = not isinstance(app, FastAPI)
    made: Any = Behind(app, serve) if factory else behind(app, _proxies(serve))
    options: dict[str, Any] = {
        "factory": factory,
        "host": serve.host,
        "port": serve.port,
        "workers": serve.workers,
        "ws": Sockets,
        "ws_max_size": serve.max_message,
        "ws_per_message_deflate": False,
        "proxy_headers": False,
        "server_header": False,
        "ws_ping_timeout": PONG,
        "log_config": log_config(serve.log, [each for each in (serve.token, serve.secret) if each]),
        "timeout_graceful_shutdown": 5,
        "timeout_worker_healthcheck": 60,  # a process that loads engines is not dead
        "backlog": BACKLOG,
    }
    return uvicorn.Config(made, **(options | more))


class Behind:
    """Makes the app in each worker: such an object can be sent to another process."""

    def __init__(self, make: Any, serve: Serve) -> None:
        self.make, self.serve = make, serve

    def __call__(self) -> Any:
        """The app."""
        made = behind(self.make(), _proxies(self.serve))
        settle()
        return made


def settle() -> None:
    """What was loaded until now is there to stay: to look through all of it for garbage would
    make every conversation wait for a tenth of a second, again and again."""
    gc.collect()
    gc.freeze()


def _proxies(serve: Serve) -> tuple[str, ...]:
    return tuple(getattr(serve, "proxies", ()))


def listening(serve: Serve) -> socket.socket:
    """A socket that listens where it is to. Raises `VoiceKitError` where it cannot."""
    family = socket.AF_INET6 if ":" in serve.host else socket.AF_INET
    sock = socket.socket(family)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((serve.host, serve.port))
        sock.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        sock.close()
        raise VoiceKitError(_why(error, serve)) from error
    sock.setblocking(False)
    return sock


def _why(error: Exception, serve: Serve) -> str:
    number = getattr(error, "errno", 0)
    if number == errno.EADDRINUSE:
        return (
            f"Port {serve.port} is taken, perhaps by another voice-kit serve. "
            f"Take another: --port {serve.port + 1}, or 0 for any that is free."
        )
    if number == errno.EACCES:
        return f"Port {serve.port} is not for everybody. Take one above 1023: --port 8765."
    return f"{serve.host} is no address of this machine. Leave --host out, or take 0.0.0.0."


class Worker(multiprocess.Process):
    """One process of several. It stops as politely as the only one does."""

    @property
    def server(self) -> Server:
        """Which runs in that process."""
        if not isinstance(self._server, Server):
            self._server = Server(self.config)
        return self._server

    def join(self) -> None:
        """Wait until it has ended, whether it could tidy up or not."""
        super().join()
        if several_workers() and self.pid is not None:  # its sessions have ended with it
            mark_process_dead(self.pid)  # type: ignore[no-untyped-call]


def run_workers(config: uvicorn.Config, sock: socket.socket) -> None:
    """Serve in several processes; one that dies is replaced."""
    multiprocess.Process = Worker  # type: ignore[misc]  # uvicorn asks for no other
    multiprocess.Multiprocess(config, [sock]).run()
