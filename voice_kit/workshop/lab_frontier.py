"""Cut-offs against added delay: the best of each judge, as lines of text and as a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voice_kit.workshop.lab_endpointing import SILENCE, WAIT, Point

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLES = (
    ("#6b7783", "o", "-"),
    ("#3b7dd8", "s", "--"),
    ("#2a9d78", "^", "-."),
    ("#7a52c7", "D", ":"),
)
"""Colour, mark and line of each judge: nobody has to tell colours apart."""


def judges(points: Sequence[Point]) -> list[str]:
    """The judges that were tried, in order."""
    return list(dict.fromkeys(point.judge for point in points))


LATER = 0.15
"""Seconds of mean wait, beyond the soonest sound, at which those are compared: as far as `WAIT` is
beyond the soonest end of a turn."""


@dataclass(frozen=True, slots=True)
class Trade:
    """What is gained by waiting, and what the waiting is."""

    share: Callable[[Point], float]
    wait: Callable[[Point], float]
    name: str
    compared_at: Callable[[Sequence[Point]], float]
    """Seconds of mean wait at which judges are compared."""


CUT_OFF = Trade(
    lambda point: point.share,
    lambda point: point.added,
    "cut-offs at a mean added wait of",
    lambda points: WAIT,
)
"""Strict: taken for finished before the last speech, against the wait until the turn ends."""
SPOKEN_INTO = Trade(
    lambda point: point.spoken_into_share,
    lambda point: point.until_sound,
    "turns spoken into at a mean wait until the answer's sound of",
    lambda points: max(point.answer for point in points) + LATER,  # none sounds before it is ready
)
"""What a person feels: an answer heard before the last speech, against the wait for its sound."""


def missed(points: Sequence[Point]) -> int | None:
    """Turns in which nobody is heard with the settings as they are; None where these are not
    among the points."""
    return max((point.missed for point in points if point.usual), default=None)


def frontier(points: Sequence[Point], judge: str, trade: Trade = CUT_OFF) -> list[Point]:
    """The settings that no other setting of this judge beats in both: quickest first.

    Those that miss more turns than the settings as they are do not count: who is not heard is not
    cut off either.
    """
    best: list[Point] = []
    wait, share, allowed = trade.wait, trade.share, missed(points)
    mine = [
        point
        for point in points
        if point.judge == judge
        and wait(point) == wait(point)
        and (allowed is None or point.missed <= allowed)
    ]
    for point in sorted(mine, key=lambda point: (wait(point), share(point))):
        if not best or share(point) < share(best[-1]):
            best.append(point)
    return best


def share_at(
    points: Sequence[Point], judge: str, seconds: float = WAIT, trade: Trade = CUT_OFF
) -> float | None:
    """The share of turns at this mean wait in seconds, between neighbours on the frontier in a
    straight line. None when nothing tried was so quick."""
    before: Point | None = None
    for point in frontier(points, judge, trade):
        if trade.wait(point) > seconds:
            if before is None:
                return None
            way = (seconds - trade.wait(before)) / (trade.wait(point) - trade.wait(before))
            return trade.share(before) + way * (trade.share(point) - trade.share(before))
        before = point
    return trade.share(before) if before else None


def headline(points: Sequence[Point], trade: Trade = CUT_OFF) -> str:
    """One sentence that compares the judges at the same mean wait."""
    parts, seconds = [], trade.compared_at(points)
    for judge in judges(points):
        share = share_at(points, judge, seconds, trade)
        figure = "(never so quick)" if share is None else f"{share * 100:.1f} %"
        parts.append(f"{'fixed silence' if judge == SILENCE else judge} {figure}")
    return f"{trade.name} {seconds * 1000:.0f} ms: {', '.join(parts)}"


def comparison(points: Sequence[Point], trade: Trade, wait: str, share: str) -> dict[str, Any]:
    """The same as data, under these names: milliseconds, and the share of each judge."""
    seconds = trade.compared_at(points)
    shares = {judge: share_at(points, judge, seconds, trade) for judge in judges(points)}
    return {wait: round(seconds * 1000), share: shares}


def table(points: Sequence[Point]) -> list[str]:
    """The frontier of each judge, a line a setting; ★ marks the settings as they are."""
    width = max(8, *(len(point.judge) for point in points))
    lines = [
        f"  {'judge':<{width}} {'start':>5} {'finished':>9} {'stop':>8} {'unfinished':>11}"
        f" {'missed':>7} {'cut off':>15} {'of pauses':>15} {'added, mean':>12} {'p90':>8}"
        f" {'spoken into':>15} {'until sound':>12}"
    ]
    for judge in judges(points):
        shown = frontier(points, judge)
        usual = [point for point in points if point.judge == judge and point.usual]
        shown = sorted({*shown, *usual}, key=lambda point: (point.added, point.share))
        lines += [_line(point, width) for point in shown]
    return lines


def _line(point: Point, width: int) -> str:
    counts = f"{point.cut_off} of {point.turns} {point.share * 100:5.1f} %"
    felt = f"{point.spoken_into} of {point.turns} {point.spoken_into_share * 100:5.1f} %"
    share = point.pauses_cut / point.pauses * 100 if point.pauses else 0.0
    inside = f"{point.pauses_cut} of {point.pauses} {share:3.0f} %"
    finished = "" if point.judge == SILENCE else f"{point.finished * 1000:.0f} ms"
    unfinished = "" if point.judge == SILENCE else f"{point.unfinished * 1000:.0f} ms"
    return (
        f"{'★' if point.usual else ' '} {point.judge:<{width}} {point.start_above:5.2f}"
        f" {finished:>9} {point.stop * 1000:5.0f} ms {unfinished:>11}"
        f" {point.missed:7} {counts:>15} {inside:>15}"
        f" {point.added * 1000:9.0f} ms {point.added_p90 * 1000:5.0f} ms"
        f" {felt:>15} {point.until_sound * 1000:9.0f} ms"
    )


def draw(points: Sequence[Point]) -> Figure:
    """The frontiers of all judges: down and to the left is better."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    for number, judge in enumerate(judges(points)):
        colour, mark, line = STYLES[number % len(STYLES)]
        best = frontier(points, judge)
        axes.plot(
            [point.added * 1000 for point in best],
            [point.share * 100 for point in best],
            *(line,),
            color=colour,
            marker=mark,
            markersize=5,
            label="fixed silence" if judge == SILENCE else judge,
        )
        for point in points:
            if point.judge == judge and point.usual and point.added == point.added:
                x, y = point.added * 1000, point.share * 100
                axes.plot([x], [y], "*", color=colour, markersize=18, markeredgecolor="black")
                axes.annotate(
                    f"{judge}: as set", (x, y), (8, 8), textcoords="offset points", fontsize=9
                )
    axes.axvline(WAIT * 1000, color="black", linewidth=0.8, linestyle=":")
    axes.text(WAIT * 1000, axes.get_ylim()[1], f" {WAIT * 1000:.0f} ms", va="top", fontsize=9)
    axes.set_xlabel("mean added wait after the last speech, ms")
    axes.set_ylabel("turns cut off, %")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    some = points[0]
    axes.set_title(
        f"Who waits how long, and whom it cuts off ({some.turns} turns, {some.pauses} pauses)\n"
        + headline(points, SPOKEN_INTO),
        fontsize=9,
    )
    return figure
