"""The arithmetic of sizing: queues that are queues, and a model that meets what was measured."""

import asyncio
import copy
import math
import random
import re

import numpy as np
import pytest
import yaml

from voice_kit.workshop import sizing, sizing_measured
from voice_kit.workshop.sizing_loop import Cost, carries, hold
from voice_kit.workshop.sizing_measured import loop_of
from voice_kit.workshop.sizing_queue import Batches, Clock, Places
from voice_kit.workshop.sizing_world import World, cycle, figures, least, questions

OF = figures()


@pytest.fixture(scope="module")
def loop():
    return loop_of(OF)


# The queue


def waits(servers, rate, draw, many=60_000, seed=3):
    """How long each waits for a server, of `many` who come by chance."""
    clock, dice = Clock(), random.Random(seed)
    desk = Places(clock, servers)

    def guest():
        yield desk.take
        yield draw(dice)
        desk.free()

    def door():
        for _ in range(many):
            yield dice.expovariate(rate)
            clock.begin(guest())

    clock.begin(door())
    clock.run()
    assert len(desk.waits) == many
    return np.mean(desk.waits), desk.used / servers / clock.now


@pytest.mark.parametrize("servers,load", [(1, 0.7), (3, 0.8), (10, 0.9)])
def test_people_wait_as_long_as_erlang_says(servers, load):
    offered = servers * load
    blocked = offered**servers / math.factorial(servers) / (1 - load)
    chance = blocked / (sum(offered**n / math.factorial(n) for n in range(servers)) + blocked)
    expected = chance / (servers - offered)
    found, busy = waits(servers, offered, lambda dice: dice.expovariate(1))
    assert found == pytest.approx(expected, rel=0.12)
    assert busy == pytest.approx(load, rel=0.02)


def test_even_work_halves_the_wait():
    found, _ = waits(1, 0.7, lambda dice: 1.0)
    assert found == pytest.approx(0.7 / 2 / 0.3, rel=0.06)


def test_places_are_given_in_turn_and_never_too_many():
    clock, order, inside = Clock(), [], []
    room = Places(clock, 2)

    def guest(name):
        yield room.take
        order.append(name)
        inside.append(room.taken)
        yield 1.0
        room.free()

    for name in "abcdef":
        clock.begin(guest(name))
    clock.run()
    assert order == list("abcdef")
    assert max(inside) == 2
    assert clock.now == 3.0


def test_a_batch_is_whatever_came_while_the_server_was_busy():
    clock, done = Clock(), []
    bus = Batches(clock, 1, 3, lambda riders: 1.0 + riders)

    def guest(name):
        yield bus.ride
        done.append((name, clock.now))

    for name in "abcde":
        clock.after(0.0 if name == "a" else 0.5, lambda name=name: clock.begin(guest(name)))
    clock.run()
    assert bus.sizes == [1, 3, 1]
    assert done == [("a", 2.0), ("b", 6.0), ("c", 6.0), ("d", 6.0), ("e", 8.0)]
    assert bus.waits == [0.0, 1.5, 1.5, 1.5, 5.5]


def test_real_threads_are_never_faster_than_the_simulation_of_them():
    arrivals = sizing_measured._arrivals()[:40]
    simulated = sizing_measured._simulated_queue(arrivals)
    real = asyncio.run(sizing_measured._real_queue(arrivals))
    assert len(real) == len(simulated) == 40
    assert np.median(real) > 0.95 * np.median(simulated)
    assert max(simulated) > sizing_measured.TAKES, "nobody waited: this compares nothing"


# The loop


def test_the_loop_s_model_meets_what_was_measured_where_it_was_not_fitted():
    found = list(sizing_measured.loop_points(OF))
    fitted = [each for each in found if each.note]
    predicted = [each for each in found if not each.note]
    assert len(fitted) == 2 and len(predicted) >= 2
    for each in fitted:
        assert each.simulated == pytest.approx(each.measured, rel=0.02)
    for each in predicted:
        assert each.simulated == pytest.approx(each.measured, rel=0.1)


def test_one_conversation_waits_for_nobody_and_many_share_their_batches():
    cost = Cost(0.001, 0.0001)
    assert hold(1, cost, 0.005).batch == 1
    assert hold(1, cost, 0.005).late.max() < 0.005
    assert hold(100, cost, 0.005).batch > 10


def test_a_loop_carries_fewer_when_each_costs_more(loop):
    twice = Cost(loop.cost.batch * 2, loop.cost.frame * 2)
    limits = (OF["loop"]["frame_wait"], OF["target"]["late"], OF["target"]["use"])
    assert carries(twice, *limits) < 0.6 * carries(loop.cost, *limits)


def test_more_conversations_than_it_carries_are_late(loop):
    wait, late = OF["loop"]["frame_wait"], OF["target"]["late"]
    full = hold(loop.carries, loop.cost, wait)
    assert np.percentile(full.late, 95) * loop.scale <= late * 1.1
    over = hold(3 * loop.carries, loop.cost, wait)
    assert np.percentile(over.late, 95) > 10 * late


# What follows


def test_a_crowd_of_ten_waits_for_nothing():
    seen = World(OF, "cards", {"stt": 4, "llm": 4, "tts": 8}, [0.0]).run(10)
    assert len(seen.heard) > 20
    assert max(seen.waits.values()) == 0.0
    assert seen.turns == pytest.approx(10 / cycle(OF), rel=0.35)


def test_too_few_voices_are_heard_late():
    enough = World(OF, "cards", {"stt": 2, "llm": 4, "tts": 6}, [0.0]).run(100)
    few = World(OF, "cards", {"stt": 2, "llm": 4, "tts": 1}, [0.0]).run(100)
    assert np.percentile(few.heard, 95) > 2 * np.percentile(enough.heard, 95)
    assert few.use["tts"] > 0.9


def test_the_same_seed_says_the_same():
    one, other = (
        World(OF, "cards", {"stt": 2, "llm": 2, "tts": 3}, [0.0]).run(50) for _ in range(2)
    )
    assert one.heard.tolist() == other.heard.tolist()


def test_twice_the_people_need_about_twice_the_engines():
    few, many = least(OF, "cards", 2000), least(OF, "cards", 4000)
    for stage, count in few.items():
        assert many[stage] == pytest.approx(2 * count, abs=2)


def test_questions_are_as_long_as_the_recordings():
    assert len(questions()) > 20
    assert 0.4 < min(questions()) < max(questions()) < 5


def test_a_dearer_card_makes_a_dearer_month(loop):
    dear = copy.deepcopy(OF)
    dear["prices"]["cards"] *= 2
    one, other = (sizing.need(of, "cards", 100, loop) for of in (OF, dear))
    assert other.units == one.units
    assert other.euros - one.euros == pytest.approx(one.units * OF["prices"]["cards"])


def test_the_table_on_the_page_is_what_the_simulation_prints(capsys):
    sizing.main([])
    said = capsys.readouterr().out
    page = sizing.PAGE.read_text(encoding="utf-8")
    shown = page.partition(sizing.BEGIN)[2].partition(sizing.END)[0]
    assert "measured" in said and "simulated" in said and "100,000" in said
    assert shown.count("\n") >= 15
    assert shown in said, "python -m voice_kit.workshop.sizing --write"


def test_the_page_s_comparison_is_what_the_model_says():
    page = sizing.PAGE.read_text(encoding="utf-8")
    for each in sizing_measured.loop_points(OF):
        size = re.search(r"at (\d+)", each.name)[1]
        simulated = each.note or f"{each.simulated:.1f}"
        line = rf"\| (?:CPU )?at {size}\b[^|]*\| {each.measured} \| {simulated} \|"
        assert re.search(line, page), each


def test_the_autoscaler_adds_a_gateway_before_one_is_full(loop):
    folder = sizing.PAGE.parent / "kubernetes"
    scaler = yaml.safe_load((folder / "scaling.yaml").read_text(encoding="utf-8"))
    (metric,) = scaler["spec"]["metrics"]
    assert 0.5 * loop.carries < int(metric["pods"]["target"]["averageValue"]) < loop.carries
