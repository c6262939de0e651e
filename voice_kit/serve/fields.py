"""Reads what others have sent, whatever it may be."""

from __future__ import annotations

from typing import Any


def object_of(value: Any) -> dict[str, Any]:
    """The same, if it is a JSON object. Raises `TypeError`."""
    if isinstance(value, dict):
        return value
    raise TypeError


def needed(value: object, most: int) -> str:
    """The first so many signs of a text that may not be empty. Raises `TypeError`."""
    if isinstance(value, str) and value:
        return text_of(value, most)
    raise TypeError


def text_of(value: object, most: int) -> str:
    """The text, without what no other side could encode; empty if it is none."""
    return value[:most].encode(errors="replace").decode() if isinstance(value, str) else ""
