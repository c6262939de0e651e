"""A setting by its dotted name, as `Settings.changed` takes it."""

from __future__ import annotations

from functools import reduce
from typing import Any

from voice_kit.settings import Settings


def value_of(settings: Settings, dotted: str) -> Any:
    """What stands there: `value_of(settings, "hear.stop")`."""
    return reduce(getattr, dotted.split("."), settings)
