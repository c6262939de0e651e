"""What the table of echoes counts."""

from voice_kit.workshop.echo import HEADPHONES, rows, table
from voice_kit.workshop.echo_trials import Trial

ALONE = Trial(-12.0, 0.1, "no room", True, needless=2)
LATE = Trial(-12.0, 0.1, "no room", True, "me", 0.0, 5.0, paused=0.1, stopped=0.6)


def of(*trials):
    (row,) = rows(trials)
    return row


def test_answers_over_which_nobody_spoke_count_what_it_did_to_itself():
    row = of(ALONE, Trial(-12.0, 0.1, "no room", True, itself=True), LATE)
    assert (row.alone, row.itself, row.needless) == (2, 1, 2)


def test_who_spoke_before_it_knew_the_room_is_counted_apart():
    early = Trial(-12.0, 0.1, "no room", True, "me", 0.0, 1.0)
    row = of(LATE, early)
    assert row.stopped == {"+0": (1, 1)}
    assert row.early == (0, 1)
    assert (row.pauses_after, row.stops_after) == (0.1, 0.6)


def test_who_would_not_stop_it_without_any_echo_is_no_miss_of_the_guard():
    whisper = Trial(-12.0, 0.1, "no room", True, "me", 0.0, 1.0, able=False)
    row = of(ALONE, LATE, whisper)
    assert row.able == (1, 2)
    assert any(" 1/2 " in line for line in table([row]))


def test_who_speaks_after_it_interrupted_itself_has_not_stopped_it():
    assert of(Trial(-12.0, 0.1, "no room", True, "me", 0.0, 5.0, itself=True, stopped=0.6)).stopped[
        "+0"
    ] == (0, 1)


def test_with_headphones_everybody_counts_from_the_first_moment():
    row = of(Trial(HEADPHONES, 0.0, "no room", True, "me", -18.0, 0.5, stopped=0.5))
    assert row.level is None
    assert row.stopped == {"-18": (1, 1)}
    lines = list(table([row]))
    assert any(line.startswith("headphones") and "1/1" in line for line in lines)
