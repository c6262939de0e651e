"""The comparison with the peers: its sound, its figures, and what becomes of a peer that fails."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from voice_kit.sounds import clip
from voice_kit.workshop.peers import environments, plan, report, run, scenes, table
from voice_kit.workshop.peers.plan import LLM, RUNNERS, STT, TTS, Plan, Runner
from voice_kit.workshop.peers.scenes import RATE, Asked

HERE = Path(sys.executable)
ENGINES = STT + LLM + TTS


def of(peer, way="early", **rest):
    return {"measure": "turns", "set": "whole", "peer": peer, "way": way, "round": 0, **rest}


def answered(peer, seconds, way="early", **rest):
    usual = {
        "early": False,
        "silent": False,
        "in_vain": 0,
        "wasted": 0.0,
        "decided": 0.23,
        "added": None,
    }
    return of(peer, way, voice_to_voice=seconds, **{**usual, **rest})


def event(name, at):
    return {"event": name, "at": at}


def line(lines, peer, **wanted):
    wanted["peer"] = peer
    found = [each for each in lines if all(each[key] == wanted[key] for key in wanted)]
    assert len(found) == 1
    return found[0]


# The sound


def test_a_scene_has_every_turn_of_every_set_and_tells_where_it_truly_ends():
    heard = scenes.scene(tuple(scenes.SETS), 3, seed=1)
    assert sorted(turn.set for turn in heard.turns) == sorted([*scenes.SETS] * 3)
    for turn in heard.turns:
        last = heard.sound[round((turn.end - 0.02) * RATE) : round(turn.end * RATE)]
        after = heard.sound[round(turn.end * RATE) : round(turn.until * RATE)]
        assert np.abs(last).max() > 0.003
        assert 0 < np.abs(after).max() < 0.001
        assert any(end == turn.end for end, _ in heard.words)


def test_each_round_asks_other_questions_and_the_same_round_the_same():
    first, again, second = (scenes.scene(("whole",), 2, seed) for seed in (0, 0, 1))
    assert first.words == again.words
    assert {word for _, word in first.words} != {word for _, word in second.words}


@pytest.mark.parametrize("pause", scenes.PAUSES)
def test_a_pause_breaks_a_question_in_two_and_loses_nothing(pause):
    question = clip("question_rtf")
    parts = scenes.with_pause(question, pause)
    (before, first), (between, nothing), (after, second) = parts
    assert f"{first} {second}" == question.text
    assert nothing == ""
    assert between.seconds == pytest.approx(pause)
    whole = np.concatenate([before.samples, after.samples])
    assert np.array_equal(whole, question.audio().samples)
    assert min(before.seconds, after.seconds) > 0.3


def test_no_mark_tells_who_reads_the_words_where_a_turn_ends():
    heard = scenes.scene(tuple(scenes.SETS), 20, seed=0)
    assert {"recognition", "work", "again"} <= {word for _, word in heard.words}
    assert not [word for _, word in heard.words if not re.fullmatch(r"[a-z']+", word)]
    question = clip("question_rtf")
    alone = scenes.laid_out([("whole", scenes.with_pause(question, 0.0))], seed=0)
    assert [word for _, word in alone.words] == ["what", "is", "the", "real", "time", "factor"]


# What a run says


def test_an_answer_is_timed_from_the_last_sample_of_speech():
    turn = Asked("whole", 1.0, 3.0, 5.0)
    events = [event("decided", 3.2), event("began", 3.3), event("sounded", 3.5)]
    events += [event("sounded", 5.5)]  # belongs to the next turn
    (row,) = table.turn_rows(events, [turn], ENGINES)
    assert row["voice_to_voice"] == pytest.approx(0.5)
    assert row["decided"] == pytest.approx(0.2)
    assert row["added"] == pytest.approx(0.05)
    assert (row["early"], row["silent"], row["in_vain"]) == (False, False, 0)


def test_an_answer_in_a_pause_is_too_early_and_never_counts_as_fast():
    turn = Asked("pauses", 1.0, 3.0, 5.0)
    events = [event("began", 1.8), event("sounded", 2.1), event("silent", 2.2)]
    events += [event("began", 3.3), event("sounded", 3.4)]
    (row,) = table.turn_rows(events, [turn], ENGINES)
    assert row["early"]
    assert row["voice_to_voice"] is None
    assert row["added"] is None


def test_what_was_begun_and_never_heard_was_in_vain():
    turn = Asked("pauses", 1.0, 3.0, 5.0)
    events = [event("began", at) for at in (1.5, 2.0, 3.1)] + [event("sounded", 3.4)]
    (row,) = table.turn_rows(events, [turn], ENGINES)
    assert row["in_vain"] == 2


def test_a_turn_without_an_answer_is_counted_and_has_no_time():
    (row,) = table.turn_rows([], [Asked("short", 1.0, 1.5, 3.0)], ENGINES)
    assert row["silent"]
    assert row["voice_to_voice"] is None


def test_silence_is_timed_from_the_frame_that_decides_and_from_the_first_sample_of_speech():
    turns = [Asked("whole", 1.0, 2.0, 4.0), Asked("whole", 4.0, 5.0, 7.0)]
    events = [event("interrupted", 1.1), event("interrupted", 4.05), event("silent", 4.06)]
    (row,) = table.stop_rows(events, turns)
    assert row["onset_to_silence"] == pytest.approx(0.06)
    assert row["decision_to_silence"] == pytest.approx(0.01)


def test_an_answer_that_goes_on_is_no_fast_stop():
    turns = [Asked("whole", 1.0, 2.0, 4.0), Asked("whole", 4.0, 5.0, 7.0)]
    (row,) = table.stop_rows([event("interrupted", 4.05)], turns)
    assert row["onset_to_silence"] is None
    assert row["decision_to_silence"] is None


# The figures


def test_medians_and_ratios_are_those_of_the_rows():
    rows = [answered("voice-kit", seconds) for seconds in (0.3, 0.34, 0.9)]
    rows += [answered("by hand", 0.32), answered("livekit", 0.5)]
    rows += [answered("pipecat", 0.4), answered("pipecat", 0.425, "eager")]
    speed = table.figures(rows)["speed"]
    ours = line(speed, "voice-kit")
    assert ours["p50"] == pytest.approx(340)
    assert ours["p99"] == pytest.approx(888.8)
    assert ours["n"] == 3
    assert ours["to_best_peer"] == pytest.approx(0.85)
    assert ours["to_by_hand"] == pytest.approx(340 / 320)
    assert line(speed, "pipecat", way="early")["to_best_peer"] == 1
    assert line(speed, "livekit")["to_ours"] == pytest.approx(500 / 340)


def test_a_set_is_compared_with_itself_only():
    rows = [answered("voice-kit", 0.4), answered("pipecat", 0.5)]
    rows += [answered(peer, seconds) | {"set": "short"} for peer, seconds in
             (("voice-kit", 0.2), ("pipecat", 0.8))]  # fmt: skip
    speed = table.figures(rows)["speed"]
    assert line(speed, "voice-kit", set="whole")["to_best_peer"] == pytest.approx(0.8)
    assert line(speed, "voice-kit", set="short")["to_best_peer"] == pytest.approx(0.25)


def test_what_waits_for_the_end_of_the_turn_stands_in_a_table_of_its_own():
    rows = [answered("voice-kit", 0.49, "plain", added=0.006), answered("voice-kit", 0.35)]
    rows += [answered("by hand", 0.49, "plain", added=0.006)]
    rows += [answered("pipecat", 0.52, "plain", added=0.03)]
    tables = table.figures(rows)
    assert [each["way"] for each in tables["speed"]] == ["early"]
    ours = line(tables["added"], "voice-kit")
    assert ours["p50"] == pytest.approx(6)
    assert ours["to_best_peer"] == pytest.approx(0.2)
    assert ours["to_by_hand"] == pytest.approx(1)


def test_cut_offs_are_counted_beside_the_speed_that_they_buy():
    rows = [answered("livekit", 0.3, in_vain=1)]
    rows += [answered("livekit", None, early=True) for _ in range(2)]
    rows += [answered("livekit", None, silent=True)]
    (only,) = table.figures(rows)["speed"]
    assert (only["too_early"], only["unanswered"], only["turns"], only["n"]) == (2, 1, 4, 1)
    assert only["begun_in_vain"] == 1


def test_the_tables_print_every_peer_also_one_that_was_never_fast():
    rows = [answered("voice-kit", 0.35), answered("livekit", None, early=True)]
    rows += [{"measure": "stops", "peer": "pipecat", "way": "early", "round": 0,
              "onset_to_silence": 0.08, "decision_to_silence": 0.0012}]  # fmt: skip
    rows += [{"measure": "load", "peer": "by hand", "way": "early", "round": 0, "cpu_ms": 7.0,
              "mb": 0.1, "conversations": 20, "answers": 40, "load_average": 1.0}]  # fmt: skip
    printed = report.text(json.loads(json.dumps(table.figures(rows))))
    assert "voice-kit, early" in printed
    assert "1/1" in printed
    assert "1.20" in printed
    assert "by hand, early" in printed


def test_the_verdict_names_the_fastest_peer_and_the_fastest_with_our_transcriber():
    rows = [answered("voice-kit", 0.36), answered("by hand", 0.1), answered("livekit", 0.45)]
    rows += [answered("pipecat", 0.6), answered("pipecat", 0.4, "eager")]
    said = report.verdict(table.figures(rows)["speed"])
    assert "pipecat, eager: 0.90" in said
    assert "livekit, early" in said
    assert "0.80" in said
    assert report.verdict(table.figures(rows[:2])["speed"]) == "Nobody to compare with."


def test_the_claim_is_taken_apart_with_what_was_measured_here():
    tables = table.figures([answered("voice-kit", 0.35, decided=0.231)])
    told = report.claim(tables)
    assert report.CLAIM in told
    assert "231" in told
    assert f"{231 + 250}" in told
    assert report.claim({"speed": []}) == ""


# Running


def short(peer, script, way="early"):
    return Runner(peer, way, script, ("short",))


@pytest.mark.parametrize("script", ["kit_bench", "by_hand"])
def test_we_and_the_loop_by_hand_answer_two_turns_in_time(script, tmp_path):
    pytest.importorskip("silero_vad", reason="its network is in the package silero-vad")
    heard = scenes.scene(("short",), 2, seed=0, rest=1.0)
    told, *events = run.listen(short("us", script), "turns", heard, Plan(), HERE, tmp_path)
    assert told["way"] == "early"
    assert "64 ms" in told["settings"]
    assert told["versions"]["numpy"] == np.__version__
    rows = table.turn_rows(events, heard.turns, ENGINES)
    assert len(rows) == 2
    for row in rows:
        assert not row["early"]
        assert row["decided"] >= plan.STOP - 0.032
        # It can neither answer before the turn is over nor before its engines are done.
        assert max(row["decided"] - 0.005, plan.EAGER + ENGINES - 0.032) < row["voice_to_voice"] < 1


def test_a_peer_that_fails_is_left_out_in_one_sentence_and_the_others_go_on():
    pytest.importorskip("silero_vad", reason="its network is in the package silero-vad")
    said = []
    broken, well = short("pipecat", "pipecat_bench"), short("by hand", "by_hand")
    pythons = {"pipecat": HERE, "by hand": HERE}  # pipecat is not installed here
    found = run.measure([broken, well], Plan(turns=1, rounds=1), pythons, said.append)
    assert {row["peer"] for row in found["rows"]} == {"by hand"}
    (sentence,) = [each for each in said if "left out" in each]
    assert sentence.startswith("pipecat, early is left out: ")
    assert "ModuleNotFoundError" in sentence
    assert "\n" not in sentence


def test_a_peer_whose_python_is_gone_is_left_out():
    said = []
    gone = {"livekit": Path("/nowhere/python")}
    runner = short("livekit", "livekit_bench")
    assert run.measure([runner], Plan(turns=1, rounds=1), gone, said.append)["rows"] == []
    assert any("livekit, early is left out: " in each for each in said)


def test_a_peer_that_cannot_be_fetched_is_absent_and_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setattr(environments, "PAUSE", 0)
    said = []
    with pytest.raises(environments.NoEnvironmentError, match=r"^pipecat could not be installed: "):
        environments.python_of("pipecat", tmp_path, said.append)
    assert len(said) == environments.TRIES
    assert not (tmp_path / "pipecat" / environments.STAMP).exists()


def test_an_environment_is_made_anew_only_when_its_versions_change(tmp_path, monkeypatch):
    calls = []

    def pretend(command, peer):
        calls.append(command)
        if "venv" in command:
            subprocess.run([*command, "--without-pip"], check=True)

    monkeypatch.setattr(environments, "_run", pretend)
    python = environments.python_of("livekit", tmp_path, calls.append)
    assert python.exists()
    install = calls[-1]
    assert "-c" in install
    assert "livekit-agents" in install
    calls.clear()
    assert environments.python_of("livekit", tmp_path, calls.append) == python
    assert calls == []
    pins = tmp_path / "pins"
    pins.mkdir()
    (pins / "livekit.txt").write_text("livekit-agents==0\n")
    monkeypatch.setattr(environments, "REQUIREMENTS", pins)
    environments.python_of("livekit", tmp_path, calls.append)
    assert calls


@pytest.mark.parametrize("peer", environments.PACKAGES)
def test_everything_a_peer_brings_is_pinned_and_torch_is_never_a_surprise(peer):
    lines = (environments.REQUIREMENTS / f"{peer}.txt").read_text().splitlines()
    pins = [each for each in lines if not each.startswith("#")]
    assert len(pins) > 20
    assert all("==" in each for each in pins)
    assert "torch==2.13.0" in pins
    named = {each.partition("==")[0] for each in pins}
    assert named >= set(environments.PACKAGES[peer])
    assert any("BSD" in each or "Apache" in each for each in lines if each.startswith("#"))


def test_every_runner_has_a_script_and_every_peer_an_environment():
    assert RUNNERS
    for each in RUNNERS:
        assert (run.HERE / f"{each.script}.py").exists()
        assert set(each.sets) <= set(scenes.SETS)
    peers = {each.peer for each in RUNNERS} - {"voice-kit", "by hand"}
    assert peers == set(environments.PACKAGES)
