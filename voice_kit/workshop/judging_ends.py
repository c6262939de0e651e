"""Counts where English sentences end: `python -m voice_kit.workshop.judging_ends`.

Writes `hear/judge_text_ends.json`: of the commonest words, and of pairs that differ from their
last word, how often a sentence ends there, in the trigram model that comes with PocketSphinx
(`en-us.lm.bin`, by the CMU Sphinx project, under its BSD licence).
"""

from __future__ import annotations

import codecs
import heapq
import importlib.util
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

from voice_kit.hear.judge_text import ENDS, LEVELS

WORDS, FIRST, SECOND, PAIRS = 6000, 1500, 3000, 4500
"""How many words are kept; of how many pairs are made, and how many of those are kept."""
RUDE = "shpx|fuvg|avtt|snttb|snt$|phag|juber|ovgpu|nffubyr|cbea|enc[rvs]|fyhg|pbpx$"
"""What nobody wants to read in a file, in rot13."""
DIFFERS = 1
"""A pair is kept when it is this many levels from its last word alone, or more."""


class Model:
    """How likely a word is after others."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder, NGramModel  # type: ignore[import-untyped]

        spec = importlib.util.find_spec("pocketsphinx")
        assert spec is not None and spec.origin is not None
        folder = Path(spec.origin).parent / "model" / "en-us"
        decoder = Decoder(samprate=16000)
        self._log = decoder.logmath
        self._model = NGramModel(decoder.config, self._log, str(folder / "en-us.lm.bin"))
        lines = (folder / "cmudict-en-us.dict").read_text(encoding="utf-8").splitlines()
        self.dictionary = [word for word in (line.split()[0] for line in lines) if "(" not in word]

    def chance(self, *words: str) -> float:
        """Of the last word after those before it."""
        return float(self._log.exp(self._model.prob(list(reversed(words)))))

    def level(self, *words: str) -> int:
        """How often a sentence ends after these words, as a place among `LEVELS`."""
        return level(self.chance(*words, "</s>"))


def level(chance: float) -> int:
    """The last of `LEVELS` that this is not below."""
    return sum(chance >= limit for limit in LEVELS) - 1


def common(model: Model) -> list[str]:
    """The commonest words, without those that only PocketSphinx writes."""
    rude = re.compile(codecs.decode(RUDE, "rot13"))
    plain = [
        word
        for word in model.dictionary
        if word.replace("'", "").isalpha() and not rude.search(word)
    ]
    return heapq.nlargest(WORDS, plain, key=model.chance)


def pairs(model: Model, words: list[str], levels: dict[str, int]) -> Iterator[tuple[float, str]]:
    """Every pair that differs from its last word, and how much it matters."""
    for first, second in itertools.product(["<s>", *words[:FIRST]], words[:SECOND]):
        here = model.level(first, second)
        if abs(here - levels[second]) >= DIFFERS:
            often = model.chance(first) * model.chance(first, second) if first != "<s>" else 1
            often = model.chance(first, second) / 20 if first == "<s>" else often
            yield often * abs(here - levels[second]), f"{first} {second} {here}"


def make() -> None:
    """Write the file."""
    model = Model()
    words = common(model)
    levels = {word: model.level(word) for word in words}
    kept = heapq.nlargest(PAIRS, pairs(model, words, levels))
    table: dict[str, dict[str, str]] = {"words": {}, "pairs": {}}
    for place in range(len(LEVELS)):
        table["words"][str(place)] = " ".join(sorted(w for w in words if levels[w] == place))
        there = sorted(pair.rsplit(" ", 1)[0] for _, pair in kept if pair.endswith(f" {place}"))
        table["pairs"][str(place)] = "; ".join(there)
    ENDS.write_text(json.dumps(table, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    make()
