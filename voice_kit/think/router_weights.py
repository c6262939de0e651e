"""What the router learned from phrases, kept in a file so that nobody waits for it twice."""

from __future__ import annotations

import hashlib
import json
import math
import os
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from voice_kit.errors import need
from voice_kit.settings import home
from voice_kit.think import router_words
from voice_kit.think.router_words import features
from voice_kit.types import RouteKind

STRENGTH = 20.0
"""How far the weights may go to fit the phrases: scikit-learn's C. From 10 to 30 little changes."""
FILES = 3
"""How many of what was learned are kept: the package's phrases, and those that one tries out."""

Phrases = tuple[tuple[str, RouteKind], ...]


@dataclass(frozen=True)
class Weights:
    """How much each feature speaks for each kind: numbers, which need no scikit-learn."""

    kinds: tuple[RouteKind, ...]
    names: list[str]
    rare: NDArray[np.float32]
    """How much a feature counts, shape (names,): more if few phrases have it."""
    weights: NDArray[np.float32]
    """Shape (kinds, names)."""
    bias: NDArray[np.float32]
    """Shape (kinds,)."""

    @cached_property
    def columns(self) -> dict[str, int]:
        """Where each feature stands."""
        return {name: column for column, name in enumerate(self.names)}

    def seen(self, text: str) -> tuple[list[int], NDArray[np.float32]]:
        """The columns of the features that are known of this, and how much each counts."""
        return _seen(features(text), self.columns, self.rare)


def learned(phrases: Phrases) -> Weights:
    """What scikit-learn learns from these, in half a second; importing it takes longer.

    Raises `MissingEngineError` without scikit-learn.
    """
    need("The router", "sklearn", fix="pip install scikit-learn")
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    each = [features(text) for text, _ in phrases]
    names = sorted(set().union(*each))
    columns = {name: column for column, name in enumerate(names)}
    among = Counter(name for found in each for name in set(found))
    rare = np.array([1 + math.log((1 + len(each)) / (1 + among[name])) for name in names])
    known = [_seen(found, columns, rare) for found in each]
    rows = np.repeat(np.arange(len(known)), [len(found) for found, _ in known])
    places = np.concatenate([found for found, _ in known])
    table = csr_matrix(
        (np.concatenate([counts for _, counts in known]), (rows, places)), (len(known), len(names))
    )
    with threadpool_limits(1):  # more threads than free cores make this ten times slower
        fitted = LogisticRegression(C=STRENGTH, tol=1e-3).fit(table, [kind for _, kind in phrases])
    numbers = (np.asarray(part, np.float32) for part in (rare, fitted.coef_, fitted.intercept_))
    return Weights(cast(tuple[RouteKind, ...], tuple(fitted.classes_.tolist())), names, *numbers)


@lru_cache(4)
def kept(phrases: Phrases, folder: Path | None = None) -> Weights:
    """What was learned from just these phrases before, or else is now, and kept in `folder`.

    That is `cache` in VOICE_KIT_HOME or ~/.voice-kit; where it cannot be written, it is learned
    anew each time. Raises like `learned`.
    """
    path = (folder or home() / "cache") / f"router-{_key(phrases)}.npz"
    found = _read(path)
    if found is None:
        found = learned(phrases)
        with suppress(OSError):
            _write(found, path)
    return found


def _seen(
    found: Iterable[str], columns: Mapping[str, int], rare: NDArray[np.floating]
) -> tuple[list[int], NDArray[np.float32]]:
    counts = Counter(column for name in found if (column := columns.get(name)) is not None)
    places = list(counts)
    values = (1 + np.log(list(counts.values()))) * rare[places]
    return places, (values / (np.sqrt(values @ values) or 1)).astype(np.float32)


def _key(phrases: Phrases) -> str:
    """Changes with the phrases, and with whatever makes numbers of them."""
    sources = (router_words.KINDS, Path(router_words.__file__), Path(__file__))
    found = hashlib.sha256(json.dumps(phrases).encode())
    for source in sources:
        found.update(source.read_bytes())
    return found.hexdigest()[:20]


def _read(path: Path) -> Weights | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            kinds, names = (bytes(file[part]).decode().split("\n") for part in ("kinds", "names"))
            numbers = (file[part] for part in ("rare", "weights", "bias"))
            return Weights(cast(tuple[RouteKind, ...], tuple(kinds)), names, *numbers)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write(found: Weights, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds, names = (
        np.frombuffer("\n".join(part).encode(), np.uint8) for part in (found.kinds, found.names)
    )
    unfinished = path.with_name(f"{path.stem}.{os.getpid()}.npz")  # whoever reads finds all of it
    np.savez(
        unfinished,
        kinds=kinds,
        names=names,
        rare=found.rare,
        weights=found.weights,
        bias=found.bias,
    )
    unfinished.replace(path)
    older = sorted(path.parent.glob("router-*.npz"), key=lambda each: each.stat().st_mtime)
    for each in older[:-FILES]:
        each.unlink(missing_ok=True)
