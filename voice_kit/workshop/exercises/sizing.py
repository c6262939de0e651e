"""Notebook 13: for a thousand people."""

from __future__ import annotations

import math

from voice_kit.workshop.exercises.exercise import Exercise, Function, given_back, sure


def _near(found: float, wanted: float) -> bool:
    return math.isclose(found, wanted, rel_tol=1e-6)


def _conversations_at_once(conversations_at_once: Function) -> None:
    found = conversations_at_once(30, 4)
    given_back(found)
    sure(
        not _near(found, 7.5),
        "if each stays longer, there are fewer at once? Do not divide: whoever comes while others "
        "are still there is one more",
    )
    sure(not _near(found, 7200), "30 come in a minute, not in a second")
    sure(
        _near(found, 120),
        f"30 come each minute and stay for 4: those of the last four minutes are there, 120, and "
        f"not {found:g}",
    )
    sure(
        _near(conversations_at_once(2, 0.25), 0.5),
        "two a minute who stay 15 seconds: half a conversation on average. Do not round",
    )


def _replicas(replicas: Function) -> None:
    found = replicas(10, 0.5, 0.5)
    given_back(found)
    sure(
        found != 5,
        "ten calls of half a second keep 5 replicas busy all the time, and the queue grows without "
        "end. They may be busy only for a part of it: divide by `use`",
    )
    sure(not _near(found, 2.5), "more use needs fewer of them: divide by `use`, do not multiply")
    sure(
        found == 10,
        f"ten calls a second of half a second each are 5 seconds of work a second; at a use of 0.5 "
        f"that is 10 replicas, and not {found:g}",
    )
    odd = replicas(3, 0.5, 0.7)
    sure(
        float(odd).is_integer(),
        f"{odd:g} replicas? There are only whole ones",
    )
    sure(
        odd == 3,
        f"2.14 replicas are needed, and it gives {odd:g}: with two they would be busier than they "
        "may be. Round up: math.ceil",
    )
    sure(
        replicas(0, 0.1, 0.7) == 1,
        "while nobody calls, there should be one there all the same: the first to call would wait "
        "until it is loaded",
    )


def _price_of_an_hour(price_of_an_hour: Function) -> None:
    found = price_of_an_hour(7200.0, 100, 0.5)
    given_back(found)
    sure(
        not _near(found, 0.1),
        "that would be right if it were full day and night. `busy` is the share of the time that "
        "is used: fewer hours carry the same bill",
    )
    sure(
        not _near(found, 20.0), "each hour is the hour of all conversations at once: divide by them"
    )
    sure(not _near(found, 0.05), "a machine that stands idle makes the hours dearer, not cheaper")
    sure(
        not _near(found, 144.0),
        "that is what one conversation costs in a month. How many hours has it, and how many of "
        "them are used?",
    )
    sure(not _near(found, 4.8), "a month has 30 · 24 hours, not 30")
    sure(
        _near(found, 0.2),
        "7200 € a month are 10 € an hour, for 100 conversations 10 cents, and 20 where half of the "
        f"time nobody talks; it gives {found:g}",
    )


EXERCISES = (
    Exercise(
        name="conversations_at_once",
        notebook="13",
        where="How many at once?",
        try_out=_conversations_at_once,
        hints=(
            "Stand at the door for as long as one stays. How many come in during that time?",
            "All who came in the last `minutes` are still there, and nobody else.",
            "per_minute * minutes",
        ),
    ),
    Exercise(
        name="replicas",
        notebook="13",
        where="How many engines?",
        try_out=_replicas,
        hints=(
            "How many seconds of work come in each second?",
            "per_second * seconds is that. One replica does `use` of it in a second.",
            "max(1, math.ceil(per_second * seconds / use))",
        ),
        given={"math": math},
    ),
    Exercise(
        name="price_of_an_hour",
        notebook="13",
        where="What it costs",
        try_out=_price_of_an_hour,
        hints=(
            "How many hours of conversation are there in a month, all together?",
            "at_once conversations, 30 * 24 hours, of which the share `busy` is used.",
            "euros_a_month / (at_once * 30 * 24 * busy)",
        ),
    ),
)
