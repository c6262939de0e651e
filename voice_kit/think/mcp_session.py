"""One connection to an MCP server, begun and ended in a task of its own."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from voice_kit.remote.clients import quiet
from voice_kit.remote.servers import CONNECT, near
from voice_kit.think.tools import ToolError

STARTING = 30.0
"""Seconds that a server has to start: `npx` and `uvx` may load it from afar first."""
PAGES = 20
"""Pages of its list of tools that are read."""


class McpServer(BaseModel):
    """How to reach an MCP server: what `tools.servers` in the settings holds for each name.

    "$NAME" in `env` and `headers` is taken from the environment, so that no key is in the settings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: tuple[str, ...] = ()
    """The program to start and its arguments; it is spoken to on its standard input."""
    url: str = Field(default="", pattern="^$|^https?://")
    """The address of one that runs already (streamable HTTP)."""
    env: dict[str, str] = {}
    folder: str = ""
    """Where the program runs."""
    headers: dict[str, str] = {}
    only: tuple[str, ...] = ()
    """The tools that are used, by name; all of them if empty."""
    ask: bool | None = None
    """Whether they ask aloud first: those that the server calls destructive, or with true all
    that it does not call read-only, or with false none."""
    seconds: float = Field(default=10.0, gt=0)
    """How long one call may take."""

    @model_validator(mode="after")
    def _is_one_of_two(self) -> McpServer:
        if bool(self.command) == bool(self.url):
            raise ValueError("give it a command or a url")
        return self


class McpSession:
    """A connection that is begun at once and lasts until `end()`, or until the server ends it.

    The library enters and leaves cancel scopes, which must happen in one task: this one's.
    """

    def __init__(self, name: str, server: McpServer) -> None:
        self.name, self._server = name, server
        loop = asyncio.get_running_loop()
        self.began = loop.time()
        self.up: asyncio.Future[tuple[Any, list[Any]]] = loop.create_future()
        """The library's client and its list of tools. Its error is a `ToolError`."""
        self.up.add_done_callback(lambda up: up.cancelled() or up.exception())
        self._over = asyncio.Event()
        with quiet():  # a task of this context logs nothing that was said
            self._task = asyncio.create_task(self._live(), name=f"MCP {name}")

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or is to end: no use to call anything."""
        return self._over.is_set() or self._task.done()

    @property
    def is_gone(self) -> bool:
        """Whether it has ended, and all that it started with it."""
        return self._task.done()

    def end(self) -> None:
        """Let it end by itself; `ended` waits for it."""
        self._over.set()

    async def ended(self) -> None:
        """Return once the connection is closed and a program that was started is gone."""
        self.end()
        await asyncio.wait([self._task])

    async def _live(self) -> None:
        try:
            async with asyncio.timeout(STARTING) as limit, _client(self._server) as client:
                tools = await _listed(client)
                limit.reschedule(None)
                self.up.set_result((client, tools))
                await self._over.wait()
        except Exception as error:
            problem = self._problem(error)
            problem.__cause__ = error
            if not self.up.done():
                self.up.set_exception(problem)
        finally:
            self._over.set()
            self.up.cancel()

    def _problem(self, error: BaseException) -> ToolError:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        place = f"tools.servers.{self.name}"
        if isinstance(error, ToolError):
            return error
        if isinstance(error, TimeoutError):
            return ToolError(
                f"The tool server “{self.name}” did not start within {STARTING:g} seconds. "
                f"Try: start it by hand, and see {place} in the settings."
            )
        if self._server.url:
            return ToolError(
                f"The tool server “{self.name}” could not be reached. Try: start it, or check "
                f"{place} in the settings."
            )
        what = "is not there" if isinstance(error, OSError) else "gave up or speaks no MCP"
        return ToolError(
            f"The tool server “{self.name}” could not be started: its command {what}. "
            f"Try: run it by hand, or mend {place} in the settings."
        )


async def _listed(client: Any) -> list[Any]:
    found: list[Any] = []
    cursor = None
    for _ in range(PAGES):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        if not (cursor := page.next_cursor):
            break
    return found


@asynccontextmanager
async def _client(server: McpServer) -> AsyncIterator[Any]:
    mcp, stdio, streamable, httpx = await asyncio.to_thread(_libraries)
    async with AsyncExitStack() as stack:
        if server.url:
            client = httpx.AsyncClient(
                headers={name: os.path.expandvars(text) for name, text in server.headers.items()},
                timeout=httpx.Timeout(STARTING, connect=CONNECT, read=300.0),
                trust_env=not near(server.url),
            )
            await stack.enter_async_context(client)
            transport = streamable.streamable_http_client(server.url, http_client=client)
        else:
            program, *arguments = server.command
            parameters = stdio.StdioServerParameters(
                command=_at_home(program),
                args=arguments,
                env={name: os.path.expandvars(text) for name, text in server.env.items()},
                cwd=_at_home(server.folder) or None,
            )
            # What it writes beside its answers may repeat what was said.
            transport = stdio.stdio_client(parameters, errlog=subprocess.DEVNULL)
        yield await stack.enter_async_context(mcp.Client(transport))


def _at_home(path: str) -> str:
    return str(Path(path).expanduser()) if path.startswith("~") else path


def _libraries() -> list[Any]:
    """Load what a client needs, which takes a second: the last two else at its first answer."""
    names = ("mcp.client.client", "mcp.client.stdio", "mcp.client.streamable_http", "httpx2")
    return [import_module(name) for name in (*names, "jsonschema.validators", "referencing")][:4]
