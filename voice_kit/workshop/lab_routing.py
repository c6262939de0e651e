"""How well questions are routed: how often right, what is taken for what, how sure it may be.

`routing_frozen.tsv` and `routing_unseen.tsv` are phrases that the router never learned from, each
with its kind and what PocketSphinx heard when flite said it. Made again, in some minutes, by
`voice-kit lab routing --on tests/route_frozen.tsv --listen`, and so for the other. The frozen ones
were known to who wrote the training phrases, and flatter; trust the others more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, cast, get_args

from voice_kit.errors import SettingsError
from voice_kit.think.router_examples import ExamplesRouter
from voice_kit.types import RATE, Audio, Route, RouteKind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS: tuple[RouteKind, ...] = get_args(RouteKind)
BINS = (0.0, 0.4, 0.6, 0.8, 0.9, 1.0)
"""Borders of the groups of confidence that are compared with how often they are right."""
FOLDS = 8
HEARD = sorted(Path(__file__).parent.glob("routing_*.tsv"))
VOICES = ("slt", "rms")


@dataclass(frozen=True, slots=True)
class Case:
    """A phrase, how it should be answered, and what the router says."""

    words: str
    kind: RouteKind
    route: Route
    seconds: float

    @property
    def right(self) -> bool:
        """Whether it says so."""
        return self.route.kind == self.kind


def read_cases(path: Path, *, heard: bool = True) -> list[tuple[RouteKind, str]]:
    """Lines of a kind, a tab and a phrase; a third column is the phrase as it was `heard`, and is
    taken in its place. Raises `SettingsError`."""
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read. Name a file of phrases.") from error
    wrong = [row for row in rows if len(row) < 2 or row[0] not in KINDS]
    if wrong or not rows:
        told = f"“{wrong[0][0]}”" if wrong else "an empty file"
        raise SettingsError(
            f"{path} has {told}. Write each line as one of {', '.join(KINDS)}, a tab, a phrase."
        )
    return [(cast(RouteKind, row[0]), row[-1 if heard else 1]) for row in rows]


def kept() -> Iterator[tuple[str, list[tuple[RouteKind, str]]]]:
    """The phrases that come with the lab, as they are written and as they were heard."""
    for path in HEARD:
        name = path.stem.removeprefix("routing_")
        yield name, read_cases(path, heard=False)
        yield f"{name}, as heard", read_cases(path)


def tried(router: ExamplesRouter, cases: Sequence[tuple[RouteKind, str]]) -> list[Case]:
    """What the router makes of each phrase."""
    found = []
    for kind, words in cases:
        began = time.perf_counter()
        route = router.route(words)
        found.append(Case(words, kind, route, time.perf_counter() - began))
    return found


def cross_validated(phrases: str | Path = "") -> list[Case]:
    """The router's own phrases, each tried by one that learned from the others only."""
    whole = ExamplesRouter(phrases=phrases)
    listed = list(whole.phrases.items())
    found = []
    for fold in range(FOLDS):
        rest = dict(pair for place, pair in enumerate(listed) if place % FOLDS != fold)
        router = ExamplesRouter.learned_from(rest)
        found += tried(router, [(kind, words) for words, kind in listed[fold::FOLDS]])
    return found


def accuracy(cases: Sequence[Case]) -> float:
    """The share that is right."""
    return sum(case.right for case in cases) / len(cases)


def confusion(cases: Sequence[Case]) -> dict[RouteKind, dict[RouteKind, int]]:
    """For each kind, how many were taken for which."""
    return {
        kind: {
            taken: sum(case.kind == kind and case.route.kind == taken for case in cases)
            for taken in KINDS
        }
        for kind in KINDS
    }


def reliability(cases: Sequence[Case]) -> Iterator[tuple[float, float, int]]:
    """For each group of confidence: its mean, the share that is right, and how many there are."""
    for low, high in pairwise(BINS):
        last = high == BINS[-1]
        inside = [c for c in cases if low <= c.route.confidence < high + last]
        if inside:
            mean = sum(case.route.confidence for case in inside) / len(inside)
            yield mean, accuracy(inside), len(inside)


def acts_wrongly(cases: Sequence[Case], sure: float) -> list[Case]:
    """Those that would be searched or done, at this confidence, though they should not be."""
    return [
        case
        for case in cases
        if not case.right and case.route.kind != "chat" and case.route.confidence >= sure
    ]


def summary(name: str, cases: Sequence[Case], sure: float) -> dict[str, Any]:
    """All of it as plain data."""
    curve = [[round(mean, 3), round(right, 3), n] for mean, right, n in reliability(cases)]
    wrong = [
        {
            "words": case.words,
            "is": case.kind,
            "taken_for": case.route.kind,
            "confidence": round(case.route.confidence, 2),
            "reason": case.route.reason,
        }
        for case in cases
        if not case.right
    ]
    return {
        "on": name,
        "phrases": len(cases),
        "accuracy": round(accuracy(cases), 4),
        "confusion": confusion(cases),
        "reliability": curve,
        "acts_wrongly": len(acts_wrongly(cases, sure)),
        "decision_ms": round(median(case.seconds for case in cases) * 1000, 3),
        "wrong": wrong,
    }


def table(told: dict[str, Any], sure: float) -> list[str]:
    """The same as lines of text."""
    lines = [
        f"{told['on']}: {told['accuracy']:.1%} of {told['phrases']} right, "
        f"{told['decision_ms']:.2f} ms each; {told['acts_wrongly']} would be searched or done "
        f"wrongly at {sure:g} or surer",
        f"  {'is, taken for':<14}" + "".join(f"{kind:>8}" for kind in KINDS),
    ]
    for kind, row in told["confusion"].items():
        lines.append(f"  {kind:<14}" + "".join(f"{row[taken]:>8}" for taken in KINDS))
    for mean, right, count in told["reliability"]:
        lines.append(f"  where it is {mean:.0%} sure, it is right in {right:.0%} of {count}")
    for each in told["wrong"][:12]:
        lines.append(
            f"  “{each['words']}” is {each['is']}, taken for {each['taken_for']} "
            f"({each['confidence']:.2f}: {each['reason']})"
        )
    return lines


def draw(sets: Sequence[dict[str, Any]]) -> Figure:
    """Confidence against how often it is right, a line for each set of phrases."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="as sure as it may be")
    for each in sets:
        points = each["reliability"]
        axes.plot([p[0] for p in points], [p[1] for p in points], marker="o", label=each["on"])
    axes.set(xlabel="confidence", ylabel="share right", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(loc="lower right")
    return figure


def listen(path: Path) -> Iterator[str]:
    """Each phrase of a file with what PocketSphinx hears when flite says it: tab-separated."""
    from voice_kit.hear.stt_sphinx import PocketSphinx
    from voice_kit.sounds.make import flite

    sphinx = PocketSphinx()
    for number, (kind, words) in enumerate(read_cases(path)):
        said = flite(VOICES[number % len(VOICES)], "-t", words)
        heard = sphinx.transcribe(Audio(said, RATE)).text
        yield f"{kind}\t{words}\t{heard}"
