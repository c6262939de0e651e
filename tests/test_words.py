"""What was heard of an answer that was cut off."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_kit.speak.heard import heard_text
from voice_kit.speak.words import Unrolling, in_step, pieces, placed
from voice_kit.types import Audio, Speech, Word

RATE = 100


def sound(seconds):
    return Audio(np.zeros(round(seconds * RATE), np.float32), RATE)


def spoken(text, seconds, *words):
    return Speech(text, sound(seconds), tuple(Word(*word) for word in words))


TIMED = spoken("Hello, dear world.", 3, ("Hello,", 0, 1), ("dear", 1, 2), ("world.", 2, 3))


def test_nothing_played_is_nothing_heard():
    assert heard_text([TIMED], 0) == ""
    assert heard_text([spoken("Hello world", 2)], 0) == ""
    assert heard_text([], 5) == ""


def test_a_word_is_heard_once_more_than_half_of_it_was():
    assert heard_text([TIMED], 0.5) == ""
    assert heard_text([TIMED], 0.51) == "Hello,"
    assert heard_text([TIMED], 1.5) == "Hello,"
    assert heard_text([TIMED], 1.51) == "Hello, dear"


def test_all_played_is_the_whole_text():
    assert heard_text([TIMED], 3) == "Hello, dear world."
    assert heard_text([spoken("One two.", 2), spoken(" Three.", 1)], 99) == "One two. Three."


def test_the_second_piece_counts_from_the_end_of_the_first():
    pieces_ = [spoken("Well then.", 2), TIMED]
    assert heard_text(pieces_, 2 + 1.6) == "Well then. Hello, dear"
    assert heard_text(pieces_, 1.9) == "Well then."


def test_a_later_word_that_reads_the_same_is_not_taken_for_the_first():
    twice = spoken("no no no!", 3, ("no", 0, 1), ("no", 1, 2), ("no!", 2, 3))
    assert heard_text([twice], 1.7) == "no no"


def test_without_word_times_the_share_of_the_sound_is_the_share_of_the_text():
    plain = spoken("one two three four", 4)
    assert heard_text([plain], 2) == "one two"
    assert heard_text([plain], 3.99) == "one two three four"
    assert heard_text([plain], 0.1) == ""


def test_a_text_without_spaces_is_cut_between_its_signs():
    assert heard_text([spoken("今日は良い天気です。", 10)], 5) == "今日は良い"


def test_sound_that_brings_no_text_belongs_to_the_piece_before():
    stream = [spoken("one two three four", 1), spoken("", 2), spoken("", 1)]
    assert heard_text(stream, 2) == "one two"


def test_words_may_end_in_sound_that_comes_later():
    stream = [spoken("one two", 1, ("one", 0, 1), ("two", 1, 3)), spoken("", 2)]
    assert heard_text(stream, 1.9) == "one"
    assert heard_text(stream, 2.1) == "one two"


def test_text_that_brings_no_sound_belongs_to_the_piece_before():
    stream = [spoken("one two ", 4), spoken("three four", 0)]
    assert heard_text(stream, 2) == "one two"


def test_sentences_without_a_space_between_them_get_one():
    assert heard_text([spoken("One.", 1), spoken("Two.", 1)], 2) == "One. Two."
    assert heard_text([spoken("一。", 1), spoken("二。", 1)], 2) == "一。二。"


@given(st.text(max_size=80), st.floats(0, 9), st.floats(0, 9))
def test_hearing_longer_never_hears_less(text, first, second):
    speeches = [spoken(text, 4), spoken(text, 4)]
    short, long = (heard_text(speeches, seconds) for seconds in sorted((first, second)))
    assert long.startswith(short)


@given(st.text(alphabet="ab .,!?。日\n", max_size=300), st.integers(1, 40))
def test_cut_pieces_join_to_the_text_and_none_is_too_long(text, longest):
    cut = pieces(text, longest)
    assert "".join(cut) == text
    assert all(0 < len(piece) <= longest for piece in cut)


def test_a_text_is_cut_after_a_sentence_if_it_can_be_else_a_clause_else_a_word():
    assert pieces("One two. Three four, five", 12) == ["One two. ", "Three four, ", "five"]
    assert pieces("Three, four five", 12) == ["Three, ", "four five"]
    assert pieces("three four five", 12) == ["three four ", "five"]
    assert pieces("aaaaaa", 4) == ["aaaa", "aa"]
    assert pieces("3.50 is ok", 9) == ["3.50 is ", "ok"]
    assert pieces("", 9) == []


def test_each_word_owns_the_text_up_to_the_next():
    words = placed("I am in the house.", [(0, 0.0), (5, 0.2), (12, 0.5)], 1.4)
    assert words == (Word("I am", 0.0, 0.2), Word("in the", 0.2, 0.5), Word("house.", 0.5, 1.4))


def test_a_repeated_place_and_a_place_inside_a_word_begin_no_word():
    starts = [(0, 0.0), (4, 0.3), (4, 0.5), (6, 0.8), (9, 1.2)]
    words = placed("for 3.50 dollars", starts, 2.0)
    assert [(word.text, word.start) for word in words] == [
        ("for", 0),
        ("3.50", 0.3),
        ("dollars", 1.2),
    ]


def test_an_opening_quote_belongs_to_its_word():
    assert placed('"Hi" (yes)', [(1, 0.1), (6, 0.5)], 1.0) == (
        Word('"Hi" (', 0.1, 0.5),
        Word("yes)", 0.5, 1.0),
    )


def test_times_for_another_number_of_words_are_no_times():
    assert in_step("one two", [(0, 1), (1, 2)]) == (Word("one", 0, 1), Word("two", 1, 2))
    assert in_step("one two", [(0, 1)]) == ()


def test_a_stream_gives_its_text_at_an_ordinary_pace_and_all_of_it_in_the_end():
    unrolling = Unrolling("one two three four", pace=10)
    given_ = [unrolling.next(sound(0.5)) for _ in range(3)] + [unrolling.rest()]
    assert given_ == ["one ", "two ", "three ", "four"]


@given(st.text(max_size=60), st.lists(st.floats(0, 2), max_size=8))
def test_an_unrolled_text_loses_and_invents_nothing(text, lengths):
    unrolling = Unrolling(text)
    parts = [unrolling.next(sound(seconds)) for seconds in lengths]
    assert "".join(parts) + unrolling.rest() == text


@pytest.mark.parametrize("seconds", [-1.0, float("-inf")])
def test_a_negative_time_hears_nothing(seconds):
    assert heard_text([TIMED, spoken("x", 1)], seconds) == ""
