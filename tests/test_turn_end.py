"""How long a pause ends a turn, by what was said; and what may be begun before it has ended."""

from itertools import pairwise

import pytest
from scenes import Faulty, Scene

from voice_kit.hear import endpointing
from voice_kit.hear.judge_silence import Silence
from voice_kit.settings import Settings
from voice_kit.settings.groups import Endpointing
from voice_kit.types import (
    Abandoned,
    Failed,
    FirstToken,
    GateOpened,
    Judged,
    PlaybackStarted,
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

QUESTION, HALF, REST = "what time is it", "set a timer for", "ten minutes"
CHANCES = {QUESTION: 0.95, HALF: 0.05, "well": 0.5, f"{HALF} {REST}": 0.95}


def judged(*parts, delay=0.0, hears=False, stt=0.02, judge=None, **more):
    script = Script()
    judge = judge or ScriptedJudge(CHANCES, delay, script if hears else None)
    engines = scripted(script, stt=ScriptedTranscriber(script, stt), judge=judge)
    return Scene(script, 0.512, *parts, engines=engines, **more)


def waits(scene):
    return [event.at - event.ended for event in scene.all(TurnEnded)]


@pytest.mark.parametrize(
    ("chance", "setting"),
    [
        *((1.0, "finished"), (0.8, "finished"), (0.65, "stop"), (0.6, "stop"), (0.5, "stop")),
        *((0.3, "unfinished"), (0, "unfinished")),
    ],
)
def test_the_wait_follows_from_the_chance(chance, setting):
    rules = Endpointing()
    assert endpointing.wait(chance, rules) == getattr(rules, setting)


def test_the_surer_a_judge_is_the_more_it_changes_the_wait():
    rules = Endpointing(finished=0.2, stop=0.5, unfinished=1.5)
    assert endpointing.wait(0.725, rules) == pytest.approx(0.35)
    assert endpointing.wait(0.4, rules) == pytest.approx(1.0)
    waits = [endpointing.wait(chance / 100, rules) for chance in range(101)]
    assert waits == sorted(waits, reverse=True)
    assert max(before - after for before, after in pairwise(waits)) < 0.06


def test_where_all_waits_are_alike_no_judge_changes_them():
    rules = Endpointing(finished=0.8, stop=0.8, unfinished=0.8)
    assert {endpointing.wait(chance / 100, rules) for chance in range(101)} == {0.8}


@pytest.mark.parametrize("hears", [False, True], ids=["by its words", "by its sound"])
def test_a_finished_question_is_answered_after_the_gap_between_people(hears):
    scene = judged((QUESTION, 1.024), 3.0, hears=hears)
    assert waits(scene) == pytest.approx([0.224])  # 0.2 s in frames of 32 ms
    assert scene.one(Judged).finished == 0.95
    assert scene.one(Judged).wait == 0.2


def test_what_may_be_finished_gets_the_usual_wait():
    assert waits(judged(("well", 1.024), 3.0)) == pytest.approx([0.512])


def test_an_unfinished_sentence_gets_time_for_a_thought():
    scene = judged((HALF, 1.024), 1.2, (REST, 1.024), 3.0)
    assert [event.heard for event in scene.all(TurnFinished)] == [f"{HALF} {REST}"]
    assert scene.one(TurnEnded).at - scene.one(TurnEnded).ended == pytest.approx(0.224)
    assert len(scene.all(PlaybackStarted)) == 1


def test_an_unfinished_sentence_that_stays_so_is_answered_at_last():
    scene = judged((HALF, 1.024), 4.0)
    assert waits(scene) == pytest.approx([1.504])
    assert scene.one(TurnFinished).heard == HALF


def test_a_pause_lasts_until_the_judge_has_spoken_and_no_longer():
    scene = judged((QUESTION, 1.024), 3.0, delay=0.48)
    spoken = scene.one(Judged).at
    assert spoken - scene.one(TurnEnded).ended > Settings().hear.stop
    assert 0 <= scene.one(TurnEnded).at - spoken <= 0.032
    assert scene.one(GateOpened).at == scene.one(TurnEnded).at


def test_a_judge_that_never_speaks_is_waited_for_no_longer_than_for_an_unfinished_sentence():
    scene = judged(
        (QUESTION, 1.024), 9.0, delay=60.0, settings=Settings().changed({"timeouts.judge": 50.0})
    )
    assert waits(scene) == pytest.approx([1.504])


def test_a_judgement_on_an_earlier_pause_does_not_end_a_later_one():
    scene = judged((QUESTION, 0.512), 0.192, ("well", 0.512), 3.0, delay=0.3)
    assert waits(scene) == pytest.approx([0.512])


def test_a_judge_that_fails_is_told_of_and_replaced():
    script = Script()
    engines = scripted(
        script, judge=Faulty(ScriptedJudge({}), ["raises"]), then={"judge": [Silence]}
    )
    scene = Scene(script, 0.512, (QUESTION, 1.024), 3.0, engines=engines)
    assert scene.one(Failed).stage == "judge"
    assert engines.judge.name == "silence"
    assert waits(scene) == pytest.approx([0.512])
    assert scene.one(TurnFinished).heard == QUESTION


def test_noise_without_words_is_not_judged():
    scene = judged(("", 1.024), 3.0)
    assert not scene.engines.judge.current.asked
    assert waits(scene) == pytest.approx([0.512])


def test_without_early_starts_every_pause_is_equally_long():
    scene = judged((HALF, 1.024), 3.0, settings=Settings().changed({"hear.eager": 0}))
    assert waits(scene) == pytest.approx([0.512])
    assert not scene.all(Judged)


@pytest.mark.parametrize("stage", ["stt", "llm", "tts"])
def test_an_engine_whose_call_cannot_be_taken_back_is_called_once_the_turn_is_certain(stage):
    script = Script()
    engine = {
        "stt": ScriptedTranscriber(script),
        "llm": ScriptedModel({}),
        "tts": HummingVoice(),
    }[stage]
    engine.speculative = False
    engines = scripted(script, **{stage: engine})
    scene = Scene(script, 0.512, ("one", 1.024), 0.32, ("two", 1.024), 3.0, engines=engines)
    calls = {"stt": "seconds", "llm": "prompts", "tts": "spoken"}[stage]
    assert scene.one(TurnFinished).heard == "one two"
    assert len(getattr(engine, calls)) == 1
    assert len(scene.all(Abandoned)) == (0 if stage == "stt" else 1)
    assert scene.one(PlaybackStarted).at > scene.one(TurnEnded).at


def test_a_judgement_that_comes_too_late_leaves_no_trace():
    scene = judged((QUESTION, 0.512), 0.192, ("well", 0.512), 3.0, delay=0.3)
    heard = [event.finished for event in scene.all(Judged)]
    assert heard == [0.5]
    assert not scene.timeline._open


def test_the_same_words_at_a_later_pause_are_judged_again_in_the_turn_that_stands():
    scene = judged((QUESTION, 1.024), 0.096, ("", 0.064), 3.0)
    (dropped,) = scene.all(Abandoned)
    assert scene.all(Judged)[-1].turn == scene.one(TurnFinished).turn != dropped.turn
    assert waits(scene) == pytest.approx([0.224])


def test_what_a_judge_works_for_a_start_whose_words_were_the_same_counts_for_the_one_that_stands():
    def wasted(delay):
        scene = judged(
            *(("one", 1.024), 0.3, ("", 0.2), 0.5, ("two", 1.0), 4.0),
            judge=ScriptedJudge({}, delay),
            settings=Settings().changed({"hear.stop": 0.8}),
        )
        first, second = scene.all(Abandoned)
        assert (first.turn, second.turn) == (2, 1)
        assert len(scene.engines.judge.current.asked) == 3
        return scene.timeline.wasted

    assert wasted(0.3) - wasted(0.0) == pytest.approx(0.6)


@pytest.mark.parametrize("answer", [None, "perhaps", float("nan"), 7.0, -1])
def test_a_judge_that_answers_nonsense_ends_no_conversation(answer):
    class Odd(ScriptedJudge):
        async def finished(self, audio, transcript):
            return answer

    scene = judged((QUESTION, 1.024), 3.0, judge=Odd({}))
    assert scene.one(TurnFinished).heard == QUESTION


def test_whoever_talks_over_an_answer_may_go_on_after_a_no():
    script = Script()
    long = " ".join(["word"] * 30)
    engines = scripted(script, {"tell me": long}, judge=ScriptedJudge({"no": 1.0, "tell me": 1.0}))
    scene = Scene(
        script, ("tell me", 1.0), 2.0, ("no", 0.4), 0.3, ("the other one", 1.0), 4.0,
        engines=engines,
    )  # fmt: skip
    assert [text for role, text in scene.memory if role == "user"] == [
        "tell me",
        "no the other one",
    ]


BREATHS = [part for word in ("well", "you", "see", "so") for part in ((word, 0.4), 0.3)]
SO_FAR = "well you see so"


@pytest.mark.parametrize(
    ("last", "chance", "wait"), [(QUESTION, 0.95, 0.224), (HALF, 0.05, 1.504), ("", 0.5, 0.512)]
)
@pytest.mark.parametrize("starts", [0, 3])
def test_after_the_last_early_start_of_a_turn_its_pauses_are_judged_all_the_same(
    last, chance, wait, starts
):
    whole = f"{SO_FAR} {last}".strip()
    scene = judged(
        *(*BREATHS, (last, 0.6), 4.0),
        judge=ScriptedJudge({whole: chance}),
        settings=Settings().changed({"eager_starts": starts}),
    )
    assert waits(scene) == pytest.approx([wait])
    assert scene.one(TurnFinished).heard == whole
    assert [event.eager for event in scene.all(TurnStarted)].count(True) == starts
    assert scene.timeline.abandoned == starts


def test_what_only_listens_thinks_and_speaks_once_the_turn_is_certain():
    scene = judged(*BREATHS, (REST, 0.6), 4.0)
    model, voice = scene.engines.llm.current, scene.engines.tts.current
    assert len(model.prompts) == len(voice.spoken) == Settings().eager_starts + 1
    last = [event for event in scene.all(FirstToken) if event.turn == scene.one(TurnFinished).turn]
    assert last[0].at >= scene.one(GateOpened).at
    assert last[0].at - scene.one(GateOpened).at == pytest.approx(model.first), "it had the words"


def test_a_start_stands_though_later_pauses_were_only_listened_at_and_brought_no_words():
    noise = ("", 0.16)
    scene = judged(*BREATHS[:-1], 0.3, noise, 0.3, noise, 4.0)
    started = [event.turn for event in scene.all(TurnStarted) if event.eager]
    listened = [event.turn for event in scene.all(TurnStarted) if not event.eager]
    assert len(listened) == 3, "nothing was only listened at: this tests nothing"
    assert scene.one(TurnFinished).heard == SO_FAR
    assert scene.one(TurnFinished).turn == listened[0] > started[-1]


@pytest.mark.parametrize("paid", ["speculative", "partials"])
def test_a_transcriber_that_is_paid_for_each_call_is_not_asked_for_the_judge_alone(paid):
    script = Script()
    stt = ScriptedTranscriber(script, 0.02)
    setattr(stt, paid, False)
    engines = scripted(script, stt=stt, judge=ScriptedJudge({}))
    Scene(script, 0.512, *BREATHS, (QUESTION, 0.6), 4.0, engines=engines)
    assert len(stt.seconds) == 1 + (0 if paid == "speculative" else Settings().eager_starts)


def test_nothing_is_transcribed_for_a_judge_alone_that_needs_no_words():
    scene = judged(*BREATHS, 4.0, judge=Silence(), settings=Settings().changed({"eager_starts": 0}))
    assert scene.one(TurnFinished).heard == SO_FAR
    assert len(scene.engines.stt.current.seconds) == 1


@pytest.mark.parametrize(("said", "wait"), [(QUESTION, 0.224), (HALF, 1.504)])
def test_a_judge_that_only_listens_is_asked_though_nothing_may_be_transcribed_early(said, wait):
    script = Script()
    stt = ScriptedTranscriber(script, 0.02)
    stt.speculative = False
    engines = scripted(script, stt=stt, judge=ScriptedJudge(CHANCES, 0.1, script))
    scene = Scene(script, 0.512, (said, 1.024), 4.0, engines=engines)
    assert waits(scene) == pytest.approx([wait])
    assert len(stt.seconds) == 1


def test_a_judge_that_listens_is_asked_after_the_last_early_start_too():
    whole = f"{SO_FAR} {QUESTION}"
    script = Script()
    engines = scripted(script, judge=ScriptedJudge({whole: 0.95}, 0.0, script))
    scene = Scene(script, 0.512, *BREATHS, (QUESTION, 0.6), 4.0, engines=engines)
    assert waits(scene) == pytest.approx([0.224])
    assert [event.eager for event in scene.all(TurnStarted)].count(True) == 3


def test_a_judge_that_is_asked_about_a_sound_alone_is_not_told_of_in_the_turn_before():
    script = Script()
    long = " ".join(["word"] * 30)
    stt = ScriptedTranscriber(script, 0.02)
    stt.speculative = False
    judge = ScriptedJudge({}, 0.0, script)
    scene = Scene(
        script,
        *(0.5, ("tell me", 1.0), 1.5, ("one", 0.5), 1.5, ("two", 0.5), 12.0),
        engines=scripted(script, {"tell me": long}, stt=stt, judge=judge),
        settings=Settings().changed({"interrupt.mode": "never"}),
    )
    assert len(judge.asked) == 3
    assert not scene.all(Judged)


def test_nothing_is_transcribed_for_the_judge_alone_that_would_come_too_late_for_it():
    scene = judged(*BREATHS, (QUESTION, 0.6), 4.0, stt=1.6)
    assert [event.eager for event in scene.all(TurnStarted)] == [True, False]
