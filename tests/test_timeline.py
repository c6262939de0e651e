import json
from dataclasses import replace

import pytest
from scenes import FarSpeaker, Scene, after

from voice_kit.converse.line import Line
from voice_kit.converse.plain import as_json, summary
from voice_kit.converse.timeline import STAGES, Timeline
from voice_kit.settings import Settings
from voice_kit.types import (
    Abandoned,
    Interrupted,
    PlaybackResumed,
    PlaybackStarted,
    SpeechReady,
    TurnEnded,
    TurnFinished,
    TurnStarted,
)
from voice_kit.workshop.fakes import (
    HummingVoice,
    Script,
    ScriptedJudge,
    ScriptedModel,
    ScriptedTranscriber,
    scripted,
)

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


def dropped(*, brain=None, quiet=0.32, settings=None, **engines):
    """A scene with one start that is dropped, what that cost, and for how long it was there."""
    script = Script()
    made = {stage: make(script) for stage, make in engines.items()}
    engines = scripted(script, **made)
    if brain:
        engines = replace(engines, brain=Line("brain", brain))
    parts = ("one", 1.024), quiet, ("two", 0.512), 8.0
    scene = Scene(script, *parts, engines=engines, settings=settings)
    assert scene.one(TurnFinished).heard == "one two"
    (end,) = scene.all(Abandoned)
    (start,) = [event for event in scene.all(TurnStarted) if event.turn == end.turn]
    assert scene.timeline.wasted == end.worked
    assert scene.timeline.abandoned == start.eager
    return scene, end.worked, end.at - start.at


class Slow(ScriptedTranscriber):
    """Needs longer the first time than anybody waits."""

    async def transcribe(self, audio):
        self.delay = 0.1 if self.seconds else 1.4
        return await super().transcribe(audio)


UNDER_WAY = {
    "first": {"stt": Slow},
    "second": {"llm": lambda script: ScriptedModel({}, first=3.0)},
    "second, past its first token": {"llm": lambda script: ScriptedModel({}, token=3.0)},
    "third": {"tts": lambda script: HummingVoice(3.0)},
}


@pytest.mark.parametrize("stage", UNDER_WAY)
def test_a_start_that_is_dropped_in_whichever_stage_has_cost_all_its_time(stage):
    _, worked, there = dropped(**UNDER_WAY[stage])
    assert worked == pytest.approx(there)


def test_a_start_that_was_ready_has_cost_what_its_engines_took_and_not_the_wait_at_its_gate():
    scene, worked, there = dropped()
    assert len(scene.all(SpeechReady)) == 2, "it was not ready: this tests nothing"
    assert worked == pytest.approx(0.1 + 0.1 + 0.05) != pytest.approx(there)


@pytest.mark.parametrize(("stage", "worked"), [("llm", 0.1), ("tts", 0.1 + 0.1)])
def test_waiting_to_call_what_cannot_be_taken_back_costs_nothing(stage, worked):
    def careful(script):
        engine = {"llm": ScriptedModel({}), "tts": HummingVoice()}[stage]
        engine.speculative = False
        return engine

    assert dropped(**{stage: careful})[1] == pytest.approx(worked)


def test_a_brain_that_waits_until_it_may_act_costs_nothing():
    class Patient:
        name = "patient"

        async def answer(self, thought):
            await thought.certain.wait()
            yield "Done."

    assert dropped(brain=Patient())[1] == pytest.approx(0.1)


def test_an_answer_that_gave_way_unheard_has_cost_its_time_and_was_no_early_start():
    late = Settings().changed({"hear.eager": 0})
    scene, worked, there = dropped(
        quiet=0.8, settings=late, llm=lambda script: ScriptedModel({}, first=3.0)
    )
    assert worked == pytest.approx(there)
    assert scene.timeline.abandoned == 0


@pytest.mark.parametrize(
    "parts",
    [(("one", 1.024), 0.3, ("", 0.2), 4.0), (("one", 1.024), 1.5, ("mhm", 0.3), 4.0)],
    ids=["the same words", "words that are no interruption"],
)
def test_a_start_of_which_only_the_words_were_wanted_has_cost_these(parts):
    scene = Scene(Script(), *parts, answers={"one": "Well well well well well well well well."})
    (end,) = scene.all(Abandoned)
    assert end.worked == scene.timeline.wasted == pytest.approx(0.1)


def test_what_is_transcribed_for_the_judge_alone_is_counted_though_it_is_no_early_start():
    script = Script()
    parts = ("one", 0.4), 0.3, ("two", 0.4), 0.3, ("three", 0.4), 4.0
    none = Settings().changed({"eager_starts": 0})
    judge = ScriptedJudge({}, delay=0.02)
    scene = Scene(script, *parts, engines=scripted(script, judge=judge), settings=none)
    assert len(scene.all(Abandoned)) == 2
    assert scene.timeline.abandoned == 0
    assert scene.timeline.wasted == pytest.approx(2 * (0.1 + 0.02))


def test_an_answer_that_is_interrupted_was_wanted_until_then():
    kept, _ = timeline(0.5, ("tell a story", 1.0), 1.5, ("stop", 1.0), 5.0)
    assert kept.turns[0].interrupted
    assert kept.wasted == 0


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
