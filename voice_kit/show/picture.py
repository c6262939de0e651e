"""A recording as a picture and in words: its wave, how likely it is speech, and what happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from voice_kit.hear.ears import FRAME_SECONDS
from voice_kit.settings import Settings
from voice_kit.types import (
    Audio,
    Event,
    Failed,
    FellAsleep,
    FrameHeard,
    Interrupted,
    Misfire,
    Paused,
    PlaybackStarted,
    Resumed,
    SpeechStarted,
    TurnEnded,
    Woke,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Mark(NamedTuple):
    """How an event is drawn, and what it is called."""

    letter: str
    shape: str
    """As matplotlib names it."""
    words: str


MARKS: Mapping[type, Mark] = {
    SpeechStarted: Mark("S", ">", "speech starts"),
    Misfire: Mark("M", "X", "it was no speech"),
    Paused: Mark("P", "D", "pause"),
    Resumed: Mark("R", ">", "speech goes on"),
    TurnEnded: Mark("E", "s", "turn ends"),
    PlaybackStarted: Mark("A", "o", "answer is heard"),
    Interrupted: Mark("I", "v", "answer is interrupted"),
    Woke: Mark("W", "^", "awake"),
    FellAsleep: Mark("Z", "v", "asleep"),
    Failed: Mark("F", "X", "something failed"),
}

Probabilities = Sequence[float] | Sequence[tuple[float, float]]
"""Of speech: one for each frame of 32 ms, or pairs of when that frame ended and its chance."""

PIECES = 1600
"""As many stretches of a long wave are drawn, each from its lowest to its highest sample."""


def figure(
    audio: Audio,
    *,
    probabilities: Probabilities | None = None,
    events: Iterable[Event] = (),
    settings: Settings | None = None,
    start: float = 0.0,
    title: str = "",
) -> Figure:
    """A picture of a recording that began at `start`; `alt_text` says the same in words.

    Probabilities are taken from the events if not given; without any there is the wave alone.
    """
    from matplotlib.figure import Figure

    events = list(events)
    times, chances = _pairs(probabilities, events, start)
    rules = (settings or Settings()).hear
    stretch = (start, start + max(audio.seconds, FRAME_SECONDS))
    marked = _within(events, *stretch)
    drawn = Figure(figsize=(11, 4.6 if len(times) else 3.0), layout="constrained")
    if len(times):
        wave, below = drawn.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
        below.fill_between(times, chances, color="#3b7dd8", alpha=0.25, linewidth=0)
        below.plot(times, chances, color="#1f5fb4", linewidth=1.2)
        for name, height in (("starts", rules.start_above), ("stops", rules.stop_below)):
            below.axhline(height, color="#444444", linestyle="--", linewidth=0.9)
            below.annotate(
                f" {name} {height:g}",
                (1, height),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=8,
            )
        below.set_ylim(0, 1.08)
        below.set_ylabel("chance of speech")
        for first, last in speech(times, chances, settings):
            wave.axvspan(first, last, color="#3b7dd8", alpha=0.12, linewidth=0)
            below.plot([first, last], [1.0, 1.0], color="#1f5fb4", linewidth=4)
    else:
        wave = below = drawn.subplots()
    _wave(wave, audio, start)
    _marks(wave, marked, stretch[1] - stretch[0])
    below.set_xlim(*stretch)
    below.set_xlabel("seconds")
    wave.set_ylabel("amplitude")
    for axes in {wave, below}:
        axes.spines[["top", "right"]].set_visible(False)
    if title:
        drawn.suptitle(title)
    return drawn


def _wave(axes: Axes, audio: Audio, start: float) -> None:
    samples, count = audio.samples, len(audio.samples)
    largest = max(0.02, float(np.abs(samples).max(initial=0.0)))
    axes.set_ylim(-1.1 * largest, 1.6 * largest)
    if count > PIECES:
        edges = np.linspace(0, count, PIECES, endpoint=False).astype(int)
        low, high = np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)
        axes.fill_between(start + edges / audio.rate, low, high, color="#28323c", linewidth=0.4)
    else:
        axes.plot(start + np.arange(count) / audio.rate, samples, color="#28323c", linewidth=0.8)


def _marks(axes: Axes, marked: Sequence[tuple[float, Mark]], seconds: float) -> None:
    unit = axes.get_ylim()[1] / 1.6
    before, row = -seconds, 0
    for at, mark in marked:
        row = (row + 1) % 3 if at - before < 0.025 * seconds else 0  # or letters lie on letters
        before, top = at, unit * (1.48 - 0.14 * row)
        axes.plot([at, at], [-1.1 * unit, top], color="#a5480a", linewidth=0.9)
        axes.plot(at, top, mark.shape, color="#a5480a", markersize=6)
        axes.annotate(
            mark.letter,
            (at, top),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            fontweight="bold",
        )
    known = {mark for _, mark in marked}
    named = [f"{mark.letter} {mark.words}" for mark in MARKS.values() if mark in known]
    if named:
        axes.set_title(" · ".join(named), loc="left", fontsize=9)


def alt_text(
    audio: Audio,
    *,
    probabilities: Probabilities | None = None,
    events: Iterable[Event] = (),
    settings: Settings | None = None,
    start: float = 0.0,
) -> str:
    """What `figure` shows, in words."""
    events = list(events)
    said = f"{audio.seconds:.1f} s of sound"
    if len(audio.samples) and (largest := float(np.abs(audio.samples).max())) > 0:
        where = start + int(np.abs(audio.samples).argmax()) / audio.rate
        said += f", loudest at {where:.1f} s ({20 * np.log10(largest):.0f} dBFS)"
    else:
        said += ", silent"
    return said + in_words(
        *_pairs(probabilities, events, start),
        _within(events, start, start + audio.seconds),
        settings,
    )


def in_words(
    times: Sequence[float],
    chances: Sequence[float],
    marked: Sequence[tuple[float, Mark]],
    settings: Settings | None = None,
) -> str:
    """Where speech is, and what happened when."""
    spans = [f"{first:.1f}–{last:.1f} s" for first, last in speech(times, chances, settings)]
    heard = f"; speech {', '.join(spans)}" if spans else "; no speech" if len(times) else ""
    told = "; ".join(f"{mark.words} at {at:.1f} s" for at, mark in marked)
    return f"{heard}. {told[0].upper()}{told[1:]}." if told else f"{heard}."


def speech(
    times: Sequence[float], chances: Sequence[float], settings: Settings | None = None
) -> list[tuple[float, float]]:
    """From when to when it sounds like speech, by the thresholds; a shorter pause than that of
    an early start is none."""
    rules = (settings or Settings()).hear
    found: list[tuple[float, float]] = []
    speaking = False
    for at, chance in zip(times, chances, strict=True):
        speaking = chance >= (rules.stop_below if speaking else rules.start_above)
        if speaking and found and at - FRAME_SECONDS - found[-1][1] <= rules.eager + 1e-6:
            found[-1] = (found[-1][0], at)
        elif speaking:
            found.append((at - FRAME_SECONDS, at))
    return found


def marks(events: Iterable[Event]) -> list[tuple[float, Mark]]:
    """What of these is drawn, and when."""
    return [(event.at, MARKS[type(event)]) for event in events if type(event) in MARKS]


def _within(events: Iterable[Event], first: float, last: float) -> list[tuple[float, Mark]]:
    return [(at, mark) for at, mark in marks(events) if first <= at <= last]


def _pairs(
    probabilities: Probabilities | None, events: Sequence[Event], start: float
) -> tuple[list[float], list[float]]:
    """When each frame ended, and its chance of speech."""
    if probabilities is None:
        heard = [event for event in events if isinstance(event, FrameHeard)]
        return [event.at for event in heard], [event.probability for event in heard]
    times, chances = [], []
    for number, each in enumerate(probabilities, 1):
        at, chance = each if isinstance(each, tuple) else (start + number * FRAME_SECONDS, each)
        times.append(at)
        chances.append(float(chance))
    return times, chances
