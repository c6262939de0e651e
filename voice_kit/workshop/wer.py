"""How many words the embedded speech-to-text gets wrong: `python -m voice_kit.workshop.wer`.

The word error rate of each group of sounds, what its grammar wrongly takes for a command, and
how long a second of sound takes. Needs jiwer, which the extra `test` brings.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from voice_kit.audio.files import read
from voice_kit.errors import MissingEngineError, VoiceKitError, install
from voice_kit.hear.protocols import Transcriber
from voice_kit.hear.stt_sphinx import PocketSphinx
from voice_kit.sounds import clips
from voice_kit.types import Audio, Transcript

LONGEST = 20.0
"""Longer human recordings are left out: nobody commands for so long. Seconds."""
SPELT = {"goodbye": "good bye", "oclock": "o'clock", "mhm": "mm hmm"}


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sound, its group, and its words."""

    group: str
    name: str
    text: str
    load: Callable[[], Audio]


@dataclass(frozen=True, slots=True)
class Score:
    """How a group of sounds was understood."""

    group: str
    clips: int
    words: int
    wer: float | None
    """Wrong words per word said; None where nothing is said."""
    accepted: int
    """Clips that were taken for a command or question of the grammar."""
    wrongly: int
    """Clips that were accepted as other words than were said."""
    invented: int
    """Words that were heard where nothing was said."""
    seconds: float
    took: float
    """Seconds of computing for a second of sound."""


def plain(text: str) -> str:
    """The words alone: lower case, no punctuation, one spelling."""
    words = re.sub(r"[^\w' ]", " ", text.lower().replace("’", "'").replace("…", " ")).split()
    return " ".join(SPELT.get(word, word) for word in words)


def kit() -> Iterator[Spoken]:
    """The kit's own clips, one group a kind."""
    for clip in clips():
        yield Spoken(f"kit: {clip.kind}", clip.name, clip.text, clip.audio)


def human(folder: Path) -> Iterator[Spoken]:
    """Recordings of people and noises that a manifest.json names, one group a speaker."""
    for note in json.loads((folder / "manifest.json").read_text(encoding="utf-8")):
        if note["seconds"] > LONGEST or (note["kind"] == "speech" and not note.get("text")):
            continue
        group = f"human: {note['speaker']}" if note["kind"] == "speech" else "noise"
        path = folder / note["file"]
        yield Spoken(group, path.name, note.get("text") or "", partial(read, path))


def measure(
    engine: Transcriber,
    sounds: Sequence[Spoken],
    each: Callable[[Spoken, Transcript], None] | None = None,
) -> list[Score]:
    """The scores, group by group, in the order of the sounds. Raises `MissingEngineError`."""
    try:
        import jiwer
    except ImportError as error:
        raise MissingEngineError("jiwer", fix=install("test")) from error
    groups: dict[str, list[tuple[Spoken, Transcript, float, float]]] = {}
    for sound in sounds:
        audio = sound.load()
        before = time.perf_counter()
        transcript: Any = engine.transcribe(audio)
        took = time.perf_counter() - before
        groups.setdefault(sound.group, []).append((sound, transcript, audio.seconds, took))
        if each is not None:
            each(sound, transcript)
    scores = []
    for group, heard in groups.items():
        said = [(plain(s.text), plain(t.text)) for s, t, _, _ in heard if plain(s.text)]
        rate = jiwer.wer([a for a, _ in said], [b for _, b in said]) if said else None
        seconds = sum(length for _, _, length, _ in heard)
        scores.append(
            Score(
                group=group,
                clips=len(heard),
                words=sum(len(a.split()) for a, _ in said),
                wer=None if rate is None else round(float(rate), 4),
                accepted=sum(t.confident for _, t, _, _ in heard),
                wrongly=sum(t.confident and plain(s.text) != plain(t.text) for s, t, _, _ in heard),
                invented=sum(len(plain(t.text).split()) for s, t, _, _ in heard if not s.text),
                seconds=round(seconds, 2),
                took=round(sum(took for _, _, _, took in heard) / seconds, 3),
            )
        )
    return scores


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, or with --json a line per group. 1 when it cannot be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m voice_kit.workshop.wer", description=(__doc__ or "").partition(":")[0]
    )
    parser.add_argument("--json", action="store_true", help="a line of JSON per group")
    parser.add_argument("--verbose", action="store_true", help="each sound that was misheard")
    parser.add_argument(
        "--human",
        type=Path,
        default=Path(__file__).parents[3] / "shared" / "sounds",
        help="a folder of recordings with a manifest.json",
    )
    asked = parser.parse_args(arguments)
    sounds = [*kit()]
    if (asked.human / "manifest.json").exists():
        sounds += human(asked.human)
    else:
        print(f"No recordings of people in {asked.human}.", file=sys.stderr)

    def each(sound: Spoken, heard: Transcript) -> None:
        if asked.verbose and plain(sound.text) != plain(heard.text):
            how = "as a command" if heard.confident else "freely"
            print(f"{sound.name}: “{plain(sound.text)}” heard {how} as “{heard.text}”", flush=True)

    try:
        engine = PocketSphinx()
        try:
            scores = measure(engine, sounds, each)
        finally:
            engine.close()
    except VoiceKitError as error:
        print(error, file=sys.stderr)
        return 1
    if asked.json:
        for score in scores:
            print(json.dumps(asdict(score)))
    else:
        print(table(scores))
    return 0


def table(scores: Sequence[Score]) -> str:
    """The scores as text, a line each."""
    heads = f"{'accepted':>10}{'wrongly':>9}{'invented':>10}{'RTF':>7}"
    lines = [f"{'':26}{'clips':>6}{'words':>7}{'WER':>8}{heads}"]
    for score in scores:
        rate = "" if score.wer is None else f"{score.wer:.1%}"
        lines.append(
            f"{score.group[:25]:26}{score.clips:6}{score.words:7}{rate:>8}"
            f"{score.accepted:10}{score.wrongly:9}{score.invented:10}{score.took:7.2f}"
        )
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return "\n".join([*lines, f"{os.cpu_count()} processors, load {load:.1f}"])


if __name__ == "__main__":
    sys.exit(main())
