"""Makes the ear of the text judge for the tone of a voice, and says how good it is.

`python -m voice_kit.workshop.judging_tone [--json]` prints the figures, each of speakers that were
not learned from; `--write` learns from everything and writes `hear/judge_text_tone.json`. With
`--data FOLDER`, recordings of people with a manifest.json (file, kind, text and speaker of each),
these and the kit's own are broken off after every word first, and what is heard in them is
written to `judging_tone.tsv`; that takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.hear import judge_text, judge_text_tone
from voice_kit.hear.judge_text_tone import Tone
from voice_kit.types import RATE, Audio
from voice_kit.workshop.judging_breaks import Aligner, aligner, beginnings, spoken
from voice_kit.workshop.lab_sounds import Recording, folder, kit, name_of, room_tone

if TYPE_CHECKING:
    from voice_kit.hear.stt_sphinx import PocketSphinx

Vector = NDArray[np.float64]

HEARD = Path(__file__).parent / "judging_tone.tsv"
PULL = 10.0
"""How strongly weights are pulled to zero. From 1 to 30, other speakers are judged equally well."""
AFTER = 0.1
"""Seconds of quiet behind every beginning, as much as the judge gets to hear."""


_judge = cache(judge_text.TextJudge)


@dataclass(frozen=True, slots=True)
class Ending:
    """A recording up to some word, as it is heard."""

    speaker: str
    recording: str
    finished: bool
    confident: bool
    tone: Tone
    said: str
    """What was really said so far, in words without marks."""
    text: str
    """And what PocketSphinx heard."""

    @property
    def words(self) -> float:
        """What the words alone speak for the end."""
        return judge_text.doubted(_score(self.text), self.confident)

    @property
    def certain(self) -> float:
        """And what they would speak for it if all of them were known."""
        return _score(self.said)

    def as_line(self) -> str:
        """As a line of the file."""
        labels = (
            "finished" if self.finished else "unfinished",
            "known" if self.confident else "guessed",
        )
        tone = (f"{value:.3f}" for value in self.tone)
        return "\t".join((self.speaker, self.recording, *labels, *tone, self.said, self.text))

    @classmethod
    def read(cls, line: str) -> Ending:
        """The ending that a line of the file tells of."""
        speaker, recording, finished, confident, *values, said, text = line.split("\t")
        labels = finished == "finished", confident == "known"
        return cls(speaker, recording, *labels, Tone(*map(float, values)), said, text)


def _score(text: str) -> float:
    return sum(weight for _, weight in _judge().reasons(text))


def endings() -> list[Ending]:
    """Everything there is to learn from."""
    return [Ending.read(line) for line in HEARD.read_text(encoding="utf-8").splitlines()]


class Known:
    """Endings as columns."""

    def __init__(self, known: Sequence[Ending]) -> None:
        self.tones = np.array([ending.tone for ending in known])
        self.words = np.array([ending.words for ending in known])
        self.certain = np.array([ending.certain for ending in known])
        self.finished = np.array([ending.finished for ending in known])
        self.guessed = np.array([not ending.confident for ending in known])
        self.speakers = np.array([ending.speaker for ending in known])

    def learn(self, these: NDArray[np.bool_]) -> dict[str, tuple[float, float]]:
        """Of each thing that is heard in the tone, its usual value and its weight.

        Learned from these, of them where words are guesses: a logistic regression on what the
        words leave open, both labels together equally heavy.
        """
        these = these & self.guessed
        done, more = these & self.finished, these & ~self.finished
        usual = (self.tones[done].mean(axis=0) + self.tones[more].mean(axis=0)) / 2
        spread = self.tones[these].std(axis=0)
        seen = (self.tones - usual) / spread
        count = these.sum() * (0.5 * done / done.sum() + 0.5 * more / more.sum())
        weights = np.zeros(len(usual))
        for _ in range(30):
            chance = 1 / (1 + np.exp(-(self.words + seen @ weights)))
            slope = seen.T @ (count * (chance - self.finished)) + PULL * weights
            curve = (seen.T * (count * chance * (1 - chance))) @ seen + PULL * np.eye(len(usual))
            weights -= np.linalg.solve(curve, slope)
        found = zip(usual.round(3).tolist(), (weights / spread).round(3).tolist(), strict=True)
        return dict(zip(Tone._fields, found, strict=True))

    def heard(self) -> Vector:
        """What the tone of each speaks for the end, learned from all other speakers."""
        scores = np.zeros(len(self.finished))
        for speaker in np.unique(self.speakers):
            mine = self.speakers == speaker
            usual, weights = np.array(list(self.learn(~mine).values())).T
            scores[mine] = (self.tones[mine] - usual) @ weights
        return scores


def told_apart(scores: Vector, finished: NDArray[np.bool_]) -> float:
    """How often a finished one has more than an unfinished one, in [0, 1]; 0.5 is by chance."""
    done, more = scores[finished][:, None], scores[~finished]
    return float(((done > more) + 0.5 * (done == more)).mean())


def measure(known: Sequence[Ending]) -> dict[str, dict[str, float]]:
    """Of people and of flite's voices: how well each tells the finished apart, where words are
    guesses, and if all were certain."""
    every = Known(known)
    tone, everywhere = every.heard(), np.ones(len(known), bool)
    synthetic = np.array([ending.speaker.startswith("flite") for ending in known])
    ways = {
        ", guessed": (every.guessed, every.words, tone),
        ", certain": (everywhere, every.certain, judge_text.SHARE * tone),
    }
    rows: dict[str, dict[str, float]] = {}
    for how, (these, words, heard) in ways.items():
        for name, group in (("people", ~synthetic), ("flite's voices", synthetic)):
            chosen = these & group
            finished = every.finished[chosen]
            row = {"finished": int(finished.sum()), "unfinished": int((~finished).sum())}
            scores = {"words": words, "tone": heard, "both": words + heard}
            told = {way: told_apart(score[chosen], finished) for way, score in scores.items()}
            rows[name + how] = row | told
    return rows


def listen(data: Path) -> Iterator[Ending]:
    """Every recording of this folder and of the kit, up to every word, as it is heard."""
    from voice_kit.hear.stt_sphinx import PocketSphinx
    from voice_kit.sounds import clips

    speakers = {clip.name: clip.voice for clip in clips()}
    notes: list[dict[str, Any]] = json.loads((data / "manifest.json").read_text(encoding="utf-8"))
    speakers |= {name_of(note["file"]): note.get("speaker") or note["file"] for note in notes}
    sphinx, align = PocketSphinx(), aligner()
    for recording in (*folder(data), *kit()):
        if recording.text and recording.kind not in ("noise", "backchannel"):
            yield from heard(recording, speakers[recording.name], sphinx, align)
    sphinx.close()


def heard(
    recording: Recording, speaker: str, sphinx: PocketSphinx, align: Aligner
) -> Iterator[Ending]:
    """This recording up to every word where words and a voice are heard."""
    words = spoken(recording.text)
    for count, (sound, finished) in enumerate(beginnings(recording, align)):
        seed = zlib.crc32(f"{recording.name} {count}".encode())
        audio = Audio(np.concatenate([sound, room_tone(sound, AFTER, seed)]), RATE)
        guess, tone = sphinx.transcribe(audio), judge_text_tone.tone(audio)
        if guess.text and tone is not None:
            labels, said = (finished, guess.confident), " ".join(words[: count + 1])
            yield Ending(speaker, recording.name, *labels, tone, said, guess.text)


def table(rows: dict[str, dict[str, float]]) -> Iterator[str]:
    """The figures as lines of text."""
    yield f"{'':24}{'finished':>10}{'unfinished':>12}{'words':>8}{'tone':>8}{'both':>8}"
    for name, row in rows.items():
        shares = "".join(f"{row[way]:8.1%}" for way in ("words", "tone", "both"))
        yield f"{name:24}{row['finished']:10.0f}{row['unfinished']:12.0f}{shares}"
    yield "How often a finished one is told from an unfinished one, of speakers not learned from."


def main() -> None:
    """Measure what the tone of a voice tells, or learn it anew."""
    parser = argparse.ArgumentParser(description=__doc__, prog="voice_kit.workshop.judging_tone")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="people's recordings to hear")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--write", action="store_true", help="learn, and write the judge's file")
    asked = parser.parse_args()
    if asked.data:
        lines = [ending.as_line() for ending in listen(asked.data)]
        HEARD.write_text("\n".join(lines) + "\n", encoding="utf-8")
    known = endings()
    if asked.write:
        learned = Known(known).learn(np.ones(len(known), bool))
        judge_text_tone.WEIGHTS.write_text(json.dumps(learned, indent=1) + "\n", encoding="utf-8")
        return
    rows = measure(known)
    print(json.dumps(rows, indent=1) if asked.json else "\n".join(table(rows)))


if __name__ == "__main__":
    main()
