"""What people see of a conversation, in words and in a picture."""

import io

import pytest
from rich.console import Console
from scenes import Scene

from voice_kit.converse.timeline import Timeline
from voice_kit.show.console import ConsoleView
from voice_kit.show.timeline import draw
from voice_kit.types import (
    FellAsleep,
    Partial,
    PlaybackStarted,
    Transcribed,
    Transcript,
    TurnStarted,
    Woke,
)
from voice_kit.workshop.fakes import Script

STORY = {"tell a story": "One two three four. Five six seven eight nine ten."}


def shown(*parts, width=80):
    """What is printed of a scene, and the lines of it."""
    screen = io.StringIO()
    view = ConsoleView(Console(file=screen, width=width))
    Scene(Script(), *parts, answers=STORY, during=lambda talk, _: talk.observers.append(view))
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def test_a_question_and_its_answer_are_printed_in_their_order_then_the_waterfall():
    lines = shown(0.5, ("tell a story", 1.0), 6.0)
    assert lines[:3] == [
        "  you  tell a story",
        "  kit  One two three four.",
        "  kit  Five six seven eight nine ten.",
    ]
    assert "first sound" in lines[3]
    assert lines[4].lstrip().startswith("waiting, if you go on")
    assert lines[4].endswith(" ms")


def test_an_interruption_says_in_words_what_was_not_heard():
    text = " ".join(shown(0.5, ("tell a story", 1.0), 1.2, ("stop it", 1.0), 5.0))
    assert text.index("kit  One two") < text.index("you interrupt") < text.index("you  stop it")
    assert "of that answer you heard only “One two" in text


def test_what_is_no_interruption_is_named():
    text = " ".join(shown(0.5, ("tell a story", 1.0), 1.5, ("mhm", 0.3), 6.0))
    assert "“mhm” is no interruption: the answer goes on from the same word" in text


@pytest.mark.parametrize("width", [44, 60, 80, 200])
def test_the_milliseconds_are_seen_on_a_screen_of_any_width(width):
    lines = shown(0.5, ("tell a story", 1.0), 6.0, width=width)
    drawn = [line for line in lines if "█" in line or "·" in line]
    assert len(drawn) >= 4
    assert all(line.endswith(" ms") for line in drawn) or width < 47
    assert max(map(len, lines)) <= width


def test_the_words_so_far_are_shown_on_a_terminal_and_taken_back():
    def seen(terminal):
        screen = io.StringIO()
        console = Console(file=screen, width=40, force_terminal=terminal, color_system=None)
        view = ConsoleView(console)
        for event in (
            Partial(1.0, "what"),
            Partial(1.5, "what time"),
            TurnStarted(1, 2.0, True),
            Transcribed(1, 2.1, Transcript("What time is it?"), 0.1),
            PlaybackStarted(1, 2.5),
        ):
            view(event)
        return screen.getvalue()

    assert seen(False).strip() == "you  What time is it?"
    shown = seen(True)
    assert "you  what …" in shown
    assert shown.index("what time …") < shown.rindex("\r\x1b[2K") < shown.index("What time is it?")


def test_waking_and_falling_asleep_are_told():
    screen = io.StringIO()
    view = ConsoleView(Console(file=screen, width=80))
    view(Woke(1.0, 0.9))
    view(FellAsleep(31.0))
    assert screen.getvalue().split("\n")[:2] == [
        "       (awake)",
        "       (asleep until the wake phrase is heard)",
    ]


def test_the_picture_has_a_panel_for_each_turn_that_was_answered_aloud():
    kept = Timeline()
    Scene(
        Script(),
        *(0.5, ("tell a story", 1.0), 6.0, ("and now", 1.0), 4.0),
        answers=STORY,
        during=lambda talk, _: talk.observers.append(kept),
    )
    figure = draw(kept.turns)
    assert [axes.get_title("left").split(":")[0] for axes in figure.axes] == [
        "“tell a story”",
        "“and now”",
    ]
    words = [text.get_text().strip() for text in figure.axes[0].texts]
    assert "first sound" in words
    assert any(word.endswith(" ms") for word in words)


def test_a_picture_of_nothing_says_so():
    (text,) = draw([]).texts
    assert text.get_text() == "No turn was answered aloud."
