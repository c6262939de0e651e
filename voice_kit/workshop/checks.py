"""Looks at what learners write: `check(f)`, `hint()`, and `mine(f, otherwise=…)` to use it.

What passed is kept across restarts, as files that one can read and change.
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from types import ModuleType
from typing import Any

from voice_kit.errors import VoiceKitError
from voice_kit.settings import home
from voice_kit.workshop import room_join
from voice_kit.workshop.exercises import EXERCISES
from voice_kit.workshop.exercises.exercise import Checked, Exercise, Function

STRICT = "VOICE_KIT_STRICT"
"""Set in the environment, anything but "passed" is an error: for the tests of the notebooks."""

FILLED_IN = "# Filled in by voice-kit catch-up: the course's answer, until yours passes."
"""The first line of an answer that its learner did not write."""

_last: list[str] = []
_asked: Counter[str] = Counter()


class NotPassedError(VoiceKitError):
    """A check did not pass, where every one has to."""


def check(answer: Function) -> Checked:
    """What is wrong with your function, if anything. What passes is kept for later notebooks."""
    name = getattr(answer, "__name__", type(answer).__name__)
    if name not in EXERCISES:
        return Checked(name, "wrong", f"No exercise asks for it. {_known()}")
    exercise = EXERCISES[name]
    _last[:] = [name]
    checked = exercise.check(answer)
    room_join.follow(_standing)
    room_join.tell(name, checked.state)
    if checked.passed:
        keep(exercise, answer)
    elif os.environ.get(STRICT):
        raise NotPassedError(str(checked))
    return checked


def hint(name: str = "") -> str:
    """The next hint for the exercise of this name, or for the one that was checked last."""
    exercise = _named(name or (_last or [""])[0])
    number = min(_asked[exercise.name], len(exercise.hints) - 1)
    _asked[exercise.name] += 1
    return f"Hint {number + 1} of {len(exercise.hints)}: {exercise.hints[number]}"


def mine(answer: Function | str, *, otherwise: Function) -> Function:
    """Your function where it passes its check, else the package's.

    A name stands for what you wrote in an earlier notebook.
    """
    room_join.follow(_standing)
    if isinstance(answer, str):
        exercise, kept = _named(answer), kept_answer(_named(answer))
        if kept is not None and exercise.check(kept).passed:
            whose = "the course’s, filled in" if was_filled_in(exercise) else "your own"
            print(f"{answer}: {whose}, from notebook {exercise.notebook}")
            return kept
        print(f"{answer}: the package's, until yours is there (notebook {exercise.notebook})")
        return otherwise
    passed = _named(answer.__name__).check(answer).passed
    print(f"{answer.__name__}: {'your own' if passed else 'the package’s, until yours passes'}")
    return answer if passed else otherwise


def progress() -> dict[str, bool]:
    """Each exercise in the order of the course, and whether a passing answer is kept."""
    return {name: kept_file(exercise).exists() for name, exercise in EXERCISES.items()}


def join(room: str = "", name: str = "") -> None:
    """Show the teacher's screen which of your checks pass and how long your turns take.

    `room` is the address there, or in VOICE_KIT_ROOM. It is told a name if you give one, and never
    a word of what is said. Never raises; `leave` ends it.
    """
    room_join.join(room, name, told=_standing())


def leave() -> None:
    """Tell the room nothing any more, and have it forget what it knows."""
    room_join.leave()


def _standing() -> dict[str, str]:
    kept = [EXERCISES[name] for name, there in progress().items() if there]
    return {each.name: "passed" for each in kept if not was_filled_in(each)}


def keep(exercise: Exercise, answer: Function | str) -> None:
    """Write an answer down, as its source; one whose source is not known is not kept."""
    try:
        source = answer if isinstance(answer, str) else source_of(answer)
    except (OSError, TypeError):
        return
    file = kept_file(exercise)
    new = file.with_suffix(".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(source, encoding="utf-8")
        new.replace(file)  # only once it is whole: a full disk leaves the answer before
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        fix = "Free some space" if error.errno in (ENOSPC, EDQUOT) else "Set VOICE_KIT_HOME"
        print(f"{exercise.name} could not be kept in {file}: {error.strerror}. {fix}.")


def source_of(answer: Function) -> str:
    """A function's source, below the imports of its notebook that it needs."""
    source = textwrap.dedent(inspect.getsource(answer))
    known = inspect.getclosurevars(answer).globals
    used = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    lines = [_import(name, known[name]) for name in sorted(used & known.keys())]
    return "".join(f"{line}\n" for line in lines if line) + source


def _import(name: str, value: object) -> str:
    if isinstance(value, ModuleType):
        return f"import {value.__name__} as {name}"
    home_of = sys.modules.get(getattr(value, "__module__", None) or "")
    own = getattr(value, "__name__", "")
    if home_of is None or home_of.__name__ == "__main__" or getattr(home_of, own, None) != value:
        return ""  # of the notebook itself: it has to be among what the exercise gives
    return f"from {home_of.__name__} import {own} as {name}"


def kept_answer(exercise: Exercise) -> Callable[..., Any] | None:
    """What was kept, as a function; None where nothing is, or it was broken since."""
    try:
        source = kept_file(exercise).read_text(encoding="utf-8")
        names: dict[str, Any] = dict(exercise.given)
        exec(compile(source, str(kept_file(exercise)), "exec"), names)
    except Exception:  # it is somebody's own code: anything may happen
        return None
    found = names.get(exercise.name)
    return found if callable(found) else None


def was_filled_in(exercise: Exercise) -> bool:
    """Whether what is kept is the course's answer and not the learner's."""
    try:
        return kept_file(exercise).read_text(encoding="utf-8").startswith(FILLED_IN)
    except (OSError, ValueError):
        return False


def kept_file(exercise: Exercise) -> Path:
    """Where an answer is kept."""
    return home() / "exercises" / f"{exercise.notebook}_{exercise.name}.py"


def _named(name: str) -> Exercise:
    if name not in EXERCISES:
        raise VoiceKitError(f"There is no exercise “{name}”. {_known()}")
    return EXERCISES[name]


def _known() -> str:
    return f"The exercises are: {', '.join(EXERCISES)}."
