"""Routes by examples: a small classifier, which learns from readable phrases.

A sum of weights for what it sees in the sentence (`router_words.features`), learned from
route_phrases.toml in a moment and kept (`router_weights`). It is English only; other languages are
talked with. `voice-kit lab routing` prints how often it is right.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from voice_kit.errors import SettingsError
from voice_kit.think.router_weights import Phrases, kept, learned
from voice_kit.think.router_words import words as words_of
from voice_kit.types import Route, RouteKind, Stops

PHRASES = Path(__file__).with_name("route_phrases.toml")
REASONS = 3
UNDERSTOOD = 0.99


def no_skill(words: str) -> None:
    """Understands nothing."""


class ExamplesRouter:
    """Decides which way a sentence is answered, in half a millisecond."""

    name = "examples"
    stops: Stops = "steps"
    direct = True

    def __init__(
        self,
        *,
        language: str = "en",
        phrases: str | Path = "",
        understood: Callable[[str], object] = no_skill,
    ) -> None:
        """`phrases` is a file of more phrases, written as route_phrases.toml is; of what is in
        both, the file's count. A sentence that is `understood` as a whole by a skill needs no
        examples. Learns for a second or two, but from the same phrases only once. Raises
        `SettingsError` for a file that cannot be read."""
        self._understood = understood
        self._english = language == "en"
        self.phrases = read_phrases(PHRASES) | (read_phrases(Path(phrases)) if phrases else {})
        self._learned = kept(_listed(self.phrases))

    @classmethod
    def learned_from(cls, phrases: Mapping[str, RouteKind]) -> ExamplesRouter:
        """One that knows these phrases only, and no skill."""
        router = cls.__new__(cls)
        router._english, router.phrases, router._understood = True, dict(phrases), no_skill
        router._learned = learned(_listed(router.phrases))
        return router

    def route(self, words: str) -> Route:
        """The way to answer these words; talking for what it knows nothing of."""
        if self._understood(words):
            return Route("skill", UNDERSTOOD, "a skill understands the whole sentence")
        if not self._known(words):
            return Route("chat", 0.0, "nothing in it is known")
        found = self._learned
        columns, weights, chances = self._weighed(words)
        best = int(chances.argmax())
        others = (weights.sum(axis=0) - weights[best]) / (len(found.kinds) - 1)
        decided = np.argsort(others - weights[best])[:REASONS]
        reason = ", ".join(f"“{found.names[columns[each]]}”" for each in decided)
        return Route(found.kinds[best], float(chances[best]), f"by {reason}")

    def chances(self, words: str) -> dict[RouteKind, float]:
        """How likely each kind is, by the examples alone; together 1. Of what it knows nothing of,
        talking is certain."""
        kinds = self._learned.kinds
        if not self._known(words):
            return {kind: float(kind == "chat") for kind in kinds}
        return dict(zip(kinds, map(float, self._weighed(words)[2]), strict=True))

    def _known(self, words: str) -> bool:
        """Whether any whole word is: pieces alone say nothing."""
        return self._english and any(word in self._learned.columns for word in words_of(words))

    def _weighed(self, words: str) -> tuple[Any, Any, Any]:
        """The columns that are seen, the weight of each for each kind, and the kinds' chances."""
        columns, strengths = self._learned.seen(words)
        weights = self._learned.weights[:, columns] * strengths
        scores = weights.sum(axis=1) + self._learned.bias
        chances = np.exp(scores - scores.max())
        return columns, weights, chances / chances.sum()


def _listed(phrases: Mapping[str, RouteKind]) -> Phrases:
    return tuple(phrases.items())


def read_phrases(path: Path) -> dict[str, RouteKind]:
    """Each phrase in a file, and its kind. Raises `SettingsError` that names the mistake."""
    try:
        listed: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise SettingsError(f"{path} cannot be read: {why}. Mend it, or name another.") from error
    known = get_args(RouteKind)
    for kind, lines in listed.items():
        fits = isinstance(lines, list) and all(isinstance(line, str) for line in lines)
        if kind not in known or not fits:
            raise SettingsError(
                f"In {path}, “{kind}” must be one of {', '.join(known)}, each a list of phrases."
            )
    return {line: cast(RouteKind, kind) for kind, lines in listed.items() for line in lines}
