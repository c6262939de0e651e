"""A question's sound in, the answer's sound out: one turn of a conversation over HTTP."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import UploadFile

from voice_kit.serve.guests import guest_of, shared_of, sound_of
from voice_kit.serve.pouring import Pour, Poured, as_json
from voice_kit.serve.problems import PROBLEMS, Problem, SoundRoute
from voice_kit.serve.sound_out import TYPES, Encoder, Format
from voice_kit.serve.turn import Turn
from voice_kit.serve.turnstile import turnstile_of
from voice_kit.types import Samples

router = APIRouter(route_class=SoundRoute, responses=PROBLEMS, tags=["Conversation"])

MIXED = "multipart/mixed"
BOUNDARY = "voice-kit-turn"
NEW = "new"

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A sound file of any kind, plain samples, or a form with a `file`.",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "audio/wav": {"schema": {"type": "string", "format": "binary"}},
            "audio/pcm;rate=16000": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}
TOLD = {
    "Voice-Kit-Transcript": "What was said, percent-encoded.",
    "Voice-Kit-Answer": "The answer as far as it is known, percent-encoded.",
    "Voice-Kit-Conversation": "The conversation that remembers it.",
    "Voice-Kit-Problem": "What failed on the way, percent-encoded.",
    "Server-Timing": "How long each stage took, in milliseconds.",
}
ANSWER: dict[str, Any] = {
    "description": "The answer's sound, while it is made: 24 kHz, mono. Nothing said: no sound.",
    "headers": {
        name: {"description": about, "schema": {"type": "string"}} for name, about in TOLD.items()
    },
    "content": {
        kind: {"schema": {"type": "string", "format": "binary"}}
        for kind in (*TYPES.values(), MIXED)
    },
}


@router.post("/v1/turn", response_class=Response, responses={200: ANSWER}, openapi_extra=BODY)
async def turn(
    request: Request,
    conversation: Annotated[
        str, Query(max_length=200, description=f"Its ID, or “{NEW}”; none is remembered.")
    ] = "",
    form: Annotated[
        Literal["wav", "pcm", "mp3", "opus", "flac", "aac"] | None,
        Query(alias="format", description="By `Accept` where it is left out, else wav."),
    ] = None,
    stream: Annotated[
        bool, Query(description="Or not before the whole answer is in the headers.")
    ] = True,
) -> Poured:
    """One question, asked aloud, is answered aloud.

    `curl --data-binary @question.wav -H 'Content-Type: audio/wav' …/v1/turn | aplay`

    With `Accept: multipart/mixed` the answer has three parts: JSON with what was said, the sound,
    and JSON with the whole answer and all times. A `conversation` goes on where it ended, and
    ends in every other window.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    # Of its own: a question does not wait for the files that are transcribed.
    audio, _ = await sound_of(request, *await _body_of(request), turnstile_of(request, "questions"))
    shared, guest = shared_of(request), guest_of(request)
    hold = None
    if conversation:
        known = None if conversation == NEW else conversation
        info = await shared.places.open(guest.subject, known)
        hold = await shared.places.take(guest.subject, info.id)
    accept = request.headers.get("accept", "")
    form = form or _accepted(accept)
    one = Turn(shared, guest, hold)
    one.notes.took["read"] = loop.time() - began

    async def work(pour: Pour) -> None:
        encoder = Encoder(form)
        out = _Mixed(pour, form, one) if MIXED in accept else _Plain(pour, form, one)
        async with one.answering(audio), aclosing(one.sounds()) as sounds:
            await out.begin(await _first(sounds, whole=not stream), encoder)
            async for samples in sounds:
                await out.sound(await encoder.feed(samples))
            await out.sound(await encoder.end())
        await out.end(total=loop.time() - began)

    return Poured(work, f"{MIXED}; boundary={BOUNDARY}" if MIXED in accept else TYPES[form])


async def _first(sounds: Any, *, whole: bool) -> list[Samples]:
    first = []
    async for samples in sounds:
        first.append(samples)
        if not whole:
            break
    return first


class _Plain:
    """Sound, with all else in the headers."""

    def __init__(self, pour: Pour, form: Format, turn: Turn) -> None:
        self._pour, self._form, self._turn = pour, form, turn

    async def begin(self, first: list[Samples], encoder: Encoder) -> None:
        """What is known when the first sound is there."""
        self._turn.check()
        self._pour.headers.update({**self._turn.named(), **self._turn.notes.headers()})
        for samples in first:
            await self.sound(await encoder.feed(samples))

    async def sound(self, data: bytes) -> None:
        """The next bytes of the sound."""
        if data:
            await self._pour(data)

    async def end(self, total: float) -> None:
        """All was taken."""


class _Mixed(_Plain):
    """JSON, sound, JSON."""

    async def begin(self, first: list[Samples], encoder: Encoder) -> None:
        """The first part, and the head of the second."""
        self._turn.check()
        self._pour.headers.update(self._turn.named())
        await self._part("application/json", self._json())
        await self._part(TYPES[self._form])
        for samples in first:
            await self.sound(await encoder.feed(samples))

    async def end(self, total: float) -> None:
        """The last part."""
        self._turn.notes.took["total"] = total
        await self._pour(b"\r\n")
        await self._part("application/json", self._json())
        await self._pour(f"--{BOUNDARY}--\r\n".encode())

    async def _part(self, kind: str, data: bytes = b"") -> None:
        head = f"--{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n".encode()
        await self._pour(head + data + (b"\r\n" if data else b""))

    def _json(self) -> bytes:
        return as_json(self._turn.as_json())


async def _body_of(request: Request) -> tuple[bytes, str]:
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        return await request.body(), kind
    async with request.form(max_files=1, max_fields=10) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Problem("The form has no `file`. Put the sound there.", param="file")
        return await file.read(), file.content_type or ""


def _accepted(accept: str) -> Format:
    for form, kind in TYPES.items():
        if kind.partition(";")[0] in accept:
            return form
    return "wav"
