"""Reads what was said so far, and says how likely it is that nothing more comes.

The tone of the voice counts too, most where a recogniser only guesses words: `judge_text_tone`.

What it sees, `features`, is what people see: the last words and their kinds ("for", a preposition
after a noun), how the utterance begins and how much came after its verb, digits that are being
read out, lists, and marks; and how often sentences end at this word in a large text. Each has a
weight, for the end or against it; their sum is the chance. `TextJudge().why("Set a timer for.")`
says which decided. Whisper puts a full stop behind what is broken off too, so marks weigh little.

The weights are learned from written lines that are broken off at every word, see
`voice_kit/workshop/judging.txt`. On a test set that was frozen before, which shares no four words
in a row with them, `python -m voice_kit.workshop.judging --on tests/judge_frozen.tsv` counts:

                         n   right  adds wait  cuts off
    written            177     88 %        2 %       4 %
    the words alone    177     88 %        6 %       3 %
    PocketSphinx       354     78 %        6 %       0 %

"Adds wait" is the share of the finished that it calls unfinished (0.3 or less), "cuts off" the
share of the unfinished that it calls finished (0.8 or more). PocketSphinx heard flite's voices;
much of what is broken off it hears as something whole. The test set was looked at ten times.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from voice_kit.errors import LanguageError
from voice_kit.hear import judge_text_tone
from voice_kit.hear.judge_text_asks import ASKING, asks
from voice_kit.hear.judge_text_words import kind, known, tokens
from voice_kit.types import Audio, Stops, Transcript

HERE = Path(__file__).parent
ENDS, WEIGHTS = HERE / "judge_text_ends.json", HERE / "judge_text.json"
LEVELS = (0.0, 0.005, 0.01, 0.02, 0.04, 0.06, 0.09, 0.13, 0.18, 0.25)
"""How often sentences end after a word or a pair: each is a share, and more up to the next."""

DOUBT = 0.25
"""How much of what speaks for the end counts where the words are guesses. In 310 places where
people go on, those of `workshop/judging_tone.tsv`, the words alone are sure of an end 110 times
with 0.6, and 11 times with 0.25."""

SHARE, FEW = 0.5, 2
"""How much of what the voice tells counts where the words are certain, and after how many words
or fewer it tells nothing against the end there. With all of it, people are told apart better, see
`judge_text_tone`, but at the same mean wait more of flite's turns are cut off."""

OPENS = 0.95
"""The sum after “yes”, “no” or “okay” alone, at most, a chance of 72 %: it is a whole answer, and
as often the first word of one, “No, the other one.” The usual settings wait for 360 ms then."""

OPENING = ("filler", "conjunction", "reply", "opener")
VERBS = {"be", "auxiliary", "negated", "subject-be", "subject-have", "let", "verb", "verb-past"}
VERBS |= {"needs-object", "needs-object-past", "gives"}
MARKS = (("...", "…"), *((mark, mark) for mark in "…—,?."), ("-", "—"), ("!", "."))


class TextJudge:
    """Whether a sentence is finished, by its last words, its beginning and its numbers, and by the
    tone of the voice: half of it, where the words are no guesses."""

    name = "text"
    stops: Stops = "steps"
    languages = frozenset({"en"})
    needs_words = True
    direct = True

    def __init__(self, *, language: str = "en") -> None:
        if language not in self.languages:
            raise LanguageError(self.name, language, fix="silence, which needs no words")
        read = WEIGHTS.read_text(encoding="utf-8")
        self._weights: dict[str, float] = json.loads(read)
        known(), ends(), judge_text_tone.weights()  # read now, not in the first turn

    def finished(self, audio: Audio, transcript: Transcript) -> float:
        """Chance that nothing more comes after these words. 0.5 for none, and for other tongues."""
        if transcript.language.partition("-")[0] not in self.languages:
            return 0.5
        return self.chance(transcript.text, transcript.confident, audio)

    def chance(self, text: str, confident: bool = True, audio: Audio | None = None) -> float:
        """The same for bare text, for what its recogniser is not confident of, and its sound."""
        return chance(sum(weight for _, weight in self._found(text, audio, confident)))

    def reasons(self, text: str, confident: bool = True) -> list[tuple[str, float]]:
        """What was seen in the text, and how much each speaks for its end; strongest first.

        Each speaks softer where the words may be guesses: by as much as their sum is `doubted`.
        """
        seen = [(name, self._weights.get(name, 0.0)) for name in features(text)]
        score = sum(weight for _, weight in seen)
        share = doubted(score, confident) / score if score else 1.0
        found = [(name, share * weight) for name, weight in seen if weight]
        return sorted(found, key=lambda one: -abs(one[1]))

    def tone(
        self, text: str, audio: Audio | None, confident: bool = True
    ) -> list[tuple[str, float]]:
        """The same of the voice that said it: `SHARE` of it counts where the words are certain.

        That “Is it warm?” ends high says nothing there, nor does it after a word or two that are
        certain: who says “stop” may say it as they like.
        """
        words = tokens(text)
        heard = judge_text_tone.reasons(audio) if audio and words else []
        free = bool(words) and (kind(words[0]) in ASKING or (confident and len(words) <= FEW))
        share = SHARE if confident else 1.0
        return [(name, share * weight) for name, weight in heard if weight > 0 or not free]

    def why(self, text: str, audio: Audio | None = None, *, confident: bool = True) -> str:
        """In a line: the chance, and the four strongest reasons. Above zero speaks for the end."""
        found = sorted(self._found(text, audio, confident), key=lambda one: -abs(one[1]))
        reasons = "; ".join(f"{name} ({weight:+.1f})" for name, weight in found[:4])
        whole = chance(sum(weight for _, weight in found))
        return f"{whole:.0%} finished: {reasons or 'there is nothing to go by'}"

    def _found(self, text: str, audio: Audio | None, confident: bool) -> list[tuple[str, float]]:
        found = [*self.reasons(text, confident), *self.tone(text, audio, confident)]
        words, too_sure = tokens(text), sum(weight for _, weight in found) - OPENS
        opens = len(words) == 1 and (words[0] == "no" or kind(words[0]) == "reply")
        if opens and too_sure > 0:
            found.append(("this word alone often goes on", -too_sure))
        return found


def doubted(score: float, confident: bool) -> float:
    """A sum of weights of words, as far as it counts where these may be guesses."""
    return score if confident or score < 0 else DOUBT * score


def chance(score: float) -> float:
    """What a sum of weights comes to, in [0, 1]."""
    return 1 / (1 + math.exp(-score))


def features(text: str) -> Iterator[str]:
    """What there is to see in the text, in words. None of it twice; nothing in an empty text."""
    words = tokens(text)
    if not words:
        return
    kinds = [kind(word) for word in words]
    yield "any"
    if len(words) < 5:
        yield f"all of it: {' '.join(words)}"
    yield from _endings(words, kinds)
    yield from _whole(words, kinds)
    yield from _ends(words, kinds)
    yield from _numbers(words, kinds)
    yield from _marks(text, words)


def _endings(words: list[str], kinds: list[str]) -> Iterator[str]:
    k3, k2, k1 = ["nothing", "nothing", *kinds][-3:]
    if words[-1] in known():
        yield f"last word: {words[-1]}"
        if words[-2:-1] and words[-2] in known():
            yield f"last words: {words[-2]} {words[-1]}"
    yield f"last kind: {k1}"
    yield f"last kinds: {k2}, {k1}"
    yield f"last kinds: {k3}, {k2}, {k1}"
    if k2 != "nothing":
        yield f"last but one: {k2}"


def _ends(words: list[str], kinds: list[str]) -> Iterator[str]:
    table = ends()
    after = table.get(" ".join(["<s>", *words][-2:]), table.get(words[-1]))
    if after is None:
        yield f"nobody counted how often sentences end here; {kinds[-1]}"
        return
    share = f"sentences end here: {LEVELS[after]:.1%} or more"
    yield share
    yield f"{share}; begins: {kinds[0]}"
    yield f"{share}; {_length(len(words))} words"
    yield f"{share}; last kind: {kinds[-1]}"


def _whole(words: list[str], kinds: list[str]) -> Iterator[str]:
    start = next((n for n, kind in enumerate(kinds) if kind not in OPENING), len(kinds))
    core = kinds[start:]
    if start:
        yield "opens with: " + kinds[0]
    if not core:
        yield "only: " + kinds[-1]
        return
    first = words[start] if core[0] in ("wh", "subordinator") else core[0]
    begin = f"{first}, {core[1]}" if len(core) > 1 else first
    length = _length(len(core))
    verbs = min(2, sum(kind in VERBS for kind in core))
    yield from asks(words[start:], core)
    yield f"begins: {begin}"
    yield f"begins: {core[0]}; last kind: {core[-1]}"
    yield f"begins: {core[0]}; last kinds: {', '.join(core[-2:])}"
    yield f"begins: {begin}; {length} words"
    yield f"begins: {begin}; {verbs} verbs"
    yield f"{length} words"
    yield f"{verbs} verbs; {length} words"
    yield f"{verbs} verbs; last kind: {core[-1]}"
    after = next((n for n, kind in enumerate(reversed(core)) if kind in VERBS), len(core))
    if after < len(core):
        yield f"last verb: {core[-1 - after]}; then {min(after, 3)} words"


def _numbers(words: list[str], kinds: list[str]) -> Iterator[str]:
    run = 0
    for word, sort in zip(reversed(words), reversed(kinds), strict=True):
        if sort not in ("digit", "digits", "letter"):
            break
        run += len(word) if word.isdigit() or sort == "letter" else 1
    named = "a number was named; " if "counted" in kinds else ""
    if run > 1 or (run and named):
        length = 1 if run == 1 else 2 if run < 4 else 4 if run < 7 else 7 if run < 10 else 10
        yield f"{named}digits in a row: {length} or more"
        yield f"digits in a row: {length} or more"
        if run >= len(words):
            yield f"only digits: {length} or more"


def _marks(text: str, words: list[str]) -> Iterator[str]:
    text = text.strip()
    if text == text.lower() and not re.search(r"[,?!…—]|\.\.\.|\w\w\.", text):
        return
    mark = next((mark for end, mark in MARKS if text.endswith(end)), "none")
    yield f"mark: {mark}"
    parts = [tokens(part) for part in text.split(",")]
    items = parts[1:] if parts[-1] else parts[1:-1]
    if items and all(0 < len(part) < 4 for part in items):
        joined = {"and", "or"} & set(items[-1])
        yield f"a list {'with' if joined else 'without'} its “and”"


def _length(words: int) -> str:
    return str(words) if words < 4 else "4–5" if words < 6 else "6–8" if words < 9 else "9 or more"


@cache
def ends() -> dict[str, int]:
    """How often sentences end after a common word or pair of words, as a place in `LEVELS`."""
    table = json.loads(ENDS.read_text(encoding="utf-8"))
    levels = {word: int(n) for n, some in table["words"].items() for word in some.split()}
    return levels | {
        pair: int(n) for n, some in table["pairs"].items() for pair in some.split("; ")
    }
