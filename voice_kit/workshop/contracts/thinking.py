"""What a language model promises."""

from __future__ import annotations

import inspect
from typing import Any

from voice_kit.types import Message, ToolCall
from voice_kit.workshop.contracts.asking import SECRET, items
from voice_kit.workshop.contracts.engine import EngineContract

ASKED = (
    Message("system", "Be brief."),
    Message("user", f"I have a {SECRET}. What is voice activity detection?"),
)


class LanguageModelContract(EngineContract):
    """Continues a conversation, token by token."""

    def use(self, engine: Any) -> str:
        """Its answer to a question."""
        return self._answer(engine, list(ASKED))

    def secrets(self, outcome: Any) -> set[str]:
        """A word of the question, and the answer."""
        return {SECRET} | ({outcome} if len(outcome.split()) > 1 else set())

    def _answer(self, engine: Any, messages: list[Message], *tools: Any) -> str:
        given = list(messages)
        said = items(engine.reply(messages, *tools), engine)
        assert messages == given, "it changed the conversation it was given"
        odd = [each for each in said if not isinstance(each, str | (ToolCall if tools else str))]
        assert not odd, f"it yields {type(odd[0]).__name__}, no text"
        return "".join(each for each in said if isinstance(each, str))

    def test_a_question_is_answered_in_pieces_of_text(self, engine: Any) -> None:
        """And the conversation that was given stays as it was."""
        assert self.use(engine).strip(), "its answer is empty"

    def test_what_was_said_before_may_come_with_it(self, engine: Any) -> None:
        """The conversation so far: the system's line, the user's and the assistant's in turn."""
        before = [*ASKED, Message("assistant", "It tells speech from noise.")]
        assert self._answer(engine, [*before, Message("user", "Why?")]).strip(), "no answer"

    def test_closing_early_leaves_it_ready(self, engine: Any) -> None:
        """Whoever interrupts closes the answer after a word; the next question is answered."""
        assert len(items(engine.reply(list(ASKED)), engine, most=1)) == 1, "it says nothing"
        assert self.use(engine).strip(), "after an answer that was closed it says nothing"

    def test_its_thinking_is_not_spoken(self, engine: Any) -> None:
        """Only what is to be said is yielded."""
        assert "<think" not in self.use(engine), "it thinks aloud"

    def test_tools_are_taken_where_it_says_so(self, engine: Any) -> None:
        """`calls_tools = True` promises a second argument."""
        if getattr(engine, "calls_tools", False):
            taken = len(inspect.signature(engine.reply).parameters)
            assert taken >= 2, "it says that it calls tools, but takes none"
            self._answer(engine, list(ASKED), [])
