"""Notebook 03: from sound to text."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from voice_kit.types import FRAME, RATE
from voice_kit.workshop.exercises.exercise import Exercise, Function, given_back, sure

GIVEN = {"np": np, "time": time, "FRAME": FRAME, "RATE": RATE}


def distance(said: str, heard: str) -> int:
    """The fewest words to change, put in or strike out, to get from one text to the other."""
    words, guesses = said.split(), heard.split()
    row = list(range(len(guesses) + 1))
    for number, word in enumerate(words, 1):
        last, row = row, [number]
        for place, guess in enumerate(guesses):
            row.append(min(last[place] + (word != guess), last[place + 1] + 1, row[place] + 1))
    return row[-1]


def _word_error_rate(word_error_rate: Function) -> None:
    found = word_error_rate("set a timer", "set a timer")
    given_back(found)
    sure(
        float(found) != 1.0,
        "what was heard rightly gets 1. That is how much is right; count what is wrong",
    )
    sure(float(found) == 0.0, f"what was heard rightly has no mistakes, and gets {found}")
    one = float(word_error_rate("set a timer please", "set a time please"))
    sure(one != 1.0, "one wrong word of four gives 1: divide by the number of words that were said")
    sure(
        abs(one - 1 / 18) > 1e-6 and abs(one - 1 / 17) > 1e-6,
        "it counts letters. “time” for “timer” is one wrong word: split the texts first",
    )
    sure(abs(one - 0.25) < 1e-6, f"one wrong word of four should give 0.25, not {one:.3g}")
    lost = float(word_error_rate("please set a timer now", "set a timer now"))
    sure(
        lost < 0.5,
        "when the first word is not heard, every later one counts as wrong too. Comparing word by "
        "word is not enough: a lost word shifts the others. Find the fewest changes",
    )
    sure(
        lost > 0,
        "a word that was not heard at all costs nothing. Words that are missing count as well",
    )
    sure(abs(lost - 0.2) < 1e-6, f"one lost word of five should give 0.2, not {lost:.3g}")
    more = float(word_error_rate("stop", "stop the car now"))
    sure(
        more != 0.75,
        "it divides by the number of words heard. Divide by those that were said; the rate may be "
        "more than 1",
    )
    sure(more != 1.0, "it never exceeds 1. Three words too many for one that was said is 3")
    sure(more > 0, "words that nobody said cost nothing. Put in is as wrong as left out")
    sure(more == 3.0, f"three words too many for one that was said should give 3, not {more:.3g}")
    order = float(word_error_rate("a b c d", "b a d c"))
    sure(
        order != 0.0,
        "the order of the words does not matter to it. “you are” and “are you” are two things: a "
        "set of words knows no order",
    )
    for said, heard in (("a b c d", "b a d c"), ("we walked home", "sew we want home now")):
        right = distance(said, heard) / len(said.split())
        given = float(word_error_rate(said, heard))
        sure(
            abs(given - right) < 1e-6,
            f"for “{said}”, heard as “{heard}”, it gives {given:.3g}, not {right:.3g}",
        )
    sure(
        float(word_error_rate("stop", "")) == 1.0,
        "when nothing was heard, all words are lost: the rate is 1",
    )


@dataclass
class _Sound:
    seconds: float


class _Recogniser:
    """Takes a known time for a sound and counts how often it is asked."""

    def __init__(self, took: float) -> None:
        self.took, self.calls = took, 0

    def __call__(self, audio: object) -> str:
        self.calls += 1
        until = time.perf_counter() + self.took
        while time.perf_counter() < until:
            pass
        return "yes"


def _real_time_factor(real_time_factor: Function) -> None:
    recogniser = _Recogniser(0.05)
    began = time.perf_counter()
    found = real_time_factor(recogniser, _Sound(0.25))
    most = (time.perf_counter() - began) / 0.25
    given_back(found)
    sure(not isinstance(found, str), "it gives back the text. How long did it take?")
    sure(recogniser.calls > 0, "it never calls `transcribe`, so it measures nothing")
    sure(
        recogniser.calls == 1,
        f"it transcribes {recogniser.calls} times: once is enough, and what takes time",
    )
    found = float(found)
    sure(found >= 0, "less than no time: subtract the beginning from the end")
    sure(
        found > 0.01,
        "the watch stops before the work, or begins after it. Read it before the call and after",
    )
    sure(
        not 1 < found < 10,
        "more than 1 for a recogniser that keeps up: it is upside down. Seconds of work, per "
        "second of sound",
    )
    sure(found < 10, "that is too much by a thousand: are those milliseconds?")
    sure(
        found >= 0.195,
        "that is how long it took. The factor is that per second of sound: divide by audio.seconds",
    )
    sure(found <= most, f"it took {most:.2f} s for each second of sound, and it says {found:.2f}")


def _is_invention(is_invention: Function) -> None:
    def of(seconds: float, chance: float = 0.9, around: int = 60) -> list[float]:
        return [0.02] * around + [chance] * round(seconds * RATE / FRAME) + [0.02] * around

    silent = is_invention("Thank you for watching.", of(0))
    given_back(silent)
    sure(
        bool(silent),
        "it believes “Thank you for watching.” where nobody spoke at all. What should be True when "
        "it is made up?",
    )
    said = bool(is_invention("Thank you for watching.", of(1.2)))
    sure(
        not said,
        "somebody took 1.2 s to say “Thank you for watching.”, and it is not believed. People do "
        "say that: ask how long somebody spoke, not what it says or how much quiet is around it",
    )
    sure(
        bool(is_invention("Thank you for watching.", of(0.1))),
        "a tenth of a second of speech, as a click may give, makes it believe a whole sentence. "
        "At 40 characters a second that is time for 4. A frame lasts FRAME / RATE seconds",
    )
    sure(
        bool(is_invention("Thank you for watching.", of(1.2, chance=0.3))),
        "a chance of 0.3 counts as speech. A frame is speech above 0.5; do not add up the chances",
    )
    sure(
        not is_invention("Yes.", of(0.3, around=200)),
        "a short “Yes.” with a long silence around it is not believed. Seconds of speech count, "
        "not which share of the sound they are",
    )
    sure(
        bool(is_invention("Please subscribe to my channel and like it.", of(0.6))),
        "43 characters in 0.6 s are believed. At 40 a second that is time for 24",
    )
    sure(
        not is_invention("", of(0)),
        "nothing, heard in silence, counts as made up. An empty text is never wrong",
    )


EXERCISES = (
    Exercise(
        name="word_error_rate",
        notebook="03",
        where="How wrong is it?",
        try_out=_word_error_rate,
        hints=(
            "Begin smaller: how many mistakes are there up to the third word said and the second "
            "heard, if you know that for one word less on either side?",
            "Fill a table: best(i, j) is the least of best(i-1, j-1) + (words differ), "
            "best(i-1, j) + 1 and best(i, j-1) + 1. best(i, 0) is i, best(0, j) is j.",
            "Keep one row of it: for each word said, row = [number] and then append "
            "min(last[j] + (word != guess), last[j + 1] + 1, row[j] + 1) for each word heard. "
            "The last number of the last row, by len(said.split()).",
        ),
        given=GIVEN,
    ),
    Exercise(
        name="real_time_factor",
        notebook="03",
        where="How slow is it?",
        try_out=_real_time_factor,
        hints=(
            "Read the watch, call transcribe(audio), read the watch again.",
            "The difference is how long it took; audio.seconds is how long the sound is.",
            "began = time.perf_counter(); transcribe(audio); "
            "return (time.perf_counter() - began) / audio.seconds",
        ),
        given=GIVEN,
    ),
    Exercise(
        name="is_invention",
        notebook="03",
        where="Silence, and its inventions",
        try_out=_is_invention,
        hints=(
            "For how many seconds did somebody speak? Count frames above 0.5.",
            "spoken = (how many) * FRAME / RATE. How many characters can be said in that time?",
            "return len(text) > 40 * spoken",
        ),
        given=GIVEN,
    ),
)
