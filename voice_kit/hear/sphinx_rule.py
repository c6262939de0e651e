"""Which of two guesses to believe: a command known by heart, or any English at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from voice_kit.types import Transcript, Word

FRAME = 0.01
"""Seconds between two looks of PocketSphinx at the sound."""
WORSE, OTHER_WORDS = -0.12, 0.34
"""A command is believed when its score is at most this far below the open guess's, and at most
this share of its words differ from it. Of 48 free sentences and 37 recordings of people, none
was taken for a command, and 46 of 48 commands were."""
BETTER, OTHER_SOUNDS = 0.05, 0.45
"""Or when it fits better by this much, and at most this share of its sounds differ: the open
model hears “what is barge in” as “what is bargain”. Chosen on synthetic voices, on sentences of
which some are the kit's: most commands differed by 0.43 or less, free sentences by 0.57 or more.
Sentences that begin like a command differ by as little as 0.32; there only the fit decides."""

_WORDS = """
    a an and are as at be but by for from had has he her his i if in into is it its of on or our
    she than that the their them they this to uh um was we were when where with you
"""
NEVER_ALONE = frozenset(_WORDS.split())
"""A click, a breath or a hum is one of these to the open model, and nobody says just that."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What a sound could be, and the logarithm of how well that fits. No words: nothing fits."""

    words: tuple[Word, ...]
    phones: tuple[str, ...]
    score: float

    @staticmethod
    def read(answer: Mapping[str, Any], start: float = 0.0) -> Guess:
        """A guess as the worker sends it, its times in frames since `start`, in seconds."""
        words = (
            Word(text, round(start + begin * FRAME, 3), round(start + end * FRAME, 3))
            for text, begin, end in answer["words"]
        )
        return Guess(tuple(words), tuple(answer["phones"]), answer["score"])

    @property
    def text(self) -> str:
        """The words in a row."""
        return " ".join(word.text for word in self.words)


NOTHING = Guess((), (), 0.0)


def decide(command: Guess, anything: Guess) -> Transcript:
    """The command where the open guess supports it, else the open guess, never `confident`.

    A grammar alone finds a command in three sentences of four, whatever they say.
    """
    if is_supported(command, anything):
        return Transcript(command.text, "en", command.words, confident=True)
    if is_invented(anything):
        # “Stop” alone can be “of” to the open model. It is worth an answer, not an interruption.
        fits = command.words and command.score - anything.score >= BETTER
        anything = command if fits else NOTHING
    return Transcript(anything.text, "en", anything.words, confident=False)


def is_supported(command: Guess, anything: Guess) -> bool:
    """Whether the open guess is much the same as the command, in fit and in words or sounds."""
    if not command.words or not anything.words:
        return False
    fits = command.score - anything.score
    other_words = differences(command.text.split(), anything.text.split())
    other_sounds = differences(command.phones, anything.phones)
    return (fits >= WORSE and other_words <= OTHER_WORDS * len(command.words)) or (
        fits >= BETTER and other_sounds <= OTHER_SOUNDS * len(command.phones)
    )


def is_invented(anything: Guess) -> bool:
    """Whether the open guess is what PocketSphinx makes of a noise."""
    return len(anything.words) == 1 and anything.text in NEVER_ALONE


def differences(one: Sequence[str], other: Sequence[str]) -> int:
    """How many items must be put in, left out or changed to make one of the other."""
    row = list(range(len(other) + 1))
    for index, word in enumerate(one, 1):
        corner, row[0] = row[0], index
        for place, against in enumerate(other, 1):
            corner, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, corner + (word != against)),
            )
    return row[-1]
