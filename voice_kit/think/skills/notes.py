"""Skills: notes and lists."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from voice_kit.think.skills.notebook import NOTES, Notebook
from voice_kit.think.skills.numbers import count, listed
from voice_kit.think.skills.phrases import Kind
from voice_kit.think.skills.skill import Phrased, skill
from voice_kit.think.tools import Result, ToolError

LIST = {"list": Kind(r"(?!(?:the|my|our|a|this|that|me) )[a-z]+(?: [a-z]+)??", str)}
UNNAMED = "list"
"""The notebook of a list that was given no name."""
READ = (
    "(read | read me | read out | read back | show | show me | list | what are | what is in"
    " | play | open)"
)


def note_skills(pages: Notebook) -> list[Phrased]:
    """Those that write down and read back."""
    asked_about: dict[str, str] = {}

    @skill(
        "(take | make | write | add | create | leave | jot) [down] (a | another | this)"
        " [new | quick] note [that | to | saying | of | about | which says | to self] {text}",
        "(take | make | write | add | create | leave) [a] note to self [to | that] {text}",
        "note to self [to | that] {text}",
        "(note | write | jot) down [that | to] {text}",
        "(add | put | write | save) {text} (to | in | into | on) [my | the] notes",
        "(add | put | write) {text} (to | on | onto | in) [my | the | our] {notebook:list} list",
        (
            "(add | put | write) {text} (to | on | onto) (my | the | our) list",
            {"notebook": UNNAMED},
        ),
        "(add | write) to [my | the] notes [that] {text}",
        "new note {text}",
        kinds=LIST,
        can="take notes and keep lists",
    )
    def add_note(text: str, notebook: str = NOTES) -> str:
        """Write a note down, or put a thing on a list: notebook="shopping" is the shopping list."""
        pages.add(text, notebook)
        return "Noted." if notebook == NOTES else f"It is on {_list(notebook)}."

    @skill(
        f"{READ} [me] [all] [of] [my | the | your] notes [to me | back | aloud | out | again]",
        "what (notes do i have | did i note [down] | have i noted [down])",
        "what do my notes say",
        "do i have [any] notes",
        (
            f"{READ} [me] [my | the] (last | latest) note [to me | back | aloud | again]",
            {"last": 1},
        ),
        f"{READ} [me] [my | the] last {{last:number}} notes [to me | back | aloud | again]",
        f"{READ} [me] [what is on] [my | the | our] {{notebook:list}} list [to me | back | aloud]",
        (
            f"{READ} [me] [what is on] (my | the | our) list [to me | back | aloud]",
            {"notebook": UNNAMED},
        ),
        ("what is [there] on (my | the | our) list", {"notebook": UNNAMED}),
        "what is [there] on [my | the | our] {notebook:list} list",
        "what do i have on [my | the | our] {notebook:list} list",
        kinds=LIST,
    )
    def read_notes(notebook: str = NOTES, last: Annotated[int, Field(ge=1, le=100)] = 5) -> Result:
        """Read back the last notes, or what is on a list: notebook="shopping"."""
        notes = pages.notes(notebook)
        if not notes:
            if notebook == NOTES:
                return Result("There are no notes.", [])
            return Result(f"{_list(notebook).capitalize()} is empty.", [])
        shown = notes[-last:]
        if notebook != NOTES:
            rest = f" and {len(notes) - last} more" if len(notes) > last else ""
            return Result(f"{listed(shown)}{rest}.", notes)
        lines = [note if note[-1:] in ".!?" else f"{note}." for note in shown]
        front = f"You have {count(len(notes), 'note')}"
        if len(notes) > len(shown):
            front += ". The last one" if last == 1 else f". The last {len(shown)}"
        return Result(f"{front}: {' '.join(lines)}", shown)

    def shall_i(notebook: str = NOTES) -> str:
        try:
            notes = pages.notes(notebook)
        except ToolError:
            return ""  # deleting says why
        asked_about.pop(notebook, None)
        if not notes:
            return ""
        asked_about[notebook] = notes[-1]
        what = "your last note" if notebook == NOTES else f"the last on {_list(notebook)}"
        return f"Shall I delete {what}: “{notes[-1]}”?"

    @skill(
        "(delete | remove | erase | scratch | cross out | cancel) [the | my | that] last note",
        "(delete | remove | erase | scratch | forget) (the | my | that) note",
        "(delete | remove | erase | cross off) [the] last [one | thing | item | entry]"
        " (on | from | of | off) [my | the | our] {notebook:list} list",
        (
            "(delete | remove | erase | cross off) [the] last [one | thing | item | entry | note]"
            " (on | from | of | off) (my | the | our) list",
            {"notebook": UNNAMED},
        ),
        "(delete | remove | erase) [the] last [one | thing | item | entry] (from | of | in)"
        " [my | the] notes",
        kinds=LIST,
        asks=shall_i,
    )
    def delete_last_note(notebook: str = NOTES) -> str:
        """Delete the last note, or the last thing on a list: notebook="shopping"."""
        expected = asked_about.pop(notebook, None)
        if expected is None:
            raise ToolError("There is no note to delete.")
        pages.delete_last(notebook, expected)
        return "Deleted."

    return [add_note, read_notes, delete_last_note]


def _list(notebook: str) -> str:
    return "your list" if notebook == UNNAMED else f"your {notebook} list"
