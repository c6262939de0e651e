"""How often a wake phrase is missed, and how often other speech wakes: `python -m … --help`."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from voice_kit.audio.microphone import frames
from voice_kit.hear.wake_sphinx import THRESHOLD, SphinxWake
from voice_kit.sounds.make import flite
from voice_kit.types import RATE, Audio, Samples
from voice_kit.workshop.lab_sounds import folder, kit

PHRASES = ("hey computer", "hello assistant", "good morning computer", "okay voice assistant")
VOICES = ("slt", "rms", "awb", "kal16")
QUESTIONS = ("", " What time is it?", " Set a timer for ten minutes.")
THRESHOLDS = (1e-10, 1e-20, THRESHOLD, 1e-40)
NOISE = (None, 20.0, 10.0)
"""Decibels of speech over noise; None adds none."""
QUIET = 0.5


def wakes(spotter: SphinxWake, sounds: Sequence[Samples]) -> int:
    """How often this sound wakes, each of its pieces followed by some quiet."""
    quiet = np.zeros(round(QUIET * RATE), np.float32)
    whole = np.concatenate([quiet, *(piece for sound in sounds for piece in (sound, quiet))])
    spotter.reset()
    return sum(spotter.heard(frame) is not None for frame in frames(Audio(whole, RATE)))


def noisy(sound: Samples, noise: Samples, decibels: float | None) -> Samples:
    """The sound with noise so much softer than its louder half, quiet around it included."""
    if decibels is None:
        return sound
    level = np.sqrt(np.sort(sound**2)[len(sound) // 2 :].mean())
    under = np.resize(noise, len(sound))
    scaled = under * (level / np.sqrt((under**2).mean()) * 10 ** (-decibels / 20))
    return np.asarray(sound + scaled, np.float32)


def spoken(phrase: str) -> Iterator[Samples]:
    """The phrase in flite's voices, alone and with a question in the same breath."""
    quiet = np.zeros(round(QUIET * RATE), np.float32)
    for voice in VOICES:
        for question in QUESTIONS:
            said = flite(voice, "-t", f"{phrase.capitalize()}.{question}")
            yield np.concatenate([quiet, said, quiet])


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder of recordings with a manifest.json")
    parser.add_argument("--phrase", action="append", help="try only this phrase; again for more")
    given = parser.parse_args()
    recordings = [*kit(), *(folder(given.data) if given.data else ())]
    speech = [each.audio.samples for each in recordings if each.text]
    noises = [each.audio.samples for each in recordings if each.kind == "noise"]
    white = np.random.default_rng(1).standard_normal(10 * RATE).astype(np.float32)
    noise = noises[-1] if given.data else white
    hours = sum(len(sound) / RATE + QUIET for sound in [*speech, *noises]) / 3600
    print(f"{hours * 60:.1f} minutes of other speech and noise; ★ is the threshold as it is")
    print(f"  {'phrase':<24}{'threshold':>10}{'false wakes an hour':>21}{'missed':>12}", end="")
    print("".join(f"{f'at {level:g} dB':>12}" for level in NOISE if level is not None))
    for phrase in given.phrase or PHRASES:
        said = list(spoken(phrase))
        for threshold in THRESHOLDS:
            spotter = SphinxWake(phrase, threshold=threshold)
            false = wakes(spotter, [*speech, *noises])
            cells = []
            for level in NOISE:
                heard = sum(bool(wakes(spotter, [noisy(each, noise, level)])) for each in said)
                cells.append(f"{len(said) - heard} of {len(said)}")
            mark = "★" if threshold == THRESHOLD else " "
            print(
                f"{mark} {phrase:<24}{threshold:>10g}{false / hours:>13.1f} ({false:>3})", end="  "
            )
            print("".join(f"{cell:>12}" for cell in cells), flush=True)


if __name__ == "__main__":
    if shutil.which("flite") is None:
        raise SystemExit("This needs flite, whose voices say the phrases: sudo apt install flite")
    main()
