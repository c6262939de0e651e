"""Spoken arithmetic, and amounts in other units."""

import math
import operator
import time
from contextlib import suppress
from fractions import Fraction

import pytest
from helpers_skills import AtHome
from hypothesis import given
from hypothesis import strategies as st

from voice_kit.think.skills.arithmetic import computed, is_sum
from voice_kit.think.skills.units import converted, units
from voice_kit.think.tools import ToolError
from voice_kit.types import ToolCall


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return AtHome(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize(
    "words, value",
    [
        ("twelve times seven", 84),
        ("three hundred and ten times twelve", 3720),
        ("three plus four times five", 23),
        ("(3+4)*5", 35),
        ("open bracket three plus four close bracket times five", 35),
        ("fifteen percent of eighty", 12),
        ("20 percent off 50", 40),
        ("200 plus 10 percent", 220),
        ("the square root of 144", 12),
        ("cube root of twenty seven", 3),
        ("the fourth root of 16", 2),
        ("two to the power of ten", 1024),
        ("2 to the 10th", 1024),
        ("five squared", 25),
        ("-5 squared", -25),
        ("half of fifty", 25),
        ("two thirds of ninety", 60),
        ("seven mod three", 1),
        ("2^-1", Fraction(1, 2)),
        ("0.1 plus 0.2", Fraction(3, 10)),
        ("ten minus minus two", 12),
        ("ten divided by three", Fraction(10, 3)),
        ("8 x 9", 72),
        ("two and a half times four", 10),
        ("1,000 minus one", 999),
    ],
)
def test_sums_in_words_and_signs(words, value):
    assert is_sum(words)
    assert computed(words) == value


SIGNS = {"plus": operator.add, "minus": operator.sub, "times": operator.mul, "*": operator.mul}


@given(st.integers(0, 10**9), st.sampled_from(sorted(SIGNS)), st.integers(0, 10**9))
def test_every_sum_is_exact(left, sign, right):
    assert computed(f"{left} {sign} {right}") == SIGNS[sign](left, right)


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_every_quotient_is_exact(left, right):
    assert computed(f"{left} divided by {right}") == Fraction(left, right)


@given(st.integers(0, 10**8))
def test_the_root_of_a_square_is_whole(value):
    assert computed(f"square root of {value * value}") == value


def test_other_roots_are_near():
    assert float(computed("root of two")) == pytest.approx(math.sqrt(2), abs=1e-9)


@pytest.mark.parametrize(
    "words, why",
    [
        ("one divided by zero", "divided by zero"),
        ("0^-1", "divided by zero"),
        ("9^9^9^9", "too large"),
        ("9^99999999999999999999", "too large"),
        ("(10^290)^(10^200)", "too large"),
        ("10^300 * 10^300 * 10^300", "too large"),
        ("root of -4", "no real number"),
        ("(" * 60 + "1+1" + ")" * 60, "do not understand"),
        ("-" * 199, "do not understand"),
        ("1+" * 500 + "1", "do not understand"),
        ("__import__('os').system('true')", "do not understand"),
        ("1 if 1 else 2", "do not understand"),
        ("1_000 + 1", "do not understand"),
        ("1e999 + 1", "do not understand"),
        ("٣ + ٤", "do not understand"),
        ("", "do not understand"),
    ],
)
def test_what_cannot_be_computed_says_why_at_once(words, why):
    began = time.perf_counter()
    with pytest.raises(ToolError, match=why):
        computed(words)
    assert time.perf_counter() - began < 0.5


@given(st.text("0123456789+-*/^().%x of root", max_size=60))
def test_nothing_breaks_the_parser(words):
    with suppress(ToolError):
        computed(words)


def test_the_answer_is_short(home):
    assert home.say("what is twelve times seven") == "That is 84."
    assert home.say("what's ten divided by three") == "That is about 3.33."
    assert home.say("what is one divided by zero") == "Nothing can be divided by zero."


@pytest.mark.parametrize(
    "words, said",
    [
        ("how many feet in a mile", "1 mile is 5,280 feet."),
        ("convert five miles to kilometers", "5 miles are about 8.05 kilometres."),
        (
            "what is 70 degrees fahrenheit in celsius",
            "70 degrees Fahrenheit is about 21.11 degrees Celsius.",
        ),
        (
            "minus forty celsius in fahrenheit",
            "Minus 40 degrees Celsius is minus 40 degrees Fahrenheit.",
        ),
        ("how many minutes in a day", "1 day is 1,440 minutes."),
        ("10km in m", "10 kilometres are 10,000 metres."),
        ("what is half a mile in metres", "0.5 miles are 804.672 metres."),
        ("what is half an hour in minutes", "0.5 hours are 30 minutes."),
        ("convert ten miles two kilometers", "10 miles are about 16.09 kilometres."),
        ("how many kilos are in five metres", "Metres cannot be turned into kilograms."),
    ],
)
def test_units_are_converted_and_said(home, words, said):
    assert home.say(words) == said


def test_every_unit_is_known_to_pint():
    assert len(units()) > 150
    for unit in set(units().values()):
        assert converted(3.0, unit, unit) == pytest.approx(3.0)


@pytest.mark.parametrize(
    "unit", ["9**9**9", "meter**9**9", "parsnip", "", "__class__", "m" * 500, "meter; ls", "1/0"]
)
def test_a_model_that_sends_a_strange_unit_is_told_so_at_once(home, unit):
    began = time.perf_counter()
    result = home.use(ToolCall("convert", {"amount": 1, "unit": unit, "to": "meter"}))
    assert not result.worked
    assert "unit" in result.said or "cannot be turned" in result.said
    assert time.perf_counter() - began < 3


def test_a_model_may_use_units_that_people_seldom_say(home):
    result = home.use(ToolCall("convert", {"amount": 1, "unit": "parsec", "to": "light_year"}))
    assert result.said == "1 parsec is about 3.26 light years."
    assert result.data == pytest.approx(3.2616, abs=1e-3)


def test_infinity_is_no_amount(home):
    for amount in (math.inf, math.nan):
        result = home.use(ToolCall("convert", {"amount": amount, "unit": "mile", "to": "meter"}))
        assert not result.worked
