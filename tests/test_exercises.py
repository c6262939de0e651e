"""Every check knows the right answer, and tells a wrong one what is wrong with it."""

import inspect
import re

import pytest
from exercise_answers import RIGHT, WRONG

from voice_kit.errors import VoiceKitError
from voice_kit.workshop import checks
from voice_kit.workshop.exercises import EXERCISES
from voice_kit.workshop.exercises.exercise import Exercise, sure

NAMES = list(EXERCISES)


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("VOICE_KIT_HOME", str(tmp_path))
    return tmp_path


def written(name, source):
    """The function that a learner would have after running this cell."""
    names = dict(EXERCISES[name].given)
    if source.startswith("lambda"):
        source = f"{name} = {source}"
    exec(source, names)
    function = names[name]
    function.__name__ = name
    return function


def test_there_are_exercises_and_answers_for_each():
    assert len(EXERCISES) >= 6
    assert RIGHT.keys() == EXERCISES.keys() == WRONG.keys()


@pytest.mark.parametrize("name", NAMES)
def test_the_right_answer_passes(name):
    assert checks.check(written(name, RIGHT[name])).passed


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_written_yet_is_not_wrong(name):
    def stub(*_):
        raise NotImplementedError

    stub.__name__ = name
    assert checks.check(stub).state == "not yet"


@pytest.mark.parametrize("name", NAMES)
def test_there_are_wrong_answers_to_try(name):
    assert len(WRONG[name]) >= 2


@pytest.mark.parametrize(
    ("name", "source", "told"),
    [(name, *wrong) for name, answers in WRONG.items() for wrong in answers],
)
def test_a_wrong_answer_is_told_what_is_wrong(name, source, told):
    checked = checks.check(written(name, source))
    assert checked.state == "wrong"
    assert told in checked.says
    assert EXERCISES[name].where in checked.says


def test_who_reads_types_from_the_signature_is_right_as_they_are_in_a_notebook():
    def describe(function):
        arguments = inspect.signature(function).parameters.items()
        return {
            "name": function.__name__,
            "description": inspect.getdoc(function),
            "parameters": {name: each.annotation.__name__ for name, each in arguments},
        }

    assert checks.check(describe).passed


@pytest.mark.parametrize("name", NAMES)
def test_three_hints_lead_to_the_answer_and_the_last_one_stays(name):
    given = [checks.hint(name) for _ in range(4)]
    assert len(set(given[:3])) == 3
    assert given[3] == given[2]


def test_an_answer_that_never_ends_is_told_so():
    def rms_dbfs(frame):
        while True:
            pass

    exercise = EXERCISES["rms_dbfs"]
    quick = Exercise(**{**shape(exercise), "try_out": lambda f: impatient(f)})
    assert "does not come back" in quick.check(rms_dbfs).says


def shape(exercise):
    return {name: getattr(exercise, name) for name in inspect.signature(Exercise).parameters}


def impatient(function):
    from voice_kit.workshop.exercises.exercise import time_limit

    with time_limit(0.05):
        function(None)


def test_an_answer_that_raises_is_told_what_and_no_one_else_is_disturbed():
    def rms_dbfs(frame):
        return frame / "loud"

    checked = checks.check(rms_dbfs)
    assert checked.state == "wrong" and re.search(r"It stops with \w+Error", checked.says)


def test_a_function_that_no_exercise_asks_for_is_told_their_names():
    def rms(frame):
        return 0

    checked = checks.check(rms)
    assert checked.state == "wrong" and "rms_dbfs" in checked.says
    with pytest.raises(VoiceKitError, match="rms_dbfs"):
        checks.hint("rms")


def test_in_strict_mode_what_does_not_pass_is_an_error(monkeypatch):
    monkeypatch.setenv(checks.STRICT, "1")
    with pytest.raises(checks.NotPassedError, match="square them first"):
        checks.check(written("rms_dbfs", WRONG["rms_dbfs"][0][0]))


# What is kept


def test_your_function_is_used_once_it_passes_and_the_packages_until_then():
    right = written("rms_dbfs", RIGHT["rms_dbfs"])
    wrong = written("rms_dbfs", WRONG["rms_dbfs"][0][0])
    assert checks.mine(right, otherwise=len) is right
    assert checks.mine(wrong, otherwise=len) is len


def rms_dbfs(frame):
    return 20 * np.log10(max(float(np.sqrt(np.mean(frame**2))), 1e-10))  # noqa: F821


def test_what_passed_is_there_in_a_later_notebook(own_home):
    import numpy as np

    globals()["np"] = np
    assert not checks.progress()["rms_dbfs"]
    assert checks.mine("rms_dbfs", otherwise=len) is len
    assert checks.check(rms_dbfs).passed
    assert checks.progress()["rms_dbfs"]
    kept = checks.mine("rms_dbfs", otherwise=len)
    assert kept is not len and kept(np.ones(512)) == pytest.approx(0)


@pytest.mark.parametrize("broken", ["def rms_dbfs(", "raise KeyError", "rms_dbfs = 3", "\x00"])
def test_a_kept_answer_that_was_broken_by_hand_falls_back_to_the_packages(own_home, broken):
    checks.keep(EXERCISES["rms_dbfs"], broken)
    assert checks.mine("rms_dbfs", otherwise=len) is len


def test_a_folder_that_cannot_be_written_does_not_stop_the_lesson(own_home, capsys):
    (own_home / "exercises").write_text("a file is in the way")
    assert checks.check(rms_dbfs).passed
    assert "could not be kept" in capsys.readouterr().out


def test_a_check_says_what_it_thinks_of_an_answer_in_words():
    with pytest.raises(Exception, match="too loud"):
        sure(False, "too loud")
    shown = repr(checks.check(written("rms_dbfs", RIGHT["rms_dbfs"])))
    assert shown == "rms_dbfs: passed. That is right."
