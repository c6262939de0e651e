"""The live notebook, as somebody at a machine with a microphone has it: in JupyterLab, in Chromium.

What is checked always is that sound comes out of the page, and stops. That an answer counts as
heard, and is timed, needs a page which says in time what it played: a machine that is too busy for
that makes the loop give the answer up, so this is checked in `make soak` (`heard`, below).

Clips play into the fake microphone whenever it opens: pressing Stop and Start again speaks them
once more, so that nothing here waits for a time of day.
"""

import os
import re
from pathlib import Path

import pytest
from helpers_browser import ARTEFACTS, fake_microphone, overlaps, picture, until
from helpers_jupyter import lab, live, other_kernel
from helpers_taps import joined, sounds

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "11_the_live_loop.ipynb"
PATIENCE = 60
"""Seconds for anything at all: a loaded machine is slow, not wrong."""

pytestmark = [
    pytest.mark.needs("chromium", "jupyter"),
    pytest.mark.timeout(400),
]


class Room:
    """What somebody does in front of the panel, and what they see."""

    def __init__(self, opened):
        self.lab, self.page = opened, opened.page
        self.page.set_default_timeout(1000 * PATIENCE)

    def begin(self):
        """Run the notebook. It waits until the panel can be talked to."""
        self.lab.run_all()

    def speak(self):
        """Press the button: the clip plays from its beginning."""
        button = self.page.get_by_role("button", name=re.compile("(Start|Stop) the microphone"))
        if "Stop" in button.inner_text():
            button.click()
        self.page.get_by_role("button", name="Start the microphone").click()
        self.page.get_by_role("button", name="Stop the microphone").wait_for()

    def type(self, line):
        self.page.get_by_label("Type a line").fill(line)
        self.page.get_by_label("Type a line").press("Enter")

    def says(self, what, *, seconds=PATIENCE):
        """Wait until the transcript says this; a pattern."""
        return until(
            self.page,
            lambda: re.search(what, self.transcript(), re.DOTALL | re.IGNORECASE),
            seconds=seconds,
            why=lambda: f"no “{what}” in: {self.transcript()!r}; the orb says {self.orb()!r}",
        )

    def transcript(self):
        return self.page.locator(".vk-transcript ol").inner_text()

    def orb(self):
        return self.page.locator(".vk-orb .label").inner_text()

    def shows(self, *labels):
        """Wait until the sphere says one of these; gives it back."""
        return until(
            self.page,
            lambda: next((each for each in labels if each in self.orb()), None),
            seconds=PATIENCE,
            why=lambda: f"the orb says {self.orb()!r}, not {labels}",
        )

    def played(self):
        """Stretches of sound that the page has played, in seconds since 1970."""
        return joined(sounds(self.page, "played"))

    def plays(self):
        """Wait until sound comes out of the page."""
        until(self.page, lambda: self._open(), seconds=PATIENCE, why="nothing is played")

    def falls_silent(self):
        """Wait until no sound comes out of the page."""
        until(self.page, lambda: not self._open(), seconds=PATIENCE, why="it goes on and on")

    def _open(self):
        found = self.played()
        return bool(found) and found[-1][1] is None


@pytest.fixture(scope="module")
def question(tmp_path_factory):
    wav = tmp_path_factory.mktemp("microphone") / "question.wav"
    fake_microphone(wav, 0.5, "question_vad", 120.0)
    return wav


@pytest.mark.soak
def test_the_live_notebook_hears_answers_is_interrupted_and_survives_a_restart(question, tmp_path):
    notebook = live(NOTEBOOK, tmp_path / "live.ipynb")
    with lab(notebook, question) as opened:
        room = Room(opened)
        room.begin()
        assert room.orb() == "Ready"
        spoken_to(room)
        interrupted(room)
        answered_when_typed(room)
        timeline_shown(room)
        if os.environ.get("SOAK") == "whole":
            heard(room)
        pictures_taken(room)

        opened.restart()
        room.begin()
        spoken_to(room)


@pytest.mark.skipif(not other_kernel(), reason="no other ipykernel in .envs: run make test")
def test_the_live_loop_runs_on_the_ipykernel_before_this_one(question, tmp_path):
    notebook = live(NOTEBOOK, tmp_path / "live.ipynb")
    with lab(notebook, question, packages=other_kernel()) as opened:
        room = Room(opened)
        room.begin()
        assert opened.python("import ipykernel; print(ipykernel.__version__)").startswith("6.")
        spoken_to(room)
        interrupted(room)
        answered_when_typed(room)


def spoken_to(room):
    """A spoken question is answered, aloud and in sight."""
    room.speak()
    room.shows("Listening", "Thinking", "Speaking")
    room.says("you .*voice activity detection")
    room.plays()
    room.shows("Speaking")
    room.says("kit .*(speech|sound|voice)")


def interrupted(room):
    """Who speaks over an answer stops it."""
    if not room._open():
        room.speak()
        room.plays()
    before = len(room.played())
    room.speak()
    room.says("you interrupt")
    until(
        room.page,
        lambda: room.played()[before - 1][1] is not None,
        seconds=PATIENCE,
        why="the answer that was interrupted is still heard",
    )


def answered_when_typed(room):
    """A typed line is answered, by a skill."""
    room.type("What is twelve times twelve?")
    room.says("What is twelve times twelve\\?.*typed.*kit.*(144|hundred and forty)")
    room.plays()
    room.falls_silent()
    room.shows("Ready")


def heard(room):
    """An answer that nobody interrupts is heard to its end, as the transcript and timeline say."""
    room.speak()
    room.plays()
    room.falls_silent()
    last = room.page.locator(".vk-transcript li").last
    until(
        room.page,
        lambda: "voice activity" in last.inner_text() and not last.locator("s").count(),
        why=lambda: f"not all of it was heard: {last.inner_text()!r}",
    )
    total = room.page.locator(".vk-timeline .sum")
    assert "Silence before the last answer" in total.inner_text()


def timeline_shown(room):
    """The turns are bars, and each says why it is that long."""
    bars = room.page.locator(".vk-timeline .bar")
    until(room.page, lambda: bars.count() >= 4, why=lambda: f"{bars.count()} bars")
    bars.first.click()
    reason = room.page.locator(".vk-timeline .figures").inner_text()
    assert re.search(r"\d+ m?s", reason), reason


def pictures_taken(room):
    """The whole panel, in both of JupyterLab's themes; nothing lies on anything else."""
    panel = room.page.locator(".vk-orb").first.locator(
        "xpath=ancestor::*[contains(@class, 'jp-OutputArea-output')][1]"
    )
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        room.lab.theme(theme)
        picture(panel, f"panel_{theme.split()[1].lower()}")
    widgets = [
        ".vk-orb",
        ".vk-mic",
        ".vk-speaker",
        ".vk-wave",
        ".vk-transcript",
        ".vk-timeline",
    ]
    assert all(room.page.locator(each).count() for each in widgets), "a widget is missing"
    assert not overlaps(room.page, ", ".join([*widgets, ".vk-form"]))
    assert (ARTEFACTS / "panel_dark.png").exists()
