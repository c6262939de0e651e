"""What the text judge learns from, as one says it, as Whisper writes it, as PocketSphinx hears it.

`python -m voice_kit.workshop.judging_data` has flite say the lines of `judging.txt`, whole and
broken off, and PocketSphinx write them down, into `judging_heard.tsv`. Takes some minutes; the
same flite and PocketSphinx write the same file. What happens to be in the test set must be taken
out again; `tests/test_judge_text.py` says what.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
LINES, HEARD = HERE / "judging.txt", HERE / "judging_heard.tsv"
VOICES = ("slt", "rms", "awb", "kal16")

_ONES, _TEENS, _TENS = (
    words.split()
    for words in (
        "oh one two three four five six seven eight nine",
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
        "twenty thirty forty fifty sixty seventy eighty ninety",
    )
)
DIGITS = {word: str(n) for n, word in enumerate(_ONES)} | {"zero": "0"}
NUMBERS = {word: str(n) for n, word in enumerate(_TEENS, 10)}
NUMBERS |= {word: str(n) for n, word in zip(range(20, 100, 10), _TENS, strict=True)}

BREAKS = {  # how often Whisper ends what is broken off so, in twenty; a guess, kept near even
    "statement": ((".", 8), ("...", 4), (",", 3), ("", 4), ("—", 1)),
    "question": (("?", 8), ("...", 4), (".", 1), ("", 5), ("—", 2)),
}
_ASKS = (
    "what who where why how which whose when is are was were am do does did has have had can "
    "could will would should shall may might what's who's where's how's don't isn't aren't"
)
ASKS = frozenset(_ASKS.split())


@dataclass(frozen=True, slots=True)
class Example:
    """What was said so far."""

    text: str
    finished: bool
    by: str
    """Who wrote it down: "said", "written" or a voice of flite's."""
    line: int = -1
    """The line it is from: all of a line is learned from, or none."""

    @property
    def confident(self) -> bool:
        """False where the words are PocketSphinx's guesses."""
        return self.by not in VOICES


@dataclass(frozen=True, slots=True)
class Prefix:
    """The beginning of a line, or all of it."""

    words: tuple[str, ...]
    finished: bool | None
    """None where nobody can tell."""
    end: str
    line: int

    @property
    def said(self) -> str:
        """As words alone."""
        return re.sub(r"[^\w' ]", "", " ".join(self.words))


def prefixes(lines: Sequence[str]) -> Iterator[Prefix]:
    """Every beginning of every line, with its label."""
    for number, line in enumerate(lines):
        if not line or line.startswith("#"):
            continue
        words: list[str] = []
        labels: list[bool | None] = []
        left_out: set[int] = set()
        for token in line.split():
            if token in "/~_":
                labels[-1] = True if token == "/" else None
                if token == "_":
                    left_out.add(len(words))
            else:
                words.append(token.rstrip(".?…"))
                labels.append(token[-1] in ".?")
        end = line[-1] if line[-1] in ".?" else "."
        for count, label in enumerate(labels, 1):
            if count not in left_out:
                yield Prefix(tuple(words[:count]), label, end, number)


def examples() -> list[Example]:
    """Everything there is to learn from."""
    found: list[Example] = []
    every = list(prefixes(LINES.read_text(encoding="utf-8").splitlines()))
    whole = {prefix.said for prefix in every if prefix.finished}
    for prefix in every:
        if prefix.finished or (prefix.finished is False and prefix.said not in whole):
            found.append(Example(prefix.said, prefix.finished, "said", prefix.line))
            found.append(Example(written(prefix), prefix.finished, "written", prefix.line))
        elif (text := written(prefix)).endswith((",", "...", "—")):
            found.append(Example(text, False, "written", prefix.line))
        if prefix.words[-1].endswith(",") and not prefix.finished:  # and Whisper hears a list
            text = written(prefix).rstrip(".,?—")
            found.append(Example(text + ",", False, "written", prefix.line))
    labels = {prefix.said: prefix for prefix in every if prefix.finished is not None}
    for row in HEARD.read_text(encoding="utf-8").splitlines():
        said, voice, text = row.split("\t")
        if said in labels and (said in whole or text not in whole):
            found.append(Example(text, said in whole, voice, labels[said].line))
    return found


def frozen(path: Path) -> list[Example]:
    """The examples of a test set: label, who wrote it down, and the text, in columns."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return [Example(text, label == "finished", by) for label, by, text in rows]


def written(prefix: Prefix) -> str:
    """As Whisper may write it: with a capital, digits, and some mark at the end."""
    text = figures(" ".join(prefix.words), _draw(prefix.said, 4))
    text = re.sub(r"\bi\b", "I", text[:1].upper() + text[1:]).rstrip(",")
    if prefix.finished:
        return text + prefix.end
    kind = "question" if prefix.words[0] in ASKS else "statement"
    ends = [end for end, often in BREAKS[kind] for _ in range(often)]
    return text + ends[_draw(prefix.said + "!", len(ends))]


def figures(text: str, style: int) -> str:
    """The text with its numbers in figures; digits in a row in one of four ways of writing them."""
    numbers, digits = "|".join(NUMBERS), "|".join(DIGITS)

    def number(match: re.Match[str]) -> str:
        return str(int(NUMBERS[match[1]]) + int(DIGITS.get(match[2] or "", "0")))

    def run(match: re.Match[str]) -> str:
        return ("", " ", ", ", "-")[style].join(DIGITS[word] for word in match[0].split())

    text = re.sub(rf"\b({digits})( ({digits}))+\b", run, text)
    text = re.sub(rf"\b({'|'.join(_TENS)}) ({digits})\b", number, text)
    return re.sub(rf"\b({numbers})()\b", number, text)


def spoken() -> Iterator[Prefix]:
    """What flite is to say: every line as far as it goes, and one shorter beginning of it."""
    lines: dict[int, list[Prefix]] = {}
    for prefix in prefixes(LINES.read_text(encoding="utf-8").splitlines()):
        lines.setdefault(prefix.line, []).append(prefix)
    for found in lines.values():
        clear = [prefix for prefix in found if prefix.finished is not None]
        yield from clear[-1:]
        if shorter := clear[:-1]:
            yield shorter[_draw(shorter[-1].said, len(shorter))]


def listen() -> Iterator[str]:
    """One line of `judging_heard.tsv` for each of what flite is to say."""
    from voice_kit.hear.stt_sphinx import PocketSphinx
    from voice_kit.sounds.make import flite
    from voice_kit.types import RATE, Audio

    sphinx = PocketSphinx()
    for prefix in spoken():
        voice = VOICES[_draw(prefix.said, len(VOICES))]
        text = sphinx.transcribe(Audio(flite(voice, "-t", prefix.said), RATE)).text
        if text:
            yield f"{prefix.said}\t{voice}\t{text}"
    sphinx.close()


def _draw(text: str, sides: int) -> int:
    return zlib.crc32(text.encode()) % sides


if __name__ == "__main__":
    HEARD.write_text("\n".join(dict.fromkeys(listen())) + "\n", encoding="utf-8")
