"""Numbers, lengths and moments, as people say them and as they want to hear them."""

from datetime import date, datetime, time
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from num2words import num2words

from voice_kit.think.skills.dates import read_date, said_date, said_day
from voice_kit.think.skills.durations import parts, said_duration, seconds
from voice_kit.think.skills.moments import due, moment, read_time, said_time, waking
from voice_kit.think.skills.numbers import listed, number, ordinal, said_number
from voice_kit.think.skills.places import places, zone_of
from voice_kit.think.tools import ToolError

ZURICH = ZoneInfo("Europe/Zurich")


@given(st.integers(0, 10**15 - 1))
def test_every_whole_number_that_can_be_said_is_understood(value):
    said = num2words(value).replace(",", "").replace("-", " ")
    assert number(said) == value
    assert number(said.replace(" and ", " ")) == value
    assert number(f"{value}") == number(f"{value:,}") == value


@given(st.decimals(0, 10_000, places=3, allow_nan=False))
def test_every_decimal_that_can_be_said_is_understood(value):
    assert number(f"{value:f}") == Fraction(value)
    said = num2words(value).replace(",", "").replace("-", " ")
    assert number(said) == Fraction(value)


@pytest.mark.parametrize(
    "words, value",
    [
        ("a hundred", 100),
        ("twelve hundred", 1200),
        ("two and a half", Fraction(5, 2)),
        ("three and a quarter", Fraction(13, 4)),
        ("minus five", -5),
        ("-5", -5),
        ("2.5 million", 2_500_000),
        ("two dozen", 24),
        ("point two five", Fraction(1, 4)),
        ("oh", 0),
    ],
)
def test_numbers_in_other_words(words, value):
    assert number(words) == value


@pytest.mark.parametrize(
    "words",
    [
        *("", "and", "five six", "twenty thirty", "hundred", "a", "one and", "and five", "point"),
        *("nineteen eighty four", "thousand", "two thousand three thousand", "1,00", "1.2.3"),
        *("one point", "five hundred hundred", "9" * 50, "٣", "minus", "minus minus five"),
    ],
)
def test_what_is_no_number(words):
    assert number(words) is None


@given(st.integers(1, 99))
def test_ordinals(value):
    spelt = num2words(value, ordinal=True).replace("-", " ")
    assert ordinal(spelt) == ordinal(num2words(value, to="ordinal_num")) == value


@pytest.mark.parametrize(
    "value, said",
    [
        (3720, "3,720"),
        (-5, "minus 5"),
        (Fraction(1, 3), "about 0.333"),
        (Fraction(10, 3), "about 3.33"),
        (2.5, "2.5"),
        (0.1, "0.1"),
        (2_500_000, "2.5 million"),
        (1_234_567, "1,234,567"),
        (10**30, "10 to the power of 30"),
        (Fraction(1, 10**9), "10 to the power of minus 9"),
        (-2 * 10**20, "minus 2 times 10 to the power of 20"),
        (0, "0"),
        (Fraction(-1, 3), "about minus 0.333"),
    ],
)
def test_numbers_are_said_as_people_say_them(value, said):
    assert said_number(value) == said


@given(st.fractions() | st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_can_be_said(value):
    said = said_number(value)
    assert said and "e" not in said.replace("the", "").replace("power", "").replace("times", "")


@given(st.integers(1, 23), st.integers(1, 59), st.integers(1, 59))
def test_a_length_is_understood_as_it_is_said(hours, minutes, rest):
    words = [num2words(each).replace("-", " ") for each in (hours, minutes, rest)]
    plural = ["" if each == 1 else "s" for each in (hours, minutes, rest)]
    said = "{} hour{} {} minute{} and {} second{}".format(
        *(each for pair in zip(words, plural, strict=True) for each in pair)
    )
    assert seconds(said) == hours * 3600 + minutes * 60 + rest
    assert parts(said) == {"hours": hours, "minutes": minutes, "seconds": rest}
    assert seconds(said_duration(minutes * 60 + rest)) == minutes * 60 + rest


@pytest.mark.parametrize(
    "words, length",
    [
        ("half an hour", 1800),
        ("an hour and a half", 5400),
        ("two and a half minutes", 150),
        ("a quarter of an hour", 900),
        ("three quarters of an hour", 2700),
        ("one hour thirty", 5400),
        ("a couple of minutes", 120),
        ("for minutes", 240),
        ("90 secs", 90),
        ("a week", 604_800),
        ("1.5 hours", 5400),
    ],
)
def test_lengths_in_other_words(words, length):
    assert seconds(words) == length


@pytest.mark.parametrize(
    "words",
    [
        *("", "minutes", "five", "zero minutes", "minus five minutes", "five minutes six minutes"),
        *("five minutes two hours", "nine thousand weeks", "one hour sixty", "five minutes and"),
    ],
)
def test_what_is_no_length(words):
    assert seconds(words) is None


@given(st.times())
def test_a_time_is_understood_as_it_is_said(at):
    at = at.replace(second=0, microsecond=0, tzinfo=None)
    assert moment(said_time(at)) == {"time": f"{at:%H:%M}"}
    assert read_time(f"{at:%H:%M}") is not None
    hour, minute = (at.hour - 1) % 12 + 1, at.minute
    words = [num2words(each).replace("-", " ") for each in (hour, minute)]
    said = words[0] if not minute else f"{words[0]} {'oh ' if minute < 10 else ''}{words[1]}"
    assert moment(f"{said} {'am' if at.hour < 12 else 'pm'}") == {"time": f"{at:%H:%M}"}
    assert moment(said) == {"time": f"{hour}:{minute:02} am or pm"}


@pytest.mark.parametrize(
    "words, found",
    [
        ("quarter to eight", {"time": "7:45 am or pm"}),
        ("twenty past five in the evening", {"time": "17:20"}),
        ("five minutes to one am", {"time": "00:55"}),
        ("noon tomorrow", {"time": "12:00", "day": "tomorrow"}),
        ("tonight at eight", {"time": "20:00", "day": "today"}),
        ("friday morning at nine", {"time": "09:00", "day": "friday"}),
        ("on friday at 9", {"time": "9:00 am or pm", "day": "friday"}),
        ("twelve am", {"time": "00:00"}),
        ("twelve pm", {"time": "12:00"}),
        ("midnight", {"time": "00:00"}),
        ("1930", {"time": "19:30"}),
        ("half seven", {"time": "7:30 am or pm"}),
    ],
)
def test_moments_in_other_words(words, found):
    assert moment(words) == found


@pytest.mark.parametrize(
    "words",
    [
        *("", "seventy", "25:00", "7:60", "half past", "past seven", "thirteen pm in the morning"),
        *(
            "tomorrow",
            "monday tuesday at seven",
            "seven eight nine",
            "19 am",
            "noon in the morning",
        ),
    ],
)
def test_what_is_no_moment(words):
    assert moment(words) is None


def test_one_gets_up_before_noon_unless_one_says_otherwise():
    assert waking("seven") == {"time": "07:00"}
    assert waking("seven pm") == {"time": "19:00"}
    assert waking("twelve") == {"time": "12:00"}
    assert waking("banana") is None


def when(now, written, day="", zone=ZURICH):
    at = datetime.fromisoformat(now).replace(tzinfo=zone).timestamp()
    found = due(*read_time(written), day, at, zone)
    return found if found is None else datetime.fromtimestamp(found, zone)


@pytest.mark.parametrize(
    "now, written, day, then",
    [
        ("2026-11-21 08:30", "19:30", "", "2026-11-21 19:30"),
        ("2026-11-21 20:30", "19:30", "", "2026-11-22 19:30"),
        ("2026-11-21 08:30", "7:30 am or pm", "", "2026-11-21 19:30"),
        ("2026-11-21 06:30", "7:30 am or pm", "", "2026-11-21 07:30"),
        ("2026-11-21 23:30", "7:30 am or pm", "", "2026-11-22 07:30"),
        ("2026-11-21 11:30", "12:15 am or pm", "", "2026-11-21 12:15"),
        ("2026-11-21 23:30", "12:15 am or pm", "", "2026-11-22 00:15"),
        ("2026-11-21 08:30", "7:30 am or pm", "tomorrow", "2026-11-22 07:30"),
        ("2026-11-21 08:30", "3:00 am or pm", "tomorrow", "2026-11-22 15:00"),
        ("2026-11-21 08:30", "09:00", "saturday", "2026-11-21 09:00"),  # it is one
        ("2026-11-21 10:30", "09:00", "saturday", "2026-11-28 09:00"),
        ("2026-11-21 10:30", "09:00", "friday", "2026-11-27 09:00"),
        ("2026-12-31 10:30", "09:00", "tomorrow", "2027-01-01 09:00"),
    ],
)
def test_a_moment_is_the_next_one_of_its_name(now, written, day, then):
    assert when(now, written, day) == datetime.fromisoformat(then).replace(tzinfo=ZURICH)


def test_a_time_that_is_over_today_is_never_today():
    assert when("2026-11-21 20:30", "19:30", "today") is None


def test_a_night_with_the_hour_taken_away_still_wakes_at_seven():
    then = when("2026-03-28 23:00", "07:00")
    assert (then.hour, then.day) == (7, 29)
    began = datetime(2026, 3, 28, 23, tzinfo=ZURICH).timestamp()
    assert then.timestamp() - began == 7 * 3600, "the night is an hour shorter"


def test_a_time_that_the_clocks_leap_over_rings_when_it_would_have_been():
    then = when("2026-03-28 23:00", "02:30")
    assert then.timestamp() - datetime(2026, 3, 28, 23, tzinfo=ZURICH).timestamp() == 3.5 * 3600
    assert datetime.fromtimestamp(then.timestamp(), ZURICH).strftime("%H:%M") == "03:30"


def test_a_time_that_comes_twice_rings_the_first_time():
    then = when("2026-10-24 23:00", "02:30")
    assert then.timestamp() - datetime(2026, 10, 24, 23, tzinfo=ZURICH).timestamp() == 3.5 * 3600


TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    "words, day",
    [
        ("the 24th of december", date(2026, 12, 24)),
        ("december 24th", date(2026, 12, 24)),
        ("december twenty fourth", date(2026, 12, 24)),
        ("the first of march", date(2027, 3, 1)),
        ("christmas", date(2026, 12, 25)),
        ("saturday", date(2026, 11, 28)),
        ("next monday", date(2026, 11, 23)),
        ("tomorrow", date(2026, 11, 22)),
        ("the day after tomorrow", date(2026, 11, 23)),
        ("29 february", None),
        ("the 31st of april", None),
        ("smarch 3rd", None),
        ("december", None),
    ],
)
def test_days_in_words(words, day):
    assert read_date(words, TODAY) == day


def test_days_are_said_as_seen_from_today():
    days = [TODAY.replace(day=day) for day in (20, 21, 22, 24)]
    assert [said_day(each, TODAY) for each in days] == [
        *("yesterday", "today", "tomorrow", "on Tuesday")
    ]
    assert said_day(date(2026, 12, 25), TODAY) == "on Friday, the 25th of December"
    assert said_day(date(2027, 3, 1), TODAY) == "on Monday, the 1st of March 2027"
    assert said_date(date(2026, 11, 12)) == "Thursday, the 12th of November"


def test_things_are_listed_as_people_do():
    assert [listed([]), listed(["a"]), listed(["a", "b"])] == ["", "a", "a and b"]
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_every_place_has_a_clock():
    assert len(places()) > 300
    for place in places():
        assert time(12, tzinfo=zone_of(place)) is not None


@pytest.mark.parametrize("place", ["", "atlantis", "../../etc/passwd", "/etc/localtime", "\0", "."])
def test_elsewhere_there_is_none(place):
    with pytest.raises(ToolError, match="large city"):
        zone_of(place)
