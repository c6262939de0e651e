import json

import pytest
from scenes import FarSpeaker, Scene, after

from voice_kit.converse.plain import as_json, summary
from voice_kit.converse.timeline import STAGES, Timeline
from voice_kit.settings import Settings
from voice_kit.types import (
    Abandoned,
    FirstToken,
    Interrupted,
    PlaybackResumed,
    PlaybackStarted,
    Transcribed,
    Transcript,
    TurnEnded,
    TurnFinished,
    TurnStarted,
)
from voice_kit.workshop.fakes import Script

ANSWERS = {"tell a story": "One two three four. Five six."}


def timeline(*parts, settings=None):
    kept = Timeline()
    scene = Scene(
        Script(),
        *parts,
        answers=ANSWERS,
        settings=settings,
        during=lambda talk, _: talk.observers.append(kept),
    )
    return kept, scene


def test_every_millisecond_between_the_question_and_the_answer_belongs_to_a_stage():
    late = Settings().changed({"hear.eager": 0})
    kept, _ = timeline(0.512, ("tell a story", 1.024), 5.0, settings=late)
    (turn,) = kept.turns
    stages = summary(turn)["stages_ms"]
    assert stages["speech"] == 1024
    assert stages["wait"] == 512
    assert stages["transcribe"] == 100
    assert stages["first_token"] == 100
    assert stages["synthesis"] == 50
    assert stages["playback"] == 1500
    between = ["wait", "transcribe", "first_token", "first_sentence", "synthesis"]
    assert sum(stages[stage] for stage in between) == summary(turn)["voice_to_voice_ms"] == 762


def test_work_done_early_overlaps_the_wait():
    kept, _ = timeline(0.512, ("tell a story", 1.024), 5.0)
    (turn,) = kept.turns
    assert turn.eager
    assert turn.voice_to_voice == pytest.approx(0.512)
    assert turn.seconds("wait") == pytest.approx(0.512)


def test_a_pause_in_the_answer_is_not_counted_as_heard():
    kept, _ = timeline(0.5, ("tell a story", 1.0), 1.5, ("mhm", 0.3), 5.0)
    (turn,) = kept.turns
    assert turn.seconds("playback") == pytest.approx(1.5, abs=0.002)
    bars = [bar for bar in turn.bars if bar.stage == "playback"]
    assert len(bars) == 2
    assert bars[1].start > bars[0].end


def test_what_a_far_loudspeaker_takes_to_settle_is_not_counted_as_heard():
    kept = Timeline()

    def arrange(talk, events):
        talk.observers.append(kept)
        after((2.6, lambda talk: talk.type("stop")))(talk, events)

    sound = (0.512, ("tell a story", 1.024), 5.0)
    scene = Scene(Script(), *sound, answers=ANSWERS, speaker=FarSpeaker(0.15), during=arrange)
    heard = scene.one(Interrupted).at - scene.all(PlaybackStarted)[0].at
    assert kept.turns[0].seconds("playback") == pytest.approx(heard)


def test_abandoned_starts_are_counted_with_what_they_cost():
    kept, _ = timeline(0.5, ("set a timer for", 1.0), 0.3, ("ten", 1.0), 4.0)
    assert kept.abandoned == 1
    assert kept.wasted > 0.1
    assert len(kept.turns) == 1


def test_a_start_that_was_cut_in_its_first_stage_has_cost_what_it_took_until_then():
    kept = Timeline()
    for event in (
        TurnStarted(1, 2.0, True),
        Abandoned(1, 2.3, "its speaker went on"),
        TurnStarted(2, 4.0, True),
        Transcribed(2, 4.25, Transcript("ten"), 0.25),
        FirstToken(2, 4.375, 0.125),
        Abandoned(2, 9.0, "its speaker went on"),
    ):
        kept(event)
    assert kept.abandoned == 2
    assert kept.wasted == pytest.approx(0.3 + 0.375), "what waits for its gate costs nothing"


def test_a_turn_of_which_only_the_end_was_seen_has_no_first_sound():
    kept = Timeline()
    kept(PlaybackResumed(1, 7.0))
    kept(TurnFinished(1, 9.0, "hello", "Hello.", "Hello.", False))
    assert kept.turns[0].first_sound is None
    assert kept.turns[0].seconds("playback") == pytest.approx(2.0)


def test_every_event_becomes_json_without_its_sound():
    _, scene = timeline(0.5, ("tell a story", 1.0), 1.5, ("stop", 1.0), 5.0)
    lines = [json.loads(json.dumps(as_json(event))) for event in scene.events]
    assert len(lines) == len(scene.events) > 100
    assert any(line["event"] == "TurnEnded" and "audio" not in line for line in lines)
    ended = scene.all(TurnEnded)[0]
    assert {
        "event": "TurnEnded",
        "at": ended.at,
        "started": ended.started,
        "ended": ended.ended,
    } in lines


def test_every_stage_has_words_for_people():
    kept, _ = timeline(0.5, ("tell a story", 1.0), 5.0)
    assert {bar.stage for bar in kept.turns[0].bars} <= set(STAGES)
