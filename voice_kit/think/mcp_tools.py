"""Tools of MCP servers, which other people wrote and other programs run."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, Self

from pydantic import ValidationError

from voice_kit.errors import SettingsError, install, need
from voice_kit.remote.clients import quiet
from voice_kit.think.mcp_session import McpServer, McpSession
from voice_kit.think.tools import LONGEST, Result, Tool, ToolError
from voice_kit.types import Source

PATIENCE = 1.0
"""Seconds that a turn waits for servers that have just been started; later they are there."""
AGAIN = 30.0
"""Seconds after which a server that could not be started is tried again."""
DESCRIBED = 1000
"""Characters of a tool's description that a model is told."""
_LOST = {-32000, -32001}
"""Codes of MCP: the connection was closed, a request timed out."""


class McpServers:
    """The servers of one conversation, started when tools are first wanted.

    Leaving `async with` ends them. `Tools(…, more=servers.tools)` lets a model use them. `problems`
    tells of those that cannot be used now: a sentence for each name.
    """

    def __init__(self, servers: Mapping[str, Mapping[str, Any]]) -> None:
        """Raises `SettingsError` for what is no server, `MissingEngineError` for no package."""
        if servers:
            need("MCP", "mcp", fix=install("mcp"))
        self._servers = [_Server(name, _read(name, given)) for name, given in servers.items()]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(each.ended() for each in self._servers))

    @property
    def problems(self) -> dict[str, str]:
        """Why a server cannot be used, by its name."""
        return {each.name: each.problem for each in self._servers if each.problem}

    async def settled(self) -> dict[str, int]:
        """How many tools each server has that could be started; the others are in `problems`.

        Starts them all, and waits until each is up or cannot be: half a minute at most.
        """
        await asyncio.gather(*(each.settled() for each in self._servers))
        return {each.name: len(each.tools()) for each in self._servers if not each.problem}

    async def tools(self, taken: Collection[str] = ()) -> list[Tool]:
        """The tools of the servers that are up; the others are started, and waited for a little.

        A name that is `taken`, or that two servers have, gets its server's name before it.
        """
        await asyncio.gather(*(each.started() for each in self._servers))
        listed = [(each, tool) for each in self._servers for tool in each.tools()]
        count = Counter(_name(tool.name) for _, tool in listed)
        found: dict[str, Tool] = {}
        for server, tool in listed:
            name = _name(tool.name)
            if count[name] > 1 or name in taken:
                name = _name(f"{server.name}_{tool.name}")
            if name not in taken:
                found.setdefault(name, server.as_tool(name, tool))
        return list(found.values())


class _Server:
    """One of them, through all the sessions that it takes."""

    def __init__(self, name: str, server: McpServer) -> None:
        self.name, self._server = name, server
        self.problem = ""
        self._session: McpSession | None = None
        self._ending: list[McpSession] = []
        self._known: list[Any] = []

    def tools(self) -> list[Any]:
        """Those it had when it was last up, that are wanted."""
        only = self._server.only
        return [each for each in self._known if not only or each.name in only]

    async def started(self) -> None:
        """Begin a session if there is none; wait for one that has just begun."""
        now = asyncio.get_running_loop().time()
        last = self._session
        if last is not None and last.is_over and self.problem and now < last.began + AGAIN:
            return
        session = self._begun()
        if not (session.up.done() or self._known):
            wait = max(0.0, session.began + PATIENCE - now)
            await asyncio.wait([session.up], timeout=wait)

    async def settled(self) -> None:
        """Begin a session if there is none, and wait until it is up or cannot be."""
        await asyncio.wait([self._begun().up])

    def _begun(self) -> McpSession:
        if self._session is None or self._session.is_over:
            self._ending = [each for each in self._ending if not each.is_gone]
            self._session = McpSession(self.name, self._server)
            self._ending.append(self._session)
            self._session.up.add_done_callback(self._note)
        return self._session

    def _note(self, up: asyncio.Future[tuple[Any, list[Any]]]) -> None:
        if up.cancelled():
            return
        error = up.exception()
        self.problem = str(error) if error else ""
        if error is None:
            self._known = up.result()[1]

    async def ended(self) -> None:
        """Return once all that was started is gone."""
        await asyncio.gather(*(each.ended() for each in self._ending))

    def as_tool(self, name: str, listed: Any) -> Tool:
        """A tool of this server, as the rest of us know tools."""

        async def work(**arguments: Any) -> Result:
            return await self._call(listed.name, arguments)

        return Tool(
            name,
            (listed.description or listed.title or listed.name)[:DESCRIBED],
            listed.input_schema,
            work,
            dict,  # the server checks them
            self._server.seconds + 2,  # ours comes first: it knows which server hangs
            _question(self.name, listed) if _asks(listed.annotations, self._server.ask) else None,
            stops="async",
            outside=True,
        )

    async def _call(self, tool: str, arguments: dict[str, Any]) -> Result:
        from mcp.shared.exceptions import MCPError

        session = self._begun()
        try:
            async with asyncio.timeout(self._server.seconds):
                client, _ = await asyncio.shield(session.up)
                with quiet():
                    answer = await client.call_tool(tool, arguments)
        except TimeoutError as error:
            session.end()
            raise ToolError(
                f"The tool server “{self.name}” did not answer within "
                f"{self._server.seconds:g} seconds."
            ) from error
        except MCPError as error:
            if error.code not in _LOST and "session" not in error.message.lower():
                raise ToolError(f"{self.name}: {error.message[:300]}") from error
            session.end()
            raise self._lost() from error
        except ToolError:
            raise
        except Exception as error:  # of the transport, or an answer that is none
            session.end()
            raise self._lost() from error
        text, sources = _text(answer)
        return Result(text or "Done.", sources=sources, worked=not answer.is_error)

    def _lost(self) -> ToolError:
        return ToolError(f"The tool server “{self.name}” broke off; ask again, and it starts anew.")


def _read(name: str, given: Mapping[str, Any]) -> McpServer:
    try:
        return McpServer.model_validate(dict(given))
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, ("tools.servers", name, *problem["loc"])))
        raise SettingsError(f"{where}: {problem['msg']}.") from error


def _name(text: str) -> str:
    """A name that every provider of models takes."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:64]


def _asks(hints: Any, ask: bool | None) -> bool:
    if ask is None:
        return bool(hints and hints.destructive_hint and not hints.read_only_hint)
    return ask and not (hints and hints.read_only_hint)


def _question(server: str, listed: Any) -> Callable[..., str]:
    title = (listed.title or listed.name).replace("_", " ")[:60]

    def asks(**arguments: Any) -> str:
        given = ", ".join(f"{name} {value}" for name, value in arguments.items())[:120]
        return f"Shall I let {server} do “{title}”{f' with {given}' if given else ''}?"

    return asks


def _text(answer: Any) -> tuple[str, tuple[Source, ...]]:
    """What an answer says in words, and what it points at."""
    texts: list[str] = []
    sources: list[Source] = []
    for block in answer.content:
        match block.type:
            case "text":
                texts.append(block.text)
            case "resource" if hasattr(block.resource, "text"):
                texts.append(block.resource.text)
            case "resource_link":
                texts.append(block.title or block.name)
                sources.append(Source(block.title or block.name, str(block.uri)))
            case kind:
                texts.append(f"({'an' if kind[0] in 'aeiou' else 'a'} {kind})")
    if not texts and answer.structured_content is not None:
        return Result("", answer.structured_content).told, ()
    return "\n".join(texts)[: 4 * LONGEST], tuple(sources)
