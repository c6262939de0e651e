"""Notebook 02: when is someone speaking?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voice_kit.types import FRAME, RATE
from voice_kit.workshop.exercises.exercise import Exercise, Function, given_back, sure

GIVEN = {"np": np, "FRAME": FRAME, "RATE": RATE}


def _flags(text: str) -> list[bool]:
    return [mark == "#" for mark in text]


def _drawn(flags: Sequence[object]) -> str:
    return "".join("#" if flag else "." for flag in flags)


def _loud_frames(loud_frames: Function) -> None:
    levels = [-62.0, -60.0, -30.0, -25.0, -20.0, -46.5, -59.0, -61.0]
    found = loud_frames(levels, 15.0)
    given_back(found)
    found = list(found)
    sure(len(found) == len(levels), f"{len(levels)} levels need as many answers, not {len(found)}")
    sure(
        _drawn(found) != "........",
        "it never hears anything. Is the margin taken from the floor, or from 0 dBFS? Levels are "
        "negative: louder is nearer to zero",
    )
    sure(_drawn(found) != "########", "it hears speech everywhere, even in the quietest frame")
    sure(
        _drawn(found) != "..###...",
        "the softest frame of the word is lost: that is how a final “t” goes. An average moves "
        "with how much was said; the quietest frame does not",
    )
    sure(
        _drawn(found) == "..####..",
        f"for the levels {levels} and a margin of 15 dB it hears {_drawn(found)}, not ..####..: a "
        "frame counts when it is at least `margin` above the quietest one",
    )
    louder = list(loud_frames([level + 20 for level in levels], 15.0))
    sure(
        _drawn(louder) == "..####..",
        "the same sound, 20 dB louder, is heard otherwise. A fixed threshold hears another room's "
        "microphone wrongly: compare with the quietest frame, min(levels)",
    )


def _with_hysteresis(with_hysteresis: Function) -> None:
    chances = [0.1, 0.4, 0.6, 0.4, 0.45, 0.3, 0.4, 0.55, 0.1]
    found = with_hysteresis(chances, 0.5, 0.35)
    given_back(found)
    drawn = _drawn(list(found))
    sure(len(drawn) == len(chances), f"{len(chances)} chances need as many answers as that")
    sure(
        drawn != "..#....#.",
        "a dip to 0.4 ends the speech, as with one threshold. Once someone speaks, only a chance "
        "below `stop_below` ends it: remember from frame to frame whether they speak",
    )
    sure(
        drawn != ".####.##.",
        "0.4 begins the speech. From silence it takes `start_above`; `stop_below` counts only "
        "while someone speaks",
    )
    sure(
        drawn[5] == "." or drawn[5:8] != "###",
        "0.3 is below `stop_below` and should end the speech",
    )
    sure(drawn == "..###..#.", f"for {chances} it gives {drawn}, not ..###..#.")
    again = _drawn(list(with_hysteresis([0.4, 0.4], 0.5, 0.35)))
    sure(
        again == "..",
        "a second call begins as if someone were speaking: what it remembers must be a local "
        "variable, not a global one",
    )


def _turn_ends(turn_ends: Function) -> None:
    speech = _flags("..###.####...........##......")
    found = turn_ends(speech, 4)
    given_back(found)
    found = list(found)
    sure(
        found != [9, 22],
        "those are the last frames of speech. But at that moment nobody can know that no more "
        "comes: a turn ends when it has been quiet for `hangover` frames",
    )
    sure(
        5 not in found[:1] and 8 not in found[:1],
        "it ends in the short pause. One quiet frame is a breath: count the quiet frames in a row, "
        "and begin anew with each frame of speech",
    )
    sure(
        len(found) != 0,
        "it finds no end at all. Count quiet frames after speech, and note the frame where the "
        "count reaches `hangover`",
    )
    sure(
        found[0] != 3,
        "the silence before the first word is no end of a turn: somebody must have spoken first",
    )
    sure(
        len(found) == 2,
        f"two people's turns have two ends, not {len(found)} ({found}). After an end, wait for "
        "speech before you count again",
    )
    sure(
        found != [14, 27],
        "that is a frame late: the frame in which the count reaches `hangover` is the end",
    )
    sure(found == [13, 26], f"for {_drawn(speech)} and 4 frames it gives {found}, not [13, 26]")
    unfinished = list(turn_ends(_flags("##..."), 4))
    sure(unfinished == [], "three quiet frames of four: that turn has not ended yet")


EXERCISES = (
    Exercise(
        name="loud_frames",
        notebook="02",
        where="By loudness",
        try_out=_loud_frames,
        hints=(
            "How quiet is the room? The quietest frame of all knows.",
            "A frame is loud when its level is at least min(levels) + margin.",
            "[level >= min(levels) + margin for level in levels]",
        ),
        given=GIVEN,
    ),
    Exercise(
        name="with_hysteresis",
        notebook="02",
        where="Two thresholds are better than one",
        try_out=_with_hysteresis,
        hints=(
            "A variable `speaking`, False at first, is remembered from frame to frame.",
            "Which threshold counts depends on it: stop_below while speaking, else start_above.",
            "speaking = chance >= (stop_below if speaking else start_above)",
        ),
        given=GIVEN,
    ),
    Exercise(
        name="turn_ends",
        notebook="02",
        where="The end of a turn",
        try_out=_turn_ends,
        hints=(
            "Count quiet frames in a row. What should happen to the count when speech goes on?",
            "Count only after somebody has spoken; note the frame when the count is `hangover`.",
            "for frame, loud in enumerate(speech): if loud: spoken, quiet = True, 0; elif spoken: "
            "quiet += 1, and at quiet == hangover note the frame and set spoken to False.",
        ),
        given=GIVEN,
    ),
)
