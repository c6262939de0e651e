"""Which facts come up for which questions, and how they are said back."""

import time

import pytest
from memory_questions import FACTS, HELD_OUT, SEEN

from voice_kit.think.memory.recall import matching, to_you, words


def score(questions):
    """Shares of the questions whose fact came up, and of those for which one came up idly."""
    names = {fact: name for name, fact in FACTS.items()}
    found, idle = [], []
    for question, expected in questions:
        shown = {names[fact] for fact in matching(question, FACTS.values(), str)[:3]}
        if expected:
            found.append(bool(shown & set(expected.split())))
        else:
            idle.append(bool(shown))
    assert len(found) >= 15 and len(idle) >= 6
    return sum(found) / len(found), sum(idle) / len(idle)


@pytest.mark.parametrize(("questions", "least", "most"), [(SEEN, 0.95, 0.1), (HELD_OUT, 0.8, 0.35)])
def test_the_facts_that_matter_come_up_and_others_seldom_do(questions, least, most):
    found, idle = score(questions)
    print(f"{found:.0%} of those that matter came up, {idle:.0%} came up idly")
    assert found >= least and idle <= most


def test_nothing_comes_up_without_facts_or_words():
    assert matching("What is my cat called?", [], str) == []
    assert matching("Is it?", FACTS.values(), str) == matching("", FACTS.values(), str) == []


def test_of_two_facts_that_matter_as_much_the_later_is_first():
    facts = ["my cat is called Miso", "my cat is called Tiger"]
    assert matching("What is my cat called?", facts, str) == facts[::-1]


def test_the_name_of_one_is_not_the_name_of_another():
    facts = ["my cat is called Miso", "my dog is called Rex"]
    assert matching("what's my dog's name", facts, str) == [facts[1]]


def test_words_of_any_script_are_compared():
    facts = ["meine Katze heißt Möhre", "моя кошка любит рыбу"]
    assert matching("Wie heißt meine Katze?", facts, str) == facts[:1]
    assert matching("что ест моя кошка", facts, str) == facts[1:]


def test_words_in_their_forms_are_the_same():
    assert words("parking") == words("parked") == words("parks")
    assert words("babies") == words("baby")
    assert words("the bus") != words("the bu")


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ("my cat is called Miso", "your cat is called Miso"),
        ("I'm allergic to nuts.", "you are allergic to nuts"),
        ("I am Anna and my wife was born in Graz", "you are Anna and your wife was born in Graz"),
        ("I was born in May", "you were born in May"),
        ("Miso is mine", "Miso is yours"),
        ("I've parked on level 3", "you've parked on level 3"),
        ("Paul owes me money", "Paul owes you money"),
        ("you are my friend", "I am your friend"),
        ("Mike lives in Miami", "Mike lives in Miami"),
    ],
)
def test_a_fact_is_said_back_from_our_side(fact, said):
    assert to_you(fact) == said


def test_a_hundred_facts_are_looked_through_in_no_time():
    facts = [f"my {name} number {number}" for number in range(5) for name in FACTS.values()]
    matching("warm up", facts, str)
    took = []
    for _ in range(20):
        began = time.perf_counter()
        matching("Can you suggest something to cook for dinner?", facts, str)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.02
