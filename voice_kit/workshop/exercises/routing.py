"""Notebook 09: what is being asked?"""

from __future__ import annotations

from voice_kit.workshop.exercises.exercise import Exercise, Function, given_back, sure


def _choose(choose: Function) -> None:
    sure_of_it = {"chat": 0.05, "search": 0.15, "skill": 0.8}
    found = choose(sure_of_it, 0.6)
    given_back(found)
    sure(
        found != 0.8,
        "it gives a chance, not a kind. max(chances, key=chances.get) gives the kind with the most",
    )
    sure(found == "skill", f"80 % for skill, and it chooses “{found}”")
    unsure = choose({"chat": 0.3, "search": 0.25, "skill": 0.45}, 0.6)
    sure(
        unsure != "skill",
        "with only 45 % for skill it acts. Something would be done that nobody asked for: below "
        "`at_least`, talk",
    )
    sure(unsure == "chat", f"unsure, it should talk: “chat”, not {unsure!r}")
    sure(
        choose({"chat": 0.4, "search": 0.35, "skill": 0.25}, 0.6) == "chat",
        "talking is always safe: it needs no certainty",
    )
    sure(
        choose({"chat": 0.3, "search": 0.5, "skill": 0.2}, 0.6) == "chat",
        "50 % for search is below 60 %, and the question leaves the house all the same",
    )
    sure(
        choose({"chat": 0.2, "search": 0.6, "skill": 0.2}, 0.6) == "search",
        "60 % is at least 60 %: that is sure enough",
    )


def _confusion(confusion: Function) -> None:
    pairs = [("skill", "skill"), ("skill", "chat"), ("skill", "chat"), ("chat", "skill")]
    found = confusion(pairs)
    given_back(found)
    sure(
        hasattr(found, "get"),
        "it should give a dictionary from (wanted, found) to how often that happened",
    )
    sure(
        found.get(("skill", "chat")) != 1 or found.get(("chat", "skill")) != 2,
        "the two are swapped: the first of each pair is what was wanted, the second what was found",
    )
    sure(
        found.get(("skill", "skill")),
        "the right ones are missing. Without them nobody knows how many there were",
    )
    sure(
        found.get(("skill", "chat")) == 2,
        "“skill” was taken for “chat” twice; it counts "
        f"{found.get(('skill', 'chat'), 0)}. Add to what is there already",
    )
    sure(
        dict(found) == {("skill", "skill"): 1, ("skill", "chat"): 2, ("chat", "skill"): 1},
        f"for {pairs} it gives {dict(found)}",
    )


EXERCISES = (
    Exercise(
        name="choose",
        notebook="09",
        where="When to act, and when to ask",
        try_out=_choose,
        hints=(
            "Which kind has the highest chance? Is that enough?",
            "max(chances, key=chances.get) is the kind; chances[kind] is its chance.",
            "kind = max(chances, key=chances.get), and then: "
            'return kind if chances[kind] >= at_least else "chat"',
        ),
    ),
    Exercise(
        name="confusion",
        notebook="09",
        where="What is taken for what",
        try_out=_confusion,
        hints=(
            "Each pair is already a key. What has to be counted?",
            "collections.Counter counts how often each thing comes.",
            "from collections import Counter; return Counter(pairs)",
        ),
    ),
)
