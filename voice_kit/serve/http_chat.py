"""The language model, as OpenAI's clients ask for it."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request, Response

from voice_kit.converse.line import Line
from voice_kit.converse.steps import StageFailedError, stream
from voice_kit.serve.chat_request import ChatRequest
from voice_kit.serve.guests import shared_of
from voice_kit.serve.pouring import Pour, Poured, event
from voice_kit.serve.problems import PROBLEMS, ComputingRoute, Problem, problem_of
from voice_kit.serve.refused import openai_error
from voice_kit.serve.standing_in import first_that_works
from voice_kit.think.history import MARKS, estimated_tokens
from voice_kit.think.protocols import LanguageModel
from voice_kit.types import Message, ToolCall

router = APIRouter(route_class=ComputingRoute, responses=PROBLEMS, tags=["OpenAI"])

ANSWER: dict[str, Any] = {
    "description": "The answer; as server-sent events where `stream` is asked for.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["id", "object", "created", "model", "choices", "usage"],
            }
        },
        "text/event-stream": {},
    },
}


@router.post("/v1/chat/completions", response_class=Response, responses={200: ANSWER})
async def completions(request: Request, wanted: ChatRequest) -> Poured:
    """The language model's answer, without the assistant's skills and memory.

    Tokens are estimated, four letters each: engines do not tell. Leaving stops the engine.
    """
    shared = shared_of(request)
    llm, failed = shared.engines_for_one().llm, shared.metrics.failed
    answer = Answer(wanted, llm, shared.settings.timeouts.llm, failed)

    async def whole(pour: Pour) -> None:
        async with aclosing(answer.parts()) as parts:
            async for _ in parts:
                pass
        await pour.json(answer.completion())

    async def streamed(pour: Pour) -> None:
        try:
            async with aclosing(answer.parts()) as parts:
                async for delta in parts:
                    if not pour.begun:
                        await pour(answer.event({"role": "assistant", "content": ""}))
                    await pour(answer.event(delta))
        except StageFailedError as failure:
            if not pour.begun:
                raise
            await pour(_broken(failure))
            return
        if not pour.begun:
            await pour(answer.event({"role": "assistant", "content": ""}))
        await pour(answer.event({}, answer.finish))
        if wanted.stream_options and wanted.stream_options.include_usage:
            await pour(event({**answer.head("chat.completion.chunk"), "choices": [],
                               "usage": answer.usage()}))  # fmt: skip
        await pour(b"data: [DONE]\n\n")

    if wanted.stream:
        return Poured(streamed, "text/event-stream")
    return Poured(whole)


class Answer:
    """An answer in the making."""

    def __init__(
        self,
        wanted: ChatRequest,
        llm: Line[LanguageModel],
        limit: float,
        failed: Callable[[str], None],
    ) -> None:
        self.text = ""
        self.calls: list[ToolCall] = []
        self.finish = "stop"
        """Why it ended: stop, length or tool_calls."""
        self._messages, self._tools = wanted.as_messages(), wanted.offered()
        if self._tools and not getattr(llm.current, "calls_tools", False):
            raise Problem(f"{llm.name} uses no tools. Leave `tools` out.", param="tools")
        self._wanted, self._llm, self._limit, self._failed = wanted, llm, limit, failed
        self._id, self._made = f"chatcmpl-{uuid4().hex}", int(time.time())

    async def parts(self) -> AsyncGenerator[dict[str, Any], None]:
        """What is added to the message, piece by piece. Closing it closes the engine's work."""

        def reply(llm: LanguageModel) -> AsyncGenerator[Any, None]:
            can: Any = llm
            tools = (self._tools,) if self._tools and getattr(llm, "calls_tools", False) else ()
            return stream("llm", llm, lambda: can.reply(self._messages, *tools), self._limit)

        tokens = first_that_works(self._llm, reply, self._failed)
        async with aclosing(tokens), aclosing(until(tokens, self._wanted.stops)) as wanted:
            async for token in wanted:
                if isinstance(token, ToolCall):
                    self.calls.append(token)
                    self.finish = "tool_calls"
                    yield {"tool_calls": [_call(token, len(self.calls) - 1)]}
                    continue
                self.text += token
                yield {"content": token}
                most = self._wanted.most
                if most is not None and estimated_tokens(self.text) >= most:
                    self.finish = "length"
                    return

    def head(self, kind: str) -> dict[str, Any]:
        """What every answer and every piece of one begins with."""
        return {"id": self._id, "object": kind, "created": self._made, "model": self._llm.name}

    def event(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        """A piece of it."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event({**self.head("chat.completion.chunk"), "choices": [choice]})

    def completion(self) -> dict[str, Any]:
        """The whole of it."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text, "refusal": None}
        if self.calls:
            message["tool_calls"] = [_call(call) for call in self.calls]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}
        return {**self.head("chat.completion"), "choices": [choice], "usage": self.usage()}

    def usage(self) -> dict[str, int]:
        """About how many tokens were read and made."""
        asked, given = _cost(self._messages), estimated_tokens(self.text)
        return {
            "prompt_tokens": asked,
            "completion_tokens": given,
            "total_tokens": asked + given,
        }


async def until(
    tokens: AsyncGenerator[Any, None], stops: Sequence[str]
) -> AsyncGenerator[Any, None]:
    """The tokens before the first of these texts, which may lie across several of them."""
    held, longest = "", max((len(each) for each in stops), default=1) - 1
    async for token in tokens:
        if not isinstance(token, str):
            yield token
            continue
        held += token
        ends = [place for each in stops if (place := held.find(each)) >= 0]
        if ends:
            if min(ends):
                yield held[: min(ends)]
            return
        ready = len(held) - longest
        if ready > 0:
            yield held[:ready]
            held = held[ready:]
    if held:
        yield held


def _call(call: ToolCall, index: int | None = None) -> dict[str, Any]:
    arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
    made = {
        "id": call.id or f"call_{uuid4().hex[:24]}",
        "type": "function",
        "function": {"name": call.tool, "arguments": arguments},
    }
    return made if index is None else {"index": index, **made}


def _cost(messages: Sequence[Message]) -> int:
    return sum(estimated_tokens(line.content) + MARKS for line in messages)


def _broken(failure: StageFailedError) -> bytes:
    problem = problem_of(failure)
    assert problem is not None
    return event(openai_error(str(problem), kind="server_error", code=problem.code))
