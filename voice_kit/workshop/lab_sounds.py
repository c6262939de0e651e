"""Recordings for the lab: each one turn whose end is known, some with a pause for thought in it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio.files import read
from voice_kit.audio.microphone import frames
from voice_kit.errors import AudioError
from voice_kit.hear.detection import at_16k, probabilities
from voice_kit.hear.ears import listen
from voice_kit.hear.protocols import VoiceDetector
from voice_kit.settings.groups import Endpointing
from voice_kit.sounds import clips
from voice_kit.types import RATE, Audio, Paused, Resumed, Samples, Transcript, TurnEnded

BEFORE = 0.32
"""Seconds of quiet before each turn."""
THOUGHT = (0.3, 1.2)
"""Seconds that a pause for thought takes, at least and at most."""
SHORTEST = 0.2
"""Seconds of a pause inside a turn that is counted: in a shorter one nobody takes the turn."""
BLOCK = RATE // 100
NEAR = 0.06
"""Seconds around a word's border in which the quietest place is looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Someone says something, and it is known what."""

    name: str
    text: str
    audio: Audio = field(repr=False)
    kind: str = "speech"


@dataclass(frozen=True, slots=True)
class Pause:
    """Quiet inside a turn. Seconds from the beginning of its sound."""

    start: float
    end: float


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """A recording ready to be heard again and again: its frames, and what a detector says."""

    name: str
    text: str
    frames: Sequence[Samples] = field(repr=False)
    chances: NDArray[np.float32] = field(repr=False)
    ended: float
    """When its last speech ends."""
    pauses: tuple[Pause, ...]
    """Where the speaker goes on after some quiet: whoever takes the turn there cuts them off."""


def kit() -> Iterator[Recording]:
    """The kit's own recordings, the noises too."""
    for clip in clips():
        yield Recording(clip.name, clip.text, Audio(at_16k(clip.audio()), RATE), clip.kind)


def folder(path: Path) -> Iterator[Recording]:
    """The recordings that manifest.json in this folder names: file, kind and text of each.

    Raises `AudioError`.
    """
    listing = path / "manifest.json"
    try:
        notes: list[dict[str, Any]] = json.loads(listing.read_text(encoding="utf-8"))
        named = [(note["file"], note["kind"], note.get("text") or "") for note in notes]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AudioError(
            f"{listing} is no list of recordings. Write one: "
            '[{"file": "me.wav", "kind": "speech", "text": "What was said."}, …].'
        ) from error
    for file, kind, text in named:
        yield Recording(name_of(file), text, Audio(at_16k(read(path / file)), RATE), kind)


def name_of(file: str) -> str:
    """What the recording in this file is called: two in different folders are not the same."""
    return Path(file).with_suffix("").as_posix()


def room_tone(samples: Samples, seconds: float, seed: int) -> Samples:
    """Noise as soft as the softest hundredths of a second of this sound."""
    blocks = samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK)
    loudness = np.sqrt(np.square(blocks).mean(axis=1))
    level = float(np.quantile(loudness, 0.02)) if len(loudness) else 0.0
    noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return (min(level, 0.003) * noise).astype(np.float32)


def thoughtful(recording: Recording, heard: Transcript) -> Recording | None:
    """The same with one or two pauses for thought at borders of words; None for a few words.

    `heard` says where words are; without, the quietest places are taken. The same recording gets
    the same pauses.
    """
    words, samples = len(recording.text.split()), recording.audio.samples
    if words < 4:
        return None
    seed = zlib.crc32(recording.name.encode())
    chosen = np.random.default_rng(seed)
    pieces, begin, count = [], 0, 1 if words < 10 else 2
    for index in range(count):
        first, last = (index + 0.25) / count, (index + 0.85) / count
        borders = _borders(recording.audio, heard, first, last)
        cut = borders[int(chosen.integers(len(borders)))]
        pieces += [
            faded(samples[begin:cut], into=bool(begin)),
            room_tone(samples, float(chosen.uniform(*THOUGHT)), seed + index),
        ]
        begin = cut
    pieces.append(faded(samples[begin:], into=True, out=False))
    sound = Audio(np.concatenate(pieces), RATE)
    return Recording(f"{recording.name} (thinking)", recording.text, sound, recording.kind)


def _borders(audio: Audio, heard: Transcript, first: float, last: float) -> list[int]:
    """Samples at which it may be cut, between these shares of the sound; one at least."""
    begin, end = first * audio.seconds, last * audio.seconds
    gaps = [(before.end + after.start) / 2 for before, after in pairwise(heard.words)]
    near = [(gap - NEAR, gap + NEAR) for gap in gaps if begin <= gap <= end]
    return [quietest(audio.samples, *window) for window in near or [(begin, end)]]


def quietest(samples: Samples, start: float, end: float) -> int:
    """The sample between these seconds around which it is quietest, to a hundredth of a second."""
    begin = max(0, round(start * RATE))
    stretch = samples[begin : max(begin + BLOCK, round(end * RATE))]
    blocks = stretch[: len(stretch) // BLOCK * BLOCK].reshape(-1, BLOCK)
    return begin + int(np.square(blocks).sum(axis=1).argmin()) * BLOCK + BLOCK // 2


def faded(samples: Samples, *, into: bool, out: bool = True) -> Samples:
    """A copy without the click of a cut at its beginning or end."""
    ramp = np.linspace(0, 1, min(len(samples), BLOCK // 2), dtype=np.float32)
    samples = samples.copy()
    if into:
        samples[: len(ramp)] *= ramp
    if out:
        samples[len(samples) - len(ramp) :] *= ramp[::-1]
    return samples


def turn(recording: Recording, vad: VoiceDetector, after: float) -> Turn | None:
    """The recording as a turn with `after` seconds of quiet behind it; None without speech.

    Where it ends and pauses is what the detector says at its usual thresholds.
    """
    samples, seed = recording.audio.samples, zlib.crc32(recording.name.encode())
    quiet = (room_tone(samples, BEFORE, seed), room_tone(samples, after, seed + 1))
    sound = Audio(np.concatenate([quiet[0], samples, quiet[1]]), RATE)
    pieces, chances = list(frames(sound)), probabilities(vad, sound)
    patient = Endpointing(stop=10, unfinished=10, longest=300, misfire=0.32)
    events = list(listen(pieces, chances, patient))
    ends = [event.ended for event in events if isinstance(event, TurnEnded)]
    if not ends:
        return None
    pauses: list[Pause] = []
    begun: float | None = None
    for event in events:
        if isinstance(event, Paused):
            begun = event.ended
        elif isinstance(event, Resumed) and begun is not None:
            pauses.append(Pause(begun, event.at))
    long = tuple(pause for pause in pauses if pause.end - pause.start >= SHORTEST)
    return Turn(recording.name, recording.text, pieces, chances, ends[-1], long)


def turns(
    recordings: Iterable[Recording],
    vad: VoiceDetector,
    transcribe: Callable[[Audio], Transcript] | None,
    after: float,
) -> tuple[list[Turn], list[str]]:
    """Every recording with words as a turn, and once more with pauses for thought where
    `transcribe` is given to find its words; and the names of those in which no speech is heard."""
    found: list[Turn] = []
    deaf: list[str] = []
    for recording in recordings:
        if not recording.text:
            continue
        again = transcribe and thoughtful(recording, transcribe(recording.audio))
        for version in filter(None, (recording, again)):
            heard = turn(version, vad, after)
            if heard is None:
                deaf.append(version.name)
            else:
                found.append(heard)
    return found, deaf
