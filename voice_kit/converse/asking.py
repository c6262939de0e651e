"""One written question and its answer, without a conversation around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from voice_kit.converse.line import Line
from voice_kit.converse.question import Question
from voice_kit.converse.steps import StageFailedError
from voice_kit.settings import Settings
from voice_kit.think.mcp_tools import McpServers
from voice_kit.think.memory import make_history
from voice_kit.think.protocols import LanguageModel
from voice_kit.think.whole import make_brain
from voice_kit.types import Event, Routed, Source, ToolUsed

FOR_EVER = 1e6  # seconds


@dataclass(slots=True)
class Answer:
    """An answer, and how it came about."""

    text: str = ""
    engine: str = ""
    first: float | None = None
    """Seconds to its first token; None without any."""
    route: str = "chat"
    confidence: float = 0.0
    reason: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    problem: str = ""
    """Why it cannot be remembered, with the fix; empty when it is."""

    def note(self, problem: str) -> None:
        """Keep why it cannot be remembered."""
        self.problem = problem or self.problem

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "text": self.text,
            "engine": self.engine,
            "route": self.route,
            "confidence": round(self.confidence, 3),
            "reason": self.reason,
            "tools": self.tools,
            "sources": [{"title": each.title, "url": each.url} for each in self.sources],
            "first_token_s": None if self.first is None else round(self.first, 4),
        }


async def asked(
    words: str,
    model: LanguageModel,
    settings: Settings,
    show: Callable[[str], None] = lambda token: None,
    patience: float | None = None,
) -> Answer:
    """The answer of the assistant to one question; each token is shown as it comes.

    `patience`, in seconds, stands for `timeouts.llm`; None waits for ever. What is said is
    remembered where `memory.store` says so. Raises `VoiceKitError`.
    """
    settings = settings.changed({"timeouts.llm": patience or FOR_EVER})
    loop, answer, llm = asyncio.get_running_loop(), Answer(), Line("llm", model)
    history = await asyncio.to_thread(make_history, settings, on_problem=answer.note)

    def tell(event: Callable[..., Event], *fields: Any) -> None:
        match happened := event(0, 0.0, *fields):
            case Routed():
                route = happened.route
                answer.route, answer.confidence = route.kind, route.confidence
                answer.reason = route.reason
            case ToolUsed():
                call = {"tool": happened.call.tool, "arguments": dict(happened.call.arguments)}
                answer.tools.append({**call, "result": happened.result, "worked": happened.worked})
                answer.sources += happened.sources

    certain = asyncio.Event()
    certain.set()
    question = Question(words, settings, history, llm, certain, tell)
    try:
        async with McpServers(settings.tools.servers) as servers:
            brain = await asyncio.to_thread(
                make_brain, settings, lambda: llm.current, history, servers=servers
            )
            began = loop.time()
            async with aclosing(brain.answer(question)) as tokens:
                async for token in tokens:
                    answer.first = loop.time() - began if answer.first is None else answer.first
                    answer.text += token
                    show(token)
        history.add("user", words)
        history.add("assistant", answer.text)
    except StageFailedError as failure:
        raise failure.cause from failure
    finally:
        await asyncio.to_thread(history.close)
    answer.engine = question.by or llm.name
    return answer
