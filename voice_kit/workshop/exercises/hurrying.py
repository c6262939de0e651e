"""Notebook 07: make it fast."""

from __future__ import annotations

import re

from voice_kit.workshop.exercises.exercise import Exercise, Function, given_back, sure


def _playback_starts(playback_starts: Function) -> None:
    found = playback_starts([1.0, 1.5, 6.0], [2.0, 1.0, 1.0])
    given_back(found)
    found = [round(float(each), 6) for each in found]
    sure(len(found) == 3, f"three sentences begin at three times, not {len(found)}")
    sure(
        found != [1.0, 1.5, 6.0],
        "the second sentence begins at 1.5 s, while the first is heard until 3.0: both speak at "
        "once. It has to wait for the end of the one before",
    )
    sure(
        found != [1.0, 3.0, 4.0] and found != [0.0, 2.0, 3.0],
        f"it gives {found}: a sentence is heard before its sound is made. Ready at 6.0 s, "
        "the third cannot begin at an earlier time",
    )
    sure(
        found != [1.0, 3.5, 9.0],
        "times and waits are added up. A sentence begins at the later of two moments: it is ready, "
        "or the one before has ended",
    )
    sure(
        found != [3.0, 4.0, 7.0],
        "those are the times at which the sentences end; asked is when they begin",
    )
    sure(found == [1.0, 3.0, 6.0], f"it gives {found}, not [1.0, 3.0, 6.0]")
    sure(list(playback_starts([], [])) == [], "no sentences should give an empty list")


def _same_words(same_words: Function) -> None:
    given = same_words("what is a token", "What is a token?")
    given_back(given)
    sure(
        given,
        "“what is a token” and “What is a token?” are the same words. Recognisers change their "
        "mind about capitals and marks: leave both out before comparing",
    )
    sure(
        not same_words("Set a timer", "Set a timer for ten minutes."),
        "“Set a timer” is only the beginning of “Set a timer for ten minutes”. An answer to it "
        "would be an answer to another question",
    )
    sure(
        not same_words("turn it on", "turn it off"),
        "“turn it on” and “turn it off” have the same beginning, and mean the opposite",
    )
    sure(
        not same_words("is it a or b", "is a or it b"),
        "the order of the words counts: compare lists, not sets",
    )
    sure(
        not same_words("a part", "apart"),
        "“a part” and “apart” differ: compare words, not letters without their spaces",
    )
    sure(same_words("  Yes ", "yes"), "white space around the words makes no difference")
    sure(
        same_words("don't stop", "Don't stop!"),
        "“don't stop” and “Don't stop!” are the same words",
    )


EXERCISES = (
    Exercise(
        name="playback_starts",
        notebook="07",
        where="Overlap the stages",
        try_out=_playback_starts,
        hints=(
            "Remember when the sentence before ends. What does a sentence have to wait for?",
            "It begins at max(ready, end of the one before), and ends its length later.",
            "for at, length in zip(ready, lengths): start = max(at, end); end = start + length",
        ),
    ),
    Exercise(
        name="same_words",
        notebook="07",
        where="Begin before it is certain",
        try_out=_same_words,
        hints=(
            "What may differ without changing what was asked?",
            're.findall(r"[\\w\']+", text.lower()) gives the words of a text.',
            "return words(early) == words(final), with that as words",
        ),
        given={"re": re},
    ),
)
