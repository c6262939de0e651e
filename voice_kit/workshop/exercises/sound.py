"""Notebook 01: sound is numbers."""

from __future__ import annotations

import numpy as np

from voice_kit.types import FRAME, RATE, Samples
from voice_kit.workshop.exercises.exercise import Exercise, Function, given_back, sure

GIVEN = {"np": np, "FRAME": FRAME, "RATE": RATE}


def _tone(level: float, count: int = FRAME) -> Samples:
    """A tone of 500 Hz, 16 whole periods a frame, whose loudest sample is `level`."""
    time = np.arange(count) / RATE
    return (level * np.sin(2 * np.pi * 500 * time)).astype(np.float32)


def _rms_dbfs(rms_dbfs: Function) -> None:
    full = rms_dbfs(np.ones(FRAME, np.float32))
    given_back(full)
    sure(np.ndim(full) == 0, "it should give one number for a frame, not one for each sample")
    loud, soft = float(rms_dbfs(_tone(1.0))), float(rms_dbfs(_tone(0.1)))
    sure(
        loud > -60 and abs(loud - soft) > 1,
        f"a full-scale tone came out as {loud:.0f} dBFS and a tenth of it as {soft:.0f}. The mean "
        "of samples is near zero, for they swing both ways: square them first",
    )
    sure(
        not abs(loud - soft - 10) < 0.5,
        "a tenth of the amplitude came out 10 dB softer; it is 20. 10·log10 is for power, the "
        "square; for an amplitude such as the root mean square it is 20·log10",
    )
    sure(
        not abs(loud - soft - 2.3) < 0.2 and not abs(loud - soft - 46) < 1,
        "that is the natural logarithm. Decibels are made with np.log10",
    )
    sure(
        not abs(loud - soft - 40) < 0.5,
        "a tenth of the amplitude came out 40 dB softer; it is 20. Take the root of the mean, or "
        "10·log10 of the mean square, but not 20·log10 of it",
    )
    sure(abs(float(full)) < 0.01, f"samples that are all 1 are full scale, 0 dBFS, not {full:.1f}")
    sure(abs(loud + 3.01) < 0.05, f"a full-scale tone has −3.0 dBFS, not {loud:.1f}")
    with np.errstate(divide="ignore"):
        silence = float(rms_dbfs(np.zeros(FRAME, np.float32)))
    sure(
        np.isfinite(silence),
        "silence gives minus infinity, which no plot can draw. Give the root mean square a floor: "
        "max(rms, 1e-10)",
    )
    sure(silence < -90, f"silence came out as {silence:.0f} dBFS; take 1e-10 as the floor")


def _in_frames(in_frames: Function) -> None:
    samples = np.arange(1, 3 * FRAME + 1, dtype=np.float32) / (4 * FRAME)
    whole = in_frames(samples)
    given_back(whole)
    whole = list(whole)
    sure(len(whole) > 0, "it gives no frame at all")
    sure(
        len(whole) == 3 or len(whole) != 4 or np.any(whole[-1]),
        "three frames' worth of samples became four frames, the last one empty. When nothing is "
        "left over, nothing needs to be filled up",
    )
    sure(
        all(np.shape(frame) == (FRAME,) for frame in whole),
        f"each frame should have the shape ({FRAME},); the first has {np.shape(whole[0])}",
    )
    sure(len(whole) == 3, f"{len(samples)} samples are 3 frames, not {len(whole)}")
    sure(
        np.array_equal(np.concatenate(whole), samples),
        "put end to end, the frames are not the sound any more. Frame n begins at n · FRAME, where "
        "the one before ended",
    )
    longer = list(in_frames(np.append(samples, np.float32(0.9))))
    sure(
        len(longer) == 4,
        f"{len(samples) + 1} samples became {len(longer)} frames: the last sample is lost. A last "
        "word lost is a question misunderstood: fill the last frame up with zeros",
    )
    sure(
        np.shape(longer[-1]) == (FRAME,),
        "the last frame is shorter than the others; Silero accepts 512 samples and nothing else. "
        "Fill it up with zeros (np.pad)",
    )
    sure(
        longer[-1][0] == np.float32(0.9) and not np.any(longer[-1][1:]),
        "the last frame should hold what is left over first, and then zeros",
    )


def _mixed(mixed: Function) -> None:
    rng = np.random.default_rng(1)
    speech, noise = _tone(0.2, RATE), rng.normal(0, 0.5, RATE).astype(np.float32)
    before = noise.copy()
    found = mixed(speech, noise, 20.0)
    given_back(found)
    sure(np.shape(found) == speech.shape, "the mix should be as long as the speech")
    sure(np.array_equal(noise, before), "it changed the noise it was given. Make a new array")
    added = np.asarray(found) - speech
    sure(
        np.corrcoef(added, noise)[0, 1] > 0.99,
        "the speech should stay as it is, with the noise scaled and added to it",
    )
    for wanted in (20.0, 0.0, -6.0):
        rest = np.asarray(mixed(speech, noise, wanted)) - speech
        got = 10 * np.log10(np.mean(speech**2) / max(float(np.mean(rest**2)), 1e-20))
        sure(
            not (wanted and abs(got + wanted) < 0.3),
            "the sign is the wrong way round: 20 dB means that the speech is louder",
        )
        sure(
            not wanted or min(abs(got - wanted / 2), abs(got - 2 * wanted)) > 0.3,
            f"asked for {wanted:.0f} dB, it made {got:.0f}: an amplitude is 10 ** (dB / 20)",
        )
        sure(
            abs(got - wanted) < 0.3,
            f"asked for {wanted:.0f} dB, it made {got:.1f}: bring the noise to the speech's own "
            "level first, and from there to what is wanted",
        )


EXERCISES = (
    Exercise(
        name="rms_dbfs",
        notebook="01",
        where="How loud is a frame?",
        try_out=_rms_dbfs,
        hints=(
            "Three steps, from the inside: square every sample, take the mean, take the root.",
            "Decibels of an amplitude are 20 · log10 of it. What is log10 of 0?",
            "20 * np.log10(max(float(np.sqrt(np.mean(frame**2))), 1e-10))",
        ),
        given=GIVEN,
    ),
    Exercise(
        name="in_frames",
        notebook="01",
        where="A sound, in frames",
        try_out=_in_frames,
        hints=(
            "range(0, len(samples), FRAME) counts where each frame begins.",
            "The last slice may be too short: np.pad(frame, (0, missing)) puts zeros behind it.",
            "frames = [samples[at : at + FRAME] for at in range(0, len(samples), FRAME)], and then "
            "pad each with FRAME - len(frame) zeros.",
        ),
        given=GIVEN,
    ),
    Exercise(
        name="mixed",
        notebook="01",
        where="OPTIONAL: noise, by the decibel",
        try_out=_mixed,
        hints=(
            "How loud are both now? How loud should the noise be, for the ratio that is wanted?",
            "The noise's amplitude should be the speech's, divided by 10 ** (snr / 20).",
            "rms = lambda x: np.sqrt(np.mean(x**2)), then speech + noise * (rms(speech) / "
            "rms(noise) / 10 ** (snr / 20))",
        ),
        given=GIVEN,
    ),
)
