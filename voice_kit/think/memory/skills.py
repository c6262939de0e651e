"""Skills: to remember, to recall and to forget."""

from __future__ import annotations

import re
from collections.abc import Callable

from voice_kit.think.memory.kept import KeptHistory
from voice_kit.think.memory.recall import in_order, matching, sorts, to_you, weak, words
from voice_kit.think.memory.store import Line, MemoryStoreError
from voice_kit.think.skills.phrases import Kind, heard, readings
from voice_kit.think.skills.skill import Phrased, Skill, skill
from voice_kit.think.tools import Result, Tool, ToolError, tool
from voice_kit.types import ToolCall

LONGEST = 300
"""Characters of a fact."""
LISTED = 10
"""Facts that are said aloud at once."""

_OTHER = "to|when|how|me|us|you|it|this|that|these|those|what|where|who|why|if|whether|of|about"
_THE_TIME = "time|day|night|one|thing|guy|song|film|movie|book|place|trip|summer|winter|year"
FACTS = {
    # “Remember that time in Rome?” is no fact, and “remember the milk” is none of the user.
    "said": Kind(rf"(?!(?:{_OTHER}|{_THE_TIME}) )\S+(?: \S+)+?", str, as_written=True),
    "own": Kind(r"(?:my|i|our|we)(?: \S+){2,}?", str, as_written=True),
    "about": Kind(
        r"(?!(?:it|that|this|them|everything|all|me|us|about|what|the last) )\S+(?: \S+)*?",
        str,
        as_written=True,
    ),
}
MEMORY = "[whole | entire] (memory | memories | history | conversation | conversations)"
_ASKED = re.compile(
    r"(?:what|who|whose|where|when|which|do you (?:remember|know)|did i|do i|am i"
    r"|how (?:old|tall|many|much|long|far|heavy)) .*"
)
_OWN = re.compile(r"\b(?:my|i|me|mine|our|we)\b")


def memory_skills(history: KeptHistory) -> list[Skill]:
    """Those for one conversation."""
    asked_about: list[Line] = []

    @skill(
        "remember that {fact:said}",
        "remember [this] {fact:own}",
        "(keep | bear) in mind that {fact:said}",
        "(keep | bear) in mind {fact:own}",
        "(do not | don't | never) forget that {fact:said}",
        "(do not | don't | never) forget {fact:own}",
        "(make a mental note | memorise | memorize | learn) that {fact:said}",
        kinds=FACTS,
        can="remember what you ask me to",
    )
    def remember(fact: str) -> str:
        """Remember something for good that the user asks you to, in their own words:
        fact="my cat is called Miso"."""
        fact = " ".join(fact.split()).rstrip(".!")
        if not fact or len(fact) > LONGEST:
            raise ToolError(f"I can remember 1 to {LONGEST} letters at a time. Say it shorter.")
        if any(known.text.casefold() == fact.casefold() for known in history.facts):
            return f"I know that {to_you(fact)}."
        history.remember(fact)
        history.flush(2.0)
        for_now = "" if history.store.where and not history.problem else ", until I am switched off"
        return f"I will remember that {to_you(fact)}{for_now}."

    @skill(
        "[you (can | may | should | must)] (forget | erase) (that | this) [again]",
        "[you (can | may | should | must)] (forget | erase) what i [just | have just] said",
        "[you (can | may | should | must)] (forget | erase) that i [just] said (that | this)",
        "(forget | erase) the last (thing | bit | part) [[that] i said | of our conversation]",
        "(forget | erase) (my | the | our) last (question | sentence | words | exchange)",
        "(strike | scratch) that [from the record]",
    )
    def forget_that() -> str:
        """Forget the last thing that was said and its answer, as if it had never been said."""
        if not _gone(history.forget_last):
            raise ToolError("There is nothing to forget yet.")
        history.off_the_record()
        return "Forgotten."

    def shall_i(about: str) -> str:
        asked_about[:] = _best(about)
        return f"Shall I forget that {to_you(asked_about[0].text)}?" if asked_about else ""

    @skill(
        "forget that {about:said}",
        "forget {about:own}",
        "forget about {about}",
        "forget what i (said | told you | have said | have told you) about {about}",
        "forget (everything | all) [that] [you know | i said | i told you] about {about}",
        "(erase | delete | remove) {about} from your memory",
        kinds=FACTS,
        asks=shall_i,
    )
    def forget_fact(about: str) -> str:
        """Forget something that the user asked you to remember: about="the name of my cat"."""
        found, asked_about[:] = asked_about[:], []
        if not found:
            raise ToolError("You have not asked me to remember anything about that.")
        # The question whether to forget it holds it too.
        _gone(lambda: history.forget(found[0].exchange, history.last_exchange))
        history.off_the_record()
        return "Forgotten."

    def shall_i_all() -> str:
        return "Shall I forget everything that we said, and all that you asked me to remember?"

    @skill(
        "forget everything [[that] (you know | i said | i told you | we said | we talked about)]",
        "forget (everything | all) [that] [you know | i told you] about me",
        "forget (me | us | all of it | it all | all that | all about me | all we said)",
        f"(erase | delete | wipe | clear | empty) [all of] (your | the | my | our) {MEMORY}",
        "(erase | delete | wipe) (everything | all) [that] you (know | have) [about me]",
        "start over and forget everything",
        asks=shall_i_all,
    )
    def forget_everything() -> str:
        """Forget this whole conversation and all that the user asked you to remember."""
        _gone(history.forget_everything)
        history.off_the_record()
        return "I have forgotten everything."

    @skill(
        "what [else] do you (know | remember) [about me]",
        "what can you remember [about me]",
        "what (did i ask | have i asked | did i tell | have i told) you to remember",
        "what do you have in [your] memory [about me]",
        "what is in your memory",
        "(tell me | say) what you (know | remember) [about me]",
        "what you know about me",
        "who am i",
    )
    def what_do_you_know() -> Result:
        """Tell what the user asked you to remember."""
        facts = [line.text for line in history.facts]
        if not facts:
            return Result("You have not asked me to remember anything yet.", [])
        listed = "; ".join(f"that {to_you(fact)}" for fact in facts[-LISTED:])
        rest = f" {LISTED} of {len(facts)} things" if len(facts) > LISTED else ""
        return Result(f"You asked me to remember{rest} {listed}.", facts)

    @tool()
    def recall(about: str) -> Result:
        """Look up what the user asked you to remember about something."""
        found = [line.text for line in matching(about, history.facts, _text)]
        if not found:
            raise ToolError("You have not told me that.")
        said = to_you(found[0])
        return Result(f"{said[0].upper()}{said[1:]}.", found)

    def _best(about: str) -> list[Line]:
        same = [line for line in history.facts if line.text.casefold() == about.casefold()]
        return [*same, *matching(about, history.facts, _text)][:1]

    forgetting: list[Phrased] = [forget_that, forget_fact, forget_everything]
    return [remember, *forgetting, what_do_you_know, Recalling(recall, history)]


class Recalling:
    """Understands a question of the user's own affairs that one of their facts answers."""

    can = ""

    def __init__(self, made: Tool, history: KeptHistory) -> None:
        self.tool = made
        self._history = history

    def understand(self, words: str) -> ToolCall | None:
        """The call, if all that was asked for is in a fact."""
        sentence = heard(words)
        plain = [sentence.plain[start:end] for start, end in readings(sentence)]
        if not any(_ASKED.fullmatch(each) and _OWN.search(each) for each in plain):
            return None
        found = matching(words, self._history.facts, _text)
        return ToolCall("recall", {"about": words}) if found and _says(found[0], words) else None


def _says(fact: Line, question: str) -> bool:
    asked, there = words(question), in_order(fact.text)
    if asked <= weak():  # “What is my name?” is not answered by what the cat is called
        return asked <= set(there) and there[0] in asked
    return asked - sorts() <= set(there)


def _gone(forget: Callable[[], bool | None]) -> bool:
    try:
        return forget() is not False
    except MemoryStoreError as error:
        raise ToolError(f"Here it is forgotten, but not where it was kept: {error}") from error


def _text(line: Line) -> str:
    return line.text
