"""Notebook 06: the first conversation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from voice_kit.workshop.exercises.exercise import Exercise, Function, given_back, sure


class _Stages:
    """Stages that write down in which order they are asked for what."""

    def __init__(self, words: str = "why") -> None:
        self.words = words
        self.log: list[str] = []

    def transcribe(self, sound: str) -> str:
        self.log.append(f"transcribe {sound}")
        return self.words

    def reply(self, text: str) -> Iterator[str]:
        self.log.append(f"reply to {text}")
        for token in ("One. ", "Two", ". ", "Three."):
            self.log.append(f"token {token.strip()}")
            yield token

    def cut(self, tokens: Iterator[str]) -> Iterator[str]:
        gathered = ""
        for token in tokens:
            gathered += token
            if gathered.rstrip().endswith("."):
                yield gathered.strip()
                gathered = ""

    def speak(self, sentence: str) -> str:
        self.log.append(f"speak {sentence}")
        return f"<{sentence}>"


def _answer(answer: Function) -> None:
    stages = _Stages()
    given = answer("sound", stages.transcribe, stages.reply, stages.cut, stages.speak)
    sure(given is not None, "it gives nothing back. Use `yield` for each sound, or `return` them")
    sure(
        not isinstance(given, str),
        "it gives one sound for the whole answer. Nobody wants to wait for the last sentence to "
        "hear the first: yield a sound for each",
    )
    sounds = list(islice(iter(given), 9))
    sure("transcribe sound" in stages.log, "the question was never transcribed")
    sure("reply to why" in stages.log, "the model should be asked with the words of the question")
    sure(
        sounds != ["<One.>", "<Two>", "<.>", "<Three.>"] and "speak Two" not in stages.log,
        "it speaks each token by itself. “Two” and its full stop are one sentence: let `cut` make "
        "sentences of the tokens first",
    )
    sure(
        sounds == ["<One.>", "<Two.>", "<Three.>"],
        f"for an answer of three sentences it gives {sounds}, not one sound for each in order",
    )
    sure(stages.log.count("reply to why") == 1, "it asks the model more than once for one question")

    stages = _Stages()
    first = next(iter(answer("sound", stages.transcribe, stages.reply, stages.cut, stages.speak)))
    sure(
        first == "<One.>" and "token Three." not in stages.log,
        "before the first sound is given back, the model had to finish its whole answer. Do not "
        "collect tokens or sounds in a list: go sentence by sentence, and `yield`",
    )

    stages = _Stages(words="")
    silent = answer("cough", stages.transcribe, stages.reply, stages.cut, stages.speak)
    sure(
        list(silent or []) == [] and not any(line.startswith("reply") for line in stages.log),
        "a cough has no words, and yet it is answered. With an empty text, ask nobody and say "
        "nothing",
    )


def _spans(spans: Function) -> None:
    marks = [("your last word", 2.0), ("turn is over", 2.5), ("text", 3.25), ("sound", 3.375)]
    found = spans(marks)
    given_back(found)
    found = [(str(name), float(seconds)) for name, seconds in found]
    seconds = [round(each, 6) for _, each in found]
    sure(
        seconds != [0.5, 1.25, 1.375],
        "those are times since the last word. How long does each part take by itself? Subtract the "
        "mark before",
    )
    sure(
        seconds != [2.5, 3.25, 3.375] and seconds != [2.0, 2.5, 3.25, 3.375],
        "those are the marks themselves. A part lasts from the mark before to its own",
    )
    sure(
        seconds != [500.0, 750.0, 125.0], "those are milliseconds; in code everything is in seconds"
    )
    sure(
        min(seconds, default=0) >= 0, "a part lasts less than no time: subtract the other way round"
    )
    sure(
        len(found) == 3,
        f"four marks have three parts between them, not {len(found)}: the first mark has none "
        "before it",
    )
    sure(seconds == [0.5, 0.75, 0.125], f"it gives {seconds}, not [0.5, 0.75, 0.125]")
    sure(
        [name for name, _ in found] == ["turn is over", "text", "sound"],
        "each part should bear the name of the mark at its end: what we waited for",
    )


EXERCISES = (
    Exercise(
        name="answer",
        notebook="06",
        where="The whole chain",
        try_out=_answer,
        hints=(
            "The stages in their order: transcribe, reply, cut, speak. What if there are no words?",
            "`cut(reply(text))` gives sentences while the model is still writing.",
            "text = transcribe(question); if text: for sentence in cut(reply(text)): "
            "yield speak(sentence)",
        ),
    ),
    Exercise(
        name="spans",
        notebook="06",
        where="Where the second went",
        try_out=_spans,
        hints=(
            "Each part begins where the one before ended.",
            "zip(marks, marks[1:]) gives each mark with the next one.",
            "[(name, end - start) for (_, start), (name, end) in zip(marks, marks[1:])]",
        ),
    ),
)
