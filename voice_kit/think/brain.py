"""A brain that decides which way to answer: by talking, by searching, or by doing something."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Protocol

from voice_kit.errors import VoiceKitError
from voice_kit.think.acting import Router
from voice_kit.think.calls import in_words
from voice_kit.think.protocols import Thought
from voice_kit.think.tools import Result, Tool, ToolError, Tools
from voice_kit.types import Message, Route, Routed, ToolCall

ROUNDS = 4
"""How often a model may ask for tools before it has to answer."""
NO_HANDS = (
    "If the user wants something done: you cannot do it here. Say so, and never that it is done."
)
"""For a model without tools, about what no skill understood."""
LEFT_OUT = "It was used. What it gave is left out here."
TALK = Route("chat", 0.0, "nobody to ask which way")

YES = re.compile(
    r"\W*(?:yes|yeah|yep|sure|ok|okay|certainly|correct|go ahead|do it|do so|oui|ja|sì|sí)"
    r"(?:\W+(?:yes|please|sure|do|do it|go ahead|thanks|bitte))*\W*",
    re.IGNORECASE,
)
NO = re.compile(
    r"\W*(?:no|nope|don't|do not|never mind|leave it|cancel|stop|non|nein)"
    r"(?:\W+(?:no|thanks|thank you|please|it|don't|stop))*\W*",
    re.IGNORECASE,
)


class Skills(Protocol):
    """What can be done without a model."""

    def find(self, words: str) -> ToolCall | None:
        """What these words ask to be done; None when they are not understood as a whole."""


class NoSkills:
    """Nothing can be done."""

    def find(self, words: str) -> ToolCall | None:
        """Nothing."""
        return None


class Acting:
    """Talks, searches or acts. It belongs to one conversation.

    What a tool does happens only once the turn is certain; one that asks first is done when the
    next thing said is “yes”. Below `tools.sure` of confidence it talks, and never acts.
    """

    name = "brain"
    cutter: Callable[[str], Any]
    """Makes what cuts an answer in this language into sentences, where that is not the kit's."""

    def __init__(
        self,
        router: Router | None = None,
        skills: Skills | None = None,
        tools: Tools | None = None,
        search: Callable[[Thought], AsyncGenerator[str, None]] | None = None,
        reads_calls: Callable[[], bool] = lambda: True,
    ) -> None:
        """`search` answers a question of today; without it such questions are talked about.
        `reads_calls` is whether the model of the moment knows what a tool call is."""
        self._router = router
        self._skills = skills or NoSkills()
        self._tools = Tools() if tools is None else tools
        self._search = search
        self._reads_calls = reads_calls
        self._asked: tuple[Thought, ToolCall] | None = None
        self._last: list[Thought] = []  # that were certain, and the one under way

    async def answer(self, thought: Thought) -> AsyncGenerator[str, None]:
        """The answer, token by token."""
        way = self._agreed(thought) or self._way(thought, await self._route(thought))
        async with aclosing(way) as tokens:
            async for token in tokens:
                yield token

    def _agreed(self, thought: Thought) -> AsyncGenerator[str, None] | None:
        """What follows from a yes or a no to what was asked before."""
        asked = self._pending(thought)
        if asked is not None and YES.fullmatch(thought.words):
            return self._act(thought, asked, agreed=True)
        if asked is not None and NO.fullmatch(thought.words):
            return self._leave(thought, asked)
        return None

    def _pending(self, thought: Thought) -> ToolCall | None:
        """What the answer before this one asked about."""
        before = [each for each in self._last if each.certain.is_set()][-1:]
        self._last = [*before, thought]
        asked = self._asked
        return asked[1] if asked is not None and before == [asked[0]] else None

    async def _route(self, thought: Thought) -> Route:
        router, loop = self._router, asyncio.get_running_loop()
        if router is None:
            return TALK
        began = loop.time()
        try:
            route = await thought.run(router, lambda: router.route(thought.words), 2.0)
        except VoiceKitError as error:
            route = Route("chat", 0.0, str(error))
        thought.tell(Routed, route, loop.time() - began, router.name)
        return route

    def _way(self, thought: Thought, route: Route) -> AsyncGenerator[str, None]:
        if route.confidence < thought.settings.tools.sure:
            return self._talk(thought)
        if route.kind == "skill":
            call = self._skills.find(thought.words)
            return self._talk(thought, NO_HANDS) if call is None else self._act(thought, call)
        if route.kind == "search" and self._search is not None:
            return self._search(thought)
        return self._talk(thought)

    async def _act(
        self, thought: Thought, call: ToolCall, *, agreed: bool = False
    ) -> AsyncGenerator[str, None]:
        thought.by = f"skill:{call.tool}"
        question = "" if agreed else self._question(thought, call)
        yield question or (await self._use(thought, call)).said

    async def _leave(self, thought: Thought, call: ToolCall) -> AsyncGenerator[str, None]:
        thought.by = f"skill:{call.tool}"
        yield "All right, I will not."

    async def _talk(self, thought: Thought, helpless: str = "") -> AsyncGenerator[str, None]:
        await self._tools.ready()
        messages = list(self._whole(thought.prompt(results=True)))
        if helpless and not self._reads_calls():
            persona = messages[0]
            messages[0] = replace(persona, content=f"{persona.content}\n\n{helpless}")
        misled = False
        for round_ in range(ROUNDS + 1):
            tools: Sequence[Any] = self._offered(thought) if round_ < ROUNDS and not misled else ()
            calls, said = list[ToolCall](), ""
            # Another model than the one that called them may have taken over meanwhile.
            told = messages if self._reads_calls() else in_words(messages)
            async with aclosing(thought.model(told, tools)) as tokens:
                async for token in tokens:
                    if isinstance(token, ToolCall):
                        calls.append(token)
                    else:
                        said += token
                        yield token
            if not calls:
                return
            messages.append(Message("assistant", said, calls=tuple(calls)))
            for call in calls:
                if question := self._question(thought, call):
                    yield question
                    return
                result = await self._use(thought, call)
                messages.append(Message("tool", result.told, result_of=call))
                # Whoever has read a stranger's words is given nothing to act with.
                misled = misled or self._tools.outside(call)

    def _whole(self, messages: Sequence[Message]) -> Iterator[Message]:
        """The same, what a tool gave in an earlier turn behind its call, as models expect it. Of
        a stranger's words only that there were some: this answer may act."""
        for number, message in enumerate(messages):
            if message.role != "tool":
                yield message
            elif message.result_of is not None:
                call = replace(message.result_of, id=f"earlier{number}")  # a skill's has none
                message = replace(message, result_of=call)
                yield Message("assistant", "", calls=(call,))
                known = call.tool in self._tools and not self._tools.outside(call)
                yield message if known else replace(message, content=LEFT_OUT)

    def _offered(self, thought: Thought) -> list[Tool]:
        """The tools that the model is told of."""
        wanted = thought.settings.tools.offer
        return [each for each in self._tools if not wanted or each.name in wanted]

    def _question(self, thought: Thought, call: ToolCall) -> str:
        """What is to be answered with “yes” first; empty when it can be done at once."""
        try:
            tool, arguments = self._tools.prepared(call)
        except ToolError:
            return ""  # using it tells why not
        question = tool.asks(**arguments) if tool.asks is not None else ""
        if question:
            self._asked = thought, call
        return question

    async def _use(self, thought: Thought, call: ToolCall) -> Result:
        return await self._tools.use(thought, call, asyncio.get_running_loop().time)
