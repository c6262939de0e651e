"""Settings that may be shown to whoever is shown a recording."""

from __future__ import annotations

import re
from typing import Any

from voice_kit.settings import Settings

SECRET = re.compile(
    r"(keys?|token|secrets?|pass(wor[dt]|wd|phrase)s?|auth\w*|bearer|credentials?|cookies?)$", re.I
)
"""Settings whose names end like this are not written down. `tokens` are what a model is shown."""
IN_ADDRESS = re.compile(
    r"(?<=//)[^/@\s]+@|(?<=[?&])[^=&\s]*(?:key|token|secret|pass)[^=&\s]*=[^&\s]*&?", re.I
)
"""What is secret in an address, which is one without it."""


def public(settings: Settings) -> dict[str, Any]:
    """The settings as plain data, without keys, tokens, passwords, and what tools are given."""
    tree: dict[str, Any] = _open(settings.model_dump())
    tree["tools"].pop("servers", None)
    return tree


def _open(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _open(part) for name, part in value.items() if not SECRET.search(str(name))}
        return {name: part for name, part in kept.items() if part is not NotImplemented}
    if isinstance(value, list | tuple):
        return [part for part in map(_open, value) if part is not NotImplemented]
    if isinstance(value, str):
        return IN_ADDRESS.sub("", value)
    return value if value is None or isinstance(value, bool | int | float) else NotImplemented
