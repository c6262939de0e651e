"""Files that are written at once, and that nobody but their owner can read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO


def new_file(path: Path, mode: int = 0o600) -> IO[bytes]:
    """An empty file, unbuffered, with this mode if it is a new one. Raises `OSError`."""
    how = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, how, mode), "wb", buffering=0)


def write_all(data: bytes, file: IO[bytes]) -> None:
    """Write this: an unbuffered file may take only a part at once. Raises `OSError`."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
