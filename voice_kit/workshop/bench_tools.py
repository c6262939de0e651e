"""What tool calls cost beside the model's time, through a server in a process of its own.

`python -m voice_kit.workshop.bench_tools [--rounds N] [--json]`. The server speaks OpenAI's chat
completions and answers at once: what is left is the client, the brain, the tool and loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from voice_kit.converse.line import Line
from voice_kit.converse.question import Question
from voice_kit.settings import Settings
from voice_kit.think.brain import Acting
from voice_kit.think.history import History
from voice_kit.think.llm_openai import OpenAIModel
from voice_kit.think.mcp_tools import McpServers
from voice_kit.think.tools import Tools, tool
from voice_kit.types import Event, ToolCall, ToolUsed
from voice_kit.workshop.fakes import Script, scripted

WARM = 5
"""Rounds that are not counted."""
PARTS = ['{"city": ', '"Bern', '"}']
"""The arguments of the call, as a server streams them."""


@tool()
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"Rain in {city}."


async def measure(rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each round, by what was done in it."""
    found: dict[str, list[float]] = {}
    used: list[ToolUsed] = []

    def watch(event: Event) -> None:
        if isinstance(event, ToolUsed):
            used.append(event)

    async with _started("--serve") as program:
        assert program.stdout is not None
        port = int(await program.stdout.readline())
        model = OpenAIModel(model="none", base_url=f"http://127.0.0.1:{port}/v1")

        asked = _questions(model, watch)

        def answer(brain: Acting) -> Callable[[], Awaitable[None]]:
            async def once() -> None:
                async with aclosing(brain.answer(asked())) as tokens:
                    said = [token async for token in tokens]
                assert said == ["It ", "rains."], said

            return once

        found["an answer without tools"] = await _timed(answer(Acting()), rounds)
        with_tools = answer(Acting(tools=Tools([weather])))
        found["a tool call and back"] = await _timed(with_tools, rounds)
    assert [event.result for event in used] == ["Rain in Bern."] * (rounds + WARM)
    found["of which the tool, in its thread"] = [event.took * 1000 for event in used[WARM:]]
    if importlib.util.find_spec("mcp") is not None:
        found["a tool of an MCP server"] = await _by_mcp(rounds)
    return found


async def _by_mcp(rounds: int) -> list[float]:
    command = [sys.executable, "-m", __spec__.name, "--mcp"]
    async with McpServers({"bench": {"command": command}}) as servers:
        tools = Tools(more=servers.tools)
        while not len(tools):  # it takes some seconds to start
            await tools.ready()
            await asyncio.sleep(0.1)
        call, asked = ToolCall("weather", {"city": "Bern"}), _questions(None, lambda event: None)

        async def once() -> None:
            result = await tools.use(asked(), call, time.perf_counter)
            assert result.said == "Rain in Bern.", result

        return await _timed(once, rounds)


async def _timed(work: Callable[[], Awaitable[None]], rounds: int) -> list[float]:
    took = []
    for _ in range(rounds + WARM):
        began = time.perf_counter()
        await work()
        took.append(1000 * (time.perf_counter() - began))
    return took[WARM:]


def _questions(model: OpenAIModel | None, watch: Callable[[Event], None]) -> Callable[[], Question]:
    """Makes questions as the loop does, of one conversation."""
    engines, settings = scripted(Script()), Settings()
    if model is not None:
        llm: Line[Any] = Line("llm", model)
        engines = replace(engines, llm=llm)
    certain = asyncio.Event()
    certain.set()

    def tell(event: Callable[..., Event], *fields: Any) -> None:
        watch(event(1, time.perf_counter(), *fields))

    return lambda: Question(
        "Will it rain in Bern?", settings, History(), engines.llm, certain, tell
    )


@asynccontextmanager
async def _started(*options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    command = [sys.executable, "-m", __spec__.name, *options]
    program = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    try:
        yield program
    finally:
        program.kill()
        await program.wait()


# The servers, each in a process of its own


async def serve() -> None:
    """Answer as a model that asks for the weather first, and never waits."""
    server = await asyncio.start_server(_connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


async def _connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            named = (line.lower().partition(b":") for line in head.splitlines())
            sizes = [int(value) for name, _, value in named if name == b"content-length"]
            body = b'{"data": [{"id": "none"}]}'
            if sizes:
                asked = json.loads(await reader.readexactly(sizes[0]))
                calls = bool(asked.get("tools")) and asked["messages"][-1]["role"] == "user"
                events = [*map(json.dumps, _chunks(calls)), "[DONE]"]
                body = "".join(f"data: {event}\n\n" for event in events).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _chunks(calls: bool) -> list[dict[str, Any]]:
    if not calls:
        deltas: list[dict[str, Any]] = [{"content": "It "}, {"content": "rains."}]
    else:
        pieces: list[dict[str, Any]] = [{"id": "call_1", "function": {"name": "weather"}}]
        pieces += [{"function": {"arguments": part}} for part in PARTS]
        deltas = [{"tool_calls": [{"index": 0, **piece}]} for piece in pieces]
    ended = {"index": 0, "delta": {}, "finish_reason": "tool_calls" if calls else "stop"}
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    return [{"id": "1", "choices": [choice]} for choice in [*choices, ended]]


def serve_mcp() -> None:
    """Offer the same tool to MCP clients, on standard input."""
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("bench", log_level="ERROR")
    server.tool()(weather.work)
    server.run()


def main() -> None:
    """Measure, or be the server that is measured with."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=200)
    options.add_argument("--json", action="store_true", help="the figures for a program")
    options.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options.add_argument("--mcp", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.serve:
        asyncio.run(serve())
    elif chosen.mcp:
        serve_mcp()
    else:
        figures = {
            name: dict(
                zip(("p50", "p95", "p99"), np.percentile(took, (50, 95, 99)).tolist(), strict=True)
            )
            for name, took in asyncio.run(measure(chosen.rounds)).items()
        }
        print(json.dumps(figures) if chosen.json else table(figures, chosen.rounds))


def table(figures: dict[str, dict[str, float]], rounds: int) -> str:
    """The figures, to be read."""
    lines = [f"{f'{rounds} rounds (ms)':<36}{'p50':>8}{'p95':>8}{'p99':>8}"]
    for name, of in figures.items():
        lines.append(f"{name:<36}" + "".join(f"{value:>8.2f}" for value in of.values()))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
