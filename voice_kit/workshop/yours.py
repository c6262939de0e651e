"""What a learner wrote in the notebooks, as parts of the loop: live, with all its faults."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.converse.own import Own
from voice_kit.hear.vad_energy import levels
from voice_kit.think.router_examples import ExamplesRouter, no_skill
from voice_kit.think.skills import Skill
from voice_kit.types import Route, Stops
from voice_kit.workshop.checks import mine
from voice_kit.workshop.exercises.exercise import Function

LATELY = 94
"""Frames that a loudness is compared with: 3 s."""
MARGIN = 12.0
"""Decibels above the quietest of them that are speech, as in notebook 02."""
SURE = 0.6
"""The chance from which an action is chosen, as in notebook 09."""


def yours(*skills: Skill) -> Own:
    """Your detector, your sentence cutter and your rule for acting, as far as their checks passed,
    and these skills. Says which are yours."""
    cut = mine("sentences", otherwise=no_answer)
    loud = mine("loud_frames", otherwise=no_answer)
    choose = mine("choose", otherwise=no_answer)
    return Own(
        vad=None if loud is no_answer else Loudness(loud),
        router=None if choose is no_answer else partial(Choosing, choose),
        cutter=None if cut is no_answer else lambda language: Again(cut),
        skills=skills,
    )


def no_answer() -> None:
    """Stands for a function that was not written yet."""


class Loudness:
    """A detector made of `loud_frames(levels, margin)`: loud is speech."""

    name = "your loud_frames"
    direct = True

    def __init__(self, loud_frames: Function, margin: float = MARGIN) -> None:
        self._loud, self._margin = loud_frames, margin

    def start(self) -> tuple[float, ...]:
        """The state before any sound: no level, in dBFS, was heard yet."""
        return ()

    def detect(
        self, frames: NDArray[np.float32], states: Sequence[tuple[float, ...]]
    ) -> tuple[NDArray[np.float32], list[tuple[float, ...]]]:
        """1 for each frame that is loud, else 0; and the levels of late."""
        heard = [
            tuple(deque((*before, float(level)), LATELY))
            for before, level in zip(states, levels(frames), strict=True)
        ]
        loud = [self._loud(list(each), self._margin)[-1] for each in heard]
        return np.array(loud, np.float32), heard


class Choosing:
    """A router that knows the chances, and lets `choose(chances, at_least)` decide."""

    name = "your choose"
    stops: Stops = "steps"
    direct = True

    def __init__(
        self,
        choose: Function,
        understood: Callable[[str], object] = no_skill,
        *,
        at_least: float = SURE,
    ) -> None:
        """Learns for a second or two, but only once a machine. What is `understood` by a skill as
        a whole is a skill for certain."""
        self._choose, self._understood, self._at_least = choose, understood, at_least
        self._examples = ExamplesRouter()

    def route(self, words: str) -> Route:
        """The way that was chosen."""
        found = self._examples.chances(words)
        if self._understood(words):
            found = {kind: float(kind == "skill") for kind in found}
        kind = self._choose(dict(found), self._at_least)
        return Route(kind, found[kind], "you chose it")


class _MoreToComeError(BaseException):
    """The tokens so far are used up. No learner's `except Exception` holds it up."""


class Again:
    """Cuts with `sentences(tokens)`, which is asked anew at each token.

    A generator cannot be told of another token while it runs; what it yields before it wants more
    than there is, is certain.
    """

    def __init__(self, sentences: Callable[[Iterator[str]], Iterator[str]]) -> None:
        self._sentences = sentences
        self._tokens: list[str] = []
        self._given = 0  # sentences

    def feed(self, token: str) -> list[str]:
        """The sentences that are certain to be complete with this token."""
        self._tokens.append(token)
        return self._new(self._so_far())

    def end(self) -> list[str]:
        """What is left, now that the text is over."""
        return self._new(iter(self._tokens))

    def _so_far(self) -> Iterator[str]:
        yield from self._tokens
        raise _MoreToComeError

    def _new(self, tokens: Iterator[str]) -> list[str]:
        found: list[Any] = []
        try:
            for sentence in self._sentences(tokens):
                found.append(sentence)
        except _MoreToComeError:
            pass
        new, self._given = found[self._given :], max(self._given, len(found))
        return [str(each) for each in new]
