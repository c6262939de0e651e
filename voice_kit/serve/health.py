"""How the gateway is, for whoever keeps it running: /health, /ready, /metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from voice_kit.serve.doors import is_loopback
from voice_kit.serve.guests import shared_of
from voice_kit.serve.problems import Told

router = APIRouter(tags=["Operation"])

FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
"""Headers by which a proxy on this machine says that somebody else is asking."""


class Alive(BaseModel):
    """That is all."""

    status: str = "alive"


class Ready(BaseModel):
    """Whether new conversations can begin here, and if not, why."""

    ready: bool
    reasons: list[str]
    degraded: list[str]
    """What it does without: “redis” while that is away, and conversations are remembered here;
    “ray” while an engine there is, and this gateway's own answers."""
    engines: dict[str, str]
    """What each stage is done by now."""
    sessions: int
    """Conversations that are open now."""


@router.get("/health")
async def health() -> Alive:
    """This process answers. One that does not is to be started anew."""
    return Alive()


@router.get("/ready", responses={200: {"model": Ready}, 503: {"model": Ready}})
async def ready(request: Request) -> JSONResponse:
    """New conversations can begin here (200), or not now (503). Those under way go on.

    Without Redis or Ray they begin and go on, too: a gateway that is alone is better than none,
    and none is what a load balancer would have if each said that it is not ready.
    """
    shared = getattr(request.app.state, "shared", None)
    reasons = list(_reasons(shared))
    engines = getattr(shared, "engines", None)
    names = {} if engines is None else {stage: getattr(engines, stage).name for stage in STAGES}
    sessions = len(getattr(shared, "sessions", ()))
    body = Ready(
        ready=not reasons,
        reasons=reasons,
        degraded=shared.degraded if shared is not None else [],
        engines=names,
        sessions=sessions,
    )
    return JSONResponse(body.model_dump(), 503 if reasons else 200, {"Cache-Control": "no-store"})


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, "4XX": {"model": Told}},
)
async def metrics(request: Request) -> Response:
    """What all conversations did, in numbers, for Prometheus.

    From this machine it is open; from elsewhere it needs a token, unless `open_metrics` is set.
    """
    shared = shared_of(request)
    if not shared.serve.open_metrics and not _from_here(request):
        shared.doors.guest(request)
    return Response(shared.metrics.text(), media_type=CONTENT_TYPE_LATEST)


STAGES = ("vad", "stt", "llm", "tts", "judge")


def _from_here(request: Request) -> bool:
    if any(header in request.headers for header in FORWARDED):
        return False
    return request.client is not None and is_loopback(request.client.host)


def _reasons(shared: Any) -> Iterator[str]:
    if shared is None or getattr(shared, "engines", None) is None:
        yield "The engines are not loaded yet."
        return
    if shared.draining:
        yield "This gateway is about to stop, and ends the conversations it has."
