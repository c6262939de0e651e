"""Speaks OpenAI's chat completions on loopback, without a model: it says what a test tells it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from scripted_server import Reply, Request, ScriptedServer

REFUSALS = {
    "no key": (401, "Incorrect API key provided"),
    "no model": (404, "The model does not exist"),
    "limit": (429, "Rate limit reached"),
    "bad request": (400, "Invalid value"),
    "broken": (500, "The server had an error"),
}
NO_TOOLS = {
    "vllm": (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser'),
    "llama.cpp": (500, "tools param requires --jinja flag"),
    "openrouter": (404, "No endpoints found that support tool use."),
    "groq": (400, "Failed to call a function. See 'failed_generation'. (tool_use_failed)"),
}
"""How servers refuse a request with tools; the last one only this once."""


class OpenAIServer(ScriptedServer):
    """Answers /v1/models and /v1/chat/completions with `tokens`, `thoughts` before them.

    `mode` is what it does when asked to chat: "answer", "wait" (the tokens, then nothing until
    the client closes), "hang" (nothing at all), "garbage", "other json", "not json", "die" and
    "cut" (the tokens, then the connection or only the stream ends), "error" (the tokens, then an
    error in the stream), or one of `REFUSALS`. With `no_tools`, a key of `NO_TOOLS`, it refuses
    tools.

    Told of tools, it answers a user with its `tokens` and then with `calls`, pairs of a name and
    arguments as text, in pieces of the `style` of "openai", "whole" (each call at once, without
    number or id) or "zero" (each at once, numbered 0, with an id). With `echo` it repeats what the
    last message says instead of `tokens`.
    """

    def __init__(
        self,
        models: Sequence[str] = ("text-embedding-tiny", "tiny-chat"),
        *,
        tokens: Sequence[str] = ("It ", "is ", "noon."),
        thoughts: Sequence[str] = (),
        mode: str = "answer",
        calls: Sequence[tuple[str, str]] = (),
        style: str = "openai",
        no_tools: str = "",
        echo: bool = False,
    ):
        super().__init__(self._reply)
        self.models, self.tokens, self.thoughts, self.mode = models, tokens, thoughts, mode
        self.calls, self.style, self.no_tools, self.echo = calls, style, no_tools, echo

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    async def _reply(self, request: Request, reply: Reply) -> None:
        match request.method, request.path:
            case "GET", "/v1/models":
                listed = [{"id": model, "object": "model"} for model in self.models]
                await reply.json({"object": "list", "data": listed})
            case "POST", "/v1/chat/completions":
                await self._chat(request.json, reply)
            case _:
                await reply.whole(b"404 page not found", 404)

    async def _chat(self, asked: dict, reply: Reply) -> None:
        refused = NO_TOOLS.get(self.no_tools) if "tools" in asked else None
        if refused or self.mode in REFUSALS:
            status, problem = refused or REFUSALS[self.mode]
            return await reply.json({"error": {"message": problem, "code": self.mode}}, status)
        match self.mode:
            case "hang":
                return await reply.until_the_client_closes()
            case "garbage":
                return await reply.whole(b"<html>It works!</html>", 200, "text/html")
        await reply.start("text/event-stream")
        if self.mode in ("other json", "not json"):
            data = b'{"choices": [{"text": 7}]}' if self.mode == "other json" else b"{It works!"
            await reply.chunk(b"data: " + data + b"\n\n")
            return await reply.end()
        await reply.chunk(b": a comment, as OpenRouter sends while it waits\n\n")
        await reply.chunk(event({"role": "assistant", "content": ""}))
        for thought in self.thoughts:
            await reply.chunk(event({"content": None, "reasoning_content": thought}))
        last = asked["messages"][-1]
        for token in [last["content"]] if self.echo else self.tokens:
            await reply.chunk(event({"content": token}))
        called = "tools" in asked and last["role"] == "user" and self.calls
        for piece in pieces(self.calls, self.style) if called else ():
            await reply.chunk(event({"tool_calls": [piece]}))
        match self.mode:
            case "wait":
                await reply.until_the_client_closes()
            case "die":
                await reply.die()
            case "cut":
                await reply.end()
            case "error":
                await reply.chunk(b'data: {"error": {"message": "overloaded", "code": 502}}\n\n')
                await reply.end()
            case _:
                await reply.chunk(event({}, "tool_calls" if called else "stop"))
                await reply.chunk(event(None))  # the usage comes without a choice
                await reply.chunk(b"data: [DONE]\n\n")
                await reply.end()


def event(delta: dict | None, finish_reason: str | None = None) -> bytes:
    """One event of a streamed chat completion."""
    choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
    whole = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "tiny-chat",
        "choices": choices if delta is not None else [],
    }
    return b"data: " + json.dumps(whole).encode() + b"\n\n"


def pieces(calls: Sequence[tuple[str, str]], style: str) -> Iterator[dict]:
    """The calls as a server streams them."""
    for place, (name, text) in enumerate(calls):
        if style == "whole":
            yield {"type": "function", "function": {"name": name, "arguments": text}}
            continue
        first = {"index": 0 if style == "zero" else place, "id": f"call_{place}"}
        first |= {"type": "function", "function": {"name": name, "arguments": text}}
        if style == "zero":
            yield first
            continue
        yield first | {"function": {"name": name, "arguments": ""}}
        for start in range(0, len(text), 5):
            yield {"index": place, "function": {"arguments": text[start : start + 5]}}
