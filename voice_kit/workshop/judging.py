"""Makes the text judge of turn ends, and says how good it is.

`python -m voice_kit.workshop.judging [--on tests/judge_frozen.tsv] [--json]` prints the figures;
`--write` learns from everything and writes `hear/judge_text.json`. The same lines give the same
weights.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.hear import judge_text
from voice_kit.hear.endpointing import SURE, UNSURE
from voice_kit.hear.judge_text_words import kind, tokens
from voice_kit.workshop.judging_data import Example, examples, frozen

Vector = NDArray[np.float64]

SEEN = 4
"""A feature seen in fewer examples is not learned."""
PULL = 3.0
"""How strongly weights are pulled to zero. From 2 to 8, other lines are judged equally well; with
less, it is too sure of itself."""
RARE, SHORT = 0.6, 3.0
SHAPES = ("word", "-s", "-ing", "-ed", "-ly", "adjective")
SMALL = 0.22
"""Features with a weight below this are left out, and the others are weighed again."""
FLAT = 1e-4
FOLDS, NEIGHBOURS = 5, 10
"""Lines are judged by what was learned without them and their neighbours, which are alike."""


def learn(known: Sequence[Example], pull: float = PULL) -> dict[str, float]:
    """The weight of every feature: a logistic regression, both labels together equally heavy."""
    rows = [list(judge_text.features(example.text)) for example in known]
    often = Counter(name for row in rows for name in row)
    names = sorted(name for name in often if often[name] >= SEEN)
    strong = [name for name, weight in _fit(rows, names, known, pull) if abs(weight) > SMALL]
    return {name: round(weight, 2) for name, weight in _fit(rows, strong, known, pull)}


def _fit(
    rows: list[list[str]], names: list[str], known: Sequence[Example], pull: float
) -> Iterator[tuple[str, float]]:
    """Every name with its weight, where nothing but these names is looked at."""
    place = {name: n for n, name in enumerate(names)}
    pairs = [(n, place[name]) for n, row in enumerate(rows) for name in row if name in place]
    weights = _descend(Seen(np.array(pairs), len(rows), len(place)), known, pull)
    return zip(names, weights.tolist(), strict=True)


def balance(known: Sequence[Example]) -> Vector:
    """How much each example counts: the finished in all as much as the unfinished.

    Few people pause after a word that is in none of the judge's lists, a noun say, and go on: such
    beginnings count for less. People often say a word or two and no more: those count for more.
    """
    count = np.array([_often(example) for example in known])
    finished = np.array([example.finished for example in known])
    share = count[finished].sum() / count.sum()
    weighed: Vector = count * np.where(finished, 0.5 / share, 0.5 / (1 - share))
    return weighed


def _often(example: Example) -> float:
    words = tokens(example.text)
    if example.finished:
        return SHORT if len(words) < 3 else 1.0
    return RARE if words and kind(words[-1]) in SHAPES else 1.0


class Seen:
    """Which example shows which feature, as pairs: nearly all of the matrix would be zeros."""

    def __init__(self, pairs: NDArray[np.int64], rows: int, columns: int) -> None:
        self._row, self._column = pairs.T
        self._rows, self.columns = rows, columns

    def scores(self, weights: Vector) -> Vector:
        """The sum of the weights of every example's features."""
        summed: Vector = np.bincount(self._row, weights[self._column], self._rows).astype(float)
        return summed

    def sums(self, values: Vector) -> Vector:
        """For every feature, the sum of the values of the examples that show it."""
        summed: Vector = np.bincount(self._column, values[self._row], self.columns).astype(float)
        return summed


def _descend(seen: Seen, known: Sequence[Example], pull: float) -> Vector:
    """Newton's steps by conjugate gradients, until the slope is flat."""
    finished, count = np.array([example.finished for example in known], float), balance(known)
    weights = np.zeros(seen.columns)
    for _ in range(20):
        chance = 1 / (1 + np.exp(-seen.scores(weights)))
        slope = seen.sums(count * (chance - finished)) + pull * weights
        if np.abs(slope).max() < FLAT:
            break
        curve = count * chance * (1 - chance)
        step, rest = np.zeros_like(weights), -slope
        way, size = rest.copy(), float(rest @ rest)
        for _ in range(200):
            bent = seen.sums(curve * seen.scores(way)) + pull * way
            reach = size / float(way @ bent)
            step, rest = step + reach * way, rest - reach * bent
            size, before = float(rest @ rest), size
            if size < FLAT**2:
                break
            way = rest + size / before * way
        weights = weights + step
    return weights


HOW = {"said": "words alone", "bare": "words alone", "written": "written"}


def folds(known: Sequence[Example], pull: float = PULL) -> Iterator[tuple[Example, float]]:
    """Every example, judged by what was learned from the other lines."""
    for fold in range(FOLDS):
        asked = [example for example in known if example.line // NEIGHBOURS % FOLDS == fold]
        rest = [example for example in known if example.line // NEIGHBOURS % FOLDS != fold]
        weights = learn(rest, pull)
        for example in asked:
            score = sum(weights.get(name, 0.0) for name in judge_text.features(example.text))
            yield example, judge_text.chance(judge_text.doubted(score, example.confident))


def figures(
    judged: Sequence[tuple[bool, float]], sure: float = SURE, unsure: float = UNSURE
) -> dict[str, Any]:
    """How often it is right, and what its two kinds of mistakes come to."""
    done = [chance for finished, chance in judged if finished]
    more = [chance for finished, chance in judged if not finished]
    if not done or not more:
        return {"n": len(judged)}
    right = sum((chance > 0.5) == finished for finished, chance in judged)
    return {
        "n": len(judged),
        "right": right / len(judged),
        "finished": {
            "n": len(done),
            "sure": sum(chance >= sure for chance in done) / len(done),
            "called unfinished": sum(chance <= unsure for chance in done) / len(done),
        },
        "unfinished": {
            "n": len(more),
            "sure": sum(chance <= unsure for chance in more) / len(more),
            "called finished": sum(chance >= sure for chance in more) / len(more),
        },
    }


def table(rows: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The figures as lines of text."""
    yield f"{'':34}{'n':>6}{'right':>8}{'adds wait':>11}{'cuts off':>10}{'sure':>7}"
    for name, row in rows.items():
        done, more = row["finished"], row["unfinished"]
        sure = (done["sure"] * done["n"] + more["sure"] * more["n"]) / row["n"]
        shares = (row["right"], done["called unfinished"], more["called finished"], sure)
        yield f"{name:34}{row['n']:6}" + "".join(
            f"{share:{width}.1%}" for share, width in zip(shares, (8, 11, 10, 7), strict=True)
        )
    yield f"Adds wait: of the finished, those at {UNSURE} or less. Cuts off: of the unfinished,"
    yield f"those at {SURE} or more. Sure: of all, those on the right side of these two."


def measure(test: Path | None) -> dict[str, dict[str, Any]]:
    """Figures by who wrote it down: of lines not learned from, and of a test set."""
    rows: dict[str, dict[str, Any]] = {}
    judged = [("learned, other lines", example, chance) for example, chance in folds(examples())]
    if test:
        judge = judge_text.TextJudge().chance
        known = frozen(test)
        known += [Example(bare(e.text), e.finished, "bare") for e in known if e.by == "written"]
        judged += [
            ("test set", example, judge(example.text, example.confident)) for example in known
        ]
    groups: dict[str, list[tuple[bool, float]]] = {}
    for source, example, one in judged:
        by = HOW.get(example.by, "flite + PocketSphinx")
        groups.setdefault(f"{source}: {by}", []).append((example.finished, one))
    rows |= {name: figures(group) for name, group in groups.items()}
    return rows


def bare(text: str) -> str:
    """The words alone, as a recogniser without marks and capitals writes them."""
    return " ".join(tokens(text))


def main() -> None:
    """Measure the judge of words, or let it learn anew."""
    parser = argparse.ArgumentParser(description=__doc__, prog="voice_kit.workshop.judging")
    parser.add_argument("--on", type=Path, metavar="FILE", help="a test set to measure on as well")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--write", action="store_true", help="learn, and write the judge's file")
    asked = parser.parse_args()
    if asked.write:
        weights = json.dumps(learn(examples()), indent=0, ensure_ascii=False, sort_keys=True)
        judge_text.WEIGHTS.write_text(weights + "\n", encoding="utf-8")
        return
    rows = measure(asked.on)
    print(json.dumps(rows, indent=1) if asked.json else "\n".join(table(rows)))


if __name__ == "__main__":
    main()
