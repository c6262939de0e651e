"""Speaks Ollama's HTTP interface on loopback, without a model: it says what a test tells it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

from scripted_server import Reply, Request, ScriptedServer

GIB = 2**30


class OllamaServer(ScriptedServer):
    """Answers /api/tags, /api/show, /api/chat and /api/pull as the real one does.

    `models` are installed, `thinking` those of them that can think, `library` those that can be
    pulled. An answer is `tokens`; `thoughts` come before it, in the field for them unless the
    request forbids it. `mode` is what it does when asked to chat: "answer", "wait" (the tokens,
    then nothing until the client closes), "hang" (nothing at all), "garbage", "other json",
    "die" and "cut" (the tokens, then the connection or only the stream ends), "error" (the tokens,
    then Ollama's own error), "no memory", "broken". `mute` hangs on every path.

    Told of tools, a model of `using_tools` answers a user with its tokens and then with `calls`,
    pairs of a name and arguments; any other refuses. An old server's /api/show does not tell.
    """

    def __init__(
        self,
        models: Sequence[str] = ("qwen3:1.7b",),
        *,
        tokens: Sequence[str] = ("It ", "is ", "noon."),
        thoughts: Sequence[str] = (),
        thinking: Sequence[str] = (),
        library: Sequence[str] = ("qwen3:1.7b",),
        mode: str = "answer",
        mute: bool = False,
        calls: Sequence[tuple[str, dict]] = (),
        using_tools: Sequence[str] = ("qwen3:1.7b",),
        old: bool = False,
    ):
        super().__init__(self._reply)
        self.calls, self.using_tools, self.old = calls, using_tools, old
        self.models, self.thinking, self.library = list(models), thinking, library
        self.tokens, self.thoughts = tokens, thoughts
        self.mode, self.mute = mode, mute

    async def _reply(self, request: Request, reply: Reply) -> None:
        if self.mute:
            return await reply.until_the_client_closes()
        match request.method, request.path:
            case "GET", "/api/tags":
                await reply.json({"models": [described(model) for model in self.models]})
            case "POST", "/api/show":
                await self._show(request.json["model"], reply)
            case "POST", "/api/chat":
                await self._chat(request.json, reply)
            case "POST", "/api/embed":
                texts = request.json["input"]
                await reply.json({"embeddings": [embedded(text) for text in texts]})
            case "POST", "/api/pull":
                await self._pull(request.json["model"], reply)
            case _:
                await reply.whole(b"404 page not found", 404)

    async def _show(self, model: str, reply: Reply) -> None:
        if model not in self.models:
            return await reply.json({"error": f"model '{model}' not found"}, 404)
        if self.old:
            return await reply.json({"details": described(model)["details"]})
        able = ["completion"]
        able += ["tools"] if model in self.using_tools else []
        able += ["thinking"] if model in self.thinking else []
        await reply.json({"details": described(model)["details"], "capabilities": able})

    async def _chat(self, asked: dict, reply: Reply) -> None:
        model = asked["model"]
        if model not in self.models:
            problem = f'model "{model}" not found, try pulling it first'
            return await reply.json({"error": problem}, 404)
        if asked.get("think") and model not in self.thinking:
            return await reply.json({"error": f'"{model}" does not support thinking'}, 400)
        if asked.get("tools") and model not in self.using_tools:
            problem = f"registry.ollama.ai/library/{model} does not support tools"
            return await reply.json({"error": problem}, 400)
        match self.mode:
            case "hang":
                return await reply.until_the_client_closes()
            case "garbage":
                return await reply.whole(b"<html>It works!</html>", 200, "text/html")
            case "other json":
                return await reply.whole(b'["It works!"]\n', 200, "application/json")
            case "broken":
                return await reply.json({"error": "llama runner process has terminated"}, 500)
            case "no memory":
                problem = "model requires more system memory (5.6 GiB) than is available (3.1 GiB)"
                return await reply.json({"error": problem}, 500)
        await reply.start("application/x-ndjson")
        if asked.get("think") is not False:
            for thought in self.thoughts:
                await reply.chunk(line(message={"role": "assistant", "thinking": thought}))
        for token in self.tokens:
            await reply.chunk(line(message={"role": "assistant", "content": token}))
        called = asked.get("tools") and asked["messages"][-1]["role"] == "user"
        for place, (name, arguments) in enumerate(self.calls if called else ()):
            function = {"index": place, "name": name, "arguments": arguments}
            call = {"id": f"call_{place}", "function": function}
            said = {"role": "assistant", "content": "", "tool_calls": [call]}
            await reply.chunk(line(message=said))
        match self.mode:
            case "wait":
                await reply.until_the_client_closes()
            case "die":
                await reply.die()
            case "cut":
                await reply.end()
            case "error":
                await reply.chunk(b'{"error": "an error was encountered while running"}\n')
                await reply.end()
            case _:
                last = {"role": "assistant", "content": ""}
                await reply.chunk(line(message=last, done=True, done_reason="stop"))
                await reply.end()

    async def _pull(self, model: str, reply: Reply) -> None:
        await reply.start("application/x-ndjson")
        await reply.chunk(b'{"status": "pulling manifest"}\n')
        if model not in self.library:
            await reply.chunk(b'{"error": "pull model manifest: file does not exist"}\n')
            return await reply.end()
        for digest, total in (("aaa", 3 * GIB), ("bbb", GIB)):
            for completed in (None, 0, total // 2, total):
                step = {"status": f"pulling {digest}", "digest": f"sha256:{digest}", "total": total}
                step |= {"completed": completed} if completed is not None else {}
                await reply.chunk(json.dumps(step).encode() + b"\n")
        if self.mode == "die":
            return await reply.die()
        self.models.append(model)
        for status in ("verifying sha256 digest", "writing manifest", "success"):
            await reply.chunk(json.dumps({"status": status}).encode() + b"\n")
        await reply.end()


def line(*, done: bool = False, **more) -> bytes:
    """One line of a chat's answer."""
    whole = {"model": "any", "created_at": "2026-01-01T00:00:00Z", **more, "done": done}
    return json.dumps(whole).encode() + b"\n"


def described(model: str) -> dict:
    """What /api/tags says of a model; one named "…-cloud" runs elsewhere."""
    family = "nomic-bert" if "embed" in model else model.partition(":")[0]
    return {
        "name": model,
        "model": model,
        "size": GIB,
        "details": {"format": "gguf", "family": family, "families": [family]},
    } | ({"remote_host": "https://ollama.com:443"} if model.endswith("-cloud") else {})


def embedded(text: str) -> list[float]:
    """Alike for texts that share words: how often each word comes, by a checksum of it."""
    counts = [0.0] * 512
    for word in text.lower().split():
        counts[zlib.crc32(word.encode()) % len(counts)] += 1.0
    return counts
