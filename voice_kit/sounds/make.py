"""Makes the recordings in this folder, with flite: `python -m voice_kit.sounds.make`.

Needs the program flite (on Debian: apt-get install flite). The same flite and the same PyAV give
the same files, byte for byte.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from voice_kit.audio.convert import convert
from voice_kit.audio.files import read
from voice_kit.audio.formats import to_int16
from voice_kit.types import RATE, Audio, Samples

HERE = Path(__file__).parent
PEAK = 0.6
QUIET = 0.004
"""A recording begins and ends with its first and last sample beyond this."""

PAUSE = 0.7
"""Seconds between the halves of a sentence whose speaker has to think."""

FLITE = "CMU Flite voice, © 1999–2016 Carnegie Mellon University; see LICENSE.txt"
OURS = "Apache-2.0"

# name: voice, text. “…” is a pause for thought, «…» are phonemes in flite's notation.
# Voices take turns, but the person in the demo is always awb, whom PocketSphinx hears best.
SPOKEN: dict[str, tuple[str, str]] = {
    "question_vad": ("awb", "What is voice activity detection?"),
    "question_rtf": ("rms", "What is the real time factor?"),
    "question_recognition": ("slt", "How does speech recognition work?"),
    "question_language_model": ("kal16", "What is a language model?"),
    "question_latency": ("awb", "Why is latency important?"),
    "question_barge_in": ("awb", "Can I interrupt you while you are talking?"),
    "question_endpointing": ("slt", "How do you know that I have finished?"),
    "question_token": ("kal16", "What is a token?"),
    "question_sample_rate": ("slt", "What is the sample rate?"),
    "question_wer": ("rms", "What is the word error rate?"),
    "question_echo": ("rms", "What is echo cancellation?"),
    "question_voice": ("kal16", "How does a computer speak?"),
    "command_timer": ("slt", "Set a timer for ten minutes."),
    "command_time": ("rms", "What time is it?"),
    "command_date": ("awb", "What day is it?"),
    "command_stop": ("kal16", "Stop."),
    "command_again": ("slt", "Say that again."),
    "command_louder": ("rms", "Louder."),
    "command_quieter": ("awb", "Speak more quietly."),
    "command_note": ("kal16", "Take a note: buy milk."),
    "command_notes": ("slt", "Read my notes."),
    "command_cancel": ("rms", "Cancel the timer."),
    "command_alarm": ("awb", "Wake me at seven o'clock."),
    "command_slower": ("kal16", "Speak more slowly."),
    "command_sum": ("slt", "What is twelve times seven?"),
    "command_forget": ("rms", "Forget what I said."),
    "search_weather": ("awb", "What is the weather like today?"),
    "pause_timer": ("rms", "Set a timer for … ten minutes."),
    "pause_question": ("slt", "Can you tell me … what a token is?"),
    "interruption_wait": ("awb", "Wait, stop."),
    "interruption_latency": ("slt", "No, tell me about latency instead."),
    "interruption_hold_on": ("rms", "Hold on, that is not what I meant."),
    "backchannel_mhm": ("awb", "«pau m hh m m pau» Mhm."),
    "backchannel_right": ("rms", "Right."),
    "answer_yes": ("slt", "Yes."),
    "answer_no": ("rms", "No."),
    "answer_yes_please": ("awb", "Yes, please."),
    "answer_no_thanks": ("kal16", "No, thank you."),
    "free_weather": ("slt", "The rain stopped an hour ago, so we walked home along the river."),
    "free_book": ("rms", "I have been reading a book about the history of telephones."),
    "free_train": ("awb", "My train was late again, and nobody could tell us why."),
    "free_dinner": ("kal16", "We could cook something simple with rice and vegetables tonight."),
}


def make(folder: Path) -> None:
    """Write every recording and `sounds.json` into `folder`, and remove what is not theirs."""
    notes: list[dict[str, Any]] = []
    for name, (voice, text) in SPOKEN.items():
        phonemes, _, words = text.rpartition("» ")
        sound = speak(voice, phonemes.lstrip("«"), words)
        notes.append(keep(folder, name, words, f"flite {voice}", FLITE, sound))
    notes.append(keep(folder, "noise_cough", "", "", OURS, cough()))
    listing = json.dumps(notes, indent=1, ensure_ascii=False) + "\n"
    (folder / "sounds.json").write_text(listing, encoding="utf-8")
    for path in folder.glob("*.flac"):
        if path.name not in {note["file"] for note in notes}:
            path.unlink()


def keep(
    folder: Path, name: str, text: str, voice: str, licence: str, sound: Samples
) -> dict[str, Any]:
    """Write one recording. Gives what `sounds.json` says of it."""
    sound = (sound * (PEAK / np.abs(sound).max())).astype(np.float32)
    (folder / f"{name}.flac").write_bytes(flac(sound))
    return {
        "file": f"{name}.flac",
        "text": text,
        "voice": voice,
        "kind": name.partition("_")[0],
        "seconds": round(len(sound) / RATE, 3),
        "licence": licence,
    }


def speak(voice: str, phonemes: str, text: str) -> Samples:
    """The text in one of flite's voices at 16 kHz, each “…” a pause."""
    parts: list[Samples] = []
    for part in text.split(" … "):
        if parts:
            parts.append(Audio.silence(PAUSE).samples)
        parts.append(flite(voice, *(("-p", phonemes) if phonemes else ("-t", part))))
    return np.concatenate(parts)


def flite(voice: str, *what: str) -> Samples:
    """What flite says, without the silence around it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        command = ["flite", "-voice", voice, *what, "-o", str(path)]
        subprocess.run(command, check=True, timeout=60)
        samples = convert(read(path), RATE).samples
    loud = np.flatnonzero(np.abs(samples) > QUIET)
    return samples[loud[0] : loud[-1] + 1]


def cough() -> Samples:
    """Two bursts of noise with the resonances of a throat: no speech, but as loud."""
    noise = np.random.default_rng(1).standard_normal(round(0.45 * RATE))
    time = np.arange(len(noise)) / RATE
    loud = sum(
        strength * np.where(time >= start, np.exp(-(time - start) / fall), 0)
        for strength, start, fall in ((1.0, 0.0, 0.05), (0.5, 0.22, 0.06))
    )
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    throat = sum(1 / (1 + ((hertz - middle) / width) ** 2) for middle, width in RESONANCES)
    return np.fft.irfft(np.fft.rfft(noise * loud) * throat, len(noise)).astype(np.float32)


RESONANCES = ((500, 250), (1400, 400), (3200, 700))


def flac(samples: Samples) -> bytes:
    """The sound as a mono, 16-bit FLAC file."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="flac", options={"fflags": "+bitexact"}) as output:
        stream = output.add_stream("flac", rate=RATE, layout="mono")
        stream.codec_context.options = {"compression_level": "12", "flags": "+bitexact"}
        frame = av.AudioFrame.from_ndarray(to_int16(samples)[np.newaxis], "s16", "mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(packet)
    return file.getvalue()


def differences() -> Iterator[str]:
    """The files that would not come out as they are."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        fresh = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    kept = {path.name: path.read_bytes() for path in [*HERE.glob("*.flac"), HERE / "sounds.json"]}
    yield from (name for name in sorted(fresh | kept) if fresh.get(name) != kept.get(name))


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(", ".join(differences()) or None)
    make(HERE)
