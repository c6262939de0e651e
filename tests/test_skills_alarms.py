"""Timers, alarms and reminders, on a clock that is set by hand."""

import asyncio
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path

import pytest
from helpers_skills import ZURICH, AtHome, Clock

from voice_kit.converse.virtual import run
from voice_kit.think.skills.alarms import EVERY, LATE, MOST, NAP, RINGS, Alarms
from voice_kit.think.skills.pages import Folder
from voice_kit.think.skills.room import Room
from voice_kit.think.tools import ToolError
from voice_kit.types import ToolCall


@pytest.fixture
def home(tmp_path):
    return AtHome(tmp_path)


def test_a_timer_is_set_and_rings(home):
    assert home.say("set a timer for ten minutes") == "Timer set for 10 minutes."
    home.clock.now += 599
    assert home.due() == []
    home.clock.now += 1
    assert home.due() == ["Your timer of 10 minutes is done."]


def test_it_rings_a_few_times_and_then_never_again(home):
    home.say("set a pasta timer for ten minutes")
    home.clock.now += 600
    rung = []
    for _ in range(RINGS + 2):
        rung += home.due()
        assert home.due() == [], "each ring comes once"
        home.clock.now += EVERY
    assert rung == ["Your pasta timer is done."] * RINGS
    assert home.alarms.pending() == []


@pytest.mark.parametrize("words", ["stop", "stop the timer", "turn off the timer", "be quiet"])
def test_stopping_a_ring_stops_only_what_rings(home, words):
    home.say("set a timer for ten minutes")
    home.say("set a timer for one hour")
    home.clock.now += 600
    assert home.due()
    home.say(words)
    home.clock.now += EVERY
    assert home.due() == []
    assert [each.length for each in home.alarms.pending()] == [3600]


def test_stop_leaves_alone_what_does_not_ring_yet(home):
    home.say("set a timer for ten minutes")
    home.say("stop")
    assert len(home.alarms.pending()) == 1


def test_what_rings_can_be_put_off(home):
    home.say("wake me at nine")
    home.clock.set("2026-11-21 09:00")
    assert home.due() == ["It is 9 o'clock in the morning. Your alarm."]
    assert home.say("snooze for ten minutes") == "Again in 10 minutes."
    home.clock.now += 599
    assert home.due() == []
    home.clock.now += 1
    assert home.due() == ["It is 9:10 in the morning. Your alarm."]


def test_nothing_to_put_off(home):
    assert home.say("snooze") == "Nothing is ringing."


def test_several_timers_are_told_apart_by_name_and_by_length(home):
    home.say("set a pasta timer for ten minutes")
    home.say("set a timer for five minutes called eggs")
    home.say("set a timer for one hour")
    assert home.say("how much time is left on the pasta timer") == (
        "10 minutes left on your pasta timer."
    )
    assert home.say("cancel the timer") == (
        "Which one? You have your eggs timer with 5 minutes left, your pasta timer with "
        "10 minutes left and your timer of 1 hour with 1 hour left."
    )
    assert home.say("cancel the eggs timer") == "Your eggs timer is cancelled."
    assert home.say("cancel the one hour timer") == "Your timer of 1 hour is cancelled."
    assert home.say("cancel the pizza timer") == (
        "There is none like that. You have your pasta timer with 10 minutes left."
    )
    assert home.say("cancel the timer") == "Your pasta timer is cancelled."
    assert home.say("cancel the timer") == "There is no timer to cancel."


def test_cancelling_all_asks_first_and_cancelling_one_does_not(home):
    home.say("set a timer for ten minutes")
    assert home.asked("cancel all timers") == ""
    home.say("set a timer for five minutes")
    assert home.asked("cancel the timer") == ""
    assert home.asked("cancel all timers") == "Shall I cancel all 2?"
    assert home.say("cancel all timers") == "2 timers cancelled."
    assert home.alarms.pending() == []


def test_alarms_are_told_apart_by_their_time(home):
    home.say("set an alarm for nine am tomorrow")
    home.say("set an alarm for half past nine pm")
    assert home.say("cancel the nine pm alarm").startswith("There is none like that.")
    assert home.say("cancel the nine am alarm") == "Your alarm is cancelled."
    assert home.say("when is my alarm") == (
        "You have 1 alarm set: your alarm at 9:30 in the evening."
    )


def test_an_alarm_says_when_it_will_ring(home):
    assert home.say("wake me at seven") == "Alarm set for 7 o'clock in the morning tomorrow."
    assert home.say("set an alarm for seven pm") == "Alarm set for 7 o'clock in the evening."
    assert home.say("set an alarm for noon on friday") == "Alarm set for noon on Friday."
    assert home.say("set an alarm for seven am today") == (
        "7 o'clock in the morning is over today."
    )


def test_a_reminder_says_it_from_our_side(home):
    said = home.say("remind me to call my mum about I'm late in ten minutes")
    assert said == "I will remind you in 10 minutes."
    home.clock.now += 600
    assert home.due() == ["Here is your reminder: call your mum about you're late."]


def test_a_reminder_at_a_time(home):
    said = home.say("remind me tomorrow at nine am to Water the plants")
    assert said == "I will remind you at 9 o'clock in the morning tomorrow."
    assert home.say("list my reminders") == (
        "You have 1 reminder set: your reminder about “Water the plants” "
        "at 9 o'clock in the morning tomorrow."
    )


def test_nothing_is_set(home):
    assert home.say("how much time is left") == "There is no timer."
    assert home.say("what alarms are set") == "There is no alarm."


def test_timers_survive_a_restart(home, tmp_path):
    home.say("set a pasta timer for ten minutes")
    again = AtHome(tmp_path, "2026-11-21 08:39")
    assert again.say("how much time is left") == "1 minute left on your pasta timer."
    again.clock.set("2026-11-21 08:40")
    assert again.due() == ["Your pasta timer is done."]


def test_what_was_missed_is_told_once_at_the_next_start(home, tmp_path):
    home.say("set a pasta timer for ten minutes")
    home.say("remind me to call mum at nine pm")
    again = AtHome(tmp_path, "2026-11-22 07:00")
    assert again.due() == [
        "While I was away, your pasta timer was due at 8:40 in the morning yesterday.",
        "While I was away, your reminder was due at 9 o'clock in the evening yesterday: call mum.",
    ]
    assert again.due() == [] == again.alarms.pending()


def test_a_ring_that_was_cut_short_by_a_restart_is_not_told_again(home, tmp_path):
    home.say("set a timer for ten minutes")
    home.clock.now += 600
    assert home.due()
    again = AtHome(tmp_path, "2026-11-21 12:00")
    assert again.due() == [] == again.alarms.pending()


def test_a_minute_late_is_not_missed_yet(home):
    home.say("set a timer for ten minutes")
    home.clock.now += 600 + LATE
    assert home.due() == ["Your timer of 10 minutes is done."]


def test_two_processes_ring_once(home, tmp_path):
    home.say("set a timer for ten minutes")
    home.say("set a timer for nine minutes")
    other = Alarms(Folder(tmp_path), home.room)
    home.clock.now += 600
    mine, theirs = home.alarms.due(), other.due()
    rung = [next(mine), *theirs, *mine]  # it read of both before the other rang the second
    assert sorted(rung) == [f"Your timer of {n} minutes is done." for n in (10, 9)]


def test_a_clock_that_is_set_back_rings_later(home):
    home.say("wake me at nine")
    home.clock.set("2026-11-21 08:59")
    home.clock.now -= 3600
    assert home.due() == []
    home.clock.set("2026-11-21 09:00")
    assert home.due()


def test_an_alarm_after_a_change_of_the_clocks_rings_at_its_time(tmp_path):
    home = AtHome(tmp_path, "2026-03-28 23:00")
    assert home.say("wake me at seven") == "Alarm set for 7 o'clock in the morning tomorrow."
    home.clock.now += 7 * 3600 - 1
    assert home.due() == []
    home.clock.now += 1
    assert home.due() == ["It is 7 o'clock in the morning. Your alarm."]


def test_a_timer_runs_through_a_change_of_the_clocks(tmp_path):
    home = AtHome(tmp_path, "2026-10-25 01:30")
    home.say("set a timer for two hours")
    home.clock.now += 2 * 3600
    assert datetime.fromtimestamp(home.clock.now, ZURICH).strftime("%H:%M") == "02:30"
    assert home.due() == ["Your timer of 2 hours is done."]


def ring(alarms, clock, scene, start=None):
    """What is announced, with the seconds, while `scene` runs in virtual time."""
    heard = []

    async def play():
        loop = asyncio.get_running_loop()
        began = clock.now
        clock_in_loop_time = lambda: began + loop.time()  # noqa: E731
        object.__setattr__(alarms._room, "clock", clock_in_loop_time)
        async with asyncio.TaskGroup() as group:
            ringing = group.create_task(
                alarms.ring_forever(lambda text: heard.append((round(loop.time(), 1), text)))
            )
            await scene()
            ringing.cancel()

    run(play(), fast=True)
    return heard


def test_the_bell_sleeps_until_the_next_one_and_wakes_when_one_is_set(home):
    home.say("set a timer for one hour")

    async def scene():
        await asyncio.sleep(100)  # fast
        home.alarms.add("timer", home.room.clock() + 7, name="tea", length=7)
        await asyncio.sleep(30)
        home.alarms.remove(home.alarms.ringing())
        await asyncio.sleep(3600 - 130 + 1)

    assert ring(home.alarms, home.clock, scene) == [
        (107.0, "Your tea timer is done."),
        (107.0 + EVERY, "Your tea timer is done."),
        (3600.0, "Your timer of 1 hour is done."),
    ]


def test_the_bell_tells_at_its_start_what_was_missed(home):
    home.say("set a timer for ten minutes")
    home.clock.now += 3600

    async def scene():
        await asyncio.sleep(1)

    assert [text for _, text in ring(home.alarms, home.clock, scene)] == [
        "While I was away, your timer of 10 minutes was due at 8:40 in the morning."
    ]


def test_the_bell_notices_when_the_clock_leaps(home):
    home.say("wake me at nine")
    times = []

    async def scene():
        loop = asyncio.get_running_loop()
        await asyncio.sleep(10)
        slept = home.room.clock
        object.__setattr__(home.room, "clock", lambda: slept() + 1790)  # the lid was closed
        times.append(loop.time())
        await asyncio.sleep(NAP + 1)

    ((at, text),) = ring(home.alarms, home.clock, scene)[:1]
    assert text.startswith("It is 9 o'clock")
    assert times[0] <= at <= times[0] + NAP


def test_a_timer_that_is_set_in_another_thread_wakes_the_bell(home):
    async def scene():
        heard, rings = [], asyncio.Event()

        def announce(text):
            heard.append(text)
            rings.set()

        bell = asyncio.create_task(home.alarms.ring_forever(announce))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not heard
        work = threading.Thread(
            target=home.alarms.add, args=("timer", home.clock.now), kwargs={"length": 5.0}
        )
        work.start()
        async with asyncio.timeout(NAP / 2):
            await rings.wait()
        work.join()
        bell.cancel()
        return heard

    assert asyncio.run(scene()) == ["Your timer of 5 seconds is done."]


def test_many_threads_set_timers_at_once(home):
    def work(name):
        for _ in range(5):
            home.alarms.add("timer", home.clock.now + 60, name=name, length=60.0)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(home.alarms.pending()) == 40


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from helpers_skills import AtHome
home = AtHome(Path({folder!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for number in range(20):
    print(home.say("remind me to look at " + 80 * "x" + " in five minutes"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files there")
def test_a_full_disk_is_said_and_what_was_set_stays(home, tmp_path):
    home.say("set a timer for ten minutes")
    code = FULL.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert "the disk is full. Make room" in said[-1]
    kept = said.count("I will remind you in 5 minutes.")
    assert 0 < kept < 20
    assert len(home.alarms.pending()) == kept + 1


def test_a_damaged_file_is_said(tmp_path):
    (tmp_path / "alarms.json").write_text('[{"id": "1", "what": "cuckoo"}]')
    home = AtHome(tmp_path)
    assert "alarms.json cannot be read" in home.say("set a timer for ten minutes")
    assert home.asked("cancel all timers") == ""

    async def scene():
        return None

    ((_, text),) = ring(home.alarms, home.clock, lambda: asyncio.sleep(1))
    assert "alarms.json cannot be read. Move it away" in text


def test_there_is_an_end_to_them(home):
    for _ in range(MOST):
        home.alarms.add("timer", home.clock.now + 60)
    with pytest.raises(ToolError, match="Cancel some"):
        home.alarms.add("timer", home.clock.now + 60)


@pytest.mark.parametrize(
    "arguments",
    [
        {"minutes": -5},
        {},
        {"hours": 1e9},
        {"minutes": float("nan")},
        {"minutes": "ten"},
        {"minutes": 5, "path": "/etc"},
    ],
)
def test_a_model_that_sends_nonsense_sets_nothing(home, arguments):
    assert not home.use(ToolCall("set_timer", arguments)).worked
    assert home.alarms.pending() == []


@pytest.mark.parametrize("time", ["", "25:00", "soon", "7:30 am or pm or so", "tomorrow at 7"])
def test_a_model_that_sends_no_time_sets_nothing(home, time):
    result = home.use(ToolCall("set_alarm", {"time": time}))
    assert not result.worked
    assert "half past seven" in result.said


@pytest.mark.parametrize("time", ["19:30", "7:30 pm", "7:30 PM", "7:30 p.m.", "half past seven pm"])
def test_a_model_may_write_a_time_in_many_ways(home, time):
    assert home.use(ToolCall("set_alarm", {"time": time})).said == (
        "Alarm set for 7:30 in the evening."
    )


def test_names_may_hold_anything(home):
    for name in ("'; DROP TABLE alarms; --", "$(reboot)", "../..", "日本語"):
        home.use(ToolCall("set_timer", {"minutes": 5, "name": name}))
    assert [each.name for each in home.alarms.pending()] == [
        *("'; DROP TABLE alarms; --", "$(reboot)", "../..", "日本語")
    ]


def test_nothing_is_written_before_something_is_set(tmp_path):
    folder = tmp_path / "later"
    alarms = Alarms(Folder(folder), Room(Clock()))
    assert list(alarms.due()) == []
    alarms.remove(alarms.ringing())
    assert not folder.exists()
    alarms.add("timer", 5.0)
    assert (folder / "alarms.json").exists()
