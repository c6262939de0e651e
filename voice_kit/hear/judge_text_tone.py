"""Hears in the tone of a voice whether a sentence ends: it falls, and its last syllable lingers.

Three things are measured in the last seconds of a sound, against the rest of the same voice, so
that nobody has to be known: see `Tone`. Their weights were learned from people who read aloud and
from flite's voices, broken off after every word. `python -m voice_kit.workshop.judging_tone`
prints how often a finished one has more for its end than an unfinished one, each speaker judged
by what was learned from the others. First where PocketSphinx guesses the words; then all, as if
the words were certain, where half of the tone counts (`judge_text.SHARE`):

                              finished  unfinished   words    tone    both
    people, guessed                 31         310   68.8%   90.4%   89.4%
    flite's voices, guessed          8         144   70.7%   72.3%   78.0%
    people, certain                 31         310   72.9%   90.4%   80.0%
    flite's voices, certain         40         159   88.3%   78.0%   90.8%

Tried once, in `voice-kit lab endpointing` with certain words and tones learned from other
speakers: 35 % of people's turns are cut off at a mean added wait of 350 ms (words alone: 45 %; all
of the tone: 36 %), and 9 % of the kit's, which flite says (8 %; 11 %).

The recordings of `voice-kit lab endpointing` are these, so its figures flatter the tone. Nobody
among them asks a question that rises at its end. It takes 0.5 ms.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voice_kit.hear.detection import INAUDIBLE, at_16k
from voice_kit.types import RATE, Audio

WEIGHTS = Path(__file__).parent / "judge_text_tone.json"
LISTENED = 4.0
"""Seconds of the end of a turn that are listened to."""
DOWN = 4
"""Every so many samples become one: pitch is far below 2 kHz."""
BLOCK = RATE // DOWN // 100
"""Samples of 10 ms, for which there is one level; and one pitch for every two."""
WINDOW = 4 * BLOCK
HIGHEST, LOWEST = RATE // DOWN // 400, RATE // DOWN // 70
"""Samples of one period of the highest voice, 400 Hz, and of the lowest, 70 Hz."""
VOICED = 0.6
"""A stretch of sound has a pitch when it is this much like itself a period later."""
SOFT, LOUD, AUDIBLE = 25.0, 10.0, 32.0
"""dB below the loudest where no pitch is looked for, where a syllable is no longer loud, and
where the sound has ended."""
LAST = 6
"""Of so many pitches, 0.12 s, the middle one is the pitch at the end."""


class Tone(NamedTuple):
    """How a voice ends."""

    fallen: float
    """The share of the voice that was higher than its end, in [0, 1]."""
    lingers: float
    """Seconds, as a logarithm, from the last loud moment to the end of the sound."""
    drawn: float
    """Seconds, as a logarithm, of the last stretch of voice without a break, as in “uhm”."""


SAYS = {
    "fallen": ("the voice has not fallen", "the voice has fallen"),
    "lingers": ("its end is clipped", "its end lingers"),
    "drawn": ("no vowel is drawn out", "a vowel is drawn out"),
}
"""What is below its usual value, and above."""


def reasons(audio: Audio) -> list[tuple[str, float]]:
    """What is heard, in words, and how much each speaks for the end. Nothing without a voice."""
    heard = tone(audio)
    if heard is None:
        return []
    found = []
    for name, value in heard._asdict().items():
        usual, weight = weights()[name]
        found.append((SAYS[name][value > usual], weight * (value - usual)))
    return found


@cache
def weights() -> dict[str, tuple[float, float]]:
    """The value of each that speaks neither for the end nor against it, and its weight."""
    return {
        name: (usual, weight)
        for name, (usual, weight) in json.loads(WEIGHTS.read_text(encoding="utf-8")).items()
    }


def tone(audio: Audio) -> Tone | None:
    """How the voice in `audio` ends; None where none is heard."""
    samples = at_16k(audio)[-round(LISTENED * RATE) :]
    samples = samples[len(samples) % (DOWN * BLOCK) :]
    if len(samples) < DOWN * WINDOW or np.abs(samples).max() < INAUDIBLE:
        return None
    sound = samples.reshape(-1, DOWN).mean(axis=1)
    blocks = sound.reshape(-1, BLOCK)
    power = np.convolve(np.einsum("ij,ij->i", blocks, blocks), (0.25, 0.5, 0.25), "same")
    level = 10 * np.log10(power + 1e-9)
    quiet, top = np.quantile(level, (0.05, 0.95))
    end = _last(level > max(top - AUDIBLE, min(quiet + 8, top - 15))) + 1
    at, period = _pitch(sound, level > top - SOFT)
    if len(at) < LAST // 2:
        return None
    breaks = np.flatnonzero(np.diff(at) > 4)
    since = at[breaks[-1] + 1] if len(breaks) else at[0]
    return Tone(
        fallen=float((period < np.median(period[-LAST:])).mean()),
        lingers=float(np.log(max(1, end - _last(level > top - LOUD)) / 100)),
        drawn=float(np.log((at[-1] - since + 2) / 100)),
    )


def _pitch(
    sound: NDArray[np.float32], loud: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The 10 ms at which there is a pitch, and its period in samples there."""
    pieces = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[:: 2 * BLOCK]
    at = 2 * np.arange(len(pieces)) + 1
    chosen = loud[at] | loud[at + 1]
    at, pieces = at[chosen], pieces[chosen]
    alike = _alike(pieces - pieces.mean(axis=1, keepdims=True))
    left, here, right = (alike[:, HIGHEST + n : LOWEST + n] for n in (-1, 0, 1))
    peaks = np.where((here >= left) & (here > right), here, 0)
    best = peaks.max(axis=1)
    first = (peaks >= 0.9 * best[:, None]).argmax(axis=1)  # or an octave too low
    rows = np.arange(len(at))
    a, b, c = left[rows, first], here[rows, first], right[rows, first]
    period = HIGHEST + first + 0.5 * (a - c) / np.minimum(a - 2 * b + c, -1e-6)
    voiced = best > VOICED
    return at[voiced], period[voiced]


def _alike(pieces: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much each piece is like itself so many samples later; 1 is the same."""
    window, size = _window()
    spectrum = np.fft.rfft(pieces * window, size)
    later = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)[:, : LOWEST + 1]
    return np.asarray(later / np.maximum(later[:, :1], 1e-12) / _fades())


@cache
def _window() -> tuple[NDArray[np.float32], int]:
    return np.hanning(WINDOW).astype(np.float32), 256


@cache
def _fades() -> NDArray[np.float64]:
    """What the window takes from a piece that is all alike."""
    window, size = _window()
    later = np.fft.irfft(np.abs(np.fft.rfft(window, size)) ** 2, size)[: LOWEST + 1]
    return np.asarray(later / later[0])


def _last(true: NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(true)[-1])
