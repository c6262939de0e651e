"""YAML as people write it: “no” and “12:30” are words, no key comes twice, each line is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml  # type: ignore[import-untyped]

from voice_kit.errors import VoiceKitError


class ScenarioError(VoiceKitError):
    """A scenario cannot be used. The message says where, and what to write instead."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """By the core schema of YAML 1.2: in 1.1, “no” is false and 12:30 is 750."""

    yaml_implicit_resolvers: ClassVar[dict[Any, Any]] = {}


for _tag, _pattern, _first in (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", "~|null|Null|NULL|", "~nN\0"),
    ("int", "[-+]?[0-9]{1,18}", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(f"^(?:{_pattern})$"),
        [letter if letter != "\0" else "" for letter in _first],
    )


@dataclass(frozen=True, slots=True)
class Page:
    """A file, what it says, and where."""

    path: Path
    data: Any
    _root: Any

    def where(self, place: Sequence[str | int] = ()) -> str:
        """ "name.yaml, line 7": the line of what is at this place, or of the nearest around it."""
        node, line = self._root, 1
        for step in place:
            found = _inside(node, step)
            if found is None:
                break
            key, node = found
            line = key.start_mark.line + 1
        return f"{self.path}, line {line}"


def load(path: Path) -> Page:
    """The YAML file, read. Raises `ScenarioError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ScenarioError(f"There is no file {path}. Check the name and the folder.") from error
    except IsADirectoryError as error:
        raise ScenarioError(f"{path} is a folder. Name the files in it: {path}/*.yaml.") from error
    except OSError as error:
        raise ScenarioError(f"{path} cannot be read: {error.strerror}. Mend that.") from error
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path} is no text. Save it as UTF-8.") from error
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        _refuse_twins(path, node)
        return Page(path, None if node is None else loader.construct_document(node), node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ScenarioError(
            f"{path}, line {line}: {error.problem or error.context}, as YAML sees it. "
            "Indent with spaces, and put a text with signs such as “: ” or “?” in quotes."
        ) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        problem = str(error).partition("\n")[0]
        raise ScenarioError(f"{path} is no YAML: {problem}. Write it as README.md says.") from error


def _inside(node: Any, step: str | int) -> tuple[Any, Any] | None:
    if isinstance(node, yaml.MappingNode):
        found = [(key, value) for key, value in node.value if key.value == str(step)]
        return found[0] if found else None
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _refuse_twins(path: Path, root: Any) -> None:
    todo, seen = [root], set()
    while todo:
        node = todo.pop()
        if id(node) in seen or not isinstance(node, yaml.MappingNode | yaml.SequenceNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += node.value
            continue
        keys: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                line = key.start_mark.line + 1
                raise ScenarioError(
                    f"{path}, line {line}: “{key.value}” is there twice. Keep one of them."
                )
            keys.add(str(key.value))
            todo.append(value)
