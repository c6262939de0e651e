"""What interruptions came to, setting by setting: as numbers, lines of text and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voice_kit.workshop.lab_interruptions import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Outcome:
    """What all trials of one setting came to. Times are medians in seconds."""

    mode: str
    after: float
    interruptions: int
    missed: int
    """Interruptions that did not stop the answer."""
    quiet: float | None
    """From the first sound of an interruption until the answer fell silent."""
    stopped: float | None
    """The same until it stopped for good."""
    others: int
    """Backchannels and noises."""
    false_stops: int
    """Those that stopped the answer for good."""
    needless: int
    """Those that held it, after which it went on."""
    held: float | None
    """How long these were."""
    words_heard: float | None
    """Words of the answer that were heard before it stopped for good, on average; None, as the next
    two, where its voice does not tell when it says which word, or it never stopped."""
    words_wrong: int | None
    """The largest difference between those and the words that memory keeps, in any trial."""
    words_wrong_by_share: int | None
    """The same if this voice did not tell."""
    usual: bool

    @property
    def name(self) -> str:
        """The setting in words."""
        return f"evidence, {self.after * 1000:.0f} ms" if self.mode == "evidence" else self.mode

    def as_json(self) -> dict[str, Any]:
        """Plain data, times in milliseconds."""
        return {
            "mode": self.mode,
            "after_ms": round(self.after * 1000) if self.mode == "evidence" else None,
            "interruptions": self.interruptions,
            "missed": self.missed,
            "quiet_ms": _ms(self.quiet),
            "stopped_ms": _ms(self.stopped),
            "others": self.others,
            "false_stops": self.false_stops,
            "needless_pauses": self.needless,
            "held_ms": _ms(self.held),
            "words_heard": None if self.words_heard is None else round(self.words_heard, 2),
            "words_wrong": self.words_wrong,
            "words_wrong_by_share": self.words_wrong_by_share,
            "usual": self.usual,
        }


def outcome(trials: Sequence[Trial], *, usual: bool = False) -> Outcome:
    """What these trials of one setting came to."""
    meant = [trial for trial in trials if trial.kind == "interruption"]
    others = [trial for trial in trials if trial.kind != "interruption"]
    stopped = [trial for trial in trials if trial.stopped is not None]
    heard = [(trial, trial.words_heard) for trial in stopped if trial.words_heard is not None]
    needless = [trial.held for trial in others if trial.stopped is None and trial.held]
    return Outcome(
        mode=trials[0].mode,
        after=trials[0].after,
        interruptions=len(meant),
        missed=sum(trial.stopped is None for trial in meant),
        quiet=_median([trial.quiet for trial in meant]),
        stopped=_median([trial.stopped for trial in meant]),
        others=len(others),
        false_stops=sum(trial.stopped is not None for trial in others),
        needless=len(needless),
        held=_median(needless),
        words_heard=float(np.mean([words for _, words in heard])) if heard else None,
        words_wrong=max((abs(each.words_kept - words) for each, words in heard), default=None),
        words_wrong_by_share=max(
            (abs(each.words_by_share - words) for each, words in heard), default=None
        ),
        usual=usual,
    )


def _median(seconds: Sequence[float | None]) -> float | None:
    known = [each for each in seconds if each is not None]
    return float(np.median(known)) if known else None


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """A line for each setting; ★ marks the settings as they are."""
    lines = [
        f"  {'interrupt':<17} {'silent after':>13} {'stopped after':>14} {'missed':>9}"
        f" {'false stops':>12} {'needless pauses':>22} {'words heard':>12} {'kept wrong':>11}"
        f" {'by share':>9}"
    ]
    for each in outcomes:
        wait = f" of {_ms(each.held)} ms" if each.needless else ""
        lines.append(
            f"{'★' if each.usual else ' '} {each.name:<17} {_cell(each.quiet):>13}"
            f" {_cell(each.stopped):>14} {f'{each.missed} of {each.interruptions}':>9}"
            f" {f'{each.false_stops} of {each.others}':>12} {f'{each.needless}{wait}':>22}"
            f" {_number(each.words_heard, 1):>12} {_number(each.words_wrong):>11}"
            f" {_number(each.words_wrong_by_share):>9}"
        )
    return lines


def _cell(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds * 1000:.0f} ms"


def _number(value: float | None, places: int = 0) -> str:
    return "–" if value is None else f"{value:.{places}f}"


def draw(outcomes: Sequence[Outcome]) -> Figure:
    """Time to stop against false stops: down and to the left is better."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    for number, each in enumerate(outcomes):
        if each.stopped is None or not each.others:
            continue
        x, y = each.stopped * 1000, each.false_stops / each.others * 100
        mark, size = ("*", 18) if each.usual else ("o" if each.mode == "evidence" else "s", 8)
        axes.plot([x], [y], mark, color="#3b7dd8", markersize=size, markeredgecolor="black")
        missed = f"\n{each.missed} of {each.interruptions} missed" if each.missed else ""
        axes.annotate(
            f"{each.name}{' (as set)' if each.usual else ''}{missed}",
            *((x, y), (9, 5 if number % 2 else -16)),
            textcoords="offset points",
            fontsize=9,
        )
    axes.set_xlabel("from the first sound of an interruption to the answer stopped, median ms")
    axes.set_ylabel("answers stopped by a backchannel or a noise, %")
    axes.set_xlim(left=0)
    axes.margins(0.15)
    axes.spines[["top", "right"]].set_visible(False)
    some = outcomes[0]
    axes.set_title(
        f"What stops an answer ({some.interruptions} interruptions, {some.others} other sounds)"
    )
    return figure
