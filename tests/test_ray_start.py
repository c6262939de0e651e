"""A cluster on this machine that does not come up at once."""

import logging

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from voice_kit.serve.ray_start import started_here


class Node:
    """As Ray's: what it has started is its own, until it is whole."""

    def __init__(self, busy):
        busy.did.append("start")
        self.busy = busy
        if busy.did.count("start") <= busy.misses:
            raise RuntimeError("The current node timed out during startup.")

    def kill_all_processes(self, check_alive, allow_graceful):
        self.busy.did.append("clear away")


class Busy:
    """As Ray on a machine on which a node now and then misses its half a minute."""

    def __init__(self, misses):
        self.misses, self.did = misses, []

    def init(self, **options):
        Node(self)


def test_a_node_that_was_too_slow_is_started_once_more_and_that_is_said(caplog):
    ray = Busy(misses=1)
    with caplog.at_level(logging.WARNING):
        started_here(ray)
    assert ray.did == ["start", "clear away", "start"]
    assert ["tried once more" in line.message for line in caplog.records] == [True]


def test_one_that_starts_is_started_once(caplog):
    ray = Busy(misses=0)
    started_here(ray)
    assert ray.did == ["start"] and not caplog.records


def test_one_that_is_too_slow_twice_is_given_up_and_nothing_of_it_is_left():
    ray = Busy(misses=2)
    with pytest.raises(RuntimeError, match="timed out"):
        started_here(ray)
    assert ray.did == ["start", "clear away"] * 2
