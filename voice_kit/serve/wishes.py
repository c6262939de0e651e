"""What a client may change of its conversation: `session.update`, as settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from voice_kit.errors import SettingsError
from voice_kit.serve.protocol import LONGEST, OUT_RATE, VERSION, VIEWS, BadMessageError
from voice_kit.settings import Settings
from voice_kit.settings.dotted import value_of
from voice_kit.types import RATE

SAFE = {
    "persona", "partials", "hear.start_above", "hear.stop_below", "hear.shortest", "hear.misfire",
    "hear.eager", "hear.stop", "hear.finished", "hear.unfinished", "hear.preroll",
    "interrupt.mode", "interrupt.after", "interrupt.guard",
}  # fmt: skip
"""Settings that cost nobody else anything."""
OPENAI_VOICES = {
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage",
    "shimmer", "verse",
}  # fmt: skip
"""Asked for by clients that were written for OpenAI: they hear the gateway's own voice."""
EAGER: Mapping[str, Mapping[str, float]] = {
    "low": {"hear.stop": 1.0, "hear.finished": 0.5, "hear.unfinished": 3.0},
    "high": {"hear.stop": 0.3, "hear.finished": 0.128, "hear.unfinished": 0.8},
}
"""Seconds of quiet that end a turn, for `semantic_vad`."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How one client wants to be heard and spoken to."""

    binary: bool = False
    views: tuple[str, ...] = ()
    rate: int = OUT_RATE
    """Of the sound that it appends, in Hz."""
    manual: bool = False
    """Whether it says itself when it has finished."""
    detection: str = "semantic_vad"
    voice: str = ""
    """Another voice than the gateway's; empty when that will do."""


def wished(
    session: Mapping[str, Any], wishes: Wishes, settings: Settings
) -> tuple[Wishes, Settings]:
    """What follows from a `session.update`. Raises `BadMessageError` and changes nothing, or
    `SettingsError`."""
    changes: dict[str, Any] = {}
    try:
        if isinstance(instructions := session.get("instructions"), str):
            changes["persona"] = instructions[: 10 * LONGEST].encode(errors="replace").decode()
        if "text" in (session.get("output_modalities") or ()):
            raise BadMessageError("unsupported_value", "Answers are spoken, with their transcript.")
        audio = session.get("audio") or {}
        heard, spoken = audio.get("input") or {}, audio.get("output") or {}
        wishes = _formats(heard, spoken, wishes)
        if "turn_detection" in heard:
            wishes = _detection(heard["turn_detection"], wishes, settings, changes)
        if voice := spoken.get("voice"):
            wishes = replace(wishes, voice=_voice(voice))
        wishes = _ours(session.get("voice_kit") or {}, wishes, changes)
        return wishes, settings.changed(changes)
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError, RecursionError):
        raise BadMessageError("invalid_value", "A field is not what it has to be.") from None


def described(
    wishes: Wishes,
    settings: Settings,
    number: str,
    conversation: str,
    voice: str,
    recorded: bool = False,
) -> dict[str, Any]:
    """The session, as OpenAI's clients read it."""
    rules = settings.hear
    responds = {"create_response": True, "interrupt_response": settings.interrupt.mode != "never"}
    detection: dict[str, Any] | None = {
        "type": "server_vad", "threshold": rules.start_above,
        "prefix_padding_ms": round(1000 * rules.preroll),
        "silence_duration_ms": round(1000 * rules.stop), **responds,
    }  # fmt: skip
    if wishes.detection == "semantic_vad":
        detection = {"type": "semantic_vad", "eagerness": "auto", **responds}
    pcm = {"type": "audio/pcm", "rate": OUT_RATE}
    heard = {
        "format": pcm | {"rate": wishes.rate},
        "turn_detection": None if wishes.manual else detection,
    }
    return {
        "type": "realtime", "object": "realtime.session", "id": number, "model": "voice-kit",
        "instructions": settings.persona, "output_modalities": ["audio"], "tools": [],
        "audio": {"input": heard, "output": {"format": pcm, "voice": wishes.voice or voice}},
        "voice_kit": {
            "conversation": conversation, "version": VERSION, "recorded": recorded,
            "binary": wishes.binary, "views": list(wishes.views),
            "settings": {name: value_of(settings, name) for name in sorted(SAFE)},
        },
    }  # fmt: skip


def _formats(heard: Mapping[str, Any], spoken: Mapping[str, Any], wishes: Wishes) -> Wishes:
    for direction, rates in ((heard, (OUT_RATE, RATE)), (spoken, (OUT_RATE,))):
        form = direction.get("format")
        if form is None:
            continue
        rate = form.get("rate", OUT_RATE)
        if form.get("type", "audio/pcm") != "audio/pcm" or rate not in rates:
            known = " or ".join(f"{rate:,} Hz" for rate in rates)
            raise BadMessageError("unsupported_format", f"Sound is audio/pcm of {known}.")
        if direction is heard:
            wishes = replace(wishes, rate=int(rate))
    return wishes


def _detection(
    wanted: Mapping[str, Any] | None, wishes: Wishes, settings: Settings, changes: dict[str, Any]
) -> Wishes:
    if wanted is None:
        return replace(wishes, manual=True)
    kind = wanted.get("type")
    if kind == "semantic_vad":
        changes |= EAGER.get(str(wanted.get("eagerness")), {})
    elif kind == "server_vad":
        if (threshold := wanted.get("threshold")) is not None:
            above = min(max(float(threshold), 0.05), 0.95)
            changes["hear.start_above"] = above
            changes["hear.stop_below"] = min(settings.hear.stop_below, above * 0.7)
        if (quiet := wanted.get("silence_duration_ms")) is not None:
            seconds = min(max(float(quiet) / 1000, 0.064), 10.0)
            changes |= dict.fromkeys(("hear.stop", "hear.finished", "hear.unfinished"), seconds)
        if (before := wanted.get("prefix_padding_ms")) is not None:
            changes["hear.preroll"] = min(max(float(before) / 1000, 0.0), 2.0)
    else:
        known = "turn_detection is server_vad, semantic_vad or null."
        raise BadMessageError("unsupported_value", known)
    if wanted.get("create_response") is False:
        by_hand = "Turns are answered by themselves. Say when with turn_detection null."
        raise BadMessageError("unsupported_value", by_hand)
    if (stops := wanted.get("interrupt_response")) is not None:
        mode = settings.interrupt.mode
        changes["interrupt.mode"] = ("evidence" if mode == "never" else mode) if stops else "never"
    return replace(wishes, manual=False, detection=str(kind))


def _voice(voice: Any) -> str:
    name = str(voice["id"] if isinstance(voice, dict) else voice)
    if name in OPENAI_VOICES:
        return ""
    bare = name.replace("-", "").replace("_", "")
    if not bare.isascii() or not bare.isalnum() or len(name) > 64:
        raise BadMessageError("invalid_value", "This is no voice. Leave it out for the usual one.")
    return name


def _ours(wanted: Mapping[str, Any], wishes: Wishes, changes: dict[str, Any]) -> Wishes:
    for name, value in (wanted.get("settings") or {}).items():
        if name not in SAFE:
            known = ", ".join(sorted(SAFE))
            raise SettingsError(f"A client cannot change that. It can change: {known}.")
        changes[name] = value
    if "views" in wanted:
        views = wanted["views"] or ()
        wishes = replace(wishes, views=tuple(view for view in VIEWS if view in views))
    if "binary" in wanted:
        wishes = replace(wishes, binary=bool(wanted["binary"]))
    return wishes
