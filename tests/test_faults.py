"""What the table of faults counts, and one of them really tried."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
import websockets

from voice_kit.errors import VoiceKitError
from voice_kit.settings import Settings
from voice_kit.workshop import faults_cluster, faults_user
from voice_kit.workshop.faults import AWAY, FAULTS, HEADS, Result, limit, tried
from voice_kit.workshop.faults_user import Told, User
from voice_kit.workshop.faults_world import Process

WHOLE = os.environ.get("SOAK") == "whole"


def result(*users, name="gateway-killed"):
    return Result(name, "Something goes wrong.", list(users))


def test_a_fault_is_survived_when_all_was_answered_and_nothing_lost():
    whole = Told(asked=3, heard=3, waits=[0.2, 1.0, 0.3])
    again = Told(asked=3, heard=3, again=1, closes=[1006], away=0.5, waits=[2.0])
    survived = result(whole, whole, again)
    assert survived.good
    assert survived.row[:6] == ["Something goes wrong", "9/9", "1", "0", "0", "0"]
    assert survived.row[7:] == ["2.00", "0.00", "0.50", "ok"] and len(survived.row) == len(HEADS)
    assert survived.each() == [
        "  2 × 3 of 3 answers",
        "  1 × 3 of 3 answers; 1 asked again; connected again after close 1006",
    ]


@pytest.mark.parametrize(
    "told",
    [Told(asked=3, heard=2), Told(asked=3, heard=3, lost=1), Told(asked=3, heard=3, missing=1),
     Told(asked=3, heard=1, left=True, lost=1)],
)  # fmt: skip
def test_a_lost_turn_or_a_question_without_an_answer_is_not_kept(told):
    assert not result(Told(asked=3, heard=3), told).good


@pytest.mark.parametrize("name", ["pause", "away"])
def test_who_waited_longer_than_anything_may_take_was_left_hanging(name):
    assert limit("redis-hangs") == limit("gateway-killed") == 6 < AWAY
    whole = {"asked": 3, "heard": 3}
    for seconds, good in ((5.9, True), (6.1, False)):
        assert result(Told(**whole, **{name: seconds})).good is good
        assert result(Told(**whole, waits=[0.1, seconds])).good is good


def test_who_was_left_hanging_is_not_made_up_for_by_asking_again():
    assert not result(Told(asked=3, heard=3, hung=1, again=1)).good


def test_an_engine_that_was_killed_may_be_waited_for_as_long_as_the_settings_let_it():
    timeouts = Settings().timeouts
    for stage in ("stt", "llm", "tts"):
        waited = getattr(timeouts, stage)
        name = f"{stage}-killed"
        assert result(Told(asked=1, heard=1, waits=[waited]), name=name).good
        assert not result(Told(asked=1, heard=1, waits=[waited + 3]), name=name).good


def test_a_question_is_asked_again_only_where_its_answer_could_break_off():
    again = Told(asked=3, heard=3, again=1)
    assert result(again, name="gateway-killed").good
    assert not result(again, name="redis-stops").good


def test_who_vanished_is_owed_no_answer():
    assert result(Told(asked=3, heard=1, left=True)).good


class Gateway:
    """Answers the questions whose numbers are among `answers`, the first being 0, and no other."""

    def __init__(self, *answers):
        self.answers, self.asked, self.headers = answers, 0, {}

    @asynccontextmanager
    async def open(self):
        async with websockets.serve(self._talk, "127.0.0.1", 0) as server:
            self.ws = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            yield SimpleNamespace(gateways=[self], lines=self._lines)

    async def _talk(self, socket):
        created = {"type": "session.created", "session": {"voice_kit": {"conversation": "one"}}}
        await socket.send(json.dumps(created))
        async for message in socket:
            if json.loads(message)["type"] != "response.create":
                continue
            self.asked += 1
            if self.asked - 1 in self.answers:
                done = {"type": "response.done", "response": {"status": "completed"}}
                await socket.send(json.dumps(done))

    async def _lines(self, conversation):
        return [{"text": "Question 0 of user 0."}]


async def asked_of(gateway):
    async with gateway.open() as world:
        user = User(world, 0, 1)
        await user.talk()
        return user.told


def test_a_question_that_hung_is_told_although_it_was_answered_when_asked_again(monkeypatch):
    monkeypatch.setattr(faults_user, "PATIENCE", 0.2)
    told = asyncio.run(asked_of(Gateway(1)))
    assert (told.asked, told.heard, told.again, told.hung) == (1, 1, 1, 1)
    assert not result(told).good


def test_a_question_is_asked_twice_and_never_a_third_time(monkeypatch):
    monkeypatch.setattr(faults_user, "PATIENCE", 0.2)
    gateway = Gateway()
    told = asyncio.run(asked_of(gateway))
    assert (gateway.asked, told.heard, told.hung) == (2, 0, 2)


def test_a_question_that_is_answered_at_once_is_asked_once_and_nobody_hung():
    gateway = Gateway(0)
    told = asyncio.run(asked_of(gateway))
    assert (gateway.asked, told.heard, told.again, told.hung) == (1, 1, 0, 0)
    assert result(told, name="nothing").good


def test_a_fault_that_killed_nothing_is_none(monkeypatch):
    pytest.importorskip("psutil", reason="no psutil in this Python: run make test")
    monkeypatch.setattr(faults_cluster, "NAME", f"test-{os.getpid()}")
    command = [sys.executable, "-c", "input()", f"ServeReplica:{faults_cluster.NAME}:stt"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as replica:
        faults_cluster.strike("stt")
        assert replica.wait(20) == -signal.SIGKILL
    for name in ("stt-killed", "llm-killed", "tts-killed"):
        with pytest.raises(VoiceKitError, match="none was killed"):
            asyncio.run(FAULTS[name](None, []))


def test_a_program_that_has_ended_cannot_be_what_goes_wrong():
    process = Process([sys.executable, "-c", ""])
    process.start()
    asyncio.run(process.ended())
    with pytest.raises(VoiceKitError, match="does not run"):
        process.signal(signal.SIGTERM)


@pytest.mark.soak
@pytest.mark.needs("redis", "serve")
@pytest.mark.parametrize("name", FAULTS if WHOLE else ["gateway-killed"])
def test_each_fault_is_survived(name):
    users = 20 if WHOLE else 4
    found = asyncio.run(tried(name, users))
    assert len(found.users) == users and sum(user.heard for user in found.users) >= users
    assert found.good, "\n".join(found.each())
