"""Many turns in a row, with interruptions at random: nothing may be left over."""

import asyncio
import gc
import os
import random
import threading
import tracemalloc

import pytest
from scenes import Scene

from voice_kit.settings import Settings
from voice_kit.types import (
    Abandoned,
    Interrupted,
    Judged,
    PlaybackPaused,
    TurnEnded,
    TurnFinished,
    TurnStarted,
)
from voice_kit.workshop.fakes import Script, ScriptedJudge, scripted

TURNS = 1000 if os.environ.get("SOAK") == "whole" else 50


def restless(turns, seed):
    """Someone who asks, coughs, agrees, breaks off in mid-sentence and interrupts, as it comes."""
    dice = random.Random(seed)
    parts = [0.5]
    for number in range(turns):
        parts.append((f"question {number}", dice.uniform(0.3, 1.5)))
        match dice.randrange(5):
            case 0:  # goes on after a breath
                parts += [dice.uniform(0.1, 0.9), (f"and more {number}", dice.uniform(0.3, 1.0))]
            case 1:  # coughs, or agrees, while it is answered
                parts += [dice.uniform(0.6, 2.0), (dice.choice(["cough", "mhm"]), 0.1)]
            case 2:  # says nothing intelligible
                parts += [1.5, ("", 0.4)]
        parts.append(dice.uniform(0.4, 4.0))
    return [*parts, 8.0]


def unfinished():
    """The tasks of this process that are not done, whoever's they are."""
    # By type, since asking isinstance() of a weak proxy whose object has gone raises.
    return {
        task
        for task in gc.get_objects()
        if issubclass(type(task), asyncio.Task) and not task.done()
    }


@pytest.mark.soak
@pytest.mark.parametrize("mode", ["evidence", "any", "never"])
def test_nothing_is_left_over_and_every_turn_has_its_end(mode):
    threads, before = threading.active_count(), unfinished()
    settings = Settings().changed({"interrupt.mode": mode})
    script, dice = Script(), random.Random(7)
    moods = {f"question {number}": dice.choice([0.1, 0.5, 0.9]) for number in range(TURNS)}
    engines = scripted(script, judge=ScriptedJudge(moods, delay=0.05))
    scene = Scene(script, *restless(TURNS, seed=7), settings=settings, engines=engines)
    started = {event.turn for event in scene.all(TurnStarted)}
    ended = [event.turn for event in scene.all(TurnFinished) + scene.all(Abandoned)]
    assert sorted(ended) == sorted(started)
    assert len(scene.all(TurnFinished)) > TURNS / 3
    assert {event.wait for event in scene.all(Judged)} == {0.2, 0.5, 1.5}
    assert bool(scene.all(Interrupted)) == (mode != "never")
    assert bool(scene.all(PlaybackPaused)) == (mode == "evidence")
    assert threading.active_count() == threads
    assert unfinished() <= before


@pytest.mark.soak
def test_what_was_said_is_all_remembered_and_in_order():
    scene = Scene(Script(), *restless(TURNS, seed=11))
    said = " ".join(text for role, text in scene.memory if role == "user")
    numbers = [int(word) for word in said.split() if word.isdigit()]
    assert numbers == sorted(numbers)
    assert set(range(TURNS)) <= set(numbers)
    assert len(scene.all(TurnEnded)) >= TURNS


@pytest.mark.soak
def test_memory_does_not_grow_with_the_turns_beyond_what_was_said():
    def kept(turns):
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        scene = Scene(Script(), *restless(turns, seed=3))
        scene.events.clear()
        scene.speaker._playbacks.clear()  # a pretend sound card keeps what it played
        scene.talk.ears._before.clear()  # views of the one recording, which is whole in memory
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before, scene

    tracemalloc.start()
    try:
        few, _ = kept(5)
        many, _ = kept(TURNS)
    finally:
        tracemalloc.stop()
    assert (many - few) / TURNS < 20_000  # bytes a turn; a second of sound would be 64,000
