"""What an Ollama server has, which of it is best, and how to get more."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from voice_kit.errors import (
    EngineFailedError,
    MissingEngineError,
    SettingsError,
)
from voice_kit.remote import servers

BEST = "qwen3:1.7b"
"""1.4 GB; quick and good enough to talk to on a laptop."""
PREFERRED = (BEST, "qwen3", "gemma3", "llama3.2", "qwen2.5", "phi4-mini", "mistral", "mixtral")
"""What `here` takes of what is installed, best first: a voice assistant must be quick."""


def address(host: str | None = None) -> str:
    """The URL of an Ollama server, from what Ollama's own tools accept: "gpu-box", ":11435", …"""
    given = (host or os.environ.get("OLLAMA_HOST") or "").strip()
    scheme, slashes, rest = given.partition("://")
    if not slashes:
        scheme, rest = "http", given
    default = {"http": 80, "https": 443}.get(scheme, 0) if slashes else 11434
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        name, port = parts.hostname or "127.0.0.1", parts.port or default
        if not port or any(letter.isspace() for letter in given):
            raise ValueError("no address")
    except ValueError as error:
        raise SettingsError(
            f"“{given}” is no address of an Ollama server. Try one such as http://127.0.0.1:11434."
        ) from error
    if name in ("0.0.0.0", "::"):  # where a server listens, not where it can be reached
        name = "127.0.0.1"
    name = f"[{name}]" if ":" in name else name
    return f"{scheme}://{name}:{port}{parts.path.rstrip('/')}"


def installed(server: str) -> list[Mapping[str, Any]]:
    """What an Ollama server says of each of its models, within half a second.

    Raises `MissingEngineError`, with how to start one, when no server answers there.
    """
    try:
        models = servers.ask(f"{server}/api/tags", headers=authorization())["models"]
        return [model for model in models or [] if isinstance(model["name"], str)]
    except OSError as error:
        raise MissingEngineError(f"Ollama at {server}", fix=how_to_start(server)) from error
    except (ValueError, TypeError, KeyError) as error:
        raise MissingEngineError(
            f"Ollama at {server}", fix="another host: the server there is not Ollama"
        ) from error


def best(models: Sequence[Mapping[str, Any]]) -> str:
    """The model to talk to, by `PREFERRED`, else the first that can talk; "" when none can.

    One that the server would pass on to another company is never taken unasked.
    """
    names = [str(model["name"]) for model in models if _talks(model) and not _elsewhere(model)]
    for wanted in PREFERRED:
        for name in names:
            if wanted in (name, name.partition(":")[0]):
                return name
    return names[0] if names else ""


def has(models: Sequence[Mapping[str, Any]], model: str) -> bool:
    """Whether a model is among these. No tag means the tag "latest"."""
    full = model if ":" in model.rpartition("/")[2] else f"{model}:latest"
    return any(full == found["name"] for found in models)


def pull(
    model: str,
    *,
    ask: Callable[[str], bool],
    progress: Callable[[float, str], None],
    host: str | None = None,
) -> bool:
    """Download a model onto the server, if `ask` says yes to a question; whether it did.

    `progress` is told the part that is there, in [0, 1], never falling, and what happens. Raises
    `MissingEngineError` when there is no such model or no server, `EngineFailedError` when the
    download breaks off; a later one goes on where it stopped.
    """
    import httpx
    import ollama

    server = address(host)
    if not ask(f"{model} is not there yet. Download it with Ollama, usually 1 to 5 GB?"):
        return False
    timeout = httpx.Timeout(60, connect=servers.CONNECT)
    client = ollama.Client(server, timeout=timeout, trust_env=not servers.near(server))
    layers: dict[str, tuple[int, int]] = {}
    part, status = 0.0, ""
    try:
        with client:
            for step in client.pull(model, stream=True):
                status = step.status or ""
                if step.digest and step.total:
                    layers[step.digest] = step.completed or 0, step.total
                    loaded, total = map(sum, zip(*layers.values(), strict=True))
                    part = max(part, loaded / total)
                progress(part, status)
    except (httpx.ConnectError, ConnectionError) as error:
        raise MissingEngineError(f"Ollama at {server}", fix=how_to_start(server)) from error
    except ollama.ResponseError as error:
        if "does not exist" in error.error or "not found" in error.error:
            raise MissingEngineError(
                f"ollama:{model}", fix="a name from https://ollama.com/library"
            ) from error
        raise _download_failed(model) from error
    except (httpx.HTTPError, OSError, ValueError, TypeError, AttributeError) as error:
        raise _download_failed(model) from error
    if status != "success":
        raise _download_failed(model)
    progress(1.0, status)
    return True


def pull_in_terminal(model: str, host: str | None = None) -> bool:
    """Ask in the terminal, then download with a progress bar; without a terminal nothing happens.

    Give it to `Ollama(pull=...)`.
    """
    from rich.console import Console
    from rich.progress import Progress
    from rich.prompt import Confirm

    console = Console(stderr=True)
    if not (console.is_terminal and sys.stdin.isatty()):
        return False
    bars = Progress(console=console, transient=True)
    bar = bars.add_task(model, total=1.0)

    def ask(question: str) -> bool:
        yes = Confirm.ask(question, console=console, default=False)
        if yes:
            bars.start()
        return yes

    def progress(part: float, status: str) -> None:
        bars.update(bar, completed=part, description=f"{model}: {status}")

    try:
        return pull(model, host=host, ask=ask, progress=progress)
    finally:
        bars.stop()


def _download_failed(model: str) -> EngineFailedError:
    return EngineFailedError(
        f"ollama:{model}", "the download broke off", fix=f"ollama pull {model}, which goes on"
    )


def _talks(model: Mapping[str, Any]) -> bool:
    family = str((model.get("details") or {}).get("family") or "")
    return "embed" not in str(model["name"]) and "bert" not in family


def _elsewhere(model: Mapping[str, Any]) -> bool:
    return bool(model.get("remote_host")) or str(model["name"]).endswith("cloud")


def authorization() -> dict[str, str]:
    """The header that a server behind a key wants, from OLLAMA_API_KEY."""
    return servers.bearer(os.environ.get("OLLAMA_API_KEY", ""))


def how_to_start(server: str) -> str:
    """What to do when no server answers."""
    if urlsplit(server).hostname in ("127.0.0.1", "localhost", "::1"):
        return "start it with `ollama serve`, or get it from https://ollama.com/download"
    return f"start `ollama serve` there, or check the address {server}"
