"""The bench measures what it says: on a virtual clock, where work is free, it adds nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from voice_kit.converse.virtual import run
from voice_kit.workshop import bench

ENGINES = bench.STT + bench.LLM + bench.TTS


def test_the_kit_and_the_loop_by_hand_add_nothing_where_nothing_costs_time():
    for loop in (bench.by_hand, bench.by_the_kit):
        latencies = run(loop(5), fast=True)
        assert len(latencies) == 5
        assert latencies == pytest.approx([ENGINES] * 5, abs=1e-6)


def test_an_early_start_hides_the_engines_in_the_wait():
    latencies = run(bench.by_the_kit(5, eager=0.064), fast=True)
    assert latencies == pytest.approx([ENGINES - (bench.STOP - 0.064)] * 5, abs=1e-6)


def test_every_interruption_is_measured():
    assert len(run(bench.stops(4), fast=True)) == 4


def test_a_spread_names_the_middle_the_edge_and_how_many():
    spread = bench.spread([0.251, 0.252, 0.253], less=0.25)
    assert spread["p50_ms"] == pytest.approx(2.0)
    assert spread["p99_ms"] == pytest.approx(3.0, abs=0.1)
    assert spread["n"] == 3


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux tells")
def test_the_memory_of_a_process_and_of_its_children_is_seen():
    inner = "x = bytearray(b'1') * 150_000_000; print('ready', flush=True); input()"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    command = [sys.executable, "-c", outer]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        family = bench._family(child.pid)
        assert len(family) == 2
        assert 150 < sum(map(bench._resident, family)) < 250
        child.communicate(b"\n")
