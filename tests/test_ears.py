from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_kit.errors import AudioError
from voice_kit.hear.ears import FRAME_SECONDS, Ears, in_frames, listen
from voice_kit.settings.groups import Endpointing
from voice_kit.types import FRAME, Misfire, Paused, Resumed, SpeechStarted, TurnEnded

RULES = Endpointing(shortest=0.128, misfire=0.192, eager=0.064, stop=0.512, preroll=0.192)


def numbered(count):
    """Frames that carry their own number, so that it can be seen which were kept."""
    return [np.full(FRAME, index, np.float32) for index in range(count)]


def happens(*runs, rules=RULES):
    """The events of runs of (frames, probability), and which frames the turns contain."""
    probabilities = [chance for count, chance in runs for _ in range(count)]
    return list(listen(numbered(len(probabilities)), probabilities, rules))


def kinds(events):
    return [type(event) for event in events]


def test_a_question_starts_pauses_and_ends():
    events = happens((10, 0.0), (20, 0.9), (30, 0.0))
    assert kinds(events) == [SpeechStarted, Paused, TurnEnded]
    started, paused, ended = events
    assert started.at == pytest.approx(10 * FRAME_SECONDS)
    assert paused.ended == ended.ended == 30 * FRAME_SECONDS
    assert paused.at == pytest.approx(32 * FRAME_SECONDS)
    assert ended.at - ended.ended == pytest.approx(0.512)


def test_the_sound_of_a_turn_has_its_preroll_and_a_little_tail():
    (ended,) = [
        event for event in happens((10, 0), (20, 0.9), (30, 0)) if kinds([event])[0] is TurnEnded
    ]
    kept = ended.audio.samples[::FRAME].astype(int).tolist()
    assert kept == list(range(4, 33))  # six frames before, twenty of speech, three after


def test_a_click_is_a_misfire_and_its_sound_is_still_there_for_the_word_that_follows():
    events = happens((10, 0), (1, 0.9), (6, 0), (10, 0.9), (20, 0))
    assert kinds(events) == [SpeechStarted, Misfire, SpeechStarted, Paused, TurnEnded]
    assert events[-1].audio.samples[0] == 11  # preroll reaches into the misfire's quiet


def test_a_breath_is_a_pause_and_not_the_end():
    events = happens((20, 0.9), (8, 0), (20, 0.9), (20, 0))
    assert kinds(events) == [SpeechStarted, Paused, Resumed, Paused, TurnEnded]
    assert events[-1].started == 0
    assert len(events[-1].audio.samples) == (20 + 8 + 20 + 3) * FRAME


def test_a_soft_vowel_does_not_pause_a_turn_but_does_not_start_one_either():
    assert not happens((30, 0.4))
    assert kinds(happens((10, 0.9), (10, 0.4), (10, 0.9))) == [SpeechStarted, TurnEnded]


def test_a_murmur_in_the_quiet_does_not_put_off_the_end():
    events = happens((10, 0.9), (10, 0), (3, 0.4), (20, 0))
    assert kinds(events) == [SpeechStarted, Paused, TurnEnded]
    assert events[-1].ended == 10 * FRAME_SECONDS


def test_a_radio_that_never_pauses_is_cut_into_turns():
    rules = RULES.model_copy(update={"longest": 3.2})
    events = happens((250, 0.9), rules=rules)
    ends = [event for event in events if isinstance(event, TurnEnded)]
    assert len(ends) >= 2
    assert all(event.audio.seconds <= 3.3 for event in ends)


def test_what_was_said_when_the_frames_end_is_not_lost():
    events = happens((10, 0), (20, 0.9))
    assert kinds(events) == [SpeechStarted, TurnEnded]
    assert kinds(happens((10, 0), (2, 0.9))) == [SpeechStarted, Misfire]


def test_without_an_early_start_there_is_no_pause():
    rules = RULES.model_copy(update={"eager": 0.0})
    assert kinds(happens((20, 0.9), (30, 0), rules=rules)) == [SpeechStarted, TurnEnded]


def test_new_rules_count_from_the_next_frame_on_and_keep_the_preroll():
    ears = Ears(RULES)
    for frame in numbered(10):
        ears.feed(frame, 0.0)
    ears.rules = RULES.model_copy(update={"preroll": 0.064})
    ears.feed(np.full(FRAME, 10, np.float32), 0.9)
    assert ears.sound().samples[::FRAME].tolist() == [8, 9, 10]


def test_a_frame_of_another_size_is_refused_with_the_way_to_make_frames():
    with pytest.raises(AudioError, match="frames\\(audio\\)"):
        Ears().feed(np.zeros(160, np.float32), 0.0)


def test_a_duration_is_rounded_up_to_whole_frames():
    assert [in_frames(seconds) for seconds in (0.001, 0.032, 0.033, 0.064, 0.5)] == [1, 1, 2, 2, 16]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=300))
def test_every_start_has_exactly_one_end_and_time_never_runs_back(probabilities):
    events = list(listen(numbered(len(probabilities)), probabilities, RULES))
    times = [event.at for event in events]
    assert times == sorted(times)
    inside = False
    for event in events:
        assert inside is not isinstance(event, SpeechStarted)
        inside = not isinstance(event, Misfire | TurnEnded)
        if isinstance(event, TurnEnded):
            assert event.started < event.ended <= event.at
    assert not inside


def test_the_clock_goes_on_over_what_was_not_heard_and_never_back():
    ears = Ears(RULES)
    ears.skip_to(10.0)
    assert ears.now == pytest.approx(10.0, abs=FRAME_SECONDS)
    assert ears.now <= 10.0
    before = ears.now
    ears.skip_to(3.0)
    assert ears.now == before
    (started,) = ears.feed(np.zeros(FRAME, np.float32), 0.9)
    assert started.at == before


def test_no_frame_of_a_turn_is_heard_again_in_the_next():
    """The speaker goes on: both are joined, and would say it twice."""
    spoken, quiet = [0.9] * 12, [0.0] * 4
    rules = RULES.model_copy(update={"stop": 0.128, "preroll": 0.3})
    events = listen(numbered(64), [*spoken, *quiet] * 4, rules)
    turns = [set(event.audio.samples) for event in events if isinstance(event, TurnEnded)]
    assert len(turns) == 4
    assert not any(one & other for one, other in pairwise(turns))
