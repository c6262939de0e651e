"""Words and figures that are data, not code: a .toml file beside the module that reads it."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any


def table_of(module: str) -> dict[str, Any]:
    """What the file of the same name beside this module holds: `table_of(__name__)`."""
    package, _, name = module.rpartition(".")
    return tomllib.loads(files(package).joinpath(f"{name}.toml").read_text(encoding="utf-8"))
