"""Thinking is never said, however the tokens fall."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_kit.think.spoken import PAIRS, Spoken

TAGS = [tag for pair in PAIRS for tag in pair]


def said(*tokens: str) -> list[str]:
    spoken = Spoken()
    return [*(spoken.feed(token) for token in tokens), spoken.rest()]


def without_thinking(text: str) -> str:
    """The same in one go, on the whole text, written another way."""
    kept, position = "", 0
    while position < len(text):
        rest = text[position:].lower()
        for start, end in PAIRS:
            if rest.startswith(start.lower()):
                found = rest.find(end.lower(), len(start))
                position = len(text) if found < 0 else position + found + len(end)
                break
            if rest.startswith(end.lower()):
                position += len(end)
                break
        else:
            kept += text[position]
            position += 1
    return kept.lstrip()


def cut(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


PIECES = st.one_of(
    st.sampled_from([*TAGS, "<THINK>", "</Think>", "<thi", "</", "<", "[/", "◁", "\n\n", " "]),
    st.text("ab<>/[]think ", max_size=4),
)


@given(st.lists(PIECES, max_size=12).map("".join), st.lists(st.integers(0, 999), max_size=20))
def test_any_cut_of_a_text_says_what_the_whole_text_says(text, places):
    assert "".join(said(*cut(text, places))) == without_thinking(text)


@given(st.text(max_size=60).map(str.lstrip), st.lists(st.integers(0, 999), max_size=20))
def test_a_text_without_tags_is_said_unchanged(text, places):
    if not any(tag.lower() in text.lower() for tag in TAGS):
        assert "".join(said(*cut(text, places))) == text


@given(st.lists(st.text("abc .,!?é漢", min_size=1, max_size=5), max_size=20))
def test_ordinary_tokens_pass_at_once(tokens):
    spoken = Spoken()
    spoken.feed("Well")
    assert [spoken.feed(token) for token in tokens] == tokens


@pytest.mark.parametrize("start, end", PAIRS)
def test_every_way_of_thinking_is_silent(start, end):
    assert "".join(said("\n", start, "hm, ", "hm", end, "\n\n", "Noon.")) == "Noon."


def test_only_the_possible_beginning_of_a_tag_is_held_back():
    assert said("2 <", " 3") == ["2 ", "< 3", ""]
    assert said("a <thi", "nk", "s>") == ["a ", "", "<thinks>", ""]
    assert said("it ends with <") == ["it ends with ", "<"]


def test_thinking_in_the_middle_is_left_out():
    assert "".join(said("One, ", "<think>two?</think>", "three.")) == "One, three."


def test_thinking_that_is_never_closed_is_never_said():
    assert "".join(said("<think>", "and on", " and on </thin")) == ""


def test_an_end_that_nothing_opened_is_dropped_by_itself():
    assert "".join(said("Yes.", "</think>", " No.")) == "Yes. No."


def test_letters_that_only_look_like_a_tag_are_said():
    assert "".join(said("<thin\N{KELVIN SIGN}>hello")) == "<thin\N{KELVIN SIGN}>hello"
