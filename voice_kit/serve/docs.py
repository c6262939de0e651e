"""What can be asked of the gateway, for people: /docs, made of the app itself, without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from voice_kit.serve.protocol import KNOWN, OUT_RATE, VIEWS
from voice_kit.types import FRAME

router = APIRouter()

SOCKET = f"""
<p><code>GET /v1/realtime?conversation=ID</code> is a WebSocket. It speaks a subset of OpenAI's
Realtime events, so that their client connects as it is; without <code>conversation</code> a new one
begins. Show the token in <code>Authorization: Bearer</code>, as <code>?token=</code>, or within 5 s
as the first message: <code>{{"type": "session.authenticate", "token": "…"}}</code>. All of the wire
is in one module, <code>voice_kit/serve/protocol.py</code>.</p>
<p>Sound in text messages is base64 of 16-bit samples, {OUT_RATE:,} Hz. After
<code>session.update</code> with <code>{{"voice_kit": {{"binary": true}}}}</code> it goes both ways
as binary messages: a header of 8 bytes, little-endian (kind, flags 0, count as 2 bytes, number as
4), then 16-bit samples. Kind 1, from you: <em>count</em> frames of {FRAME} samples, 16,000 Hz, the
first of them frame <em>number</em>; frames that are missing become silence. Kind 2, from you:
<em>count</em> frames of silence, without samples. Kind 3, to you: speech of playback
<em>number</em>, {OUT_RATE:,} Hz. Then do what <code>voice_kit.playback</code> says (pause, go_on,
duck, stop), and say with <code>voice_kit.heard</code> how many samples were heard: memory keeps no
more than that. <code>{{"voice_kit": {{"views": {list(VIEWS)}}}}}</code> has
<code>voice_kit.view</code> tell what the page draws. Under <code>voice_kit.settings</code> a
session tells which settings you may change in the same way, and what they are now. Where
<code>voice_kit.recorded</code> is true, whoever runs this gateway keeps what both sides say: tell
the people who speak.</p>
"""
ASKED = {
    "session.authenticate": "Who is there, as the first message.",
    "session.update": "Instructions, turn detection, voice, formats; answered by session.updated.",
    "input_audio_buffer.append": "Sound.",
    "input_audio_buffer.commit": "What was said so far is a whole turn.",
    "input_audio_buffer.clear": "What was said so far is none.",
    "conversation.item.create": "A written line of the user or the assistant.",
    "conversation.item.delete": "Not possible: an error says what to do instead.",
    "conversation.item.truncate": "An answer was cut after so many milliseconds.",
    "response.create": "Answer what was committed or written last, or these instructions.",
    "response.cancel": "Fall silent.",
    "output_audio_buffer.clear": "Fall silent.",
    "voice_kit.heard": "How many samples of which playback were heard.",
}
TOLD = {
    "session.created, session.updated": "How this session is held, and whether it is recorded.",
    "input_audio_buffer.speech_started, .speech_stopped, .committed, .cleared": "What is heard.",
    "conversation.item.added, .done, .truncated": "Lines of the conversation.",
    "conversation.item.input_audio_transcription.delta, .completed": "The words of a question.",
    "response.created, .output_item.added, .content_part.added, …, .done": "An answer.",
    "response.output_audio.delta, .done": "Its sound, where that is no bytes.",
    "response.output_audio_transcript.delta, .done": "Its words.",
    "voice_kit.playback, voice_kit.view": "For our own clients, see above.",
    "error, rate_limits.updated": "What could not be done; the session goes on.",
}
CLOSED = {
    1001: "This gateway stops: connect again.",
    1009: "A message was too big.",
    1011: "Something of ours failed: connect again.",
    4401: "Not admitted: no token, a wrong one, or one that has expired.",
    4403: "A page of another site, or a conversation that is not yours.",
    4408: "You do not read what you are sent.",
    4409: "The conversation goes on in another window, or was deleted.",
    4429: "A limit: too many connections, or too old a session.",
}


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """The page."""
    tree = request.app.openapi()
    described = {name: ASKED[name] for name in KNOWN}
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'><title>voice-kit</title>",
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;",
        "padding:0 1rem;color-scheme:light dark;background:Canvas;color:CanvasText}",
        "dt{margin-top:.7em}dd{margin-left:1.5em}code{overflow-wrap:anywhere}</style>",
        "<main><h1>voice-kit</h1><p>A voice assistant over HTTP and WebSocket. ",
        "<a href='/openapi.json'>The same of HTTP for programs</a>.</p>",
        "<h2>The socket</h2>", SOCKET,
        "<h3>You say</h3>", _list(described),
        "<h3>You are told</h3>", _list(TOLD),
        "<h3>It is closed with</h3>", _list({str(code): why for code, why in CLOSED.items()}),
        "<h2>HTTP</h2>", _list(dict(_routes(tree["paths"]))), "</main>",
    ]  # fmt: skip
    return HTMLResponse("".join(parts))


def _routes(paths: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for path, methods in paths.items():
        for method, about in methods.items():
            taken = [each["name"] for each in about.get("parameters", ())]
            more = f" Takes {', '.join(taken)}." if taken else ""
            yield f"{method.upper()} {path}", about.get("description", about["summary"]) + more


def _list(told: Mapping[str, str]) -> str:
    pairs = "".join(
        f"<dt><code>{escape(name)}</code></dt><dd>{escape(what)}</dd>"
        for name, what in told.items()
    )
    return f"<dl>{pairs}</dl>"
