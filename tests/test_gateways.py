"""What a notebook starts beside itself answers, and is gone when the notebook is."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import psutil
import pytest

from voice_kit.errors import MissingEngineError, VoiceKitError
from voice_kit.workshop import leash
from voice_kit.workshop.gateways import Gateway, Program, Redis

pytestmark = pytest.mark.needs("serve")

TALKER = "print('ready', flush=True); import time; time.sleep(600)"
OWNER = f"""
import json, sys, time
from voice_kit.workshop.gateways import Program
program = Program(sys.executable, "-c", {TALKER!r})
print(json.dumps([program.pid, program.line()]), flush=True)
time.sleep(600)
"""


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_program_ends_with_its_owner_however_that_ends(number):
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE) as owner:
        pid, said = json.loads(owner.stdout.readline())
        assert said == "ready" and alive(pid)
        leash = psutil.Process(pid).ppid()
        owner.send_signal(number)
        owner.communicate()
    while alive(leash):  # it ends when its program has; the test's own time limit ends this
        pass
    assert not alive(pid)


def test_a_program_that_is_killed_or_ended_is_over_when_that_returns():
    for end in (Program.kill, Program.end):
        program = Program(sys.executable, "-c", TALKER)
        assert program.line() == "ready" and program.running
        end(program)
        assert not program.running
        program.end()


def test_what_a_program_prints_at_once_comes_after_its_number(monkeypatch, capfd):
    class Quick(subprocess.Popen):
        """Has ended, and said all, before its number is known: as a Redis on a busy machine."""

        def __init__(self, *words, **more):
            super().__init__(*words, **more)
            self.wait()

    monkeypatch.setattr(subprocess, "Popen", Quick)
    assert leash.main([sys.executable, "-c", "print('ready'); print('steady')"]) == 0
    number, *said = capfd.readouterr().out.split()
    assert number.isdigit()
    assert said == ["ready", "steady"]


def test_why_a_program_did_not_start_is_told():
    program = Program(sys.executable, "-c", "raise SystemExit('The port is taken.')")
    with pytest.raises(VoiceKitError, match="did not start: The port is taken"):
        program.line()


def test_a_gateway_answers_once_it_is_ready_and_a_whole_crowd_may_come():
    kit = Gateway("--stt", "sphinx", "--llm", "handbook", "--tts", "espeak")
    try:
        kit.ready()
        assert kit.token and kit.token not in kit.address and kit.token in kit.url
        for _ in range(30):
            asked = urllib.request.Request(f"{kit.address}/v1/conversations", headers=kit.headers)
            with urllib.request.urlopen(asked) as answer:
                assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{kit.address}/v1/conversations")
    finally:
        kit.end()
    assert not kit.running


def test_a_gateway_that_cannot_be_says_so():
    with pytest.raises(VoiceKitError, match=r"voice-kit serve did not start: .*nothing-like-it"):
        Gateway("--llm", "nothing-like-it").ready()


@pytest.mark.needs("redis")
def test_a_redis_is_there_when_it_is_made(tmp_path):
    import redis as client

    redis = Redis(tmp_path)
    try:
        assert client.Redis.from_url(redis.url).ping()
    finally:
        redis.end()


def test_without_a_redis_the_way_to_one_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingEngineError, match="redis-server"):
        Redis(tmp_path)
