"""The bench measures what it says: on a virtual clock, where work is free, it adds nothing."""

import asyncio
import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from voice_kit.converse.turn import Turn
from voice_kit.converse.virtual import run
from voice_kit.workshop import bench, bench_load, bench_parts, bench_turns
from voice_kit.workshop.bench_turns import ENGINES, WAYS
from voice_kit.workshop.peers import scenes
from voice_kit.workshop.peers.plan import EAGER, STOP
from voice_kit.workshop.peers.stage import Record

FRAME_SECONDS = 0.032


class Level:
    """Calls every frame speech that is louder than an empty room."""

    name = "level"
    direct = True

    def start(self):
        return None

    def detect(self, frames, states):
        return (np.abs(frames).mean(axis=1) > 0.0005).astype(np.float32), list(states)


@pytest.fixture(scope="module")
def rows():
    return run(bench_turns.measure(4, Level()), fast=True)


def of(rows, way, **wanted):
    found = [row for row in rows if row["way"] == way]
    found = [row for row in found if all(row[key] == wanted[key] for key in wanted)]
    assert found
    return found


@pytest.mark.parametrize("loop", ["voice-kit", "by hand"])
def test_a_loop_adds_nothing_where_nothing_costs_time(rows, loop):
    found = of(rows, f"{loop}, plain")
    assert len(found) == 4
    assert [row["late"] for row in found] == pytest.approx([0] * 4, abs=1e-6)
    for row in found:
        assert STOP + ENGINES - FRAME_SECONDS < row["voice_to_voice"] < STOP + ENGINES + 0.1


def test_an_early_start_hides_the_engines_in_the_wait(rows):
    for plain, early in zip(of(rows, "by hand, plain"), of(rows, "by hand, early", set="whole"),
                            strict=True):  # fmt: skip
        assert early["late"] == pytest.approx(0, abs=1e-6)
        assert plain["voice_to_voice"] > early["voice_to_voice"]


def test_transcribing_ahead_is_sooner_than_the_pause_by_a_frame(rows):
    """This detector has no doubts: the first quiet frame is the first that is known of."""
    for kind in ("whole", "short"):
        ours = of(rows, "voice-kit, early", set=kind)
        hand = of(rows, "by hand, early", set=kind)
        for one, other in zip(ours, hand, strict=True):
            assert one["late"] == pytest.approx(0, abs=1e-6)
            sooner = other["voice_to_voice"] - one["voice_to_voice"]
            assert sooner == pytest.approx(EAGER - FRAME_SECONDS, abs=1e-6)


def test_every_interruption_is_measured(rows):
    for loop in ("voice-kit", "by hand"):
        found = of(rows, f"{loop}, interrupted")
        assert len(found) == 4
        assert all(0 <= row["onset_to_silence"] < 0.15 for row in found)
        assert all(row["decision_to_silence"] == pytest.approx(0, abs=1e-6) for row in found)
    for row in of(rows, "voice-kit, interrupted"):
        assert row["onset_to_silence"] + 0.1 < row["onset_to_stopped"] < 2


def test_each_way_has_its_figures_and_all_of_them_are_printed(rows):
    figures = bench.of_turns(rows)
    assert set(figures["added"]) == set(figures["stops"]) == {"voice-kit", "by hand"}
    assert len(figures["speed"]) == 6
    assert figures["speed"]["voice-kit, whole"]["turns"] == 4
    printed = bench.text("turns", json.loads(json.dumps(figures)))
    for name in ("voice-kit, pauses", "by hand, short", "nothing begun early", "stopped for good"):
        assert name in printed


def test_a_pause_costs_an_answer_that_is_thrown_away_and_is_counted(rows):
    assert sum(row["abandoned"] for row in of(rows, "voice-kit, early", set="pauses")) > 0
    assert sum(row["wasted"] for row in of(rows, "voice-kit, early", set="pauses")) > 0.1
    assert sum(row["wasted"] for row in of(rows, "voice-kit, plain")) == pytest.approx(0, abs=1e-6)


def test_the_ways_are_compared_on_the_same_sound():
    by_name = {way.name: way for way in WAYS}
    for way in ("early", "plain", "interrupted"):
        ours, hand = by_name[f"voice-kit, {way}"], by_name[f"by hand, {way}"]
        assert ours[1:] == hand[1:]


def test_conversations_under_load_are_all_answered_and_cost_something():
    found = bench_load.measure(3, turns=1)
    assert len(found["rows"]) == 9
    assert not any(row["silent"] for row in found["rows"])
    assert 0 < found["cpu_ms"] < 500
    assert -1 < found["mb"] < 20
    printed = bench.text("load", bench.of_load(found))
    assert "3 conversations in one process" in printed
    assert "/9" in printed


def test_a_turn_that_is_over_is_let_go_of_without_a_collection():
    """Its sounds are most of what a conversation needs of memory."""

    async def turns_alive():
        heard = scenes.scene(("short",), 8, 0)
        way = bench_turns.EARLY
        talk = asyncio.ensure_future(bench_turns.converse(way, heard, Record(), Level()))
        await asyncio.sleep(len(heard.sound) / 16_000 - 0.5)
        alive = turns()
        await talk
        return alive

    def turns():
        return sum(type(each) is Turn for each in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = turns()  # of other tests
        assert run(turns_alive(), fast=True) - before <= 3
    finally:
        gc.enable()


def test_a_detector_is_timed_for_one_stream_and_for_many():
    found = bench_parts.detector(Level(), frames=100)
    assert list(found) == ["1", "2", "4", "16", "64", "100"]
    assert all(micros > 0 for micros in found.values())
    assert "64: " in bench.text("detector", found)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux tells")
def test_the_memory_of_a_process_and_of_its_children_is_seen():
    inner = "x = bytearray(b'1') * 150_000_000; print('ready', flush=True); input()"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    command = [sys.executable, "-c", outer]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        family = bench_parts.family(child.pid)
        assert len(family) == 2
        assert 150 < sum(map(bench_parts.resident, family)) < 250
        child.communicate(b"\n")


def bench_command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "voice_kit.cli", "bench", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )


def test_the_command_prints_a_line_of_json_for_the_machine_and_for_each_part():
    done = bench_command("--only", "detector", "--json")
    assert done.returncode == 0, done.stderr
    machine, detector = map(json.loads, done.stdout.splitlines())
    assert machine["machine"]["versions"]["numpy"] == np.__version__
    assert detector["detector"]["16"] < detector["detector"]["1"]


def test_an_unknown_part_is_refused_with_the_parts_there_are():
    done = bench_command("--only", "everything")
    assert done.returncode == 2
    assert all(part in done.stderr for part in bench.PARTS)
