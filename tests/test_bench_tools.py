"""The bench of tool calls really calls tools."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("openai")


def test_it_measures_calls_there_and_back():
    command = [sys.executable, "-m", "voice_kit.workshop.bench_tools", "--rounds", "3", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    figures = json.loads(done.stdout)
    plain, called = figures["an answer without tools"], figures["a tool call and back"]
    assert 0 < plain["p50"] < called["p50"] <= called["p95"]  # a call takes a request more
    assert 0 < figures["of which the tool, in its thread"]["p50"] < called["p50"]
