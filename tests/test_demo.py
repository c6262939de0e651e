"""The demo's contract: programs read its lines, people its words, both its folder."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from voice_kit.audio.files import read, write
from voice_kit.converse.loading import load_engines
from voice_kit.converse.recording import Recorder
from voice_kit.converse.virtual import as_measured, run
from voice_kit.settings import Settings
from voice_kit.sounds import clip
from voice_kit.types import Interrupted, PlaybackResumed, TurnEnded
from voice_kit.workshop import demo

EMBEDDED = ["--stt", "sphinx", "--llm", "handbook", "--tts", "espeak"]
SETTINGS = Settings().changed({"stt": "sphinx", "llm": "handbook", "tts": "espeak"})


def play(*words, **more):
    command = [sys.executable, "-m", "voice_kit.cli", "demo", *EMBEDDED, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def words(summary):
    return [(turn["heard"], turn["said"]) for turn in summary["turns"]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("demo") / "out"


@pytest.fixture(scope="module")
def told(folder):
    """What `demo --fast --json` prints."""
    done = play("--fast", "--json", "--out", folder)
    assert done.returncode == 0, done.stderr
    return lines(done)


@pytest.fixture(scope="module")
def times(tmp_path_factory):
    """The times of a recorded demo, with its report."""
    file = tmp_path_factory.mktemp("times") / "demo_times.json"
    demo.record_times(SETTINGS, file)
    return file


def held(times, engines=None, settings=SETTINGS):
    engines = engines or load_engines(settings)
    cost = demo.recorded_times(engines, times) or as_measured
    return run(demo.converse(engines, settings), fast=True, cost=cost)


def test_the_last_line_is_the_summary_and_every_other_an_event(told):
    *events, last = told
    assert len(events) > 20
    assert all(set(event) >= {"event", "at"} for event in events)
    assert set(last) == {"summary"}
    assert set(last["summary"]) == {"engines", "turns"}
    assert last["summary"]["engines"] == {
        "vad": "silero",
        "stt": "sphinx",
        "llm": "handbook",
        "tts": "espeak:en-us",
        "judge": "text",
    }
    wanted = {"heard", "said", "said_heard", "interrupted", "voice_to_voice_ms", "stages_ms"}
    assert all(set(turn) == wanted for turn in last["summary"]["turns"])


def test_one_turn_is_interrupted_and_what_interrupts_it_is_answered(told):
    turns = told[-1]["summary"]["turns"]
    assert [turn["interrupted"] for turn in turns] == [False, True, *[False] * 5]
    assert "voice activity" in turns[0]["heard"]
    assert "says whether somebody is speaking" in turns[0]["said"]
    assert turns[1]["said"].startswith(turns[1]["said_heard"])
    assert len(turns[1]["said_heard"]) < len(turns[1]["said"])
    assert "latency" in turns[2]["heard"]
    assert "Latency is" in turns[2]["said"]
    assert all(turn["said_heard"] == turn["said"] for turn in turns if not turn["interrupted"])


def test_a_timer_a_note_and_a_search_are_routed_and_done(told):
    events = told[:-1]
    routes = [event["route"]["kind"] for event in events if event["event"] == "Routed"]
    assert routes[-3:] == ["skill", "skill", "search"]
    tools = [event["call"]["tool"] for event in events if event["event"] == "ToolUsed"]
    assert tools == ["set_timer", "add_note", "search"]
    said = [turn["said"] for turn in told[-1]["summary"]["turns"]]
    assert said[-3:-1] == ["Timer set for 10 minutes.", "Noted."]


def test_every_turn_says_where_its_time_went(told):
    for turn in told[-1]["summary"]["turns"]:
        assert turn["voice_to_voice_ms"] > 0
        wanted = {"speech", "wait", "transcribe", "first_token", "synthesis", "playback"}
        assert set(turn["stages_ms"]) >= wanted


def test_a_word_of_agreement_a_cough_and_an_mhm_interrupt_nothing(told):
    assert sum(event.get("event") == "Interrupted" for event in told) == 1
    resumed = [event["turn"] for event in told if event.get("event") == "PlaybackResumed"]
    finished = [event["turn"] for event in told if event.get("event") == "TurnFinished"]
    assert finished[0] in resumed, "the “right” was not even heard"


def test_the_folder_has_both_sides_as_sound_a_picture_and_every_event(told, folder):
    assert {path.name for path in folder.iterdir()} == {
        "conversation.wav",
        "timeline.png",
        "events.jsonl",
    }
    assert (folder / "timeline.png").read_bytes().startswith(b"\x89PNG")
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [event for event in events if event["event"] != "FrameHeard"] == told[:-1]
    sound = read(folder / "conversation.wav")

    def loudness(start, end):
        return np.abs(sound.samples[int(start * sound.rate) : int(end * sound.rate)]).max()

    asked = next(event for event in events if event["event"] == "TurnEnded")
    answered = next(event for event in events if event["event"] == "PlaybackStarted")
    assert loudness(asked["started"], asked["ended"]) > 0.05
    assert loudness(answered["at"], answered["at"] + 1) > 0.05
    assert loudness(0, asked["started"] - 0.2) < 0.01


FAST = """
import sys
from pathlib import Path
from voice_kit.workshop import demo
demo.recorded_times.__defaults__ = (Path(sys.argv.pop(1)),)
from voice_kit.cli import main
main()
"""


def test_with_recorded_times_two_runs_are_equal_to_the_sample(times, tmp_path):
    def once(out):
        words = ["demo", *EMBEDDED, "--fast", "--json", "--out", str(out)]
        command = [sys.executable, "-c", FAST, str(times), *words]  # espeak flutters on: a new one
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout, (out / "conversation.wav").read_bytes()

    first, second = once(tmp_path / "first"), once(tmp_path / "second")
    assert "summary" in first[0]
    assert first == second


def test_on_a_slow_machine_the_words_are_the_same(times):
    engines = load_engines(SETTINGS)
    cost = demo.recorded_times(engines, times)
    slow = run(
        demo.converse(engines, SETTINGS),
        fast=True,
        cost=lambda stage, seconds: 3 * cost(stage, seconds) if stage == "stt" else seconds,
    )
    assert words(slow.summary()) == words(held(times).summary())


def test_times_recorded_with_other_engines_are_not_used(times, tmp_path):
    engines = load_engines(SETTINGS)
    assert demo.recorded_times(engines, times) is not None
    other = load_engines(SETTINGS.changed({"vad": "energy"}))
    assert demo.recorded_times(other, times) is None
    assert demo.recorded_times(engines, tmp_path / "never_recorded.json") is None


def test_a_conversation_longer_than_the_recorded_one_takes_what_its_steps_took_on_average(tmp_path):
    engines = load_engines(SETTINGS)
    file = tmp_path / "times.json"
    recorded = {"engines": demo.names(engines), "steps": {"stt": [0.25, 0.75]}}
    file.write_text(json.dumps(recorded))
    cost = demo.recorded_times(engines, file)
    assert [cost("stt", 9.0) for _ in range(4)] == [0.25, 0.75, 0.5, 0.5]
    assert cost("llm", 9.0) == 9.0


def test_the_times_that_come_with_the_kit_are_those_of_its_embedded_engines():
    if not demo.TIMES.exists():
        pytest.skip("the demo's times are not recorded yet: python -m voice_kit.workshop.demo")
    assert demo.recorded_times(load_engines(SETTINGS)) is not None


@pytest.fixture
def question(tmp_path):
    sound = clip("question_sample_rate").audio()
    write(tmp_path / "question.wav", sound)
    return tmp_path / "question.wav"


def test_in_real_time_and_fast_your_own_recording_gets_the_same_answer(question, tmp_path):
    real = play("--wav", question, "--json", "--out", tmp_path / "real")
    fast = play("--wav", question, "--json", "--fast", "--out", tmp_path / "fast")
    assert real.returncode == fast.returncode == 0
    assert words(lines(real)[-1]["summary"]) == words(lines(fast)[-1]["summary"])
    ((heard, said),) = words(lines(real)[-1]["summary"])
    assert "sample rate" in heard
    assert said


def test_a_recording_without_speech_has_no_turns_and_still_its_three_files(tmp_path):
    write(tmp_path / "quiet.wav", clip("noise_cough").audio())
    done = play("--wav", tmp_path / "quiet.wav", "--json", "--fast", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert lines(done)[-1]["summary"]["turns"] == []
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_the_events_of_a_recorded_conversation_are_not_written_over(question, tmp_path):
    Recorder(tmp_path / "talk").close()
    done = play("--wav", question, "--json", "--fast", "--out", tmp_path / "talk")
    assert done.returncode == 1
    assert "holds a recorded conversation. Choose another with --out." in done.stderr
    assert not any("event" in line for line in lines(done))
    assert (tmp_path / "talk" / "events.jsonl").read_bytes() == b""


def test_people_read_what_was_said_what_was_not_heard_and_where_to_look(tmp_path):
    done = play("--fast", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert demo.STORY.split(".")[0] in " ".join(done.stderr.split())
    assert "“right” is no interruption" in done.stdout
    assert "you interrupt" in done.stdout
    assert "of that answer you heard only “The sample rate is" in " ".join(done.stdout.split())
    assert done.stdout.count("speech to text") == 7
    for name in ("conversation.wav", "timeline.png", "events.jsonl"):
        assert str(tmp_path / "out" / name) in done.stdout.replace("\n", "")


def test_before_it_begins_it_says_that_the_folder_cannot_be_one(tmp_path):
    (tmp_path / "taken").write_text("a file")
    done = play("--out", tmp_path / "taken", "--json")
    assert done.returncode == 1
    assert "is a file" in done.stderr
    assert "Traceback" not in done.stderr
    assert not any("event" in line for line in lines(done))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="here everything may be written")
def test_before_it_begins_it_says_that_nothing_may_be_written_there(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    done = play("--out", locked / "out", "--json")
    assert done.returncode == 1
    assert "may not be written" in done.stderr


def test_the_person_in_the_recording_interrupts_and_agrees_but_never_twice_at_once():
    said = demo.lines()
    assert sum(line.into is not None for line in said) == 4
    report = run(demo.converse(load_engines(SETTINGS), SETTINGS), fast=True)
    assert sum(isinstance(event, Interrupted) for event in report.events) == 1
    assert any(isinstance(event, PlaybackResumed) for event in report.events)
    assert sum(isinstance(event, TurnEnded) for event in report.events) >= 5
