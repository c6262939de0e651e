"""Language models behind any server that speaks OpenAI's chat completions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from voice_kit.errors import MissingEngineError, VoiceKitError, install, need
from voice_kit.remote.clients import PerLoop, quietly
from voice_kit.remote.servers import CONNECT, Server, ask, bearer, free, near, openai_server
from voice_kit.think.acting import Described
from voice_kit.think.calls import (
    Calls,
    as_openai,
    described,
    refusal_of_tools,
    with_or_without,
)
from voice_kit.think.spoken import only_spoken
from voice_kit.types import Message, Stops, ToolCall


class OpenAIModel:
    """A model of an OpenAI-compatible server, answering token by token.

    `base_url` defaults to OPENAI_BASE_URL, then to OpenAI; `api_key` to OPENAI_API_KEY. A server
    in the same room needs no key, and `model` "" is the first it has. `options` are more fields
    of the request, such as `{"temperature": 0}`. `speculative` is whether it may think behind the
    closed gate of an answer that is perhaps thrown away: sooner heard, and by default only where
    the server is in the same room, for a far one bills each question. In voice-kit.toml, under
    `[options.openai]`:

        base_url = "http://localhost:1234/v1"         # LM Studio
        base_url = "http://localhost:8080/v1"         # llama.cpp's llama-server
        base_url = "https://openrouter.ai/api/v1"     # OpenRouter
        base_url = "https://api.groq.com/openai/v1"   # Groq
    """

    stops: Stops = "async"
    calls_tools = True

    def __init__(
        self,
        model: str = "",
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        options: Mapping[str, Any] | None = None,
        speculative: bool | None = None,
    ) -> None:
        _need_package()
        import openai

        url, key = openai_server(base_url, api_key)
        self.speculative = free(url, speculative)
        self._model = _model(model, url, key)
        self.name = f"openai:{self._model}"
        self._server = Server(self.name, url, sends="chat completion")
        self._options = dict(options or {})

        def client() -> openai.AsyncOpenAI:
            timeout = openai.Timeout(None, connect=CONNECT)
            http = openai.DefaultAsyncHttpxClient(timeout=timeout, trust_env=not near(url))
            # A retry inside a turn only adds to the silence; the loop has other engines.
            return openai.AsyncOpenAI(
                base_url=url,
                api_key=key or "none",  # it insists on one
                timeout=timeout,
                max_retries=0,
                http_client=http,
            )

        self._clients = PerLoop(client, openai.AsyncOpenAI.close)

    @classmethod
    def here(cls, model: str = "", base_url: str | None = None, api_key: str | None = None) -> str:
        """The model to be used: the one given, or the first of a server in the same room."""
        _need_package()
        url, key = openai_server(base_url, api_key)
        return _model(model, url, key)

    def reply(
        self, messages: Sequence[Message], tools: Sequence[Described] = ()
    ) -> AsyncGenerator[str | ToolCall, None]:
        """The answer, token by token, then the calls. Closing it closes the request.

        A model or a server that cannot be told of tools answers without them from then on.
        """
        ask = partial(self._tokens, messages)
        return only_spoken(quietly(with_or_without(self, tools, ask)))

    async def _tokens(
        self, messages: Sequence[Message], tools: Sequence[Described]
    ) -> AsyncGenerator[str | ToolCall, None]:
        client = await self._clients.get()
        asked: dict[str, Any] = {"messages": as_openai(messages, tools=bool(tools))}
        if tools:
            asked["tools"] = described(tools)
        calls, finished = Calls(), False
        try:
            async with client.chat.completions.with_streaming_response.create(
                # As “extra”, because the client takes milliseconds to look through what is not.
                model=self._model,
                messages=[],
                stream=True,
                extra_body={**asked, **self._options},
            ) as response:
                # The client's own stream drops the connection at the end of each answer
                # (version 2), and opening one to a far server costs a tenth of a second.
                lines = response.iter_lines()
                async for line in lines:
                    if not line.startswith("data:"):
                        continue
                    data = line.removeprefix("data:").strip()
                    if data == "[DONE]":
                        finished = True
                        await _drain(lines)
                        break
                    chunk = json.loads(data)
                    if chunk.get("error"):
                        raise self._server.broke_off()
                    for choice in chunk["choices"][:1]:  # none in a chunk that tells the usage
                        finished = finished or choice.get("finish_reason") is not None
                        delta = choice["delta"] or {}
                        calls.feed(delta.get("tool_calls"))
                        if token := delta.get("content"):
                            yield token
        except VoiceKitError:
            raise
        except Exception as error:  # version 2 lets httpx's errors through, version 3 httpx2's
            raise self._problem(error, told=bool(tools)) from error
        if not finished:
            raise self._server.broke_off()
        for call in calls.whole():
            yield call

    def _problem(self, error: Exception, *, told: bool) -> Exception:
        import openai

        match error:
            case openai.APIStatusError() if told and (
                refusal := refusal_of_tools(error.status_code, f"{error.message} {error.body}")
            ):
                return refusal
            case openai.APIStatusError():
                return self._server.refused(error.status_code)
            case openai.APIConnectionError():
                return self._server.problem(error.__cause__ or error)
        return self._server.problem(error)


async def _drain(lines: AsyncIterator[str]) -> None:
    """Read to the end, so that the connection can be used again, but do not wait for it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            async for _ in lines:
                pass


def _need_package() -> None:
    need("The OpenAI client", "openai", fix=install("openai"))


def _model(model: str, url: str, key: str) -> str:
    """The model itself, once a near server was seen to be there."""
    if not near(url):
        if not model:
            raise MissingEngineError("openai", fix="name one of its models, as in “openai:MODEL”")
        return model
    try:
        listed = ask(f"{url}/models", headers=bearer(key))
        names = [entry["id"] for entry in listed["data"] if isinstance(entry["id"], str)]
    except OSError as error:
        raise MissingEngineError(
            f"The server at {url}", fix="start it, or check the address and the key"
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise MissingEngineError(
            f"The server at {url}", fix="another base_url: it is not OpenAI-compatible"
        ) from error
    can_talk = [name for name in names if "embed" not in name]
    if not (model or can_talk):
        raise MissingEngineError(f"A model at {url}", fix="load one in the server")
    return model or can_talk[0]
