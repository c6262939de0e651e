"""Short recordings to try everything with, each with its words, its voice and its licence."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from voice_kit.audio.files import read
from voice_kit.errors import AudioError
from voice_kit.types import Audio

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording of one line. It begins and ends with its first and last sound."""

    name: str
    text: str
    """What is said; empty for a noise."""
    voice: str
    kind: str
    """answer, backchannel, command, free, interruption, noise, pause or question."""
    licence: str
    path: Path
    seconds: float

    def audio(self) -> Audio:
        """How it sounds: 16 kHz."""
        return read(self.path)


def clips() -> list[Clip]:
    """All recordings, in the order of `sounds.json`."""
    return list(_clips().values())


def clip(name: str) -> Clip:
    """The recording of that name. Raises `AudioError`, which lists the names."""
    known = _clips()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean “{near[0]}”? " if near else ""
        raise AudioError(f"There is no clip “{name}”. {hint}The clips are: {', '.join(known)}.")
    return known[name]


@cache
def _clips() -> dict[str, Clip]:
    notes = json.loads((HERE / "sounds.json").read_text(encoding="utf-8"))
    return {
        (name := note["file"].removesuffix(".flac")): Clip(
            name=name,
            text=note["text"],
            voice=note["voice"],
            kind=note["kind"],
            licence=note["licence"],
            path=HERE / note["file"],
            seconds=note["seconds"],
        )
        for note in notes
    }
