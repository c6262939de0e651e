"""A tiny MCP server on standard input: `python mcp_server.py [--stubborn]`."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Literal

from mcp.server.mcpserver import MCPServer
from mcp_types import ResourceLink, ToolAnnotations

server = MCPServer("tiny", log_level="ERROR")


@server.tool()
def add(a: int, b: int, unit: Literal["m", "km"] = "m") -> str:
    """Add two lengths."""
    return f"{a + b} {unit}"


@server.tool()
def environment(name: str) -> str:
    """Tell a variable of the environment."""
    return os.environ.get(name, "nothing")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def process() -> str:
    """Tell my number."""
    return str(os.getpid())


@server.tool(annotations=ToolAnnotations(destructive_hint=True), title="Delete the page")
def delete_page(page: str) -> str:
    """Delete a page."""
    return f"{page} is gone."


@server.tool()
def links() -> list[ResourceLink]:
    """Find pages."""
    return [ResourceLink(type="resource_link", name="Bern", uri="https://bern.example")]


@server.tool()
def numbers(count: int) -> dict[str, list[int]]:
    """Count."""
    return {"numbers": list(range(count))}


@server.tool()
def megabyte() -> str:
    """Say too much."""
    return "word " * 200_000


@server.tool()
def fail(word: str) -> str:
    """Fail."""
    raise ValueError(f"no {word} here")


@server.tool()
def die(code: int) -> str:
    """Die."""
    os._exit(code)


@server.tool()
def hang(mark: str) -> str:
    """Hang, and leave a mark that it was begun."""
    Path(mark).write_text(str(os.getpid()))
    threading.Event().wait()


if __name__ == "__main__":
    print("my password is swordfish", file=sys.stderr, flush=True)
    if "--stubborn" in sys.argv:  # goes on when its input ends, and when it is asked to stop
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        threading.Thread(target=threading.Event().wait, daemon=False).start()
    server.run()
