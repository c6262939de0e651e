"""Language models of a hundred providers, through LiteLLM."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from functools import partial
from importlib import import_module
from typing import Any

from voice_kit.errors import EngineFailedError, MissingEngineError, install, need
from voice_kit.remote.clients import quiet, quietly
from voice_kit.remote.servers import free
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


class LiteLLM:
    """A model of any provider that LiteLLM knows, answering token by token.

    `model` is "provider/model", as in "litellm:anthropic/claude-haiku" or "litellm:gemini/…"; the
    provider's key is taken from the environment variable that LiteLLM names, or from `api_key`.
    `api_base` is the address of a server of your own. `options` are more of what
    `litellm.acompletion` takes, such as `{"temperature": 0}`. `speculative` is whether it may think
    behind the closed gate of an answer that is perhaps thrown away: sooner heard, and by default
    only where the server is known to be in the same room, for a provider bills each question.
    Loading takes some seconds.
    """

    stops: Stops = "async"
    calls_tools = True

    def __init__(
        self,
        model: str = "",
        *,
        api_base: str | None = None,
        api_key: str | None = None,
        options: Mapping[str, Any] | None = None,
        speculative: bool | None = None,
    ) -> None:
        _need_package()
        if not model:
            raise MissingEngineError("litellm", fix="name a model, as in “litellm:PROVIDER/MODEL”")
        self.name = f"litellm:{model}"
        self._litellm = _loaded()
        self._litellm.suppress_debug_info = True  # else each error prints a banner
        with quiet():
            usual = self._check(model, own_server=bool(api_base), own_key=bool(api_key))
        self.speculative = free(api_base or usual, speculative)
        given = {"api_base": api_base, "api_key": api_key}
        self._call = {
            "model": model,
            "stream": True,
            "max_retries": 0,  # a retry inside a turn only adds to the silence
            "num_retries": 0,
            **{name: value for name, value in given.items() if value},
            **(options or {}),
        }

    @classmethod
    def here(cls, model: str = "") -> str:
        """The model given: there is none that LiteLLM could take unasked."""
        _need_package()
        if not model:
            raise MissingEngineError("litellm", fix="name a model, as in “litellm:PROVIDER/MODEL”")
        return model

    def reply(
        self, messages: Sequence[Message], tools: Sequence[Described] = ()
    ) -> AsyncGenerator[str | ToolCall, None]:
        """The answer, token by token, then the calls. Closing it closes the request.

        A model that cannot be told of tools answers without them from then on.
        """
        ask = partial(self._tokens, messages)
        return only_spoken(quietly(with_or_without(self, tools, ask)))

    async def _tokens(
        self, messages: Sequence[Message], tools: Sequence[Described]
    ) -> AsyncGenerator[str | ToolCall, None]:
        asked: dict[str, Any] = {"messages": as_openai(messages, tools=bool(tools))}
        if tools:
            asked["tools"] = described(tools)
        calls, answered = Calls(), False
        try:
            answer: Any = await self._litellm.acompletion(**asked, **self._call)
            async with aclosing(answer):
                async for chunk in answer:
                    for choice in chunk.choices[:1]:
                        if pieces := getattr(choice.delta, "tool_calls", None):
                            answered = True
                            calls.feed(piece.model_dump() for piece in pieces)
                        if choice.delta.content:
                            answered = True
                            yield choice.delta.content
                        answered = answered or bool(getattr(choice.delta, "reasoning_content", ""))
        except Exception as error:  # LiteLLM lets errors of its providers' libraries through
            raise self._problem(error, answered, told=bool(tools)) from error
        if not answered:  # LiteLLM ends what it cannot read as if it were an empty answer
            raise EngineFailedError(
                self.name, "there was no answer in what came back", fix="check the model's name"
            )
        for call in calls.whole():
            yield call

    def _check(self, model: str, *, own_server: bool, own_key: bool) -> str:
        """The address that the provider's library would use, where LiteLLM knows it."""
        try:
            *_, url = self._litellm.get_llm_provider(model)
        except Exception as error:
            raise MissingEngineError(
                self.name,
                fix="“litellm:PROVIDER/MODEL” from https://docs.litellm.ai/docs/providers",
            ) from error
        if not (own_server or own_key):
            missing = self._litellm.validate_environment(model)["missing_keys"]
            if keys := [name for name in missing if name.endswith(("_KEY", "_TOKEN"))]:
                raise MissingEngineError(self.name, fix=f"set {' and '.join(keys)}")
        return url or ""

    def _problem(self, error: Exception, answered: bool, *, told: bool) -> Exception:
        import openai  # the family that LiteLLM's errors belong to

        match error:
            case _ if answered:
                return EngineFailedError(self.name, "the answer broke off", fix="ask again")
            case openai.APIStatusError() if told and (
                refusal := refusal_of_tools(error.status_code, str(error))
            ):
                return refusal
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return MissingEngineError(self.name, fix="a valid key of the provider")
            case openai.NotFoundError():
                return MissingEngineError(self.name, fix="a model that the provider has")
            case openai.RateLimitError():
                return EngineFailedError(
                    self.name, "its limit is used up", fix="wait a little, or check your plan there"
                )
            case openai.APIConnectionError() | openai.InternalServerError():
                return EngineFailedError(
                    self.name,
                    "the provider could not be reached, or is in trouble",
                    fix="check the network and the api_base",
                )
            case openai.APIStatusError():
                return EngineFailedError(
                    self.name,
                    f"the provider refused ({error.status_code})",
                    fix="check the model and the options",
                )
        return EngineFailedError(self.name, "it could not answer", fix="ask again")


def _loaded() -> Any:
    with quiet(), _contained():
        return import_module("litellm")


@contextmanager
def _contained() -> Iterator[None]:
    """Load LiteLLM without its look on the internet for prices, without the .env file that it would
    put into the environment, and without its hold on what others log of their HTTP requests."""
    loggers = [logging.getLogger(name) for name in (None, "httpx", "httpcore")]
    logged = [(logger, logger.level, list(logger.filters)) for logger in loggers]
    names = ("LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_MODE")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_MODE="PRODUCTION")
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        for logger, level, filters in logged:
            logger.setLevel(level)
            logger.filters[:] = filters


def _need_package() -> None:
    need("LiteLLM", "litellm", fix=install("litellm"))
