"""The gateway as an ASGI app: everybody's routes, and the page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from voice_kit import __version__
from voice_kit.converse.line import Engines
from voice_kit.serve import docs, health, http_conversations, http_openai, http_turn, realtime
from voice_kit.serve.config import Serve
from voice_kit.serve.hang_up import Reachable
from voice_kit.serve.headers import SafeHeaders
from voice_kit.serve.let_by import LetBy
from voice_kit.serve.problems import tell_problems
from voice_kit.serve.refused import Refused, tell_refusals
from voice_kit.serve.shared import Shared
from voice_kit.settings import Settings

STATIC = Path(__file__).parent / "static"
SHOW = Path(__file__).parents[1] / "show"
ABOUT = """
A voice assistant over HTTP and WebSocket. Sign in with `Authorization: Bearer TOKEN`.

**The socket** is `GET /v1/realtime`: OpenAI's Realtime events, in JSON, with sound as base64;
`session.update` with `{"voice_kit": {"binary": true}}` has sound come and go as binary messages
instead. All of it is written down in `voice_kit/serve/protocol.py`.
"""


def create_app(
    shared: Shared | None = None,
    *,
    settings: Settings | None = None,
    serve: Serve | None = None,
    engines: Engines | None = None,
) -> FastAPI:
    """The gateway. Blocks while engines load, unless they are given. Raises `VoiceKitError`."""
    together = shared or Shared(settings, serve, engines)

    @asynccontextmanager
    async def open_places(app: FastAPI) -> AsyncIterator[None]:
        async with together.places, asyncio.TaskGroup() as watching:
            watch = watching.create_task(together.metrics.watch(lambda: together.degraded))
            settle = watching.create_task(together.limits.settle())
            yield
            watch.cancel()
            settle.cancel()
        await asyncio.to_thread(together.close)

    app = FastAPI(
        title="voice-kit",
        version=__version__,
        description=ABOUT,
        lifespan=open_places,
        docs_url=None,  # FastAPI's own pages come from other hosts
        redoc_url=None,
    )
    app.state.shared = together
    tell_refusals(app)
    tell_problems(app)
    app.include_router(realtime.router)
    app.include_router(http_conversations.router)
    app.include_router(http_openai.router)
    app.include_router(http_turn.router)
    app.include_router(health.router)
    app.include_router(docs.router)
    app.add_middleware(SafeHeaders)
    app.add_middleware(Reachable)
    app.add_middleware(LetBy)
    if together.serve.origins:  # pages of these hosts may read the answers, too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(together.serve.origins),
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["*"],
        )
    app.get("/", include_in_schema=False)(page)
    app.mount("/static/show", OnlyModules(directory=SHOW), "show")
    app.mount("/static", StaticFiles(directory=STATIC), "static")
    return app


async def page(request: Request) -> Response:
    """The page, for who may see it; one that is opened with ?token= keeps it as a cookie."""
    shared: Shared = request.app.state.shared
    try:
        away = shared.doors.enter(request)
    except Refused:
        if not shared.doors.jwts:
            raise
        away = None  # who has a JWT shows it to the page, which shows it to us
    return away or FileResponse(STATIC / "index.html")


class OnlyModules(StaticFiles):
    """The notebook's modules, and nothing else of their folder."""

    async def get_response(self, path: str, scope: Any) -> Response:
        """The module of this name."""
        if not path.endswith(".js"):
            path = "not-a-module"
        return await super().get_response(path, scope)
