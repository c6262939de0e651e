"""The engines of this gateway, one by one, as OpenAI's clients ask for them."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from voice_kit.serve import http_chat, http_sound
from voice_kit.serve.guests import shared_of
from voice_kit.serve.problems import PROBLEMS, ComputingRoute, Problem

ALL = "voice-kit"
"""The name of all engines together: what a conversation is had with."""

listing = APIRouter(route_class=ComputingRoute, responses=PROBLEMS, tags=["OpenAI"])
_SINCE = int(time.time())


class Model(BaseModel):
    """An engine."""

    id: str
    object: str = "model"
    created: int
    owned_by: str
    """Its stage: stt, llm or tts."""


class Models(BaseModel):
    """All of them."""

    object: str = "list"
    data: list[Model]


@listing.get("/v1/models")
async def models(request: Request) -> Models:
    """The engines that answer here. Whatever model is asked for, these do."""
    return Models(data=_models(request))


@listing.get("/v1/models/{model:path}")
async def model(request: Request, model: str) -> Model:
    """One of them."""
    for each in _models(request):
        if each.id == model:
            return each
    known = ", ".join(each.id for each in _models(request))
    raise Problem(f"There is no such model here. Try one of: {known}.", 404, code="model_not_found")


def _models(request: Request) -> list[Model]:
    engines: Any = shared_of(request).engines
    stages = {stage: getattr(engines, stage).name for stage in ("stt", "llm", "tts")}
    named = [Model(id=name, created=_SINCE, owned_by=stage) for stage, name in stages.items()]
    return [Model(id=ALL, created=_SINCE, owned_by="voice-kit"), *named]


router = APIRouter()
"""Everything that OpenAI's clients ask for over HTTP."""
for part in (http_sound.hearing, http_sound.speaking, http_chat.router, listing):
    router.include_router(part)
