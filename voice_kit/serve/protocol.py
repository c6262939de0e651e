"""The whole wire: what clients and the gateway say to each other. It knows no socket.

Text messages are a subset of OpenAI's Realtime events; binary ones are sound (see `Sound`). A
session's `voice_kit.settings` are those that `session.update` may change, by dotted name, as they
are now; its `voice_kit.recorded` says whether whoever runs the gateway keeps what both sides say.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from voice_kit.serve.fields import needed, object_of, text_of
from voice_kit.types import FRAME

VERSION = 1
OUT_RATE = 24_000
"""Samples per second of all speech that is sent, in Hz, and of OpenAI's input unless it says so."""
HEADER = struct.Struct("<BBHI")
"""Of a binary message: kind, flags (0), count, number."""
SOUND, SILENCE, SPEECH = 1, 2, 3
"""Kinds: `count` frames of sound from number `number` on; as many of silence, without a payload;
speech of playback `number`. Samples are int16, little-endian."""
VIEWS = ("orb", "transcript", "timeline", "waveform")
LONGEST = 2_000
"""Signs of a typed line; more is cut. Ten times as many in `instructions`."""

NOT_ADMITTED, NOT_YOURS, TOO_SLOW, TAKEN_OVER, LIMIT = 4401, 4403, 4408, 4409, 4429
GOING_AWAY, TOO_BIG = 1001, 1009

Json = dict[str, Any]


class BadMessageError(Exception):
    """A message that cannot be understood. `str(error)` says why, for its sender only."""

    def __init__(self, code: str, why: str, event_id: str | None = None) -> None:
        super().__init__(why)
        self.code, self.event_id = code, event_id


# From the client

ClientEvent = Literal[
    "session.authenticate", "session.update", "input_audio_buffer.append",
    "input_audio_buffer.commit", "input_audio_buffer.clear", "conversation.item.create",
    "conversation.item.delete", "conversation.item.truncate", "response.create",
    "response.cancel", "output_audio_buffer.clear", "voice_kit.heard",
]  # fmt: skip
KNOWN = get_args(ClientEvent)


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Binary: frames of sound, shape (count, 512), int16, 16 kHz."""

    number: int
    frames: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Silence:
    """Binary: nothing but silence for so many frames."""

    number: int
    count: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A text message: its type, and what those of that type carry."""

    type: ClientEvent
    event_id: str | None = None
    token: str = field(default="", repr=False)
    session: Json = field(default_factory=dict)
    audio: bytes = field(default=b"", repr=False)
    """int16 samples."""
    item_id: str = ""
    role: Literal["user", "assistant"] = "user"
    text: str = field(default="", repr=False)
    """Of an item; of a response, its instructions."""
    seconds: float = 0.0
    """After which an item is cut."""
    heard: tuple[Heard, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """How many samples of a playback left the client's loudspeaker."""

    id: int
    samples: int
    audible: float | None
    """Once: in how many seconds its first sample does."""
    final: bool


def parse_bytes(data: bytes) -> Sound | Silence:
    """A binary message. Raises `BadMessageError`."""
    if len(data) < HEADER.size:
        raise BadMessageError("bad_frame", "A binary message begins with a header of 8 bytes.")
    kind, flags, count, number = HEADER.unpack_from(data)
    size = len(data) - HEADER.size
    if flags or not count or kind not in (SOUND, SILENCE):
        raise BadMessageError("bad_frame", "A header is kind 1 or 2, flags 0, count from 1 on.")
    if size != (2 * FRAME * count if kind == SOUND else 0):
        raise BadMessageError("bad_frame", f"{count} frames of kind {kind} have no {size} bytes.")
    if kind == SILENCE:
        return Silence(number, count)
    return Sound(number, np.frombuffer(data, "<i2", offset=HEADER.size).reshape(count, FRAME))


def parse(text: str) -> Asked:
    """A text message. Raises `BadMessageError`."""
    try:
        tree = json.loads(text, parse_constant=int)  # which refuses NaN
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise BadMessageError("invalid_json", "A text message is one JSON object.")
    event_id = text_of(tree.get("event_id"), 64) or None
    try:
        return _asked(tree, event_id)
    except BadMessageError as error:
        error.event_id = event_id
        raise
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        problem = "Its fields are missing, or not what they have to be."
        raise BadMessageError("invalid_event", problem, event_id) from None


def _asked(tree: Json, event_id: str | None) -> Asked:
    kind: Any = tree.get("type")
    if kind not in KNOWN:
        known = ", ".join(KNOWN)
        raise BadMessageError("unknown_event", f"There is no such event here. There are: {known}.")
    more: Json = {}
    match kind:
        case "session.authenticate":
            more = {"token": needed(tree["token"], 8_192)}
        case "session.update":
            more = {"session": object_of(tree["session"])}
        case "input_audio_buffer.append":
            more = {"audio": _pcm(tree["audio"])}
        case "conversation.item.create":
            more = _item(object_of(tree["item"]))
        case "conversation.item.delete":
            more = {"item_id": needed(tree["item_id"], 64)}
        case "conversation.item.truncate":
            seconds = min(int(tree["audio_end_ms"]), 10**9) / 1000
            more = {"item_id": needed(tree["item_id"], 64), "seconds": max(0.0, seconds)}
        case "response.create":
            wanted = object_of(tree.get("response") or {})
            more = {"text": text_of(wanted.get("instructions"), 10 * LONGEST)}
        case "voice_kit.heard":
            more = {"heard": tuple(_heard(object_of(each)) for each in tree["heard"][:64])}
    return Asked(kind, event_id, **more)


def _item(item: Json) -> Json:
    content = item.get("content") or []
    if item.get("type") != "message" or item.get("role") not in ("user", "assistant"):
        raise BadMessageError("unsupported_item", "An item is a message of the user or assistant.")
    if not content or any(part["type"] not in ("input_text", "output_text") for part in content):
        raise BadMessageError("unsupported_item", "The content of an item is text.")
    words = "\n".join(needed(part["text"], LONGEST) for part in content[:16])
    return {"item_id": text_of(item.get("id"), 64), "role": item["role"], "text": words[:LONGEST]}


def _heard(tree: Json) -> Heard:
    audible, number, samples = tree.get("audible"), int(tree["id"]), int(tree["samples"])
    if audible is not None and not abs(audible) < 60:
        raise ValueError
    return Heard(number, max(0, samples), audible, bool(tree.get("final")))


def _pcm(text: object) -> bytes:
    try:
        data = base64.b64decode(needed(text, 1 << 30), validate=True)
    except ValueError:
        raise BadMessageError("invalid_base64", "The audio is no base64.") from None
    if len(data) % 2:
        raise BadMessageError("invalid_audio", "The audio is no 16-bit PCM: its bytes are odd.")
    return data


# From the gateway

ServerEvent = Literal[
    "error", "rate_limits.updated", "session.created", "session.updated",
    "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed", "input_audio_buffer.cleared",
    "conversation.item.added", "conversation.item.done", "conversation.item.truncated",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "response.created", "response.output_item.added", "response.content_part.added",
    "response.output_audio.delta", "response.output_audio.done",
    "response.output_audio_transcript.delta", "response.output_audio_transcript.done",
    "response.content_part.done", "response.output_item.done", "response.done",
    "voice_kit.playback", "voice_kit.view",
]  # fmt: skip
Control = Literal["pause", "go_on", "duck", "stop"]
"""What `voice_kit.playback` has a client do: its `kind`."""


def speech(playback: int, samples: NDArray[np.int16]) -> bytes:
    """Binary: more of a playback, 24 kHz."""
    count = min(len(samples), 0xFFFF)
    return HEADER.pack(SPEECH, 0, count, playback) + samples[:count].astype("<i2").tobytes()


def said(kind: ServerEvent, event_id: str, /, **fields: Any) -> str:
    """A text message of this type, without fields that are None; half a surrogate pair is “?”."""
    given = {name: value for name, value in fields.items() if value is not None}
    text = json.dumps({"type": kind, "event_id": event_id, **given}, ensure_ascii=False)
    return text.encode(errors="replace").decode()


def problem(code: str, message: str, about: str | None = None, kind: str = "") -> Json:
    """What an `error` event carries."""
    kind = kind or "invalid_request_error"
    return {"type": kind, "code": code, "message": message, "event_id": about, "param": None}


def message_item(item: str, role: str, status: str, part: Mapping[str, Any] | None) -> Json:
    """A line of the conversation, as OpenAI describes it."""
    whole = {"id": item, "object": "realtime.item", "type": "message", "role": role}
    return whole | {"status": status, "content": [dict(part)] if part else []}


def response(number: str, status: str, output: list[Json], reason: str = "") -> Json:
    """An answer, as OpenAI describes it."""
    details = {"type": status, "reason": reason or None} if status != "in_progress" else None
    return {
        "id": number, "object": "realtime.response", "status": status, "status_details": details,
        "output": output, "output_modalities": ["audio"], "usage": None, "metadata": None,
    }  # fmt: skip


def pcm_delta(samples: NDArray[np.int16]) -> str:
    """Speech as OpenAI's clients read it: base64 of int16 samples, 24 kHz."""
    return base64.b64encode(samples.astype("<i2").tobytes()).decode()
