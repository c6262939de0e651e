"""Fills in the exercises before a notebook, for somebody who comes late."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from voice_kit.errors import VoiceKitError
from voice_kit.workshop import checks
from voice_kit.workshop.course import Lesson, cells, chosen
from voice_kit.workshop.exercises import EXERCISES
from voice_kit.workshop.exercises.exercise import Exercise

State = Literal["filled in", "filled in before", "yours", "yours, but not passing"]


@dataclass(frozen=True, slots=True)
class Caught:
    """What became of one exercise."""

    exercise: str
    notebook: str
    state: State
    file: Path
    """Where its answer is kept, to be read and changed."""


def catch_up(until: str, course: list[Lesson]) -> Iterator[Caught]:
    """Fill in what comes before a notebook, such as "07", and say so of each exercise.

    What a learner wrote stays as it is, even where it does not pass. Raises `VoiceKitError` for a
    notebook that there is not, or an answer that cannot be written.
    """
    (start,) = chosen(course, [until])
    before = {lesson.number: lesson for lesson in course if lesson.number < start.number}
    for exercise in EXERCISES.values():
        if exercise.notebook in before:
            yield _caught(exercise, before[exercise.notebook])


def _caught(exercise: Exercise, lesson: Lesson) -> Caught:
    file = checks.kept_file(exercise)
    state: State = "filled in"
    if file.exists():
        if checks.was_filled_in(exercise):
            state = "filled in before"
        else:
            kept = checks.kept_answer(exercise)
            passes = kept is not None and exercise.check(kept).passed
            state = "yours" if passes else "yours, but not passing"
    else:
        checks.keep(exercise, f"{checks.FILLED_IN}\n{solution(exercise, lesson)}")
        if not file.exists():  # keep() has said why
            fix = "Free some space, or set VOICE_KIT_HOME to another folder."
            raise VoiceKitError(f"Nothing can be kept in {file.parent}. {fix}")
    return Caught(exercise.name, exercise.notebook, state, file)


def solution(exercise: Exercise, lesson: Lesson) -> str:
    """The course's own answer as source, below the imports of its notebook that it needs.

    Raises `VoiceKitError` when the notebook has none.
    """
    imports: list[tuple[ast.stmt, ast.alias]] = []
    for cell in cells(lesson.solution):
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"])
        for node in _statements(source):
            if isinstance(node, ast.Import | ast.ImportFrom):
                imports += [(node, alias) for alias in node.names]
            elif isinstance(node, ast.FunctionDef) and node.name == exercise.name:
                used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
                needed = [
                    _only(statement, alias)
                    for statement, alias in imports
                    if (alias.asname or alias.name) in used
                ]
                text = ast.get_source_segment(source, node) or source
                return "\n".join([*dict.fromkeys(needed), text, ""])
    raise VoiceKitError(
        f"{lesson.solution.name} has no answer to {exercise.name}. Write notebooks and solutions "
        "afresh: python notebooks/build.py"
    )


def _statements(source: str) -> list[ast.stmt]:
    """What stands in a cell; nothing for one with commands that are IPython's own."""
    lines = source.splitlines(keepends=True)
    python = "".join("\n" if line.startswith(("%", "!")) else line for line in lines)
    try:
        return ast.parse(python).body
    except SyntaxError:
        return []


def _only(statement: ast.stmt, alias: ast.alias) -> str:
    """The import of this one name."""
    if isinstance(statement, ast.ImportFrom):
        statement = ast.ImportFrom(statement.module, [alias], statement.level)
    else:
        statement = ast.Import([alias])
    return ast.unparse(statement)
