"""Tools, in what of JSON Schema the client of Ollama passes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from voice_kit.think.acting import Described
from voice_kit.think.calls import described

KNOWN = {"type", "items", "description", "enum"}
"""All that the client (ollama 0.6, `Tool.Function.Property`) keeps of an argument's schema."""


def for_ollama(tools: Iterable[Described]) -> list[dict[str, Any]]:
    """The tools, with what the client would drop of an argument told in its description."""
    told = described(tools)
    for each in told:
        parameters = dict(each["function"]["parameters"])
        names = parameters.get("properties") or {}
        parameters["properties"] = {name: _argument(schema) for name, schema in names.items()}
        each["function"]["parameters"] = parameters
    return told


def _argument(schema: Any) -> Any:
    if not isinstance(schema, Mapping) or schema.keys() <= KNOWN:
        return schema
    kept = {key: value for key, value in schema.items() if key in KNOWN}
    rest = {key: value for key, value in schema.items() if key not in KNOWN | {"title"}}
    if "type" not in kept and (ways := [_type(way) for way in rest.get("anyOf", ())]):
        kept["type"] = [way for way in ways if way]
    if rest:
        about = f"{kept.get('description', '')} (JSON Schema: {json.dumps(rest)})"
        kept["description"] = about.strip()
    return kept


def _type(schema: Any) -> str:
    found = schema.get("type") if isinstance(schema, Mapping) else ""
    return found if isinstance(found, str) else ""
