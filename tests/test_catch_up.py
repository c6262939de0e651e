"""A latecomer finds the earlier exercises filled in, and nobody loses what they wrote."""

import json
import os
import subprocess
import sys
from itertools import pairwise

import pytest
from exercise_answers import RIGHT, WRONG

from voice_kit.errors import VoiceKitError
from voice_kit.workshop import checks, course
from voice_kit.workshop.catch_up import catch_up
from voice_kit.workshop.exercises import EXERCISES

COURSE = course.lessons()


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("VOICE_KIT_HOME", str(tmp_path))
    return tmp_path


def written():
    folder = checks.kept_file(EXERCISES["rms_dbfs"]).parent
    return {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def before(number):
    return [name for name, exercise in EXERCISES.items() if exercise.notebook < number]


def test_every_answer_of_the_course_passes_once_it_is_filled_in():
    caught = list(catch_up(COURSE[-1].number, COURSE))
    assert [each.exercise for each in caught] == before(COURSE[-1].number) != []
    assert {each.state for each in caught} == {"filled in"}
    for each in caught:
        exercise = EXERCISES[each.exercise]
        assert exercise.check(checks.kept_answer(exercise)).passed, each.exercise


def test_only_what_comes_before_is_filled_in(capsys):
    list(catch_up("3", COURSE))
    filled = [name for name, kept in checks.progress().items() if kept]
    assert filled == before("03") != []
    assert checks.mine("rms_dbfs", otherwise=len) is not len
    assert "the course’s, filled in, from notebook 01" in capsys.readouterr().out
    assert checks.mine("word_error_rate", otherwise=len) is len


def test_what_you_wrote_yourself_stays_even_where_it_does_not_pass():
    own, wrong = EXERCISES["rms_dbfs"], EXERCISES["loud_frames"]
    checks.keep(own, RIGHT["rms_dbfs"])
    checks.keep(wrong, f"loud_frames = {WRONG['loud_frames'][0][0]}")
    texts = [checks.kept_file(each).read_bytes() for each in (own, wrong)]
    states = {each.exercise: each.state for each in catch_up("03", COURSE)}
    assert states["rms_dbfs"] == "yours"
    assert states["loud_frames"] == "yours, but not passing"
    assert states["turn_ends"] == "filled in"
    assert [checks.kept_file(each).read_bytes() for each in (own, wrong)] == texts


def test_a_second_time_changes_nothing_and_says_so():
    list(catch_up("03", COURSE))
    files = {
        path: path.stat().st_mtime_ns
        for path in checks.kept_file(EXERCISES["rms_dbfs"]).parent.iterdir()
    }
    assert files
    assert {each.state for each in catch_up("03", COURSE)} == {"filled in before"}
    after = {
        path: path.stat().st_mtime_ns
        for path in checks.kept_file(EXERCISES["rms_dbfs"]).parent.iterdir()
    }
    assert after == files


def in_frames(samples):
    frames = [samples[at : at + FRAME] for at in range(0, len(samples), FRAME)]  # noqa: F821
    return [np.pad(frame, (0, FRAME - len(frame))) for frame in frames]  # noqa: F821


def test_your_own_takes_the_place_of_the_filled_in_one_when_it_passes(capsys, monkeypatch):
    for name, value in EXERCISES["in_frames"].given.items():
        monkeypatch.setitem(globals(), name, value)
    list(catch_up("02", COURSE))
    assert checks.check(in_frames).passed
    assert not checks.was_filled_in(EXERCISES["in_frames"])
    checks.mine("in_frames", otherwise=len)
    assert "your own, from notebook 01" in capsys.readouterr().out


def spans(marks):
    return [(name, end - start) for (_, start), (name, end) in pairwise(marks)]


def test_an_answer_that_uses_what_its_notebook_imported_is_there_in_a_later_one():
    assert "pairwise" not in EXERCISES["spans"].given
    assert checks.check(spans).passed
    text = checks.kept_file(EXERCISES["spans"]).read_text(encoding="utf-8")
    assert text.startswith("from itertools import pairwise as pairwise\ndef spans(marks):")
    assert checks.mine("spans", otherwise=len) is not len


def test_a_notebook_that_there_is_not_is_named_with_those_there_are():
    for wrong in ("42", "seven", ""):
        with pytest.raises(VoiceKitError, match="The course has 00 to"):
            list(catch_up(wrong, COURSE))


def test_where_nothing_can_be_written_one_sentence_says_so(own_home, capsys):
    (own_home / "exercises").write_text("a file is in the way")
    with pytest.raises(VoiceKitError, match="set VOICE_KIT_HOME"):
        list(catch_up("03", COURSE))


def test_without_the_notebooks_the_way_to_them_is_told(tmp_path):
    with pytest.raises(VoiceKitError, match="Go to the checkout"):
        course.folder(tmp_path)


def voice_kit(*arguments):
    command = [sys.executable, "-m", "voice_kit.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


def test_the_command_says_what_it_did_and_where_to_begin():
    done = voice_kit("catch-up", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("filled in") == len(before("02"))
    assert "rms_dbfs" in done.stdout and "02_when_is_someone_speaking" in done.stderr
    again = voice_kit("catch-up", "2", "--json")
    states = [json.loads(line) for line in again.stdout.splitlines()]
    assert {each["state"] for each in states} == {"filled in before"}


def test_the_first_notebooks_need_nothing_before_them():
    done = voice_kit("catch-up", "01")
    assert done.returncode == 0 and done.stdout == ""
    assert "Nothing comes before" in done.stderr
