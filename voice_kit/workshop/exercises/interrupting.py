"""Notebook 08: let me interrupt."""

from __future__ import annotations

from voice_kit.types import Word
from voice_kit.workshop.exercises.exercise import Exercise, Function, given_back, sure

SAID = (
    Word("A", 0.0, 0.1),
    Word("token", 0.1, 0.5),
    Word("is", 0.5, 0.7),
    Word("a", 0.7, 0.8),
    Word("piece", 0.8, 1.2),
)


def _heard_words(heard_words: Function) -> None:
    half = heard_words(SAID, 0.75)
    given_back(half)
    sure(isinstance(half, str), "it should give a text: the words, joined by spaces")
    sure(
        heard_words(SAID, 0.0) == "",
        "before the first sample nothing was heard, and yet it gives a word",
    )
    sure(
        heard_words(SAID, 9.0) == "A token is a piece",
        f"of all of it, it gives “{heard_words(SAID, 9.0)}”. Were the words joined by spaces?",
    )
    sure(
        heard_words(SAID, 0.45) != "A",
        "0.35 of the 0.4 seconds of “token” were heard, and it does not count. A listener has "
        "understood it by then: count a word when more than half of it was heard",
    )
    sure(
        heard_words(SAID, 0.15) != "A token",
        "0.05 of the 0.4 seconds of “token” were heard, and it counts. Nobody understands a word "
        "from that: more than half of it must have been heard",
    )
    sure(heard_words(SAID, 0.45) == "A token", "after 0.45 s, “A token” was heard")
    sure(heard_words(SAID, 0.15) == "A", "after 0.15 s, “A” was heard")
    sure(half in ("A token is", "A token is a"), f"after 0.75 s it gives “{half}”")


def _takes_the_turn(takes_the_turn: Function) -> None:
    sure(
        takes_the_turn("stop", 0.3) is not None,
        "it gives nothing back. Is there a `return` on every way through it?",
    )
    sure(not takes_the_turn("", 0.2), "a cough of 0.2 s without words stops the answer")
    sure(
        not takes_the_turn("mhm", 0.3) and not takes_the_turn("right", 0.4),
        "“mhm” and “right” stop the answer. They mean “go on, I am listening”: backchannels",
    )
    sure(
        not takes_the_turn("Right.", 0.4) and not takes_the_turn("Yes, okay.", 0.45),
        "“Right.” or “Yes, okay.” stops the answer, for its capital or its marks: compare words in "
        "lower case, without punctuation",
    )
    sure(
        takes_the_turn("stop", 0.3) and takes_the_turn("no wait", 0.4),
        "“stop” does not stop it because it is short. Words that are no backchannel are reason "
        "enough, however short",
    )
    sure(
        takes_the_turn("right but what about latency", 0.4),
        "“right but what about latency” begins with a backchannel and goes on: all of its "
        "words must be backchannels, not one",
    )
    sure(
        takes_the_turn("", 0.6),
        "0.6 s of speech without words does not stop it. Recognisers are slow or wrong: half "
        "a second of speech is reason enough",
    )
    sure(takes_the_turn("mhm", 0.9), "an “mhm” of 0.9 s is no “mhm”: half a second is enough")


EXERCISES = (
    Exercise(
        name="heard_words",
        notebook="08",
        where="What was heard",
        try_out=_heard_words,
        hints=(
            "Where is the middle of a word?",
            "A word counts when (word.start + word.end) / 2 < seconds.",
            '" ".join(word.text for word in words if (word.start + word.end) / 2 < seconds)',
        ),
    ),
    Exercise(
        name="takes_the_turn",
        notebook="08",
        where="An interruption is a guess",
        try_out=_takes_the_turn,
        hints=(
            "Two reasons, and either is enough: it lasts, or its words mean something.",
            "What has no words is no reason, nor has it meaning when each word is a backchannel.",
            "words = text.lower().replace(',', '').replace('.', '').split(); return seconds >= 0.5 "
            "or any(word not in {'mhm', 'yes', 'okay', 'right'} for word in words)",
        ),
    ),
)
