"""What the page for teachers says is so: its commands, minutes, exercises and links."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import typer

from voice_kit.settings import Settings, names
from voice_kit.workshop import checks
from voice_kit.workshop.course import lessons
from voice_kit.workshop.exercises import EXERCISES

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "notebooks" / "TEACHING.md"
TEXT = PAGE.read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def section(heading):
    body = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    (found,) = [part for part in body if part.startswith(f"{heading}\n")]
    return found


def rows(heading):
    """The cells of each row of a section's table."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")][2:]
    assert lines, f"there is no table below “{heading}”"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def commands(text):
    """Every command of the kit: in a block, or between `backticks`."""
    blocks = [line.split("#")[0].strip() for line in text.splitlines()]
    spans = re.findall(r"`([^`\n]+)`", text)
    found = [each for each in [*blocks, *spans] if re.match(r"(voice-kit|make) \w", each)]
    return sorted(set(found))


def test_there_are_commands():
    named = [command.split()[1] for command in commands(TEXT)]
    assert {"lab", "wheels", "doctor", "room", "catch-up", "models", "notebooks"} <= set(named)


@pytest.mark.parametrize("command", [each for each in commands(TEXT + CONTRIBUTING) if each])
def test_every_command_exists_with_these_words_and_options(command):
    import shlex

    program, *words = shlex.split(command)
    if program == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert words[0] in targets
        return
    from voice_kit.cli import app

    at = typer.main.get_command(app)
    while words and hasattr(at, "commands"):
        assert words[0] in at.commands, f"there is no {words[0]}"
        at = at.commands[words.pop(0)]
    at.make_context(command, words, resilient_parsing=False)  # fails at a wrong option


@pytest.mark.parametrize("plan", ["Half a day", "A whole day"])
def test_a_plans_times_follow_each_other_and_are_the_notebooks_own(plan):
    minutes = {}
    for source in sorted((ROOT / "notebooks" / "source").glob("*.py")):
        text = source.read_text(encoding="utf-8")
        minutes[source.name[:2]] = int(re.search(r"\*\*Time\*\* (\d+) minutes", text)[1])
    titles = {lesson.number: lesson.title for lesson in lessons()}
    now = None
    for start, long, what in rows(plan):
        at = datetime.strptime(start, "%H:%M")
        assert now in (None, at), f"{what} begins at {start}, and the one before ends at {now}"
        now = at + timedelta(minutes=int(long))
        if re.match(r"\d\d ", what):
            assert what[3:] == titles[what[:2]] and int(long) == minutes[what[:2]]


def test_the_plans_have_the_notebooks_that_they_should():
    def numbers(plan):
        return [what[:2] for *_, what in rows(plan) if re.match(r"\d\d ", what)]

    assert numbers("Half a day") == ["00", "01", "02", "03", "04", "05", "06", "08", "11"]
    assert numbers("A whole day") == [f"{number:02}" for number in range(12)]
    assert sum("Break" in row[2] for row in rows("Half a day")) == 2


def test_every_exercise_is_among_those_where_people_get_stuck_in_the_courses_order():
    listed = [row[0].strip("`") for row in rows("Where people get stuck")]
    assert sorted(listed) == sorted(EXERCISES)
    assert [EXERCISES[name].notebook for name in listed] == sorted(
        EXERCISES[name].notebook for name in listed
    )


def test_there_is_a_question_for_each_notebook():
    asked = {row[0] for row in rows("Questions to ask")}
    assert asked == {f"{number:02}" for number in range(14)}


def test_what_it_says_to_type_in_a_notebook_exists():
    named = set(re.findall(r"`checks\.(\w+)\(", TEXT)) | set(re.findall(r"`(hint)\(", TEXT))
    assert {"join", "leave", "hint"} <= named
    assert all(callable(getattr(checks, name, None)) for name in named)
    settings = set(re.findall(r"`((?:hear|interrupt)\.\w+)`", TEXT))
    assert settings and settings <= set(names())


def test_headings_skip_no_level_and_links_lead_somewhere():
    levels = [len(marks) for marks in re.findall(r"^(#+) ", TEXT, re.MULTILINE)]
    levels = [level for level in levels if level < 4]
    assert levels.count(1) >= 1 and max(levels) == 2
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", TEXT)
    assert all((PAGE.parent / link).exists() for link in links)


def test_contributors_are_told_of_papermill_and_of_exercises():
    assert "voice-kit notebooks run" in CONTRIBUTING and "papermill" in CONTRIBUTING
    assert "tests/exercise_answers.py" in CONTRIBUTING
    assert (ROOT / "tests" / "exercise_answers.py").exists()


def test_what_a_setting_stays_at_is_what_it_is():
    told = re.findall(r"`(\w+)\.(\w+)` stays at \"(\w+)\"", TEXT)
    assert told
    for group, name, value in told:
        assert getattr(getattr(Settings(), group), name) == value
