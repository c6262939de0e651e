"""Every exercise of the course, in its order, by the name of the function that is to be written."""

from __future__ import annotations

from voice_kit.workshop.exercises import (
    conversing,
    doing,
    hearing,
    hurrying,
    interrupting,
    routing,
    serving,
    sizing,
    sound,
    speaking,
    thinking,
    transcribing,
)
from voice_kit.workshop.exercises.exercise import Exercise

EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise
    for chapter in (
        sound,
        hearing,
        transcribing,
        thinking,
        speaking,
        conversing,
        hurrying,
        interrupting,
        routing,
        doing,
        serving,
        sizing,
    )
    for exercise in chapter.EXERCISES
}
