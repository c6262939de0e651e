"""Language models that an Ollama server runs, on this machine or another."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from voice_kit.errors import (
    EngineFailedError,
    MissingEngineError,
    need,
)
from voice_kit.remote.clients import PerLoop, quietly
from voice_kit.remote.servers import CONNECT, Server, ask, near
from voice_kit.think.acting import Described
from voice_kit.think.calls import (
    MOST,
    as_ollama,
    call,
    refusal_of_tools,
    with_or_without,
)
from voice_kit.think.llm_ollama_models import (
    BEST,
    address,
    authorization,
    best,
    has,
    how_to_start,
    installed,
)
from voice_kit.think.llm_ollama_tools import for_ollama
from voice_kit.think.spoken import only_spoken
from voice_kit.types import Message, Stops, ToolCall


class Ollama:
    """A model of an Ollama server, answering token by token.

    `model` "" is the best that the server has; `host` defaults to OLLAMA_HOST, then to this
    machine. `keep_alive` is how long the server keeps the model in memory. `think` reaches only
    models that can, and their thinking is never said; without it they answer sooner. `num_ctx` is
    the tokens the model can see, 0 for the server's choice; `options` are more of Ollama's, such
    as `{"temperature": 0}`. A missing model is an error, unless `pull` is given: it is called with
    the model and the server and says whether the model is there now; `pull_in_terminal` is one.
    """

    stops: Stops = "async"
    calls_tools = True

    def __init__(
        self,
        model: str = "",
        *,
        host: str | None = None,
        keep_alive: float | str = "30m",
        think: bool | str = False,
        num_ctx: int = 0,
        options: Mapping[str, Any] | None = None,
        pull: Callable[[str, str], bool] | None = None,
    ) -> None:
        _need_package()
        import ollama

        url = address(host)
        self._model = _usable(model, url, pull)
        self.name = f"ollama:{self._model}"
        self._server = Server(
            self.name, url, sends="answer of Ollama", kind="Ollama", start=how_to_start(url)
        )
        able = _abilities(self._model, url)
        self.calls_tools = able is None or "tools" in able
        self._more: dict[str, Any] = {
            "model": self._model,
            "stream": True,
            "keep_alive": keep_alive,
            "think": think if "thinking" in (able or ()) else None,  # else it is refused
            "options": {**({"num_ctx": num_ctx} if num_ctx else {}), **(options or {})},
        }

        def client() -> ollama.AsyncClient:
            import httpx

            timeout = httpx.Timeout(None, connect=CONNECT)
            return ollama.AsyncClient(url, timeout=timeout, trust_env=not near(url))

        self._clients = PerLoop(client, ollama.AsyncClient.close)

    @classmethod
    def here(cls, host: str | None = None) -> str:
        """The best model that the server has now."""
        _need_package()
        return _usable("", address(host), None)

    def reply(
        self, messages: Sequence[Message], tools: Sequence[Described] = ()
    ) -> AsyncGenerator[str | ToolCall, None]:
        """The answer, token by token, then the calls. Closing it closes the request, and the server
        stops. A model that cannot be told of tools answers without them from then on.
        """
        ask = partial(self._tokens, messages)
        return only_spoken(quietly(with_or_without(self, tools, ask)))

    async def _tokens(
        self, messages: Sequence[Message], tools: Sequence[Described]
    ) -> AsyncGenerator[str | ToolCall, None]:
        client = await self._clients.get()
        asked: dict[str, Any] = {"messages": as_ollama(messages, tools=bool(tools))}
        if tools:
            asked["tools"] = for_ollama(tools)
        calls: list[ToolCall] = []
        done = False
        try:
            parts: Any = await client.chat(**asked, **self._more)
            async with aclosing(parts):
                async for part in parts:
                    done = done or bool(part.done)
                    for each in part.message.tool_calls or ():
                        calls.append(call(each.function.name, each.function.arguments))
                    if part.message.content:
                        yield part.message.content
        except Exception as error:
            raise self._problem(error, told=bool(tools)) from error
        if not done:
            raise self._server.broke_off()
        for each in calls[:MOST]:
            yield each

    def _problem(self, error: Exception, *, told: bool) -> Exception:
        import ollama

        match error:
            case ollama.ResponseError() if told and (
                refusal := refusal_of_tools(error.status_code, error.error)
            ):
                return refusal
            case ollama.ResponseError(status_code=404):
                return MissingEngineError(self.name, fix=f"ollama pull {self._model}")
            case ollama.ResponseError() if "memory" in error.error:
                return EngineFailedError(
                    self.name, "the model does not fit into memory", fix=f"ollama pull {BEST}"
                )
            case ollama.ResponseError():
                status = f" ({error.status_code})" if error.status_code > 0 else ""
                return EngineFailedError(
                    self.name,
                    f"the server could not answer{status}",
                    fix="see what `ollama serve` says, or restart it",
                )
        return self._server.problem(error)


def _usable(model: str, server: str, pull: Callable[[str, str], bool] | None) -> str:
    models = installed(server)
    if model and has(models, model):
        return model
    if not model and (found := best(models)):
        return found
    wanted = model or BEST
    if pull is not None and pull(wanted, server) and has(installed(server), wanted):
        return wanted
    raise MissingEngineError(f"ollama:{wanted}", fix=f"ollama pull {wanted}")


def _abilities(model: str, server: str) -> list[str] | None:
    """What the server says that the model can do; None from an old server, which does not say."""
    try:
        answer = ask(f"{server}/api/show", headers=authorization(), body={"model": model})
        return list(answer["capabilities"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _need_package() -> None:
    need("Ollama's client", "ollama", fix="pip install ollama")
