"""What a typed function takes: told to a model as JSON Schema, and checked when it is called."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ConfigDict, Field, ValidationError, create_model

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What every provider takes as the name of a tool."""
STRICT = ConfigDict(extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)
TIMES = {"date", "time", "date-time"}
_NUMBER = re.compile(r"\s*-?\d+(?:\.\d+)?\s*")
_ABOUT = re.compile(r"\s*[`*]*(\w+)[`*]*\s*(?:\([^)]*\))?\s*(?::|–|—)\s+(.+)")


class Signature:
    """The parameters of a function with annotations and a docstring.

    They may be whatever pydantic takes: str, int, float, bool, Literal, Optional, list, date, time,
    Annotated with a Field. A later line of the docstring such as `name: what it is` tells of one.
    """

    def __init__(self, function: Callable[..., Any], title: str) -> None:
        if not NAME.fullmatch(title):
            raise TypeError(f"“{title}” is no name for a tool: letters, digits, “_” and “-”")
        self.description, *more = (inspect.getdoc(function) or "").split("\n\n")
        self.description = " ".join(self.description.split())
        if not self.description:
            raise TypeError(f"the tool {title} needs a docstring")
        taken = inspect.signature(function, eval_str=True).parameters.values()
        for each in taken:
            if each.kind not in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY):
                raise TypeError(f"the tool {title} cannot take “{each}”: its arguments have names")
            if each.annotation is each.empty:
                raise TypeError(f"the tool {title} needs the type of “{each.name}”")
        about = _told("\n".join(more))
        self._names = {each.name: f"argument_{place}" for place, each in enumerate(taken)}
        self._optional = {each.name for each in taken if each.default is not each.empty}
        # Fields of other names: a parameter may be called “copy”, which a model of pydantic has.
        fields: Any = {}
        for each in taken:
            told: dict[str, Any] = {"alias": each.name}
            if each.name in about:
                told["description"] = about[each.name]
            if each.default is not each.empty:
                told["default"] = each.default
            fields[self._names[each.name]] = (each.annotation, Field(**told))
        self._model = create_model(title, __config__=STRICT, **fields)
        self.parameters: dict[str, Any] = _plain(self._model.model_json_schema())
        self.parameters.setdefault("properties", {})

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the function takes them. Raises `ValueError`, which says what is wrong.

        What models often do is understood: null for what may be left out, a number as text, a list
        as text in JSON.
        """
        try:
            found = self._model.model_validate(
                {
                    name: self._meant(name, value)
                    for name, value in given.items()
                    if value is not None or name not in self._optional
                }
            )
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, problem["loc"])) or "the arguments"
            raise ValueError(f"{where}: {problem['msg']}") from error
        return {name: getattr(found, field) for name, field in self._names.items()}

    def _meant(self, name: str, value: Any) -> Any:
        schema = self.parameters["properties"].get(name, {})
        if schema.get("format") in TIMES and (
            isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value))
        ):
            raise ValueError(f"{name}: a bare number is no {schema['format']}")  # since 1970
        if schema.get("type") in ("array", "object") and isinstance(value, str):
            try:
                return json.loads(value)
            except (ValueError, RecursionError):
                return value
        return value


def signature_of(function: Callable[..., Any], title: str) -> Signature:
    """The function's signature. That of one which is made anew for each conversation is made
    once: it takes pydantic milliseconds, and much memory."""
    code = getattr(function, "__code__", None)
    if code is None:
        return Signature(function, title)
    written = [function.__annotations__, function.__defaults__, function.__kwdefaults__]
    key = (code, function.__module__, function.__doc__, title, repr(written))
    if key not in _MADE:
        if len(_MADE) >= MOST:
            _MADE.clear()
        _MADE[key] = Signature(function, title)
    return _MADE[key]


MOST = 1000
_MADE: dict[Any, Signature] = {}


def _told(text: str) -> dict[str, str]:
    """What the lines of a docstring tell of each name."""
    found = (_ABOUT.fullmatch(line) for line in text.splitlines())
    return {match[1]: match[2].strip() for match in found if match}


def _plain(schema: Any) -> Any:
    """A schema without what models need not read: titles, and null beside a type."""
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key not in ("title", "default")}
    if schema.get("default") is not None:
        kept["default"] = schema["default"]
    for key in ("properties", "$defs"):
        if key in kept:
            kept[key] = {name: _plain(each) for name, each in kept[key].items()}
    for key in ("items", "additionalProperties"):
        if key in kept:
            kept[key] = _plain(kept[key])
    if "anyOf" in kept:
        ways = [_plain(each) for each in kept.pop("anyOf") if each != {"type": "null"}]
        kept = {**ways[0], **kept} if len(ways) == 1 else {**kept, "anyOf": ways}
    return kept
