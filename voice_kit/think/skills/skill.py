"""A skill: a tool that also understands, without any model, the sentences that ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from voice_kit.think.skills.kinds import KINDS
from voice_kit.think.skills.phrases import Heard, Kind, Phrase, heard, readings
from voice_kit.think.tools import Tool, tool
from voice_kit.types import ToolCall

LONGEST = 1500
"""Characters of a sentence that asks for something. Comparing takes milliseconds up to here."""


class Skill(Protocol):
    """A tool, and the words that ask for it."""

    tool: Tool
    can: str
    """What it can do, after “I can”; empty where that goes without saying."""

    def understand(self, words: str) -> ToolCall | None:
        """The call that this whole sentence asks for; None when it asks for something else."""


class Phrased:
    """A skill that knows the phrases that ask for it."""

    def __init__(self, made: Tool, phrases: Iterable[Phrase], can: str = "") -> None:
        self.tool = made
        self.can = can
        self.phrases = tuple(phrases)

    def understand(self, words: str) -> ToolCall | None:
        """The call that this whole sentence asks for, courtesies aside."""
        return self.meant(heard(words))

    def meant(self, sentence: Heard) -> ToolCall | None:
        """The same for a sentence that is ready to be compared."""
        for start, end in readings(sentence):
            for phrase in self.phrases:
                arguments = phrase.arguments(sentence, start, end)
                if arguments is not None:
                    return ToolCall(self.tool.name, arguments)
        return None


def skill(
    *phrases: str | tuple[str, Mapping[str, Any]],
    kinds: Mapping[str, Kind] | None = None,
    can: str = "",
    seconds: float = 10.0,
    asks: Callable[..., str] | None = None,
    off: bool = False,
    name: str = "",
) -> Callable[[Callable[..., Any]], Phrased]:
    """Make a typed function with a docstring a skill that understands these phrases.

    Each slot of a phrase is an argument of the function; a phrase may bring arguments of its own:
    `("mute", {"percent": 0})`. The rest is as for `tool`.

        @skill("roll [a | the] dice", "roll {count:number} dice")
        def roll_dice(count: int = 1) -> str:
            \"\"\"Roll dice, and say what came up.\"\"\"
    """
    known = {**KINDS, **(kinds or {})}

    def made(function: Callable[..., Any]) -> Phrased:
        pairs = [each if isinstance(each, tuple) else (each, {}) for each in phrases]
        understood = [Phrase(written, known, given) for written, given in pairs]
        as_tool = tool(seconds=seconds, asks=asks, off=off, name=name)(function)
        return Phrased(as_tool, understood, can)

    return made


class Skills:
    """What can be done without a model."""

    def __init__(self, skills: Iterable[Skill]) -> None:
        self._skills = tuple(skills)

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Their tools, for `Tools`, by which models may use them too."""
        return tuple(each.tool for each in self._skills)

    def __iter__(self) -> Iterator[Skill]:
        return iter(self._skills)

    def find(self, words: str) -> ToolCall | None:
        """What these words ask to be done; None when they are not understood as a whole.

        Where several skills understand them it is the one that explains most of them by itself:
        “read my shopping list” is that list, not a note of that name.
        """
        if len(words) > LONGEST:
            return None
        sentence = heard(words)
        calls = [
            each.meant(sentence) if isinstance(each, Phrased) else each.understand(words)
            for each in self._skills
        ]
        return min(filter(None, calls), key=_left_to_slots, default=None)


def _left_to_slots(call: ToolCall) -> int:
    return sum(len(str(value)) for value in call.arguments.values())
