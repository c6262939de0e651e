"""Callers who measure a gateway: what they count is what happened, and whose fault it was."""

import json
import subprocess
import sys
from contextlib import contextmanager
from threading import Thread

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="no FastAPI: pip install 'voice-kit[serve]'")

from helpers_serve import Loudness, served, stubs
from websockets.sync.server import serve

from voice_kit.audio.files import write
from voice_kit.errors import VoiceKitError
from voice_kit.serve.protocol import HEADER, SILENCE, SOUND, SPEECH
from voice_kit.types import FRAME, RATE, Audio, Transcript
from voice_kit.workshop import load, load_caller
from voice_kit.workshop.load_gateway import compared


def tone(seconds=0.6, level=0.1):
    return Audio(np.full(round(seconds * RATE), level, np.float32), RATE)


def scenes(conversations, questions=1, rest=1.2):
    return load.asked(conversations, questions, rest, [tone()])


def measured(address, heard, **more):
    found, token = load.socket_of(address, **more)
    return load.measure(found, token, heard, per_second=1000)


# What they felt


def test_every_question_of_every_caller_is_answered_and_timed():
    with served() as gateway:
        felt = measured(f"{gateway}/?token={gateway.token}", scenes(3, questions=2))
    assert (felt["conversations"], felt["turns"], felt["n"]) == (3, 6, 6)
    assert felt["unanswered"] == felt["refused"] == felt["too_early"] == 0
    assert 0 < felt["p50"] <= felt["p95"] <= felt["p99"] < 1200


def test_a_question_that_nobody_answers_is_counted():
    class Deaf(Loudness):
        async def transcribe(self, audio):
            return Transcript("")

    with served(stubs(stt=Deaf())) as gateway:
        felt = measured(gateway, scenes(2), token=gateway.token)
    assert felt["unanswered"] == felt["turns"] == 2
    assert "p50" not in felt
    assert felt["n"] == 0


def test_an_answer_before_the_end_of_its_question_is_told_of():
    pause = np.zeros(round(1.5 * RATE), np.float32)
    broken = Audio(np.concatenate([tone().samples, pause, tone().samples]), RATE)
    with served() as gateway:
        felt = measured(gateway, load.asked(2, 1, 1.2, [broken]), token=gateway.token)
    assert (felt["too_early"], felt["unanswered"], felt["n"]) == (2, 0, 0)
    assert "2 answered before their end" in load.trouble(felt)
    assert load.trouble(felt) in load.text({"gateway": felt})


def test_one_who_is_refused_is_told_why_and_the_others_go_on():
    with served(max_connections=2) as gateway:
        felt = measured(gateway, scenes(3), token=gateway.token)
    assert felt["refused"] == 1
    assert felt["turns"] == felt["n"] == 2
    assert "full" in felt["why"][0]


def test_a_wrong_token_and_an_empty_port_are_said_in_words():
    with served() as gateway:
        felt = measured(gateway, scenes(1), token="wrong")
    assert felt["refused"] == 1
    assert felt["why"] != [""]
    assert measured(gateway, scenes(1))["why"] == ["nobody listens there"]


# What they send


@contextmanager
def listener(messages):
    """A server that greets, and keeps what it is sent."""

    def keep(socket):
        socket.recv()
        socket.send(json.dumps({"type": "session.updated"}))
        messages.extend(socket)

    with serve(keep, "127.0.0.1", 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def test_frames_are_sent_while_someone_speaks_and_silence_is_counted():
    messages, (heard,) = [], scenes(1, questions=1, rest=4.0)
    with listener(messages) as address:
        measured(address, [heard])
    sent = [HEADER.unpack_from(each) for each in messages if isinstance(each, bytes)]
    assert sent
    number = 0
    for _, _, count, first in sent:
        assert first == number
        number += count
    assert len(heard.sound) // FRAME - load_caller.TOGETHER < number <= len(heard.sound) // FRAME
    silent = sum(count for kind, _, count, _ in sent if kind == SILENCE)
    loud = sum(count for kind, _, count, _ in sent if kind == SOUND)
    spoken = heard.turns[0].end - heard.turns[0].start
    assert loud * FRAME / RATE == pytest.approx(
        spoken + load_caller.HOLD + load_caller.BEFORE, abs=0.1
    )
    assert silent > 20


def speech(number, samples):
    return HEADER.pack(SPEECH, 0, samples, number)


def test_what_was_heard_is_told_as_time_passes_and_once_to_its_end():
    speaker = load_caller.Loudspeaker()
    assert speaker.report(0.0) is None
    assert speaker.take(speech(1, 12_000), 5.0)
    assert not speaker.take(speech(1, 12_000), 5.1)
    told = [json.loads(speaker.report(at))["heard"][0] for at in (5.25, 6.5)]
    assert [(each["samples"], each["final"]) for each in told] == [(6000, False), (24_000, True)]
    assert speaker.report(7.0) is None
    assert speaker.take(speech(2, 100), 8.0)
    assert not speaker.take(speech(1, 100), 8.0)
    stopped = json.loads(speaker.report(8.0, stopped=True))["heard"][0]
    assert (stopped["id"], stopped["final"]) == (2, True)


# Where they call


@pytest.mark.parametrize(
    ("given", "socket", "token"),
    [
        ("http://127.0.0.1:8765/?token=abc", "ws://127.0.0.1:8765/v1/realtime", "abc"),
        ("https://talk.example.org", "wss://talk.example.org/v1/realtime", ""),
        ("127.0.0.1:8765", "ws://127.0.0.1:8765/v1/realtime", ""),
        ("ws://[::1]:1/a/v1/realtime?model=b", "ws://[::1]:1/a/v1/realtime?model=b", ""),
    ],
)
def test_an_address_is_taken_as_serve_prints_it(given, socket, token):
    assert load.socket_of(given) == (socket, token)
    assert load.socket_of(given, "mine")[1] == "mine"


@pytest.mark.parametrize("given", ["ftp://a", "http://", "file:///etc"])
def test_what_is_no_address_is_refused_in_words(given):
    with pytest.raises(VoiceKitError, match="no address of a gateway"):
        load.socket_of(given)


# The command


def voice_kit(*words):
    command = [sys.executable, "-m", "voice_kit.cli", "load", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_calls_a_gateway_with_ones_own_question(tmp_path):
    write(tmp_path / "question.wav", tone())
    with served() as gateway:
        done = voice_kit(
            f"{gateway}/?token={gateway.token}", "--conversations", 2, "--questions", 1,
            "--rest", 1.2, "--sound", tmp_path / "question.wav", "--json",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["gateway"]["n"] == 2


def test_the_command_fails_where_nobody_was_answered():
    done = voice_kit("http://127.0.0.1:1", "--conversations", 1, "--questions", 1)
    assert done.returncode == 1
    assert "Nobody was answered in time: " in done.stderr
    assert "nobody listens there" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_that_no_computer_has_is_said_in_words():
    done = voice_kit("nowhere.invalid", "--conversations", 1, "--questions", 1)
    assert done.returncode == 1
    assert "no computer of that name" in done.stderr and "Errno" not in done.stderr


def test_the_socket_is_compared_with_one_process_question_by_question():
    found = compared(conversations=3, questions=1, rest=2.5)
    assert found["gateway"]["unanswered"] == 0
    assert found["gateway"]["turns"] == 3
    assert found["gateway"]["n"] >= 2
    assert found["added"]["p50"] == found["gateway"]["p50"] - found["inside"]["p50"]
    shown = load.text(found)
    assert "added by the socket" in shown
    assert "3 conversations, 3 questions" in shown
