"""Scenarios: the kit's own come true, and every expectation fails when it should."""

import json
import subprocess
import sys

import numpy as np
import pytest
import yaml

from voice_kit.audio.convert import convert
from voice_kit.audio.files import read as read_sound
from voice_kit.audio.files import write
from voice_kit.errors import VoiceKitError
from voice_kit.sounds import clip
from voice_kit.types import RATE, Audio, FrameHeard, Speech, Word
from voice_kit.workshop.fakes import ScriptedModel
from voice_kit.workshop.overheard import Listener, after
from voice_kit.workshop.scenario import SHIPPED, read, shipped
from voice_kit.workshop.scenario_cast import Cast
from voice_kit.workshop.scenario_checks import CHECKS, matches, word_error_rate
from voice_kit.workshop.scenario_run import run
from voice_kit.workshop.scenario_sounds import Sounds
from voice_kit.workshop.user import Words

FILES = shipped()
STORY = "Once upon a time there was a king."
TWO_LINES = {
    "engines": "scripted",
    "answers": {"Tell me a story": STORY, "And then?": "He grew old."},
    "lines": [
        {
            "say": "Tell me a story.",
            "expect": {
                "answered": True,
                "heard": "tell me a story",
                "wer": 0,
                "contains": ["there was", "a king"],
                "absent": "queen",
                "said_heard": "Once upon a",
                "interrupted": True,
                "resumed": 0,
                "within_ms": 700,
                "failed": [],
            },
        },
        {"say": "And then?", "after": "the assistant's third word"},
    ],
    "expect": {
        "turns": 2,
        "abandoned": 0,
        "contains": "grew old",
        "absent": "queen",
        "interrupted": True,
        "resumed": "<= 1",
        "within_ms": 700,
        "failed": [],
        "memory": [
            {"user": "Tell me a story"},
            {"assistant": "Once upon a"},
            {"user": "And …"},
            {"assistant": "He … old"},
        ],
    },
}
WRONG_OF_THE_LINE = {
    "answered": False,
    "heard": "tell me two stories",
    "wer": 0,  # with another text: see below
    "contains": ["a king", "a queen"],
    "absent": ["queen", "king"],
    "said_heard": "Once upon a time",
    "interrupted": False,
    "resumed": ">= 1",
    "within_ms": 100,
    "failed": "llm",
    "route": "skill",
    "tool": "set_timer",
}
WRONG_OF_THE_WHOLE = {
    "turns": 3,
    "abandoned": ">= 1",
    "contains": "grew young",
    "absent": "old",
    "interrupted": False,
    "resumed": 2,
    "within_ms": 100,
    "failed": ["stt"],
    "tool": ["add_note"],
    "memory": [{"user": "Tell me a story"}, {"assistant": "Once upon a time"}],
}


@pytest.fixture(scope="module")
def cast():
    return Cast()


@pytest.fixture
def written(tmp_path):
    """Writes a scenario, given as data or as text, and gives its path."""

    def write_down(scenario, name="mine.yaml"):
        path = tmp_path / name
        text = scenario if isinstance(scenario, str) else yaml.safe_dump(scenario)
        path.write_text(text, encoding="utf-8")
        return path

    return write_down


def changed(scenario, *place, to):
    """A copy of plain data with one value changed."""
    copy = json.loads(json.dumps(scenario))
    inner = copy
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = to
    return copy


def failures(result):
    return {(outcome.line, outcome.expect) for outcome in result.outcomes if outcome.ok is False}


# The kit's own


def test_a_dozen_come_with_the_kit():
    assert len(FILES) >= 12


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_the_kits_own_scenarios_expect_comes_true(path, cast):
    result = run(read(path), cast)
    assert result.outcomes
    assert failures(result) == set(), [o for o in result.outcomes if o.ok is False]


def test_a_scenario_with_costs_goes_the_same_way_each_time(cast):
    scenario = read(SHIPPED / "third_word.yaml")
    one, other = (
        [event for event in run(scenario, cast).report.events if not isinstance(event, FrameHeard)]
        for _ in range(2)
    )
    assert len(one) > 20
    assert [type(event) for event in one] == [type(event) for event in other]
    # espeak-ng carries its filters from one sentence to the next: a word takes 10 ms more or less.
    late = [abs(a.at - b.at) for a, b in zip(one, other, strict=True)]
    assert max(late) < 0.1


def test_without_a_judge_of_words_a_pause_to_think_ends_the_turn():
    deaf = Cast(changes={"judge": "silence"})
    result = run(read(SHIPPED / "thinking_pause.yaml"), deaf)
    assert (None, "turns") in failures(result)


def test_the_page_that_explains_the_format_names_every_expectation_and_key(written):
    page = (SHIPPED / "README.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    scenario = read(written(example))
    assert {line for line in CHECKS if f"{line}:" not in example} == set()
    missing = {name for name in type(scenario).model_fields if f"{name}:" not in example}
    assert missing == set()
    missing = {name for name in type(scenario.lines[0]).model_fields if f"{name}:" not in example}
    assert missing == set()


# Each expectation fails when it should


def test_a_conversation_of_two_lines_comes_as_it_is_written(written, cast):
    result = run(read(written(TWO_LINES)), cast)
    assert failures(result) == set(), result.outcomes
    assert len(result.outcomes) == len(TWO_LINES["lines"][0]["expect"]) + len(TWO_LINES["expect"])


def test_no_expectation_is_left_out_of_these_tests():
    of = {place: {n for n, c in CHECKS.items() if c.of in (place, "both")} for place in
          ("line", "whole")}  # fmt: skip
    assert of["line"] == {*WRONG_OF_THE_LINE, "judge"}
    assert of["whole"] == {*WRONG_OF_THE_WHOLE, "judge"}


@pytest.mark.parametrize("name", sorted(WRONG_OF_THE_LINE.keys() - {"wer"}))
def test_a_wrong_expectation_of_a_line_fails_and_no_other(name, written, cast):
    wrong = changed(TWO_LINES, "lines", 0, "expect", name, to=WRONG_OF_THE_LINE[name])
    assert failures(run(read(written(wrong)), cast)) == {(1, name)}


@pytest.mark.parametrize("name", WRONG_OF_THE_WHOLE)
def test_a_wrong_expectation_of_the_whole_fails_and_no_other(name, written, cast):
    wrong = changed(TWO_LINES, "expect", name, to=WRONG_OF_THE_WHOLE[name])
    assert failures(run(read(written(wrong)), cast)) == {(None, name)}


def test_misheard_words_are_counted(cast, written):
    assert word_error_rate("tell me a story", "Tell me, a story!") == 0
    assert word_error_rate("tell me a story", "tell a sorry") == 0.5
    assert word_error_rate("yes", "no no no") == 3
    joined = {
        "engines": "scripted",
        "lines": [
            {"say": "Yes.", "expect": {"answered": False}},
            {
                "say": "No.",
                "after": "my last word",
                "pause": 0.2,
                "expect": {"wer": 0.5},
            },
        ],
    }
    assert failures(run(read(written(joined)), cast)) == {(1, "answered"), (2, "wer")}


def test_of_a_line_without_an_answer_nothing_comes_true(written, cast):
    expect = {"answered": True, "heard": "Yes", "interrupted": False, "failed": []}
    joined = {
        "engines": "scripted",
        "costs": {"stt": 1},
        "lines": [
            {"say": "Yes.", "expect": expect},
            {
                "say": "No.",
                "after": "my last word",
                "pause": "700 ms",
                "expect": {"answered": True, "heard": "yes no"},
            },
        ],
    }
    assert failures(run(read(written(joined)), cast)) == {(1, name) for name in expect}


def test_what_is_typed_and_a_hush_do_what_they_do(written, cast):
    typed = changed(TWO_LINES, "lines", 1, to={"hush": True, "after": "the words 'upon a time'"})
    typed["lines"] += [
        {"type": "And then?", "expect": {"heard": "and then", "contains": "grew old"}},
        {"type": "Tell me a story.", "into": 0.3, "expect": {"within_ms": 300}},
    ]
    typed["lines"][0]["expect"] = {"interrupted": True, "said_heard": "Once upon a time"}
    typed["lines"][2]["expect"]["interrupted"] = True
    typed["expect"] = {"turns": 3, "resumed": 0}
    result = run(read(written(typed)), cast)
    assert failures(result) == set(), result.outcomes
    typed["lines"][3]["expect"] = {"within_ms": 150}
    assert failures(run(read(written(typed)), cast)) == {(4, "within_ms")}


def test_a_timer_that_rings_is_no_typed_line(written, cast):
    lines = [
        {"type": "Set a timer for two seconds.", "expect": {"tool": "set_timer"}},
        {"type": "Tell me a story.", "pause": 6, "expect": {"heard": "tell me a story"}},
    ]
    ringing = {"lines": lines, "answers": {"tell me a story": "Once upon a time."}}
    result = run(read(written({**TWO_LINES, **ringing, "expect": {"turns": 3}})), cast)
    assert failures(result) == set(), result.outcomes
    assert [turn.heard for turn in result.report.timeline.turns][1] == "", "the timer rang between"


def test_a_failure_nobody_expected_fails_the_scenario(written, cast):
    broken = {"lines": ["Yes."], "broken": "llm", "expect": {"turns": 1}, "costs": {"stt": 0.1}}
    result = run(read(written(broken)), cast)
    assert failures(result) == {(None, "failed")}
    assert "llm" in next(o.seen for o in result.outcomes if o.expect == "failed")


def test_a_place_in_an_answer_that_never_comes_fails_the_scenario(written, cast):
    late = changed(TWO_LINES, "lines", 1, "after", to="the assistant's 30th word")
    late["lines"][0]["expect"], late["expect"] = {}, {"turns": 2}
    assert failures(run(read(written(late)), cast)) == {(2, "after")}
    late = changed(late, "lines", 1, to={"say": "And then?", "into": 30})
    assert failures(run(read(written(late)), cast)) == {(2, "after")}


def test_costs_are_what_a_step_takes_unless_it_is_measured(written, cast):
    slow = changed(TWO_LINES, "costs", to={"stt": 3})
    assert (1, "within_ms") in failures(run(read(written(slow)), cast))
    assert failures(run(read(written(slow)), cast, measured=True)) == set()


def test_patience_is_for_silence_and_not_for_a_long_answer(written, cast):
    long = {
        "engines": "scripted",
        "patience": 1,
        "answers": {"hello": " ".join(["word"] * 40)},
        "lines": [
            {"say": "hello", "expect": {"said_heard": "word … word", "interrupted": False}},
            {"say": "bye", "expect": {"answered": True}},
        ],
    }
    result = run(read(written(long)), cast)
    assert failures(result) == set()
    assert result.report.timeline.turns[0].said_heard.count("word") == 40


def test_who_gets_no_answer_goes_on_after_a_while(written, cast):
    unheard = {
        "patience": 2,
        "costs": {"stt": 0.1},
        "lines": [
            {"clip": "noise_cough", "expect": {"answered": False}},
            {"say": "Yes.", "expect": {"heard": "yes"}},
        ],
    }
    result = run(read(written({**unheard, "expect": {"turns": 1}})), cast)
    assert failures(result) == set()
    assert result.report.sound.seconds < 9


# A model as judge


class _Judges(Cast):
    """The scripted engines, but with a language model that may judge."""

    def __init__(self, verdict):
        super().__init__()
        self.model = ScriptedModel({}, name="wise")
        self.verdict = verdict

    def engines(self, scenario, settings, listener):
        engines = super().engines(scenario, settings, listener)
        self.model.answers = _Always(self.verdict)
        engines.llm.current = self.model
        return engines


class _Always(dict):
    def __init__(self, answer):
        self.answer = answer

    def get(self, asked, otherwise=None):
        return self.answer


@pytest.mark.parametrize(
    ("verdict", "ok"), [("Yes, it does.", True), ("No.", False), ("Who knows?", None)]
)
def test_a_language_model_judges_an_answer(verdict, ok, written):
    asked = {
        "lines": [{"say": "Yes.", "expect": {"judge": "Is it polite?"}}],
        "costs": {"stt": 0.1, "tts": 0.02},
    }
    judges = _Judges(verdict)
    (outcome, _) = run(read(written(asked)), judges).outcomes
    assert outcome.ok is ok
    question = judges.model.prompts[-1][-1].content
    assert "Is it polite?" in question
    assert verdict in question, "it was not told the answer"


def test_where_no_model_can_judge_that_is_skipped_and_said(cast):
    result = run(read(SHIPPED / "plain_question.yaml"), cast)
    (outcome,) = [outcome for outcome in result.outcomes if outcome.expect == "judge"]
    assert outcome.ok is None
    assert "--llm" in outcome.seen
    assert result.ok


# What was heard of an answer


def speech(text, seconds, words=()):
    return Speech(text, Audio.silence(seconds), tuple(words))


def test_a_words_end_is_when_its_voice_says():
    timed = [
        speech("I am here.", 2, [Word("I am", 0.1, 0.5), Word("here.", 1, 1.5)]),
        speech("You?", 1, [Word("You?", 0.2, 0.6)]),
    ]
    assert after(timed, Words(1)) == pytest.approx(0.1 + 0.4 / 3)
    assert after(timed, Words(2)) == pytest.approx(0.5)
    assert after(timed, Words(3)) == pytest.approx(1.5)
    assert after(timed, Words(4)) == pytest.approx(2.6)
    assert after(timed, Words(5)) is None
    assert after(timed, Words(text="Here, you")) == pytest.approx(2.6)
    assert after(timed, Words(text="you here")) is None


def test_without_times_it_is_by_the_share_of_the_text_pieces_without_text_too():
    plain = [speech("One two six nine.", 1), speech("", 1), speech("Ten.", 1)]
    assert after(plain, Words(1)) == pytest.approx(2 * 3 / 13)
    assert after(plain, Words(4)) == pytest.approx(2)
    assert after(plain, Words(text="ten")) == pytest.approx(3)


def test_while_more_sound_for_a_text_may_come_its_words_are_not_placed():
    listener = Listener()

    class Voice:
        name = "in pieces"

        def speak(self, text):
            yield speech(text, 1)
            yield speech("", 1)

    voice = listener.voice(Voice())
    assert voice.name == "in pieces"
    parts = voice.speak("One two.")
    given = [next(parts)]
    assert listener._sure(given) == []
    given.append(next(parts))
    assert listener._sure(given) == []
    assert next(parts, None) is None
    assert listener._sure(given) == given


def test_three_dots_stand_for_any_words_and_marks_for_none():
    assert matches("The sample …", "the sample rate is high")
    assert matches("… rate …", "The sample rate is high.")
    assert matches("The sample…", "The sample")
    assert not matches("The sample … low", "the sample rate is high")
    assert not matches("The sample", "the sample rate")
    assert not matches("", "anything")
    assert matches("", "…")
    assert not matches("sam …", "sample")


# How lines sound


def sounds(written, **scenario):
    return Sounds(read(written({"expect": {"turns": 1}, **scenario})))


def test_a_text_is_spoken_by_the_recording_of_it(written):
    (said,) = [sounds(written, lines=["what is a TOKEN"]).line(0)]
    assert np.array_equal(said.samples, convert(clip("question_token").audio(), RATE).samples)


def test_a_pause_in_a_recording_is_as_long_as_the_text_says(written):
    kept = convert(clip("pause_timer").audio(), RATE)
    text = "Set a timer for … (pause {}) … ten minutes."
    short, long = (sounds(written, lines=[text.format(p)]).line(0) for p in (0.2, 1.2))
    assert long.seconds - short.seconds == pytest.approx(1, abs=1e-3)
    assert short.seconds < kept.seconds < long.seconds
    assert np.array_equal(long.samples[-8000:], kept.samples[-8000:])


def test_pauses_between_recordings_are_quiet(written):
    yes, no = (convert(clip(f"answer_{name}").audio(), RATE) for name in ("yes", "no"))
    said = sounds(written, lines=["Yes. (pause 0.5) No."]).line(0)
    assert said.seconds == pytest.approx(yes.seconds + 0.5 + no.seconds)
    assert not said.samples[len(yes.samples) : len(yes.samples) + 8000].any()


def test_gain_is_in_decibels(written):
    plain, soft = (sounds(written, lines=[{"say": "Yes.", "gain": g}]).line(0) for g in (0, "-6dB"))
    assert np.allclose(soft.samples, plain.samples * 10 ** (-6 / 20), atol=1e-6)


@pytest.mark.parametrize("sound", ["white", "babble", "hum.wav"])
def test_noise_is_so_much_softer_than_speech_and_the_same_for_a_seed(sound, written, tmp_path):
    write(tmp_path / "hum.wav", Audio(np.sin(np.arange(4000) / 9).astype(np.float32), RATE))

    def noise(snr, seed=1):
        quiet, line = {"say": "What is a token?"}, {"say": "What is a token?", "gain": -6}
        line["noise"] = {"sound": sound, "snr": snr, "seed": seed}
        plain, noisy = (
            sounds(written, lines=[each]).line(0).samples for each in ({**quiet, "gain": -6}, line)
        )
        return noisy - plain

    loud, soft = (np.sqrt(np.mean(noise(snr) ** 2)) for snr in (10, "20 dB"))
    assert 20 * np.log10(loud / soft) == pytest.approx(10, abs=0.1)
    speech = sounds(written, lines=[{"say": "What is a token?", "gain": -6}]).line(0).samples
    assert 17 < 20 * np.log10(np.sqrt(np.mean(speech**2)) / soft) < 20  # its pauses do not count
    assert np.array_equal(noise(20), noise(20))
    assert (sound == "hum.wav") == np.array_equal(noise(20), noise(20, seed=2))


@pytest.mark.needs("flite")
def test_flite_speaks_lines_of_ones_own_and_they_are_understood(written, cast):
    asked = {
        "lines": [
            {"say": "What is the sample rate?", "voice": "flite:awb", "expect": {"wer": 0.2}}
        ],
        "costs": {"stt": 0.1},
    }
    assert failures(run(read(written(asked)), cast)) == set()


def test_any_voice_of_the_kit_speaks_lines(written):
    low, high = (
        sounds(written, lines=[{"say": "Anything at all.", "voice": v}]).line(0)
        for v in ("espeak", "espeak:en-us+f3")
    )
    assert 0.5 < low.seconds < 3
    assert not np.array_equal(low.samples[:8000], high.samples[:8000])


def test_a_sound_file_counts_from_the_scenarios_own_folder(written, tmp_path):
    write(tmp_path / "mine.wav", clip("answer_yes").audio())
    said = sounds(written, lines=[{"file": "mine.wav"}]).line(0)
    assert said.seconds == pytest.approx(clip("answer_yes").seconds, abs=0.01)


# Errors are one sentence, with the line and what to write


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("lines:\n- sya: Yes.\nexpect: {turns: 1}", 2, "“say”"),
        ("lines:\n- Yes.\nexpects: {turns: 1}", 3, "“expect”"),
        ("lines:\n- Yes.\nexpect:\n  trns: 1", 4, "“turns”"),
        ("lines:\n- say: Yes.\n  expect:\n    contain: x", 4, "“contains”"),
        ("lines:\n- say: Yes.\n  noise: {snr: 1, sed: 2}\nexpect: {turns: 1}", 3, "“seed”"),
        ("lines:\n- say: Yes.\n  expect: {turns: 1}", 3, "answered"),
        ("lines:\n- say: Yes.\n  expect:\n    route: skil", 4, "skill"),
        ("lines:\n- Yes.\n- say: No.\n  clip: answer_no\nexpect: {turns: 1}", 3, "say and clip"),
        ("lines:\n- pause: 1\nexpect: {turns: 1}", 2, "say, clip, file, type, hush"),
        ("lines:\n- say: ''\nexpect: {turns: 1}", 2, "empty"),
        ("lines:\n- type: hi\n  gain: 3\nexpect: {turns: 1}", 2, "gain"),
        ("lines:\n- clip: answer_no\n  voice: espeak\nexpect: {turns: 1}", 2, "voice"),
        ("lines:\n- hush: true\n  expect: {answered: true}", 2, "line before"),
        ("lines:\n- say: Yes.\n  into: 1\n  after: my last word\nexpect: {turns: 1}", 2, "both"),
        ("lines:\n- say: Yes.\n  after: the asistant\nexpect: {turns: 1}", 3, "third word"),
        ("lines:\n- say: Yes.\n  after: the 0th word\nexpect: {turns: 1}", 3, "third word"),
        ("lines:\n- say: Yes.\n  pause: long\nexpect: {turns: 1}", 3, "number"),
        ("lines: [Yes.]\nexpect:\n  turns: many", 3, ">= 2"),
        ("lines: [Yes.]\nexpect:\n  turns: true", 3, ">= 2"),
        ("lines: [Yes.]\nexpect:\n  memory: [{me: x}]", 3, "'user' or 'assistant'"),
        ("lines: [Yes.]\nsettings:\n  hear.stp: 1\nexpect: {turns: 1}", 3, "“hear.stop”"),
        ("lines: [Yes.]\nsettings: {hear.stop: 99}\nexpect: {turns: 1}", 2, "hear.stop"),
        ("engines: fake\nlines: [Yes.]\nexpect: {turns: 1}", 1, "'scripted'"),
        ("lines: [Yes.]\nanswers: {a: b}\nexpect: {turns: 1}", 2, "engines: scripted"),
        ("lines: []\nexpect: {turns: 1}", 1, "lines"),
        ("expect: {turns: 1}", 1, "lines is missing"),
        ("lines: [Yes.]", None, "expects nothing"),
        ("lines: [Yes.]\nexpect: {turns: 1}\nlines: [No.]", 3, "twice"),
        ("lines: [Yes.\nexpect: {turns: 1}", 2, "quotes"),
        ("lines: [Yes.]\nabout: this: that", 2, "quotes"),
        ("", None, "lines:"),
        ("- Yes.", None, "lines:"),
        ("a: b\n---\nc: d", 2, "YAML"),
        ("lines: [\x07]", None, "YAML"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence_with_its_line(text, line, part, written):
    with pytest.raises(VoiceKitError) as told:
        read(written(text))
    sentence = str(told.value)
    assert part in sentence
    assert "mine.yaml" in sentence
    assert line is None or f"line {line}:" in sentence
    assert "\n" not in sentence
    assert sentence.endswith((".", "?"))


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        (["A text that nobody recorded."], "flite:slt"),
        ([{"clip": "question_vda"}], "question_vad"),
        ([{"file": "none.wav"}], "none.wav"),
        ([{"say": "Hi.", "voice": "flite:nobody"}], "slt"),
        ([{"say": "Hi.", "voice": "nonsense"}], "espeak"),
        ([{"say": "Yes.", "noise": {"sound": "none.wav", "snr": 3}}], "none.wav"),
    ],
    ids=["text", "clip", "file", "flite's voice", "engine", "noise"],
)
def test_what_cannot_be_spoken_is_told_in_a_sentence_with_its_line(lines, part, written, cast):
    with pytest.raises(VoiceKitError) as told:
        run(read(written({"lines": lines, "expect": {"turns": 1}})), cast)
    assert part in str(told.value)
    assert "line" in str(told.value)


def test_noise_needs_speech(written, cast):
    typed = {"lines": [{"type": "hi"}], "noise": {"snr": 3}, "expect": {"turns": 1}}
    with pytest.raises(VoiceKitError, match="softer than"):
        run(read(written(typed)), cast)


def test_scripted_engines_hear_no_recordings(written, cast):
    with pytest.raises(VoiceKitError, match="engines: scripted"):
        run(read(written({**TWO_LINES, "lines": [{"clip": "answer_no"}]})), cast)


def test_no_is_a_word_and_a_time_of_day_is_not_a_number(written):
    scenario = read(written("lines:\n- No\n- say: yes\n- type: 12:30\nexpect: {turns: 3}"))
    first, second, third = scenario.lines
    assert (first.say, second.say, third.type) == ("No", "yes", "12:30")


# The command


def command(*words, **more):
    line = [sys.executable, "-m", "voice_kit.cli", "scenario", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False, **more)


def test_the_command_prints_each_expectation_and_what_was_seen(written):
    wrong = changed(TWO_LINES, "lines", 0, "expect", "said_heard", to="Once upon a time")
    done = command(written(TWO_LINES), written(wrong, "wrong.yaml"))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert any(line.startswith("ok      mine.yaml") for line in lines)
    assert any(line.startswith("failed  wrong.yaml") for line in lines)
    wanted = "  failed  line 1: said_heard “Once upon a time” → “Once upon a”"
    assert [line for line in lines if line.startswith("  failed")] == [wanted]
    assert "1 of 2 passed" in done.stderr


def test_for_programs_there_is_a_line_of_json_for_each_file_and_a_bad_one_stops_nothing(written):
    bad = written("lines: [Yes.]", "bad.yaml")
    done = command(bad, written(TWO_LINES), "--json")
    first, second = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1
    assert (first["file"], first["ok"]) == (str(bad), False)
    assert "expects nothing" in first["error"]
    assert second["ok"] is True
    assert {(each["line"], each["expect"]) for each in second["expectations"]} >= {
        (1, "said_heard"),
        (None, "memory"),
    }
    assert [turn["heard"] for turn in second["turns"]] == ["Tell me a story.", "And then?"]


def test_scenarios_of_one_name_are_kept_apart(written, tmp_path):
    short = {"lines": ["Yes."], "expect": {"turns": 1}}
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    taken = [written(short, name) for name in ("a/x.yaml", "b/x.yaml", "b/x-2.yaml")]
    command(*taken, "--out", tmp_path / "kept")
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert kept == ["x", "x-2", "x-2-2"]
    assert all((tmp_path / "kept" / name / "events.jsonl").exists() for name in kept)


def test_a_setting_on_the_command_line_counts_more_than_the_scenarios_own(written, tmp_path):
    never = changed(TWO_LINES, "settings", to={"interrupt.mode": "never"})
    never["lines"][0]["expect"], never["expect"] = {"interrupted": True}, {}
    path = written(never)
    assert command(path).returncode == 1
    out = tmp_path / "kept"
    done = command(path, "--set", "interrupt.mode=any", "--out", out)
    assert done.returncode == 0, done.stdout
    kept = out / "mine"
    assert {each.name for each in kept.iterdir()} >= {"conversation.wav", "events.jsonl"}
    assert read_sound(kept / "conversation.wav").seconds > 3
    unknown = command(path, "--set", "interrupt.mod=any")
    assert unknown.returncode == 1
    assert "interrupt.mode" in unknown.stderr
