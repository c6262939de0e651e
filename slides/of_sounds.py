"""Sounds for the slides: recordings, and what can be heard in them."""

from __future__ import annotations

from functools import cache
from html import escape

import numpy as np
import waves
from desk import Desk, on_slides

from voice_kit.audio.convert import convert
from voice_kit.sounds import clip as recording
from voice_kit.speak.aloud import aloud
from voice_kit.types import FRAME, RATE, Audio

EYE = """Great question! There are **three main reasons** why an answer may be late:

1. **Endpointing**: the system waits for silence (typically 500-800 ms).
2. **Transcription**: the audio (16 kHz) must be converted to text first.
3. **Generation**: the LLM has to process the entire prompt (incl. history).

For more information, see https://example.com/latency. Let me know if you have questions!"""
EAR = "Mostly because it waits to be sure that you have finished. Shall I say what else takes time?"
ANSWER = "Because people notice anything beyond half a second."
MOODS = {"flat": (45, 0, 1.0), "glad": (72, 95, 1.12), "sad": (28, 20, 0.75)}
"""Pitch and how far it moves, from 0 to 100 each, and the pace."""


@on_slides
def clip(desk: Desk, name: str) -> str:
    """One of the kit's recordings."""
    one = recording(name)
    audio = one.audio()
    words = f"“{one.text}”" if one.text else f"({name.removeprefix('noise_')})"
    drawn = waves.wave(audio, f"The wave of {words}, {audio.seconds:.1f} s")
    return desk.playing(drawn, name, audio, words, small=f"{one.voice}, {audio.seconds:.1f} s")


@on_slides
def voices(desk: Desk, *names: str) -> str:
    """Several recordings, as a row of buttons."""
    found = [recording(name) for name in names]
    return (
        '<div class="voices">'
        + "".join(
            desk.playing("", one.name, one.audio(), f"“{one.text}”", small=one.voice)
            for one in found
        )
        + "</div>"
    )


@on_slides
def vowel(desk: Desk, name: str) -> str:
    """Fifty milliseconds of a vowel, with its period."""
    samples = recording(name).audio().samples[3200 : 3200 + 800]
    likeness = [float(np.dot(samples[:-lag], samples[lag:])) / (800 - lag) for lag in range(1, 400)]
    period = 40 + int(np.argmax(likeness[40:])) + 1
    top = int(np.argmax(samples[:period]))
    pitch = f"{period} samples: {RATE / period:.0f} Hz"
    words = f"50 ms of a vowel: the same shape again and again, every {pitch}"
    return f"<figure>{waves.close(samples, words, (top, top + period), pitch)}</figure>"


@on_slides
def frames(desk: Desk, name: str) -> str:
    """Some frames of a recording."""
    samples = recording(name).audio().samples[6 * FRAME : 12 * FRAME]
    return f"<figure>{waves.frames(samples, 'A wave cut into six frames of 32 ms', FRAME)}</figure>"


@on_slides
def alias(desk: Desk, how: str) -> str:
    """A recording brought to 4 kHz, with care or without."""
    sound = recording("question_recognition").audio()
    low = Audio(sound.samples[::4], RATE // 4) if how == "careless" else convert(sound, RATE // 4)
    audio = convert(low, RATE)
    told = {
        "careless": "Every fourth sample, and never mind",
        "careful": "What is too high taken out first",
    }
    drawn = waves.wave(audio, f"The wave at 4 kHz, {how}", tall=170)
    return desk.playing(
        drawn, f"alias_{how}", audio, f"{told[how]}: “How does speech recognition work?”"
    )


@on_slides
def gap(desk: Desk, silence: str) -> str:
    """A question, and its answer after so many seconds."""
    question = recording("question_latency").audio()
    answer = desk.spoken(ANSWER)
    pause = float(silence)
    samples = [question.samples, np.zeros(round(pause * RATE), np.float32), answer.samples]
    audio = Audio(np.concatenate(samples), RATE)
    words = f"“Why is latency important?” “{ANSWER}”"
    drawn = waves.gap(
        question.seconds, pause, answer.seconds, f"The answer comes after {silence} s", audio
    )
    return desk.playing(
        drawn,
        f"gap_{silence.replace('.', '_')}",
        audio,
        words,
        right=waves.LEFT + audio.seconds / waves.LONGEST * (waves.RIGHT - waves.LEFT),
        row=True,
    )


@on_slides
def written(desk: Desk, whom: str) -> str:
    """The same answer, written for the eye or for the ear."""
    text = EYE if whom == "eye" else EAR
    audio = desk.spoken(aloud(text))
    lines = escape(text).replace("\n\n", "<br>").replace("\n", "<br>")
    words = f"{audio.seconds:.0f} s to listen to"
    return f'<blockquote class="{whom}">{lines}</blockquote>' + desk.playing(
        "", f"for_the_{whom}", audio, words
    )


@on_slides
def mood(desk: Desk, mood: str) -> str:
    """The same words with another melody and pace."""
    pitch, swing, pace = MOODS[mood]
    audio = desk.spoken("Oh, you are early today.", pitch=pitch, swing=swing, pace=pace)
    drawn = waves.wave(
        audio,
        f"The wave of “Oh, you are early today.”, {mood}, {audio.seconds:.1f} s",
        tall=110,
    )
    return desk.playing(
        drawn, f"mood_{mood}", audio, "“Oh, you are early today.”", small=mood, row=True
    )


@on_slides
def mel(desk: Desk, name: str) -> str:
    """A recording as a recogniser sees it."""
    from matplotlib.image import imsave

    one = recording(name)
    samples = np.pad(one.audio().samples, 200)
    pieces = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160]
    power = np.abs(np.fft.rfft(pieces * np.hanning(400))) ** 2
    logs = np.log10(np.maximum(power @ mel_bands().T, 1e-10)).T
    picture = np.maximum(logs, logs.max() - 6)[::-1]
    imsave(
        desk.folder / "sounds" / f"{name}_mel.png",
        np.kron(picture, np.ones((6, 8))),
        cmap="magma",
    )
    alt = (
        f"“{one.text}” as 80 bands of pitch over {one.seconds:.1f} s: stripes below where "
        "there is voice, clouds above where it hisses"
    )
    drawn = f'<img class="mel" src="sounds/{name}_mel.png" alt="{escape(alt, quote=True)}">'
    return desk.playing(
        drawn,
        name,
        one.audio(),
        f"“{one.text}”",
        small="from left to right time, from low to high pitch",
    )


@cache
def mel_bands(count: int = 80) -> np.ndarray:
    """How much of each of 201 frequencies goes into each band."""
    top = 2595 * np.log10(1 + 8000 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, count + 2) / 2595) - 1)
    pitch = np.fft.rfftfreq(400, 1 / RATE)
    up = (pitch - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - pitch) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(up, down))
