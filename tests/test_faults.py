"""What the table of faults counts, and one of them really tried."""

import asyncio
import os

import pytest

from voice_kit.workshop.faults import FAULTS, HEADS, Result, tried
from voice_kit.workshop.faults_user import Told

WHOLE = os.environ.get("SOAK") == "whole"


def result(*users):
    return Result("x", "Something goes wrong.", list(users))


def test_a_fault_is_survived_when_all_was_answered_and_nothing_lost():
    whole = Told(asked=3, heard=3, waits=[0.2, 1.0, 0.3])
    again = Told(asked=3, heard=3, again=1, closes=[1006], away=0.5, waits=[2.0])
    survived = result(whole, whole, again)
    assert survived.good
    assert survived.row[:5] == ["Something goes wrong", "9/9", "1", "0", "0"]
    assert survived.row[6:] == ["2.00", "0.50", "ok"] and len(survived.row) == len(HEADS)
    assert survived.each() == [
        "  2 × 3 of 3 answers",
        "  1 × 3 of 3 answers; 1 asked again; connected again after close 1006",
    ]


@pytest.mark.parametrize(
    "told",
    [Told(asked=3, heard=2), Told(asked=3, heard=3, lost=1), Told(asked=3, heard=3, missing=1),
     Told(asked=3, heard=1, left=True, lost=1)],
)  # fmt: skip
def test_a_lost_turn_or_a_question_without_an_answer_is_not_kept(told):
    assert not result(Told(asked=3, heard=3), told).good


def test_who_vanished_is_owed_no_answer():
    assert result(Told(asked=3, heard=1, left=True)).good


@pytest.mark.soak
@pytest.mark.needs("redis", "serve")
@pytest.mark.parametrize("name", FAULTS if WHOLE else ["gateway-killed"])
def test_each_fault_is_survived(name):
    users = 20 if WHOLE else 4
    found = asyncio.run(tried(name, users))
    assert len(found.users) == users and sum(user.heard for user in found.users) >= users
    assert found.good, "\n".join(found.each())
