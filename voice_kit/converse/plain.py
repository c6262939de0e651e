"""Events and turns as plain data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from voice_kit.converse.timeline import STAGES, TurnTimes
from voice_kit.types import Event


def as_json(event: Event) -> dict[str, Any]:
    """An event as plain data: its name, its fields, and no sound."""
    fields = {
        name: asdict(value) if hasattr(value, "__dataclass_fields__") else value
        for name in event.__dataclass_fields__
        if name != "audio"
        for value in [getattr(event, name)]
    }
    return {"event": type(event).__name__, **fields}


def summary(turn: TurnTimes) -> dict[str, Any]:
    """A turn as plain data, times in whole milliseconds."""
    silence = turn.voice_to_voice
    return {
        "heard": turn.heard,
        "said": turn.said,
        "said_heard": turn.said_heard,
        "interrupted": turn.interrupted,
        "voice_to_voice_ms": None if silence is None else round(silence * 1000),
        "stages_ms": {
            stage: round(turn.seconds(stage) * 1000)
            for stage in STAGES
            if any(bar.stage == stage for bar in turn.bars)
        },
    }
