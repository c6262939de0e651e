"""A turn's waterfall: where the time went between your last word and the first of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voice_kit.converse.timeline import STAGES, TurnTimes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HUMAN = 0.2
"""The usual gap between two people's turns, in seconds (Stivers et al. 2009,
doi:10.1073/pnas.0903616106)."""

COLOURS = {
    "speech": "#6b7783",
    "wait": "#e0a030",
    "transcribe": "#3b7dd8",
    "first_token": "#7a52c7",
    "first_sentence": "#a98be0",
    "synthesis": "#2a9d78",
    "playback": "#5f6b76",
    "interruption": "#b3372f",
}
HATCHES = {
    "wait": "//",
    "transcribe": "--",
    "first_token": "\\\\",
    "first_sentence": "||",
    "synthesis": "..",
}
"""A pattern for each stage, so that its colour is not the only sign."""
BETWEEN = ("wait", "transcribe", "first_token", "first_sentence", "synthesis")


def headline(turn: TurnTimes, longest: int = 60) -> str:
    """One line about a turn: what was heard, and how long the silence was."""
    itself = bool(turn.said) and not turn.heard and turn.ended is None  # a timer that rings
    words = turn.said if itself else turn.heard
    words = words if len(words) <= longest else words[: longest - 1].rstrip() + "…"
    asked = f"“{words}”" if words else "(no words)"
    silence = turn.voice_to_voice
    if silence is None:
        aloud = "said by itself" if itself else "answered aloud"
        without = aloud if turn.first_sound is not None else "no sound was needed"
        return f"{asked}: {turn.problem or without}"
    ending = ", then you interrupted" if turn.interrupted else ""
    return f"{asked}: first sound {silence * 1000:.0f} ms after your last word{ending}"


def waterfall(turn: TurnTimes, width: int = 30) -> list[str]:
    """The stages of a turn as lines of text, one under the other on one axis.

    The axis runs from your last word to the first sound of the answer; `·` is where nothing of
    that stage happened. Empty when there was no sound.
    """
    if turn.ended is None or turn.first_sound is None:
        return []
    zero, scale = turn.ended, width / max(turn.first_sound - turn.ended, 1e-3)
    lines = []
    for bar in turn.bars:
        if bar.stage in BETWEEN:
            first = min(width - 1, max(0, int((bar.start - zero) * scale)))
            last = min(width, max(first + 1, round((bar.end - zero) * scale)))
            drawn = "·" * first + "█" * (last - first) + "·" * (width - last)
            lines.append(f"{STAGES[bar.stage]:<25} {drawn} {bar.seconds * 1000:5.0f} ms")
    return lines


def draw(turns: Sequence[TurnTimes]) -> Figure:
    """All turns' waterfalls on one axis, in seconds after the last word of each question."""
    from matplotlib.figure import Figure

    shown = [turn for turn in turns if turn.voice_to_voice is not None]
    figure = Figure(figsize=(11, 1.0 + 2.1 * max(1, len(shown))), layout="constrained")
    if not shown:
        figure.text(0.5, 0.5, "No turn was answered aloud.", ha="center")
        return figure
    ends = max(turn.voice_to_voice or 0.0 for turn in shown)
    axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    for turn, panel in zip(shown, axes, strict=True):
        _panel(panel, turn, -0.5, ends + 0.6)
    axes[-1].set_xlabel("seconds after your last word")
    figure.suptitle("Where the time goes: from your last word to the first sound of the answer")
    return figure


def _panel(panel: Axes, turn: TurnTimes, left: float, right: float) -> None:
    zero, silence = turn.ended or 0.0, turn.voice_to_voice or 0.0
    rows = [stage for stage in STAGES if any(bar.stage == stage for bar in turn.bars)]
    for bar in turn.bars:
        start, end = max(left, bar.start - zero), min(right, bar.end - zero)
        if end <= left or start >= right:
            continue
        row = rows.index(bar.stage)
        panel.barh(
            *(row, max(end - start, 0.004)),
            left=start,
            height=0.7,
            color=COLOURS[bar.stage],
            hatch=HATCHES.get(bar.stage),
            edgecolor="white",
            linewidth=0,
        )
        if bar.stage in BETWEEN:
            crossed = end <= silence < end + 0.15 * (right - left)  # the label keeps off that line
            place = silence if crossed else end
            label = f" {bar.seconds * 1000:.0f} ms"
            panel.text(place, row, label, va="center", fontsize=8)
        else:
            panel.text(
                *(end, row, f"{turn.seconds(bar.stage):.1f} s "),
                va="center",
                ha="right",
                fontsize=8,
                color="white",
                clip_on=True,
            )
    panel.axvline(0, color="black", linewidth=1)
    panel.axvline(silence, color="black", linewidth=1, linestyle="--")
    panel.axvspan(0, HUMAN, color="#000000", alpha=0.07)
    panel.text(0.01, len(rows) - 1, "people answer\nwithin this", fontsize=7, va="center")
    panel.text(silence, -0.05, " first sound", fontsize=8, va="center")
    if turn.interrupted:
        last = turn.bars[-1].end - zero
        how = f"you interrupt, {last:.1f} s after your last word ▸ "
        panel.text(right, -0.55, how, fontsize=7, ha="right", va="center")
    panel.set_yticks(range(len(rows)), [STAGES[stage] for stage in rows], fontsize=8)
    panel.set_ylim(len(rows) - 0.4, -0.8)
    panel.set_xlim(left, right)
    panel.set_title(headline(turn), loc="left", fontsize=9)
    panel.spines[["top", "right"]].set_visible(False)
