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
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.hear import judge_text, judge_text_tone
from voice_kit.hear.judge_text_tone import Tone
from voice_kit.types import RATE, Audio, Samples
from voice_kit.workshop.lab_sounds import NEAR, Recording, faded, folder, kit, quietest, room_tone

if TYPE_CHECKING:
    from voice_kit.hear.stt_sphinx import PocketSphinx

Vector = NDArray[np.float64]
Aligner = Callable[[Samples, str], list[tuple[float, float]]]
"""Finds the seconds at which each word of a text begins and ends in its sound."""

HEARD = Path(__file__).parent / "judging_tone.tsv"
PULL = 10.0
"""How strongly weights are pulled to zero. From 1 to 30, other speakers are judged equally well."""
PAUSE, AFTER = 0.15, 0.1
"""Seconds of quiet between words that are a pause of the speaker's own; and of quiet behind every
beginning, as much as the judge gets to hear."""
SPELLED = {
    "aligner": "AH L AY N ER",
    "counselled": "K AW N S AH L D",
    "quilter's": "K W IH L T ER Z",
    "woodcutters": "W UH D K AH T ER Z",
}
"""What people say in our recordings, and PocketSphinx's dictionary lacks."""


_judge = cache(judge_text.TextJudge)


@dataclass(frozen=True, slots=True)
class Ending:
    """A recording up to some word, as it is heard."""

    speaker: str
    recording: str
    finished: bool
    confident: bool
    tone: Tone
    text: str

    @property
    def words(self) -> float:
        """What the words alone speak for the end."""
        return judge_text.doubted(sum(w for _, w in _judge().reasons(self.text)), self.confident)

    def as_line(self) -> str:
        """As a line of the file."""
        labels = (
            "finished" if self.finished else "unfinished",
            "known" if self.confident else "guessed",
        )
        tone = (f"{value:.3f}" for value in self.tone)
        return "\t".join((self.speaker, self.recording, *labels, *tone, self.text))

    @classmethod
    def read(cls, line: str) -> Ending:
        """The ending that a line of the file tells of."""
        speaker, recording, finished, confident, *values, text = line.split("\t")
        tone = Tone(*map(float, values))
        return cls(speaker, recording, finished == "finished", confident == "known", tone, text)


def endings() -> list[Ending]:
    """Everything there is to learn from."""
    return [Ending.read(line) for line in HEARD.read_text(encoding="utf-8").splitlines()]


class Known:
    """Endings as columns."""

    def __init__(self, known: Sequence[Ending]) -> None:
        self.tones = np.array([ending.tone for ending in known])
        self.words = np.array([ending.words for ending in known])
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
    """Of people and of flite's voices, where words are guesses: how well each tells them apart."""
    all_of_them = Known(known)
    tone = all_of_them.heard()
    synthetic = np.array([ending.speaker.startswith("flite") for ending in known])
    rows: dict[str, dict[str, float]] = {}
    for name, group in (("people", ~synthetic), ("flite's voices", synthetic)):
        these = group & all_of_them.guessed
        ways = {"words": all_of_them.words, "tone": tone, "both": all_of_them.words + tone}
        finished = all_of_them.finished[these]
        rows[name] = {"finished": int(finished.sum()), "unfinished": int((~finished).sum())}
        rows[name] |= {way: told_apart(scores[these], finished) for way, scores in ways.items()}
    return rows


def listen(data: Path) -> Iterator[Ending]:
    """Every recording of this folder and of the kit, up to every word, as it is heard."""
    from voice_kit.hear.stt_sphinx import PocketSphinx
    from voice_kit.sounds import clips

    speakers = {clip.name: clip.voice for clip in clips()}
    notes: list[dict[str, Any]] = json.loads((data / "manifest.json").read_text(encoding="utf-8"))
    speakers |= {Path(note["file"]).stem: note.get("speaker") or note["file"] for note in notes}
    sphinx, align = PocketSphinx(), aligner()
    for recording in (*folder(data), *kit()):
        if recording.text and recording.kind not in ("noise", "backchannel"):
            yield from heard(recording, speakers[recording.name], sphinx, align)
    sphinx.close()


def heard(
    recording: Recording, speaker: str, sphinx: PocketSphinx, align: Aligner
) -> Iterator[Ending]:
    """This recording up to every word where words and a voice are heard."""
    for count, (sound, finished) in enumerate(beginnings(recording, align)):
        seed = zlib.crc32(f"{recording.name} {count}".encode())
        audio = Audio(np.concatenate([sound, room_tone(sound, AFTER, seed)]), RATE)
        said, tone = sphinx.transcribe(audio), judge_text_tone.tone(audio)
        if said.text and tone is not None:
            yield Ending(speaker, recording.name, finished, said.confident, tone, said.text)


def beginnings(recording: Recording, align: Aligner) -> Iterator[tuple[Samples, bool]]:
    """The sound up to each word, and whether that is all. A text with marks but none at its end
    is no whole sentence."""
    samples = recording.audio.samples
    for (_, end), (start, _) in pairwise(align(samples, recording.text)):
        if start - end >= PAUSE:
            yield samples[: round((end + min(PAUSE, (start - end) / 2)) * RATE)], False
        else:
            middle = (end + start) / 2
            cut = quietest(samples, middle - NEAR, middle + NEAR)
            yield faded(samples[:cut], into=False), False
    yield samples, recording.text[-1] in ".?" or not re.search(r"[,.?;:]", recording.text)


def aligner() -> Aligner:
    """An aligner made of PocketSphinx."""
    from pocketsphinx import Decoder  # type: ignore[import-untyped]

    decoder = Decoder(samprate=RATE, lm=None)
    for word, phonemes in SPELLED.items():
        decoder.add_word(word, phonemes, True)
    means = decoder.get_cmn(False)

    def align(samples: Samples, text: str) -> list[tuple[float, float]]:
        bare = re.sub(r"\[\w+\]", " ", text.lower()).replace("m f a", "m. f. a.")
        decoder.set_align_text(" ".join(re.findall(r"\b[a-z]\.|[a-z']+", bare)))
        decoder.set_cmn(means)
        decoder.reinit_feat()
        decoder.start_utt()
        pcm = (samples.clip(-1, 1) * 32767).astype("<i2").tobytes()
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()
        spoken = [one for one in decoder.seg() if one.word[0] not in "<["]
        return [(one.start_frame / 100, (one.end_frame + 1) / 100) for one in spoken]

    return align


def table(rows: dict[str, dict[str, float]]) -> Iterator[str]:
    """The figures as lines of text."""
    yield f"{'':16}{'finished':>10}{'unfinished':>12}{'words':>8}{'tone':>8}{'both':>8}"
    for name, row in rows.items():
        shares = "".join(f"{row[way]:8.1%}" for way in ("words", "tone", "both"))
        yield f"{name:16}{row['finished']:10.0f}{row['unfinished']:12.0f}{shares}"
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
