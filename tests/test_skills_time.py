"""The time and the date, here and elsewhere."""

import pytest
from helpers_skills import AtHome

from voice_kit.think.skills.places import spoken_place
from voice_kit.types import ToolCall


@pytest.mark.parametrize(
    "now, said",
    [
        ("2026-11-21 08:30", "It is 8:30 in the morning."),
        ("2026-11-21 19:05", "It is 7:05 in the evening."),
        ("2026-11-21 12:00", "It is noon."),
        ("2026-11-21 00:00", "It is midnight."),
        ("2026-11-21 15:00", "It is 3 o'clock in the afternoon."),
        ("2026-11-21 23:10", "It is 11:10 at night."),
        ("2026-11-21 02:10", "It is 2:10 at night."),
    ],
)
def test_the_time(tmp_path, now, said):
    assert AtHome(tmp_path, now).say("what time is it") == said


@pytest.mark.parametrize(
    "now, words, said",
    [
        ("2026-11-21 08:30", "Tokyo", "In Tokyo it is 4:30 in the afternoon."),
        ("2026-11-21 20:30", "tokyo", "In Tokyo it is 4:30 in the morning, tomorrow."),
        ("2026-11-21 03:30", "new york", "In New York it is 9:30 in the evening, yesterday."),
        ("2026-11-21 08:30", "the uk", "In the UK it is 7:30 in the morning."),
        ("2026-11-21 08:30", "mumbai", "In Mumbai it is 1 o'clock in the afternoon."),
        ("2026-03-29 01:30", "london", "In London it is 12:30 at night."),
        ("2026-03-29 03:30", "london", "In London it is 2:30 at night."),
        ("2026-03-15 12:00", "new york", "In New York it is 7 o'clock in the morning."),
    ],
)
def test_the_time_elsewhere_also_when_one_of_the_clocks_was_changed(tmp_path, now, words, said):
    assert AtHome(tmp_path, now).say(f"what time is it in {words}") == said


def test_a_model_may_name_a_zone_or_a_city_and_its_country(tmp_path):
    home = AtHome(tmp_path)
    for place in ("Asia/Tokyo", "Tokyo, Japan", "TOKYO"):
        said = home.use(ToolCall("tell_time", {"place": place})).said
        assert said.endswith("it is 4:30 in the afternoon.")
    result = home.use(ToolCall("tell_time", {"place": "Atlantis"}))
    assert not result.worked and "large city" in result.said


def test_places_are_written_as_they_are_spoken():
    spoken = {"rio de janeiro": "Rio de Janeiro", "utc": "UTC", "the hague": "the Hague"}
    spoken["America/New_York"] = "New York"
    assert {each: spoken_place(each) for each in spoken} == spoken


@pytest.mark.parametrize(
    "words, said",
    [
        ("what day is it", "Today is Saturday, the 21st of November."),
        ("what's the date tomorrow", "Tomorrow is Sunday, the 22nd of November."),
        ("what day was yesterday", "Yesterday was Friday, the 20th of November."),
        ("what day is christmas", "That is Friday, the 25th of December."),
        ("what day of the week is the first of march", "That is Monday, the 1st of March 2027."),
        ("what year is it", "It is 2026."),
        ("how many days until christmas", "It is 34 days until Friday, the 25th of December."),
        ("how many days until tomorrow", "It is 1 day until Sunday, the 22nd of November."),
        ("how long is it until today", "That is today."),
    ],
)
def test_the_date(tmp_path, words, said):
    assert AtHome(tmp_path).say(words) == said


def test_a_model_that_names_no_day_is_told_so(tmp_path):
    home = AtHome(tmp_path)
    for tool in ("tell_date", "days_until"):
        result = home.use(ToolCall(tool, {"day": "the day of reckoning"}))
        assert not result.worked and "24th of December" in result.said
