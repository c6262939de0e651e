"""The end of tasks, which may be awaited or not."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any


class Ending:
    """What `stop` gives: it may be awaited."""

    def __init__(self, *tasks: asyncio.Task[None] | None) -> None:
        self._tasks = [task for task in tasks if task is not None]

    def __await__(self) -> Generator[Any, None, None]:
        if self._tasks:
            yield from asyncio.wait(self._tasks).__await__()

    def __repr__(self) -> str:
        return "stopped" if all(task.done() for task in self._tasks) else "stopping"
