"""Turns for the slides: when speech begins, and when it is over."""

from __future__ import annotations

import charts
import numpy as np
import waves
from desk import Desk, on_slides

from voice_kit.audio.microphone import frames
from voice_kit.hear.detection import probabilities
from voice_kit.hear.ears import listen
from voice_kit.settings import Settings
from voice_kit.sounds import clip as recording
from voice_kit.sounds import clips
from voice_kit.types import RATE, Audio, TurnEnded
from voice_kit.workshop.lab_endpointing import score
from voice_kit.workshop.lab_sounds import Recording
from voice_kit.workshop.lab_sounds import turns as as_turns


@on_slides
def vad(desk: Desk) -> str:
    """A question, a cough and a command with a pause in it, and the chance of speech."""
    parts, spans, at = [np.zeros(RATE // 2, np.float32)], [], 0.5
    for name, said in (
        ("question_token", "speech"),
        ("noise_cough", ""),
        ("pause_timer", "speech"),
    ):
        samples = recording(name).audio().samples
        parts += [samples, np.zeros(RATE // 2, np.float32)]
        if said:
            spans.append((at, at + len(samples) / RATE, said))
        else:
            spans.append((at, at + len(samples) / RATE, "a cough"))
        at += len(samples) / RATE + 0.5
    audio = Audio(np.concatenate(parts), RATE)
    chances = probabilities(desk.detector, audio)
    words = "“What is a token?”, a cough, “Set a timer for … ten minutes.”"
    drawn = waves.wave(
        audio,
        f"The wave of {words} and, below it, the chance of speech: high in both sentences, "
        "low in the cough and in the pause",
        spans=spans,
        chances=[float(chance) for chance in chances],
        tall=190,
    )
    return desk.playing(drawn, "evening", audio, words, small="below: the chance of speech")


@on_slides
def cut(desk: Desk, how: str) -> str:
    """A command with a pause, as it is heard with a short wait and with a long one."""
    whole = recording("pause_timer").audio()
    quiet = np.zeros(RATE, np.float32)
    sound = Audio(np.concatenate([quiet[: RATE // 4], whole.samples, quiet]), RATE)
    chances = [float(chance) for chance in probabilities(desk.detector, sound)]
    wait = 0.2 if how == "short" else 1.0
    rules = Settings().hear.model_copy(update={"stop": wait})
    ends = [e for e in listen(frames(sound), chances, rules) if isinstance(e, TurnEnded)]
    heard = Audio(sound.samples[: round(ends[0].at * RATE)], RATE)
    cut = ends[0].ended < whole.seconds - 0.3
    words = "“Set a timer for …”" if cut else "“Set a timer for … ten minutes.”"
    grey = "var(--line)"
    drawn = waves.wave(
        sound,
        f"With a wait of {wait * 1000:.0f} ms the assistant hears {words}",
        parts=[(0, ends[0].ended, waves.HEAR), (ends[0].ended, sound.seconds, grey)],
        spans=[(ends[0].ended, ends[0].at, f"{wait * 1000:.0f} ms")],
        tall=170,
    )
    right = waves.LEFT + heard.seconds / sound.seconds * (waves.RIGHT - waves.LEFT)
    return desk.playing(
        drawn,
        f"cut_{how}",
        heard,
        words,
        right=right,
        small="what it heard" if cut else "what it heard: all of it",
    )


@on_slides
def frontier(desk: Desk) -> str:
    """Waits tried on all questions and commands, each with and without a pause."""
    rng = np.random.default_rng(7)
    chosen = [c for c in clips() if c.kind in ("question", "command") and c.seconds > 1]
    plain = [Recording(c.name, c.text, c.audio()) for c in chosen]
    paused = [Recording(f"{c.name}, paused", c.text, thoughtful(c.audio, rng)) for c in plain]
    turns, _ = as_turns([*plain, *paused], desk.detector, None, after=2.0)
    curve = []
    for wait in (0.2, 0.4, 0.6, 0.8, 1.0, 1.3):
        found = score(turns, Settings().hear.model_copy(update={"stop": wait}))
        curve.append((wait, float(found.share), float(found.added)))
    told = "; ".join(f"{w * 1000:.0f} ms: {charts.percent(s)} cut off" for w, s, _ in curve)
    drawn = charts.frontier(curve, f"The longer the wait, the fewer are cut off. {told}")
    return (
        f"<figure>{drawn}<figcaption>{len(turns)} turns of the kit’s sounds, every second with "
        "a pause of 0.3 to 1.2 s in it</figcaption></figure>"
    )


def thoughtful(audio: Audio, rng: np.random.Generator) -> Audio:
    """The same with a pause, where it is quietest in the middle."""
    third = len(audio.samples) // 3
    middle = audio.samples[third : 2 * third]
    blocks = middle[: len(middle) // 160 * 160].reshape(-1, 160)
    cut = third + 160 * int(np.argmin(np.sum(blocks**2, axis=1)))
    pause = rng.normal(0, 1e-4, int(rng.uniform(0.3, 1.2) * RATE)).astype(np.float32)
    return Audio(np.concatenate([audio.samples[:cut], pause, audio.samples[cut:]]), RATE)
