"""Events as plain data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

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
