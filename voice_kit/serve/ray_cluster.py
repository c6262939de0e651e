"""How a gateway comes to a Ray cluster: it asks for one until it answers."""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from voice_kit.errors import MissingEngineError, install
from voice_kit.serve.ray_app import NAME

ENVIRONMENT = {
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",
}
"""Half the time of a hop; nothing is reported to Ray's makers; and whoever asks a cluster that is
gone does not start another without having said so."""
OUTLIVES = {"RAY_gcs_rpc_server_reconnect_timeout_s": "86400"}
"""Ray ends a process that lost its cluster after a minute, which is right for all that a cluster
consists of, and wrong for a gateway. One that has a cluster of its own looks after it: `Asking`."""
QUIET: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
FIX = "look at `serve status` on the cluster"
EVERY, MOST = 1.0, 10.0
"""Seconds until a cluster is asked again, at first and at last."""
ANSWERS = 2.0
"""Seconds that an address has to answer."""

log = logging.getLogger(__name__)


def imported(address: str) -> Any:
    """Ray, as a gateway needs it that goes to this address. Raises `MissingEngineError`."""
    for name, value in {**ENVIRONMENT, **({} if address == "local" else OUTLIVES)}.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.serve
    except ImportError as error:
        raise MissingEngineError("Ray", fix=install("ray")) from error
    logging.getLogger("ray._private.worker").setLevel(logging.ERROR)  # a thread may connect, too
    return ray


class Deployment:
    """One deployment, and what this gateway knows of it."""

    def __init__(self, stage: str, handle: Any = None, about: dict[str, Any] | None = None) -> None:
        """Without a handle it is away until it is met."""
        self.stage, self.handle = stage, handle
        self.about = about or {}
        """What its engine says of itself."""
        self.away = self._lost = handle is None
        """Whether it is not asked for now."""
        self.missed: Callable[[], object] = lambda: None
        """Is called when it is gone."""
        self.closed: Callable[[], object] = lambda: None
        """Is called when nobody needs it any more."""

    @property
    def name(self) -> str:
        """Of its engine."""
        return f"ray:{self.about.get('name', self.stage)}"

    @property
    def empty(self) -> bool:
        """Whether none of its replicas runs, as far as is known on this machine: a call would wait
        for the next, or for ever."""
        router: Any = getattr(getattr(self.handle, "_router", None), "_asyncio_router", None)
        known = getattr(router, "_request_router", None)
        none = known and router.running_replicas_populated() and not known.curr_replicas
        return bool(none) or not _is_there()

    def meet(self, seconds: float = ANSWERS) -> None:
        """Find it if it is away, and ask it from now on. Blocks. Raises what Ray raises."""
        from ray import serve

        if not self.away:
            return
        if self._lost:
            handle: Any = serve.get_deployment_handle(self.stage, NAME)
            if not handle.is_initialized:  # by a thread, for an event loop
                handle._init(_run_router_in_separate_loop=True)
            self.handle, self._lost = handle, False
        call = self.handle.about.remote()
        try:
            self.about = call.result(timeout_s=seconds)
        finally:
            call.cancel()
        self.away = False
        log.info("%s answers for this gateway", self.name)

    def gone(self, problem: str) -> None:
        """It cannot be asked for now."""
        if not self.away:
            self.away = True
            log.warning("%s is gone (%s): this gateway answers by itself", self.name, problem)
            self.missed()

    def lost(self, problem: str) -> None:
        """Its cluster is no more: should it come back, it has to be found anew."""
        self.gone(problem)
        self._lost = True


class Asking(threading.Thread):
    """Asks a cluster for the deployments that are away until all are there, and once one is gone
    again. A cluster of the gateway's own it looks after also while nobody misses it."""

    def __init__(
        self, address: str, deployments: Sequence[Deployment], again: Callable[[], object]
    ) -> None:
        """It begins with `start`. `again` starts the cluster of a gateway that has its own, whose
        address is “local”."""
        super().__init__(name="voice-kit ray", daemon=True)
        self.asked = threading.Event()
        """Set once it has asked for the first time."""
        self._address, self._deployments, self._again = address, deployments, again
        self._missed, self._over = threading.Event(), threading.Event()
        for each in deployments:
            each.missed, each.closed = self._missed.set, self.end

    def run(self) -> None:
        """Until `end`."""
        wait = EVERY
        while not self._over.is_set():
            self._missed.clear()
            problem = self._ask()
            if problem and not self.asked.is_set():
                log.warning(
                    "Ray at “%s” does not answer (%s): this gateway's own engines do, and it is "
                    "asked again every few seconds",
                    self._address,
                    problem,
                )
            self.asked.set()
            if problem:
                self._over.wait(wait)
                wait = min(1.5 * wait, MOST)
            else:
                wait = EVERY
                self._missed.wait(MOST if self._address == "local" else None)

    def end(self) -> None:
        """Ask no more."""
        self._over.set()
        self._missed.set()

    def _ask(self) -> str:
        """What was in the way, or nothing."""
        problem = ""
        try:
            again = self._again if self._address == "local" else None
            reach(self._address, lambda: self._lose("its cluster was another"), again)
        except Exception as error:
            problem = type(error).__name__
            self._lose(problem)
            return problem
        for each in self._deployments:
            try:
                each.meet()
            except Exception as error:
                problem = f"{each.stage}: {type(error).__name__}"
        return problem

    def _lose(self, problem: str) -> None:
        for each in self._deployments:
            each.lost(problem)


def reach(
    address: str, leave: Callable[[], object], start: Callable[[], object] | None = None
) -> None:
    """Connect this process to the cluster at this address, or `start` one in its place.

    `leave` is called before the cluster that it belonged to is left. Raises what Ray and sockets
    raise, and leaves nothing behind.
    """
    import ray

    if ray.is_initialized() and _is_there():
        return
    if start is None:
        with socket.create_connection(_place(address), ANSWERS):
            pass  # Ray itself tries for minutes, and nothing can end that (measured)
    leave()
    try:
        ray.shutdown()
        _forget()
        if start is None:
            ray.init(address=address, **QUIET)
        else:
            start()
    except Exception:
        with suppress(Exception):
            ray.shutdown()
        raise


def _is_there() -> bool:
    """Whether the node that this process belongs to runs, and all of it that this process began.
    The cluster itself must not be asked: one that took the place of another ends whoever asks it as
    the other (measured)."""
    from ray._private import worker

    node: Any = worker._global_node
    if node is not None and node.dead_processes():
        return False
    if node is None or not hasattr(socket, "AF_UNIX"):
        return True
    with socket.socket(socket.AF_UNIX) as at:
        at.settimeout(ANSWERS)
        found = at.connect_ex(node.raylet_socket_name)
    return found in (0, errno.EAGAIN)  # a busy one has too many at its door


def _forget() -> None:
    """Or Serve goes on with handles into the cluster that was."""
    from ray.serve import context

    forget: Any = context._disconnect
    forget()


def _place(address: str) -> tuple[str, int]:
    """Host and port."""
    if "://" in address:
        address = address.partition("://")[2]
    else:
        from ray._private import services

        found: Any = services.find_gcs_addresses
        found.cache_clear()
        address = services.canonicalize_bootstrap_address(address) or address
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
