"""Sound to text and text to sound, as OpenAI's clients ask for them."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from pydantic import BaseModel, Field

from voice_kit.audio.tape import Tape
from voice_kit.converse.steps import stream
from voice_kit.serve.guests import shared_of, sound_of
from voice_kit.serve.pouring import Pour, Poured, event
from voice_kit.serve.problems import PROBLEMS, ComputingRoute, Problem, SoundRoute
from voice_kit.serve.sound_out import RATE_OUT, TYPES, Encoder, Format
from voice_kit.serve.standing_in import first_that_works
from voice_kit.serve.transcribing import Stretch, stretches
from voice_kit.serve.turnstile import Turnstile, turnstile_of
from voice_kit.serve.writing import FORMS, Written, as_text
from voice_kit.speak.aloud import Aloud
from voice_kit.speak.protocols import Synthesizer
from voice_kit.speak.split import sentences
from voice_kit.think.history import estimated_tokens
from voice_kit.types import Audio

if TYPE_CHECKING:
    from voice_kit.serve.shared import Shared

hearing = APIRouter(route_class=SoundRoute, responses=PROBLEMS, tags=["OpenAI"])
speaking = APIRouter(route_class=ComputingRoute, responses=PROBLEMS, tags=["OpenAI"])

LONGEST = 4096
"""Characters that are spoken in one request, as at OpenAI."""


@hearing.post("/v1/audio/transcriptions", response_class=Response, responses={200: FORMS})
async def transcriptions(
    request: Request,
    file: Annotated[UploadFile, File(description="Any sound file, two minutes at most.")],
    model: Annotated[str, Form(description="Any: the one here is used.")] = "",
    language: Annotated[str, Form(max_length=20)] = "",
    response_format: Annotated[
        Literal["json", "text", "srt", "verbose_json", "vtt"], Form()
    ] = "json",
    stream: Annotated[bool, Form()] = False,
    prompt: Annotated[str, Form(description="Not used.")] = "",
    temperature: Annotated[float, Form(description="Not used.")] = 0.0,
) -> Poured:
    """What is said in a sound. Silence gives an empty text."""
    shared = shared_of(request)
    here = shared.settings.language
    if language and language.lower().partition("-")[0] != here:
        raise Problem(
            f"This gateway listens in “{here}” only. Leave `language` out, or ask whoever runs it "
            "to start one with that language.",
            param="language",
        )
    turnstile = turnstile_of(request)
    audio, queued = await sound_of(request, await file.read(), _kind_of(file), turnstile)

    async def work(pour: Pour) -> None:
        engines, heard = shared.engines_for_one(), list[Stretch]()
        count = shared.metrics
        async with (
            turnstile.turn() as waited,
            aclosing(stretches(audio, engines, shared.settings, shared.metrics.failed)) as parts,
        ):
            count.waited("http", queued + waited)
            async for part in parts:
                if stream:
                    before = " " if heard else ""
                    delta = {"type": "transcript.text.delta", "delta": before + part.text}
                    await pour(event(delta))
                heard.append(part)
        written = Written(tuple(heard), here, audio.seconds)
        if stream:
            await pour(event({"type": "transcript.text.done", "text": written.text}))
        else:
            await pour.all(as_text(written, response_format).encode())

    if stream:
        return Poured(work, "text/event-stream")
    json_like = response_format in ("json", "verbose_json")
    plain = "text/vtt" if response_format == "vtt" else "text/plain"
    return Poured(work, "application/json" if json_like else plain)


class SpeechRequest(BaseModel):
    """A text that is to be spoken."""

    input: str = Field(max_length=LONGEST)
    model: str = ""
    """Any: the voice that is here speaks."""
    voice: str | dict[str, Any] = ""
    """Any: the voice that is here speaks."""
    response_format: Format = "mp3"
    stream_format: Literal["audio", "sse"] = "audio"
    speed: float = Field(default=1.0, ge=0.25, le=4.0)
    instructions: str = ""
    """Not used."""


SPOKEN: dict[str, Any] = {
    "description": "The sound, sentence by sentence, as it is made: 24 kHz, mono.",
    "content": {
        "text/event-stream": {},
        **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in TYPES.values()},
    },
}


@speaking.post("/v1/audio/speech", response_class=Response, responses={200: SPOKEN})
async def speech(request: Request, wanted: SpeechRequest) -> Poured:
    """The sound of a text."""
    shared, turnstile = shared_of(request), turnstile_of(request)
    if wanted.speed != 1:
        raise Problem("The voice here has one speed. Leave `speed` out.", param="speed")
    settings, sse = shared.settings, wanted.stream_format == "sse"
    speakable = Aloud(settings.language)
    parts = [speakable.sentence(part) for part in sentences([wanted.input], settings.language)]
    if not any(parts):
        raise Problem("There is nothing to say in that text. Give it some words.", param="input")

    async def work(pour: Pour) -> None:
        line, limit = shared.engines_for_one().tts, settings.timeouts.tts
        encoder, tape = Encoder(wanted.response_format), Tape(RATE_OUT)

        def say(part: str, tts: Synthesizer) -> AsyncGenerator[Audio, None]:
            return _spoken(part, tts, limit, shared, turnstile)

        async def give(data: bytes) -> None:
            if data and sse:
                audio = base64.b64encode(data).decode()
                await pour(event({"type": "speech.audio.delta", "audio": audio}))
            elif data:
                await pour(data)

        for part in filter(None, parts):
            sounds = first_that_works(line, partial(say, part), shared.metrics.failed)
            async with aclosing(sounds):
                async for sound in sounds:
                    tape.add(sound)
                    while len(samples := tape.take(RATE_OUT // 5)):
                        await give(await encoder.feed(samples))
        await give(await encoder.end())
        if sse:
            await pour(event({"type": "speech.audio.done", "usage": _usage(wanted.input, tape)}))

    return Poured(work, "text/event-stream" if sse else TYPES[wanted.response_format])


async def _spoken(
    text: str, tts: Synthesizer, limit: float, shared: Shared, turnstile: Turnstile
) -> AsyncGenerator[Audio, None]:
    """The sound of a sentence: as it comes from afar, and whole where it is computed here, so
    that nobody holds up the others by taking it slowly."""
    made = stream("tts", tts, lambda: tts.speak(text), limit)
    async with aclosing(made):
        if tts.stops == "async":
            async for speech in made:
                yield speech.audio
            return
        async with turnstile.turn() as waited:
            shared.metrics.waited("http", waited)
            sounds = [speech.audio async for speech in made]
    for sound in sounds:
        yield sound


def _usage(text: str, tape: Tape) -> dict[str, int]:
    asked, given = estimated_tokens(text), round(tape.given * 20)
    return {"input_tokens": asked, "output_tokens": given, "total_tokens": asked + given}


def _kind_of(file: UploadFile) -> str:
    return file.headers.get("content-type", "") or ""
