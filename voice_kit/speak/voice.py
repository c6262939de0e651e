"""A voice that can be chosen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Voice:
    """One voice of an engine; `f"{engine}:{name}"` is its spec in the settings."""

    engine: str
    name: str
    language: str
    """ISO 639-1 where there is such a code; "" for a voice that speaks any language."""
    gender: str = ""
    """"female", "male", or "" when it is not known."""
    here: bool = True
    """Whether it speaks right now, without a download."""
