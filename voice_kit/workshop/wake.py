"""How often a wake phrase is missed, and how often other speech wakes: `python -m … --help`."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from math import inf
from pathlib import Path

import numpy as np

from voice_kit.audio.microphone import frames
from voice_kit.hear.detection import Detection
from voice_kit.hear.ears import Ears
from voice_kit.hear.protocols import WakeSpotter
from voice_kit.hear.sleep import Sleep
from voice_kit.hear.vad_silero import Silero
from voice_kit.hear.wake_sphinx import THRESHOLD, SphinxWake
from voice_kit.sounds.make import flite
from voice_kit.types import RATE, Audio, Samples
from voice_kit.workshop.lab_sounds import folder, kit

PHRASES = ("hey computer", "hello assistant", "good morning computer", "okay voice assistant")
FIRST, SECOND = ("slt", "awb"), ("rms", "kal16")
"""Each half has every second recording too: choose a threshold on one, try it on the other."""
QUESTIONS = ("", " What time is it?", " Set a timer for ten minutes.")
THRESHOLDS = (1e-10, 1e-20, THRESHOLD, 1e-40)
NOISE = (None, 20.0, 10.0)
"""Decibels of speech over noise; None adds none."""
QUIET = 1.0


def wakes(spotter: WakeSpotter, sounds: Sequence[Samples]) -> int:
    """How often this sound wakes who sleeps, each of its pieces followed by some quiet."""
    sleep, ears, detection, count = Sleep(spotter, inf), Ears(), Detection(Silero()), 0
    quiet = np.zeros(round(QUIET * RATE), np.float32)
    whole = np.concatenate([quiet, *(piece for sound in sounds for piece in (sound, quiet))])
    spotter.reset()
    for frame in frames(Audio(whole, RATE)):
        ears.feed(frame, detection.probability(frame))
        if sleep.feed(frame, ears.now, ears.speaking):
            count, sleep.asleep = count + 1, True
    return count


def noisy(sound: Samples, noise: Samples, decibels: float | None) -> Samples:
    """The sound with noise so much softer than its louder half, quiet around it included."""
    if decibels is None:
        return sound
    level = np.sqrt(np.sort(sound**2)[len(sound) // 2 :].mean())
    under = np.resize(noise, len(sound))
    scaled = under * (level / np.sqrt((under**2).mean()) * 10 ** (-decibels / 20))
    return np.asarray(sound + scaled, np.float32)


def spoken(phrase: str, voices: Sequence[str]) -> Iterator[Samples]:
    """The phrase in these voices of flite, alone and with a question in the same breath."""
    quiet = np.zeros(round(QUIET * RATE), np.float32)
    for voice in voices:
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
    noises = [each.audio.samples for each in recordings if each.kind == "noise"]
    hiss = np.random.default_rng(1).standard_normal(10 * RATE).astype(np.float32)
    noise = noises[-1] if given.data else hiss
    halves = [
        [each.audio.samples for each in recordings if each.text or each.kind == "noise"][half::2]
        for half in (0, 1)
    ]
    print("★ is the threshold as it is. False wakes are in other speech and in noise.")
    for name, voices, others in zip(
        ("first half", "second half"), (FIRST, SECOND), halves, strict=True
    ):
        hours = sum(len(sound) / RATE + QUIET for sound in others) / 3600
        print(f"\n{name}: {', '.join(voices)}, and {hours * 60:.1f} minutes of other sound")
        print(f"  {'phrase':<24}{'threshold':>10}{'false wakes an hour':>21}{'missed':>12}", end="")
        print("".join(f"{f'at {level:g} dB':>12}" for level in NOISE if level is not None))
        for phrase in given.phrase or PHRASES:
            said = list(spoken(phrase, voices))
            for threshold in THRESHOLDS:
                spotter = SphinxWake(phrase, threshold=threshold)
                false = wakes(spotter, others)
                missed = [
                    sum(not wakes(spotter, [noisy(each, noise, level)]) for each in said)
                    for level in NOISE
                ]
                mark = "★" if threshold == THRESHOLD else " "
                rate = f"{false / hours:.1f} ({false})"
                cells = "".join(f"{f'{count} of {len(said)}':>12}" for count in missed)
                print(f"{mark} {phrase:<24}{threshold:>10g}{rate:>21}{cells}", flush=True)


if __name__ == "__main__":
    if shutil.which("flite") is None:
        raise SystemExit("This needs flite, whose voices say the phrases: sudo apt install flite")
    main()
