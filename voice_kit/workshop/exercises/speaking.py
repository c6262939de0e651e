"""Notebook 05: give it a voice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from voice_kit.workshop.exercises.exercise import Exercise, Function, given_back, sure

ABBREVIATIONS = ("Dr.", "Mr.", "Mrs.", "e.g.")
GIVEN = {"re": re, "ABBREVIATIONS": ABBREVIATIONS}
UNITS = {"km": "kilometres", "m": "metres", "km/h": "kilometres per hour", "%": "percent"}


def with_units(text: str, units: Mapping[str, str]) -> str:
    """The text with the units after numbers in words."""
    for sign in sorted(units, key=len, reverse=True):
        text = re.sub(rf"(\d) ?{re.escape(sign)}(?!\w)", rf"\1 {units[sign]}", text)
    return text


class _Tokens:
    """A stream that knows how much of it was taken."""

    def __init__(self, *tokens: str) -> None:
        self.tokens, self.taken = tokens, 0

    def __iter__(self) -> Iterator[str]:
        for token in self.tokens:
            self.taken += 1
            yield token


def _cut(sentences: Function, *tokens: str) -> list[str]:
    return list(islice(iter(sentences(iter(_Tokens(*tokens)))), 20))


def _sentences(sentences: Function) -> None:
    given = sentences(iter(("Yes", ".")))
    sure(given is not None, "it gives nothing back. Use `yield` for each sentence")
    sure(not isinstance(given, str), "it gives back one text. Use `yield`, once for each sentence")
    plain = ("It", " is", " late", ".", " Why", "?", " Go", "!")
    found = _cut(sentences, *plain)
    sure(
        found != ["It is late. Why? Go!"],
        "it gives the whole answer as one sentence, at its end. Yield inside the loop, as soon as "
        "there is a mark",
    )
    sure(
        [each.strip() for each in found]
        != ["It is late.", "It is late. Why?", "It is late. Why? Go!"],
        "each sentence carries those before it. Begin anew after each",
    )
    sure(
        [each.strip() for each in found] != ["It is late", "Why", "Go"],
        "the marks are lost. They belong to their sentence: a voice asks when it sees “?”",
    )
    sure(
        found == [each.strip() for each in found],
        f"there are spaces around a sentence: {found}. Use strip()",
    )
    sure(
        found == ["It is late.", "Why?", "Go!"],
        f"for the tokens {list(plain)} it gives {found}, not three sentences",
    )
    for count, tokens in ((4, plain), (1, ("Wait!", " I", " come", "."))):
        stream = _Tokens(*tokens)
        next(iter(sentences(iter(stream))))
        sure(
            stream.taken < len(tokens),
            "before it gives the first sentence it takes the whole answer. Do not collect in "
            "a list, nor join: yield inside the loop",
        )
        sure(
            stream.taken == count,
            "it gives a sentence a token late: with the mark it is complete. At the first sentence "
            "every token is a wait in silence",
        )
    found = _cut(sentences, "Take", " 3", ".", "5", " spoons", ".")
    sure(
        found[:1] != ["Take 3."],
        "it cuts in 3.5. The tokens were “3”, “.” and “5”: a dot after a digit ends none",
    )
    sure(found == ["Take 3.5 spoons."], f"of “Take 3.5 spoons.” it makes {found}")
    found = _cut(sentences, "Dr", ".", " Wu", " is", " in", ".")
    sure(
        found[:1] != ["Dr."],
        "it cuts after “Dr.”. Does what was gathered end with one of ABBREVIATIONS?",
    )
    sure(found == ["Dr. Wu is in."], f"of “Dr. Wu is in.” it makes {found}")
    found = _cut(sentences, "Yes", ".", " And", " so")
    sure(
        found != ["Yes."],
        "what comes after the last mark is lost: it was never said. After the loop, is there "
        "something left?",
    )
    sure(found == ["Yes.", "And so"], f"of “Yes. And so” it makes {found}")
    found = _cut(sentences, "Yes", ".", " ")
    sure(
        found == ["Yes."],
        f"of “Yes.” with a space after it it makes {found}. A space alone is no sentence",
    )
    found = _cut(sentences, "In", " 1999", "!", " Ah", ".")
    sure(
        found == ["In 1999!", "Ah."],
        "“In 1999!” ends. Only a dot after a digit may belong to the number",
    )


def _to_say(to_say: Function) -> None:
    def of(text: str) -> str:
        said = to_say(text, dict(UNITS))
        given_back(said)
        return str(said)

    said = of("Walk 3 km now.")
    sure(said != "Walk 3 km now.", "“3 km” stays as it is. Is the changed text given back?")
    sure(
        said != "Walk kilometres now.",
        "the number is lost. Keep what the pattern found: (\\d) in it, \\1 in what replaces it",
    )
    sure("kilometres" in said, f"of “Walk 3 km now.” it makes “{said}”")
    sure(said == "Walk 3 kilometres now.", f"of “Walk 3 km now.” it makes “{said}”")
    said = of("Only 5% of it")
    sure(
        said != "Only 5percent of it",
        "“5percent” has no space. The text may have none before the sign; what is said has one",
    )
    sure(
        said != "Only 5% of it",
        "“5%” stays, since there is no space before the sign. The space may be missing: ` ?`. And "
        "there is no \\b after a “%”: it is no letter",
    )
    sure(said == "Only 5 percent of it", f"of “Only 5% of it” it makes “{said}”")
    said = of("at 3 km/h")
    sure(
        "kilometres/h" not in said,
        "“km/h” becomes “kilometres/h”: the shorter sign was replaced first. The longest first",
    )
    sure(said == "at 3 kilometres per hour", f"of “at 3 km/h” it makes “{said}”")
    said = of("It takes 5 min or 20 miles.")
    sure(
        said == "It takes 5 min or 20 miles.",
        f"of “5 min or 20 miles” it makes “{said}”. The sign must not go on as a word: (?!\\w)",
    )
    said = of("The km and the m stay, and so does a%b.")
    sure(
        said == "The km and the m stay, and so does a%b.",
        f"it changes signs where no number is before them: “{said}”",
    )
    said = of("12.5 km and 1 m")
    sure(said == "12.5 kilometres and 1 metres", f"of “12.5 km and 1 m” it makes “{said}”")


EXERCISES = (
    Exercise(
        name="sentences",
        notebook="05",
        where="Sentence by sentence",
        try_out=_sentences,
        hints=(
            "Gather the tokens in a text. After each: is it a sentence now?",
            'text.endswith((".", "!", "?")) and not text.endswith(ABBREVIATIONS), and if '
            "the last character is a dot, the one before is no digit.",
            'gathered = ""; for token in tokens: gathered += token; text = gathered.strip(); '
            'if it is a sentence: yield text; gathered = "". After the loop yield what is left.',
        ),
        given=GIVEN,
    ),
    Exercise(
        name="to_say",
        notebook="05",
        where="What is not a word",
        try_out=_to_say,
        hints=(
            "re.sub(pattern, instead, text) for each sign. What stands before a unit, what after?",
            "A digit, perhaps a space, the sign (re.escape makes it harmless), and then no letter: "
            "(?!\\w). Which sign should come first?",
            "for sign in sorted(units, key=len, reverse=True): text = re.sub("
            'rf"(\\d) ?{re.escape(sign)}(?!\\w)", rf"\\1 {units[sign]}", text)',
        ),
        given=GIVEN,
    ),
)
