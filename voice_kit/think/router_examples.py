"""Routes by examples: a small classifier, trained at the start on readable phrases.

A sum of weights for what it sees in the sentence (`router_words.features`), learned from
route_phrases.toml in a moment. It is English only; other languages are talked with.
`voice-kit lab routing` prints how often it is right.
"""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from voice_kit.errors import SettingsError, need
from voice_kit.think.router_words import features
from voice_kit.think.router_words import words as words_of
from voice_kit.types import Route, RouteKind, Stops

PHRASES = Path(__file__).with_name("route_phrases.toml")
STRENGTH = 20.0
"""How far the weights may go to fit the phrases: scikit-learn's C. From 10 to 30 little changes."""
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
        examples. Raises `SettingsError` for a file that cannot be read."""
        need("The router", "sklearn", fix="pip install scikit-learn")
        self._understood = understood
        self._english = language == "en"
        self.phrases = read_phrases(PHRASES) | (read_phrases(Path(phrases)) if phrases else {})
        self._learn(self.phrases)

    @classmethod
    def learned_from(cls, phrases: Mapping[str, RouteKind]) -> ExamplesRouter:
        """One that knows these phrases only, and no skill."""
        router = cls.__new__(cls)
        router._english, router.phrases, router._understood = True, dict(phrases), no_skill
        router._learn(router.phrases)
        return router

    def route(self, words: str) -> Route:
        """The way to answer these words; talking for what it knows nothing of."""
        if self._understood(words):
            return Route("skill", UNDERSTOOD, "a skill understands the whole sentence")
        known = self._english and any(word in self._columns for word in words_of(words))
        if not known:  # pieces alone say nothing
            return Route("chat", 0.0, "nothing in it is known")
        seen = self._seen(Counter(features(words)))
        columns = list(seen)
        strengths = np.array(list(seen.values()))
        weights = self._weights[:, columns] * strengths
        scores = weights.sum(axis=1) + self._bias
        chances = np.exp(scores - scores.max())
        best = int(scores.argmax())
        others = (weights.sum(axis=0) - weights[best]) / (len(self._kinds) - 1)
        decided = np.argsort(others - weights[best])[:REASONS]
        reason = ", ".join(f"“{self._names[columns[each]]}”" for each in decided)
        return Route(self._kinds[best], float(chances[best] / chances.sum()), f"by {reason}")

    def _seen(self, counts: Mapping[str, int]) -> dict[int, float]:
        """The column of each feature that is known, and how much it counts."""
        found = {
            column: (1 + math.log(count)) * self._rare[column]
            for name, count in counts.items()
            if (column := self._columns.get(name)) is not None
        }
        length = math.sqrt(sum(value * value for value in found.values()))
        return {column: value / length for column, value in found.items()}

    def _learn(self, phrases: Mapping[str, RouteKind]) -> None:
        from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
        from sklearn.linear_model import (  # type: ignore[import-untyped]  # slow to import
            LogisticRegression,
        )
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        seen = [Counter(features(phrase)) for phrase in phrases]
        self._names = sorted(set().union(*seen))
        self._columns = {name: column for column, name in enumerate(self._names)}
        among = Counter(name for each in seen for name in each)
        self._rare = [1 + math.log((1 + len(seen)) / (1 + among[name])) for name in self._names]
        known = [self._seen(each) for each in seen]
        values = [value for each in known for value in each.values()]
        columns = [column for each in known for column in each]
        rows = [row for row, each in enumerate(known) for _ in each]
        table = csr_matrix((values, (rows, columns)), (len(known), len(self._names)))
        with threadpool_limits(1):  # more threads than free cores make this ten times slower
            fitted = LogisticRegression(C=STRENGTH, tol=1e-3).fit(table, list(phrases.values()))
        self._weights: NDArray[np.float64] = np.asarray(fitted.coef_)
        self._bias: NDArray[np.float64] = np.asarray(fitted.intercept_)
        self._kinds = cast(Sequence[RouteKind], fitted.classes_.tolist())


def read_phrases(path: Path) -> dict[str, RouteKind]:
    """Each phrase in a file, and its kind. Raises `SettingsError` that names the mistake."""
    try:
        listed: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}. Mend it, or name another.") from error
    known = get_args(RouteKind)
    for kind, lines in listed.items():
        fits = isinstance(lines, list) and all(isinstance(line, str) for line in lines)
        if kind not in known or not fits:
            raise SettingsError(
                f"In {path}, “{kind}” must be one of {', '.join(known)}, each a list of phrases."
            )
    return {line: cast(RouteKind, kind) for kind, lines in listed.items() for line in lines}
