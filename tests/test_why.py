"""Where the time of a turn went, and how the same question goes with other settings."""

from dataclasses import dataclass

import numpy as np
import pytest
from helpers_recording import nobody, record
from scenes import Faulty, after

from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.audio.volume import Volume
from voice_kit.converse import given
from voice_kit.converse.asked import QUIET
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.late import LateSpeaker
from voice_kit.converse.recorded import read_recording
from voice_kit.converse.recording import Recorder
from voice_kit.converse.virtual import run
from voice_kit.settings import Settings
from voice_kit.types import RATE, Abandoned, FellAsleep, Judged, Woke
from voice_kit.workshop.fakes import (
    HummingVoice,
    Script,
    ScriptedJudge,
    ScriptedModel,
    ScriptedTranscriber,
    scripted,
)

QUESTION = (0.5, ("what is it", 0.6), 4.0)


def asked(tmp_path, changes=None, parts=QUESTION, **engines):
    script = Script()
    settings = Settings().changed(changes or {})
    engines = {"stt": ScriptedTranscriber(script), **engines}
    return record(tmp_path / "talk", scripted(script, **engines), script.sound(*parts), settings)


def milliseconds(turn):
    return {part.stage: round(1000 * part.seconds) for part in turn.why().parts}


CASES = {
    "an early start that is ready before the gate": ({}, {}),
    "an early start that is not": ({"hear.stop": 0.2}, {}),
    "no early start": ({"hear.eager": 0}, {}),
    "slow words for the judge": (
        {},
        {"judge": ScriptedJudge({"what is it": 0.9}, delay=0.4)},
    ),
    "finished": ({}, {"judge": ScriptedJudge({"what is it": 0.9})}),
    "unfinished": ({}, {"judge": ScriptedJudge({"what is it": 0.1})}),
    "a slow model": ({}, {"llm": ScriptedModel({}, first=0.9, token=0.2)}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_parts_sum_to_the_whole(case, tmp_path):
    changes, engines = CASES[case]
    (turn,) = asked(tmp_path, changes, **engines).turns
    found = turn.why()
    assert turn.times.voice_to_voice > 0.1
    assert found.seconds == pytest.approx(turn.times.voice_to_voice, abs=1e-9)
    assert sum(part.seconds for part in found.parts) == pytest.approx(found.seconds, abs=1e-9)
    assert all(part.seconds >= 0 for part in found.parts)


def test_the_sum_holds_in_a_conversation_with_everything_in_it(tmp_path):
    parts = (0.5, ("what is it", 0.8), 1.2, ("stop that", 0.9), 0.3, ("please", 0.6), 0.7)
    recording = asked(tmp_path, parts=(*parts, ("and this", 0.7), 4.0))
    turns = [turn for turn in recording.turns if turn.times.first_sound]
    assert len(turns) >= 2
    for turn in turns:
        whole = turn.times.voice_to_voice
        assert sum(part.seconds for part in turn.why().parts) == pytest.approx(whole, abs=1e-9)


def test_what_is_ready_before_the_gate_leaves_the_wait_alone_and_says_what_a_shorter_one_saves(
    tmp_path,
):
    (turn,) = asked(tmp_path).turns
    assert milliseconds(turn) == {"wait": 512}
    assert str(turn.why()) == (
        "512 of 512 ms is waiting for you to go on: `hear.stop`, `hear/endpointing.py`. "
        "A shorter hear.stop, now 0.5 s, saves up to 198 ms."
    )
    assert repr(turn.why()) == str(turn.why())
    saved = turn.times.voice_to_voice - turn.again(stop=0.064).turns[0].times.voice_to_voice
    assert saved == pytest.approx(0.198, abs=1e-3), "what it says is so"


def test_without_an_early_start_every_stage_counts(tmp_path):
    (turn,) = asked(tmp_path, {"hear.eager": 0, "hear.stop": 0.3}).turns
    assert milliseconds(turn) == {
        "wait": 320,
        "transcribe": 100,
        "first_token": 100,
        "synthesis": 50,
    }
    assert "then: 100 ms scripted writing down" in str(turn.why()).lower()
    assert "saves up to 320 ms" in str(turn.why())


def test_work_that_takes_longer_than_the_wait_counts_from_the_gate_on(tmp_path):
    model = ScriptedModel({}, first=0.9)
    (turn,) = asked(tmp_path, llm=model).turns
    parts = milliseconds(turn)
    assert parts["wait"] == 512
    assert parts["first_token"] == 64 + 100 + 900 - 512
    why = turn.why()
    assert why.parts[0].setting == "llm"
    assert "voice-kit doctor" in str(why)
    (slower,) = asked(tmp_path / "2", {"hear.stop": 0.8}, llm=model).turns
    assert "saves nothing" in str(slower.why())


@pytest.mark.parametrize(
    ("chance", "setting"),
    [
        *((0.9, "hear.finished"), (0.75, "hear.finished"), (0.7, "hear.stop"), (0.5, "hear.stop")),
        *((0.45, "hear.stop"), (0.35, "hear.unfinished"), (0.1, "hear.unfinished")),
    ],
)
def test_the_wait_is_named_by_the_setting_that_the_judge_chose(tmp_path, chance, setting):
    (turn,) = asked(tmp_path, judge=ScriptedJudge({"what is it": chance})).turns
    (wait,) = [part for part in turn.why().parts if part.stage == "wait"]
    assert wait.setting == setting
    assert f"`{setting}`" in str(turn.why())


def test_words_that_come_too_late_for_the_judge_are_not_called_a_wait_for_the_speaker(tmp_path):
    judge = ScriptedJudge({"what is it": 0.9})
    script = Script()
    engines = scripted(script, stt=ScriptedTranscriber(script, delay=0.6), judge=judge)
    recording = record(tmp_path / "talk", engines, script.sound(*QUESTION))
    parts = milliseconds(recording.turns[0])
    assert parts["transcribe"] == pytest.approx(64 + 600 - 200, abs=33)
    assert parts["wait"] == pytest.approx(200, abs=33)


@pytest.mark.parametrize("stage", ["stt", "llm", "tts"])
def test_an_engine_that_hangs_is_named_for_the_time_until_another_one_spoke(tmp_path, stage):
    script = Script()
    good = {"stt": ScriptedTranscriber(script), "llm": ScriptedModel({}), "tts": HummingVoice()}
    bad = Faulty(good[stage], ["hangs", "hangs"], name="espeak:slow")
    spare = {stage: [lambda: good[stage]]}
    engines = scripted(script, **good | {stage: bad}, then=spare)
    settings = Settings().changed({f"timeouts.{stage}": 5.0})
    recording = record(tmp_path / "talk", engines, script.sound(*QUESTION, 9.0), settings)
    why = recording.turns[0].why()
    first = why.parts[0]
    assert (first.stage, first.setting) == (stage, stage)
    assert first.where == ("speak/tts_espeak.py" if stage == "tts" else "espeak:slow")
    assert first.seconds > 4.0
    assert milliseconds(recording.turns[0]).get("between", 0) == 0
    assert "espeak:slow, which failed" in str(why)
    assert str(why).endswith(f"timeouts.{stage} in the settings"), "its fix is the advice"
    total = recording.turns[0].times.voice_to_voice
    assert sum(part.seconds for part in why.parts) == pytest.approx(total)


def test_the_longest_wait_is_named_where_it_held_since_the_judge_never_spoke(tmp_path):
    script = Script()
    stt, judge = ScriptedTranscriber(script, delay=1.43), ScriptedJudge({}, delay=0.2)
    recording = record(
        *(tmp_path / "talk", scripted(script, stt=stt, judge=judge), script.sound(*QUESTION)),
        Settings().changed({"hear.stop": 0.3}),
    )
    (turn,) = recording.turns
    assert not any(isinstance(event, Judged) for event in recording.events)
    assert milliseconds(turn)["wait"] == 1504
    assert turn.why().parts[0].setting == "hear.unfinished"


def test_a_judge_that_hangs_is_named_for_what_its_time_limit_adds_to_the_wait(tmp_path):
    script = Script()
    engines = scripted(script, judge=Faulty(ScriptedJudge({}, script=script), ["hangs"]))
    settings = Settings().changed({"timeouts.judge": 1.2, "eager_starts": 0})
    recording = record(tmp_path / "talk", engines, script.sound(*QUESTION), settings)
    assert not any(isinstance(event, Judged) for event in recording.events)
    (turn,) = recording.turns
    parts = milliseconds(turn)
    assert parts["wait"] == pytest.approx(500, abs=33)
    assert parts["judge"] == pytest.approx(64 + 1200 - 500, abs=33)
    (wait,) = [part for part in turn.why().parts if part.stage == "wait"]
    assert wait.setting == "hear.stop"


def test_an_answer_that_was_held_for_a_cough_does_not_wait_for_the_loudspeaker(tmp_path):
    parts = 0.5, ("what is it", 1.0), 0.7, ("", 0.1), 4.0
    model = ScriptedModel({}, first=0.6)
    script = Script()
    recording = record(
        *(tmp_path / "talk", scripted(script, llm=model), script.sound(*parts)),
        speaker=LateSpeaker(0.07),
    )
    (turn,) = recording.turns
    assert milliseconds(turn)["held"] == 210
    assert milliseconds(turn)["playback"] == 70
    assert "210 ms holding it, as someone spoke" in str(turn.why())


@pytest.mark.parametrize("loud", [lambda speaker: speaker, Volume], ids=["plain", "with a volume"])
def test_the_wait_for_a_loudspeaker_names_the_one_that_was_recorded(tmp_path, loud):
    script = Script()
    speaker = loud(LateSpeaker(0.7))
    recording = record(
        *(tmp_path / "talk", scripted(script), script.sound(*QUESTION)), speaker=speaker
    )
    first = recording.turns[0].why().parts[0]
    assert (first.stage, first.where) == ("playback", "converse/late.py")
    tape = tmp_path / "talk" / "tape.jsonl"
    lines = tape.read_text().splitlines(keepends=True)
    tape.write_text("".join(line for line in lines if not line.startswith('{"speaker"')))
    older = read_recording(tmp_path / "talk").turns[0].why().parts[0]
    assert older.where == "audio/card_speaker.py"


def test_an_engine_of_ours_is_named_with_its_module(tmp_path):
    voice = HummingVoice(delay=2.0, name="espeak")
    (turn,) = asked(tmp_path, tts=voice).turns
    first = turn.why().parts[0]
    assert (first.setting, first.where) == ("tts", "speak/tts_espeak.py")
    assert str(first).startswith("espeak turning")


def test_an_answer_that_was_never_heard_says_so(tmp_path):
    model = ScriptedModel({}, first=5.0)
    parts = (0.5, ("what is it", 0.6), 1.0, ("never mind", 0.9), 1.0)
    recording = asked(tmp_path, {"interrupt.mode": "any"}, parts, llm=model)
    silent = [turn for turn in recording.turns if turn.times.first_sound is None]
    for turn in silent:
        assert str(turn.why()).startswith("Nothing of the answer was heard.")


# Again


def test_the_same_question_with_three_waits_is_answered_after_each_of_them(tmp_path):
    (turn,) = asked(tmp_path, judge=ScriptedJudge({"what is it": 0.9})).turns
    for stop in (2.0, 0.8, 0.4):
        recording = turn.again(stop=stop)
        (again,) = recording.turns
        assert again.times.heard == "what is it"
        assert again.times.voice_to_voice == pytest.approx(stop, abs=0.04)
        first = round(again.times.first_sound * RATE)
        loud = np.abs(recording.sound.samples)
        assert loud[first + 800 : first + 1600].mean() == pytest.approx(0.1, abs=0.01)
        assert loud[first - 1600 : first].max() == 0
        start = round(again.times.bars[0].start * RATE)
        assert loud[start : start + 1600].max() > 0, "the question is heard as well"


def test_asked_again_a_question_is_alone_with_what_was_said_before(tmp_path):
    parts = (0.5, ("hello there", 0.8), 3.0, ("what is it", 0.6), 3.0, ("no more", 0.8), 3.0)
    recording = asked(tmp_path, parts=parts)
    assert [turn.times.heard for turn in recording.turns] == [
        "hello there",
        "what is it",
        "no more",
    ]
    model = ScriptedModel({}, name="other")
    again = recording.turns[1].again(engines={"llm": model}, changes={"hear.stop": 0.4})
    assert [turn.times.heard for turn in again.turns] == ["what is it"]
    said = [(line.role, line.content) for line in model.prompts[0][1:]]
    assert said == [
        ("user", "hello there"),
        ("assistant", "You said hello there."),
        ("user", "what is it"),
    ]


@pytest.mark.parametrize(
    ("mode", "pauses"),
    [("evidence", (3.0, 0.56)), ("never", (0.9, 0.7))],
    ids=["its gate had opened", "it waited for an earlier answer"],
)
def test_a_question_in_two_breaths_is_asked_again_whole(tmp_path, mode, pauses):
    first, second = pauses
    parts = (0.5, ("hello there", 0.8), first, ("what is", 0.3), second, ("it", 0.3), 4.0)
    model = ScriptedModel({"hello there": "one two three four five six seven eight."}, first=0.4)
    recording = asked(tmp_path, {"interrupt.mode": mode}, parts, llm=model)
    last = recording.turns[-1]
    assert last.times.heard == "what is it"
    assert any(isinstance(event, Abandoned) for event in recording.events)
    stt = ScriptedTranscriber(Script(["hello there", "what is", "it"]))
    again = last.again(stop=0.9, engines={"stt": stt})
    assert [turn.times.heard for turn in again.turns] == ["what is it"]


@dataclass
class Phrase:
    """Wakes at the end of the first words in this sound, and sleeps after the last answer."""

    wakes: float
    sleeps: float
    asleep: bool = True

    def feed(self, frame, now, busy):
        if self.asleep and self.wakes <= now < self.sleeps:
            self.asleep = False
            return Woke(now, now - 0.192)
        if not self.asleep and now >= self.sleeps:
            self.asleep = True
            return FellAsleep(now)
        return None


Phrase.__name__ = "Sleep"


def test_a_question_to_an_assistant_that_had_slept_is_asked_again_without_the_wake_phrase(tmp_path):
    script = Script()
    parts = ("hey computer", 0.8), ("what time is it", 0.9), 4.0, ("and the date", 0.8), 4.0
    sound = script.sound(1.024, *parts, ("good night", 0.8), 4.0)
    sleep = Phrase(wakes=2.048, sleeps=12.0)
    recording = record(tmp_path / "talk", scripted(script), sound, sleep=sleep)
    assert [turn.times.heard for turn in recording.turns] == ["what time is it", "and the date"]
    for turn in recording.turns:
        (again,) = turn.again(make=nobody).turns
        assert again.times.heard == turn.times.heard
        assert again.times.voice_to_voice == pytest.approx(turn.times.voice_to_voice)


def test_asked_again_a_question_is_answered_as_late_as_the_loudspeaker_was(tmp_path):
    script = Script()
    engines, speaker = scripted(script), LateSpeaker(0.2)
    recording = record(tmp_path / "talk", engines, script.sound(*QUESTION), speaker=speaker)
    (turn,) = recording.turns
    (again,) = turn.again(make=nobody).turns
    assert again.times.voice_to_voice == pytest.approx(0.512 + 0.2)


def test_a_short_wait_cuts_the_question_as_it_would_have(tmp_path):
    script = Script()
    sound = script.sound(0.5, ("set a timer for", 0.8), 0.35, ("ten minutes", 0.7), 4.0)
    recording = record(tmp_path / "talk", scripted(script), sound)
    engines = {
        "stt": ScriptedTranscriber(script),
        "llm": ScriptedModel({}),
        "tts": HummingVoice(),
    }
    again = recording.turns[-1].again(stop=0.2, engines=engines)
    assert [turn.times.heard for turn in again.turns] == ["set a timer for", "ten minutes"]


def test_a_turn_is_told_and_asked_again_with_the_settings_that_it_had(tmp_path):
    def change(to):
        def do(talk):
            talk.settings = talk.settings.changed(to)

        return do

    moments = (
        (4.0, change({"hear.stop": 2.0, "hear.eager": 0})),
        (6.6, change({"hear.stop": 0.1})),  # in mid-question: from the next one on
        (11.0, change({"persona": "Be brief."})),
        (11.5, lambda talk: talk.type("a line")),
    )
    script = Script()
    sound = script.sound(0.5, ("first", 1.0), 4.5, ("second", 1.0), 6.0)
    recording = record(
        *(tmp_path / "talk", scripted(script), sound),
        during=lambda talk: after(*moments)(talk, []),
    )
    first, second, typed = recording.turns
    assert "hear.stop, now 0.5 s" in str(first.why())
    assert "hear.stop, now 2 s" in str(second.why())
    assert typed.times.heard == "a line"
    for turn in recording.turns:
        (again,) = turn.again(make=nobody).turns
        assert again.times.heard == turn.times.heard
        assert str(again.why()) == str(turn.why())
    (sooner,) = second.again(stop=1.0, make=nobody).turns
    assert second.times.voice_to_voice - sooner.times.voice_to_voice == pytest.approx(1.0, abs=0.04)


def test_a_typed_line_is_typed_again(tmp_path):
    script = Script()
    recording = record(
        tmp_path / "talk",
        scripted(script),
        script.sound(4.0),
        during=lambda talk: talk.type("a line"),
    )
    (turn,) = recording.turns
    assert sum(part.seconds for part in turn.why().parts) == pytest.approx(0.15)
    (again,) = turn.again().turns
    assert (again.times.heard, again.times.said) == ("a line", "You said a line.")


def test_turns_that_came_as_a_whole_from_a_client_are_asked_again_each(tmp_path):
    script = Script()
    sound = script.sound(0.2, ("what is it", 0.8), 4.0)
    lines = [script.sound(0.1, (words, 0.8), 0.1) for words in ("and this", "or that")]

    async def hold():
        with Recorder(tmp_path / "talk") as recorder:
            engines = recorder.engines(scripted(script))
            async with Conversation(engines, SilentSpeaker(RATE)) as talk:
                recorder.follow(talk)
                given.answer(talk, recorder.said(lines[0]))  # longer than it had listened
                await talk.idle()
                await talk.listen(recorder.microphone(FileMicrophone(sound)))
                given.answer(talk, recorder.said(lines[1]))
                await talk.idle()

    run(hold(), fast=True)
    recording = read_recording(tmp_path / "talk")
    assert [turn.times.heard for turn in recording.turns] == ["and this", "what is it", "or that"]
    for turn in recording.turns:
        (again,) = turn.again(make=nobody).turns
        assert again.times.heard == turn.times.heard
        assert again.times.voice_to_voice == pytest.approx(turn.times.voice_to_voice, abs=0.01)


def test_the_quiet_behind_a_question_is_longer_than_a_wait_can_be():
    longest = [
        field.le
        for name in ("stop", "finished")
        for field in Settings().hear.__class__.model_fields[name].metadata
        if hasattr(field, "le")
    ]
    assert longest
    assert max(longest) < QUIET


def test_an_earlier_answer_that_has_the_floor_is_told_from_the_loops_own_way(tmp_path):
    answers = {"tell me all": "one two three four five six seven eight."}
    parts = (0.5, ("tell me all", 0.8), 0.9, ("what is it", 0.3), 6.0)
    script = Script()
    engines = scripted(script, answers)
    settings = Settings().changed({"interrupt.mode": "never"})
    recording = record(tmp_path / "talk", engines, script.sound(*parts), settings)
    waited = [turn for turn in recording.turns if milliseconds(turn).get("floor")]
    assert waited
    assert "`interrupt.after`" in str(waited[0].why())
    assert milliseconds(waited[0])["floor"] > 300
    assert "floor" not in milliseconds(recording.turns[0])
