"""From flags to a gateway that runs: its port, certificate, token and processes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from fastapi import FastAPI

from voice_kit.engines import Choice
from voice_kit.errors import VoiceKitError
from voice_kit.serve.config import Serve
from voice_kit.serve.doors import Doors
from voice_kit.serve.recordings import Recordings
from voice_kit.serve.server import Server, config_of, listening, run_workers, settle
from voice_kit.settings import Settings

CLUSTERS = (
    "Each of several processes would start a cluster of its own. Leave --workers out, or start one "
    "for all: ray start --head && serve run --non-blocking --name voice-kit "
    "voice_kit.serve.ray_app:app; then take --ray auto."
)


class Running:
    """A gateway whose port is open, and which has loaded nothing yet."""

    def __init__(self, settings: Settings, serve: Serve) -> None:
        """Raises `VoiceKitError` where it may not listen there, or cannot."""
        self.about: list[str] = []
        """What is worth knowing of it."""
        self.choices: Sequence[Choice] = ()
        self.picture = ""
        """The address as a QR code, for a phone."""
        self.fingerprint = ""
        """SHA-256 of the certificate that this machine made itself, as browsers show it."""
        self._more: dict[str, Any] = {}
        if serve.workers > 1 and serve.ray == "local":
            raise VoiceKitError(CLUSTERS)
        named = serve.host
        if serve.lan:
            serve, named = self._in_the_room(serve)
        doors = Doors(serve)
        if serve.record:
            Recordings(serve.record)  # or it would be said too late that it cannot be
            self.about.append(f"Conversations are recorded in {serve.record}. People are told.")
        if doors.token:  # the same in all processes
            serve = serve.model_copy(update={"token": serve.token or secrets.token_urlsafe(32)})
        self.socket = listening(serve)
        serve = serve.model_copy(update={"port": self.socket.getsockname()[1]})
        self.settings, self.serve = settings, serve
        self.token = serve.token if doors.token else ""
        host = f"[{named}]" if ":" in named else named
        host = "127.0.0.1" if host == "0.0.0.0" else host
        scheme = "https" if self._more else "http"
        query = f"?token={self.token}" if self.token else ""
        self.url = f"{scheme}://{host}:{serve.port}/{query}"
        if serve.lan:
            from voice_kit.serve.lan import invitation

            self.picture = invitation(self.url)
        if serve.workers > 1 and not serve.redis:
            self.about.append(
                f"{serve.workers} processes, each with a memory of its own: whoever connects again "
                "may be forgotten. Give them one with --redis redis://localhost:6379/0."
            )

    def run(self, on_start: Callable[[], object] = lambda: None) -> None:
        """Load the engines, say so, and serve until it is told to stop."""
        make = partial(app_of, self.settings, self.serve)
        if self.serve.workers > 1:
            on_start()
            run_workers(config_of(make, self.serve, **self._more), self.socket)
            return
        app = make()
        self.choices = app.state.shared.engines.choices
        on_start()
        settle()
        Server(config_of(app, self.serve, **self._more)).run(sockets=[self.socket])

    def _in_the_room(self, serve: Serve) -> tuple[Serve, str]:
        from voice_kit.serve.certificates import certificate
        from voice_kit.serve.lan import choose

        chosen = choose(serve.host)
        address = chosen.address.ip
        file, self.fingerprint = certificate([address])
        self._more = {"ssl_certfile": str(file), "ssl_keyfile": str(file)}
        others = ", ".join(str(each) for each in chosen.others)
        self.about += [
            f"Phones reach it at {chosen.address}: {chosen.why}."
            + (f" Or --host with one of: {others}." if others else ""),
            "The phone warns of the certificate, which this machine made itself. It is the right "
            f"one if its SHA-256 fingerprint is {self.fingerprint}.",
        ]
        return serve.model_copy(update={"host": address}), address


def app_of(settings: Settings, serve: Serve) -> FastAPI:
    """The gateway with its engines: here, or on Ray."""
    from voice_kit.serve.app import create_app

    engines = None
    if serve.ray:
        from voice_kit.serve.ray_engines import ray_engines

        engines = ray_engines(settings, serve)
    return create_app(settings=settings, serve=serve, engines=engines)
