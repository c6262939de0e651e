"""A guest's own conversations over HTTP: list, begin, read, name and delete them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from voice_kit.serve.guests import guest_of, shared_of
from voice_kit.serve.hold import name_of
from voice_kit.serve.places import ConversationInfo, Places, checked, title_of
from voice_kit.serve.problems import PROBLEMS, Problem, Route
from voice_kit.think.memory.store import MemoryStoreError

MOST = 100
"""Conversations, or lines, in one answer."""

router = APIRouter(route_class=Route, responses=PROBLEMS, tags=["conversations"])

Id = Annotated[str, Path(max_length=200, description="As a session or the list tells it.")]
After = Annotated[str, Query(max_length=200, description="The last one of the page before.")]


class Conversation(BaseModel):
    """One of your own conversations. Times are seconds since 1970."""

    id: str
    object: Literal["conversation"] = "conversation"
    title: str = Field(description="Its first words, or what you called it.")
    created_at: float
    changed_at: float


class Conversations(BaseModel):
    """A page of them, last changed first."""

    object: Literal["list"] = "list"
    data: list[Conversation]
    has_more: bool
    problem: str = Field("", description="Why some may be missing just now.")


class Titled(BaseModel):
    """What a conversation is called."""

    title: str = Field("", max_length=1000, description="At most 60 characters are kept.")


class Line(BaseModel):
    """Something that was said."""

    role: Literal["user", "assistant", "tool"]
    text: str
    at: float


class Lines(BaseModel):
    """The last things that were said in a conversation, oldest first."""

    object: Literal["list"] = "list"
    data: list[Line]


class Deleted(BaseModel):
    """A conversation that is gone: what was said in it, its facts, its summary, its title, its
    notes and its timers, and what this gateway recorded of it."""

    id: str
    object: Literal["conversation.deleted"] = "conversation.deleted"
    deleted: Literal[True] = True


@router.get("/v1/conversations")
async def conversations(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 20,
    after: After = "",
) -> Conversations:
    """Your conversations, last changed first."""
    places, subject = _places(request), _subject(request)
    found = await places.conversations(subject, limit + 1, after)
    return Conversations(
        data=[_shown(info) for info in found[:limit]],
        has_more=len(found) > limit,
        problem=places.problem,
    )


@router.post("/v1/conversations", status_code=201)
async def begin(request: Request, wanted: Titled | None = None) -> Conversation:
    """A new conversation. It is listed once it has a title, or something was said in it."""
    places, subject = _places(request), _subject(request)
    info = await places.open(subject)
    if wanted and (title := title_of(wanted.title)):
        info = await places.rename(subject, info.id, title)
    return _shown(info)


@router.get("/v1/conversations/{conversation}")
async def one(request: Request, conversation: Id) -> Conversation:
    """What it is called, and when it was begun and changed."""
    return _shown(await _places(request).open(_subject(request), conversation))


@router.get("/v1/conversations/{conversation}/lines")
async def lines(
    request: Request,
    conversation: Id,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
) -> Lines:
    """The last things that were said in it."""
    subject = _subject(request)
    name = name_of(subject, checked(subject, conversation))
    try:
        said = await asyncio.to_thread(_places(request).memory.last, name, limit)
    except MemoryStoreError as error:
        raise Problem(str(error), 503, code="memory_failed", retry_after=5) from error
    return Lines(data=[Line(role=each.role, text=each.text, at=each.at) for each in said])  # type: ignore[arg-type]


@router.patch("/v1/conversations/{conversation}")
async def rename(request: Request, conversation: Id, wanted: Titled) -> Conversation:
    """Call it otherwise."""
    title = title_of(wanted.title)
    if not title:
        raise Problem("A title has at least one letter. Send one.", code="invalid", param="title")
    return _shown(await _places(request).rename(_subject(request), conversation, title))


@router.delete("/v1/conversations/{conversation}")
async def delete(request: Request, conversation: Id) -> Deleted:
    """Erase it, and end the session that is in it, if one is."""
    subject = _subject(request)
    await _places(request).delete(subject, conversation)
    try:
        await asyncio.to_thread(shared_of(request).forget, subject, conversation)
    except OSError as error:
        why = "Its recording may still be here. Delete it again later."
        raise Problem(why, 503, code="recording_failed", retry_after=5) from error
    return Deleted(id=conversation)


def _places(request: Request) -> Places:
    return shared_of(request).places


def _subject(request: Request) -> str:
    return guest_of(request).subject


def _shown(info: ConversationInfo) -> Conversation:
    return Conversation(
        id=info.id, title=info.title, created_at=info.created, changed_at=info.changed
    )
