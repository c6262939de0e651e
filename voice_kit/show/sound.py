"""How a sound shows itself in a notebook: a player, a picture, and both in words."""

from __future__ import annotations

import base64
import html
import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from voice_kit.types import RATE, Audio, Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 4_000_000
"""Bytes in a player: a notebook keeps all its players. Longer sound is played at 16 kHz, or cut."""

COLUMNS = 800
"""Of the picture, each with the highest and the lowest sample in it."""

QUIET = -45.0
"""dBFS: what is below it counts as silence in words."""

BLUE = "#3b7dd8"  # 3:1 at least on white and on black


def show_in(shell: Any) -> None:
    """Let sounds show themselves in this IPython shell, if it is one."""
    formatters = getattr(getattr(shell, "display_formatter", None), "formatters", {})
    if formatters:
        formatters["text/html"].for_type(Audio, as_html)
        formatters["text/plain"].for_type(Audio, lambda audio, p, _: p.text(describe(audio)))


def describe(audio: Audio) -> str:
    """A sound in words: how long it is, how loud, and where in it something can be heard."""
    samples = _plain(audio)
    length = f"{audio.seconds:.2f} s of sound at {audio.rate} Hz"
    if not len(samples):
        return length
    peak, mean = _decibels(np.abs(samples).max()), _decibels(math.sqrt(np.mean(samples**2)))
    if peak < QUIET:
        return f"{length}, silence"
    step = max(1, round(0.01 * audio.rate))
    loud = np.flatnonzero(_extremes(samples, step)[1] > 10 ** (QUIET / 20)) * step / audio.rate
    begin, end = loud[0], min(loud[-1] + 0.01, audio.seconds)
    return (
        f"{length}, {mean:.0f} dBFS, peak {peak:.0f}, audible from {begin:.1f} to {end:.1f} s"
    ).replace("-", "−")


def picture(audio: Audio) -> Figure:
    """The waveform alone, without a word, on whatever ground it is laid on."""
    from matplotlib.figure import Figure

    samples = _plain(audio)
    figure = Figure(figsize=(8, 1.2), dpi=100)
    figure.patch.set_alpha(0)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    low, high = _extremes(samples, max(1, math.ceil(len(samples) / COLUMNS)))
    axes.fill_between(np.arange(len(low)), low, high, color=BLUE, linewidth=0.8)
    axes.set_xlim(0, max(1, len(low) - 1))
    most = max(0.05, float(np.abs(samples).max(initial=0)))
    axes.set_ylim(-most, most)
    return figure


def as_html(audio: Audio) -> str:
    """A picture with its words, and a player under it."""
    words = html.escape(describe(audio))
    if not len(audio.samples):
        return f"<p>{words}</p>"
    drawn = io.BytesIO()
    picture(audio).savefig(drawn, format="png")
    wav, whole = _wav(audio)
    note = "" if whole else f" (the player has its first {wav.seconds:.0f} s)"
    from voice_kit.audio.files import to_wav

    return (
        '<figure style="margin: 0; max-width: 40em">'
        f'<img alt="Waveform: {words}" src="{_data("image/png", drawn.getvalue())}" '
        'style="display: block; width: 100%; height: 5em">'
        '<div aria-hidden="true" style="display: flex; justify-content: space-between; '
        f'font-size: 85%"><span>0 s</span><span>{audio.seconds:.2f} s</span></div>'
        f'<audio controls aria-label="{words}" src="{_data("audio/wav", to_wav(wav))}" '
        'style="display: block; width: 100%; height: 2.5em"></audio>'
        f"<figcaption>{words}{note}.</figcaption></figure>"
    )


def _plain(audio: Audio) -> Samples:
    from voice_kit.audio.formats import to_float

    return to_float(audio.samples, live=True)


def _wav(audio: Audio) -> tuple[Audio, bool]:
    """What a player can hold of it, and whether that is all."""
    from voice_kit.audio.convert import convert

    audio = Audio(_plain(audio), audio.rate)
    if not 8_000 <= audio.rate <= 48_000:  # beyond that, not every browser plays it
        audio = convert(audio, min(max(audio.rate, 8_000), 48_000))
    if 2 * len(audio.samples) > MOST and audio.rate > RATE:
        audio = convert(audio, RATE)
    most = MOST // 2
    return Audio(audio.samples[:most], audio.rate), len(audio.samples) <= most


def _extremes(samples: Samples, step: int) -> tuple[Samples, Samples]:
    """The lowest and the highest of each `step` samples."""
    padded = np.pad(samples, (0, -len(samples) % step), mode="edge") if len(samples) else samples
    columns = padded.reshape(-1, step)
    return columns.min(axis=1), columns.max(axis=1)


def _decibels(level: float) -> float:
    return max(-99.0, 20 * math.log10(level)) if level > 0 else -99.0


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
