"""Notebook 04: ask a language model."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from voice_kit.types import Message
from voice_kit.workshop.exercises.exercise import Exercise, Function, given_back, sure

GIVEN = {"time": time, "Message": Message}

WAIT, NEXT = 0.06, 0.05
"""Seconds that the model of the check takes for its first token, and for each after it."""


class _Stream:
    """Tokens that take their time, and a count of those that were taken."""

    def __init__(self, count: int = 4) -> None:
        self.count, self.taken = count, 0

    def __iter__(self) -> Iterator[str]:
        for number in range(self.count):
            until = time.perf_counter() + (NEXT if number else WAIT)
            while time.perf_counter() < until:
                pass
            self.taken += 1
            yield f" token{number}"


def _first_token_time(first_token_time: Function) -> None:
    stream = _Stream()
    began = time.perf_counter()
    found = first_token_time(iter(stream))
    whole = time.perf_counter() - began
    sure(
        not isinstance(found, str),
        "it gives back the token itself. How many seconds did it take to come?",
    )
    sure(
        stream.taken > 0,
        "it takes no token, so nothing was computed: a stream begins to work "
        "when its first token is asked for",
    )
    sure(
        stream.taken == 1,
        f"it takes {stream.taken} tokens from the stream to time one. Leave the loop after the "
        "first; `list` waits for the whole answer",
    )
    given_back(found)
    found = float(found)
    sure(
        found >= 0.8 * WAIT,
        f"the model thought for {WAIT} s before its first token, and it says {found:.4f}. Read the "
        "watch before you ask for the token",
    )
    sure(
        found < 10 * whole,
        "that is too much by a thousand: in code everything is in seconds",
    )
    sure(found <= whole, f"all of it took {whole:.2f} s, and it says {found:.2f}")
    nothing = first_token_time(iter(()))
    sure(
        nothing is None,
        f"an answer without a single token gives {nothing!r}, not None",
    )


def _talk(*costs: tuple[str, int]) -> list[Message]:
    roles = {"u": "user", "a": "assistant", "s": "system"}
    return [
        Message(roles[who], f"{who}{number} " + "x" * cost)  # type: ignore[arg-type]
        for number, (who, cost) in enumerate(costs)
    ]


def _cost(message: Message) -> int:
    return message.content.count("x")


def _names(messages: Sequence[Message]) -> list[str]:
    return [message.content.split()[0] for message in messages]


def _trimmed(trimmed: Function) -> None:
    talk = _talk(("s", 50), *[("u", 10), ("a", 10)] * 3, ("u", 10))
    found = trimmed(list(talk), 100, _cost)
    given_back(found)
    names = _names(list(found))
    sure(
        names != _names(talk[1:]) and "s0" in names,
        "the persona is gone. Without it the model forgets who it is: it always stays",
    )
    sure(
        names == sorted(names, key=lambda name: int(name[1:])),
        "the messages are in another order. A model reads from the oldest to the newest",
    )
    sure(
        names == _names(talk),
        f"70 tokens fit into a budget of 100, and it leaves some out: {names}. The persona does "
        "not count",
    )
    names = _names(list(trimmed(list(talk), 30, _cost)))
    sure(
        names != ["s0", "u1", "a2", "u3"],
        "it keeps the oldest messages, and the question itself is lost. Begin at the end",
    )
    sure("u7" in names, "the question itself is gone, the last message of all")
    sure(
        names not in (["s0", "u7"], ["s0", "a6", "u7"]),
        "with a budget of 30 it keeps too little: the question and answer before the last "
        "question fit exactly. The budget may be reached, and the persona is not counted",
    )
    sure(
        names == ["s0", "u5", "a6", "u7"],
        f"with a budget of 30, three messages of 10 fit; it keeps {names}",
    )
    names = _names(list(trimmed(list(talk), 20, _cost)))
    sure(
        names != ["s0", "a6", "u7"],
        "an answer is kept without its question. Drop from the front until the first is the user's",
    )
    sure(names == ["s0", "u7"], f"with a budget of 20, only the question stays, not {names}")
    uneven = _talk(("s", 50), ("u", 5), ("a", 5), ("u", 5), ("a", 60), ("u", 5), ("a", 5), ("u", 5))
    names = _names(list(trimmed(list(uneven), 40, _cost)))
    sure(
        names != ["s0", "u1", "a2", "u3", "u5", "a6", "u7"],
        "a long answer is left out, and what is older is kept: now there is a hole, and questions "
        "stand without answers. Stop at the first that does not fit",
    )
    sure(
        len(names) != 6,
        "it counts messages, not what they cost: one of them alone is over the budget",
    )
    sure(names == ["s0", "u5", "a6", "u7"], f"of messages of unequal length it keeps {names}")
    long = _talk(("s", 50), ("u", 5), ("a", 5), ("u", 500))
    names = _names(list(trimmed(list(long), 100, _cost)))
    sure(
        names[-1:] == ["u3"],
        "a question that alone is over the budget is dropped, and nobody is answered. It stays",
    )
    sure(names == ["s0", "u3"], f"when the question alone is over the budget, it keeps {names}")
    before = list(talk)
    trimmed(talk, 20, _cost)
    sure(talk == before, "it changes the list that it was given: the conversation itself is lost")


EXERCISES = (
    Exercise(
        name="first_token_time",
        notebook="04",
        where="The first token",
        try_out=_first_token_time,
        hints=(
            "Read the watch, ask for one token, read it again.",
            "A loop that returns in its first round takes exactly one token; after the loop there "
            "was none.",
            "began = time.perf_counter(); for _ in tokens: return time.perf_counter() - began; "
            "and after the loop: return None",
        ),
        given=GIVEN,
    ),
    Exercise(
        name="trimmed",
        notebook="04",
        where="It remembers nothing",
        try_out=_trimmed,
        hints=(
            "persona, *earlier, question = messages takes the list apart. Which of `earlier` do "
            "you look at first?",
            "Begin with kept = [question] and left = budget - cost(question). Go through "
            "reversed(earlier), and `break` at the first that does not fit.",
            "Put each that fits at the front: kept.insert(0, message). In the end: while "
            'kept[0].role != "user": kept.pop(0), and return [persona, *kept].',
        ),
        given=GIVEN,
    ),
)
