"""Whatever is wrong with a file, server, engine or disk: one clear sentence, nothing lost."""

import asyncio
import errno
import json
import os
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest
from helpers_sound_card import FakeCard
from openai_server import OpenAIServer
from scripted_server import ScriptedServer, refusing_url

from voice_kit.audio.files import read, to_wav, write
from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.no_speaker import NoSpeaker
from voice_kit.cli import app
from voice_kit.converse.conversation import Conversation
from voice_kit.errors import AudioError, VoiceKitError
from voice_kit.settings import Settings
from voice_kit.sounds import clip
from voice_kit.think.llm_handbook import Handbook
from voice_kit.types import Audio, EngineChanged, Failed, TurnFinished
from voice_kit.workshop.fakes import HummingVoice, Script, ScriptedModel, scripted

BOUND = 60
"""Seconds after which a command counts as hanging."""

needs_limits = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot limit file sizes")


def voice_kit(*words, limit=None, **more):
    def small():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "voice_kit.cli", *map(str, words)]
    more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
    return subprocess.run(
        command, text=True, check=False, timeout=BOUND, preexec_fn=small if limit else None, **more
    )


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def sentence(done):
    """What a failed command says: one line, no traceback, exit code 1."""
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert "Traceback" not in line
    return line


# Files


def wav(data, rate=16_000, channels=1, kind=1, bits=16):
    width = channels * bits // 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, kind, channels, rate, rate * width, width, bits)
    head = struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE") + form
    return head + struct.pack("<4sI", b"data", len(data)) + data


QUESTION = clip("question_vad").audio()


def float_wav(*broken):
    samples = np.concatenate([QUESTION.samples, np.array(broken, np.float32)])
    return wav(samples.astype("<f4").tobytes(), QUESTION.rate, kind=3, bits=32)


SPOKEN = (QUESTION.samples * 32767).astype("<i2")

BAD = {
    "empty.wav": (b"", "it is empty"),
    "text.wav": (b"this is no sound\n" * 20, "no sound file"),
    "nan.wav": (float_wav(np.nan), "not numbers"),
    "infinite.wav": (float_wav(np.inf), "not numbers"),
    "zero_hz.wav": (wav(SPOKEN.tobytes(), rate=0), "no sound file"),
    "headless.wav": (b"\0" * 5000, "no sound file"),
    "no_samples.wav": (wav(b""), "no sound"),
}
GOOD = {
    "eleven_channels.wav": wav(np.repeat(SPOKEN, 11).tobytes(), QUESTION.rate, channels=11),
    "half.wav": to_wav(QUESTION)[: len(to_wav(QUESTION)) * 3 // 4],
    "silence.wav": wav(bytes(2 * 16_000)),
    "one_sample.wav": wav(b"\1\0"),
}


@pytest.fixture
def folder(tmp_path):
    for name, (data, _) in BAD.items():
        (tmp_path / name).write_bytes(data)
    for name, data in GOOD.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_transcribe_names_what_is_wrong_with_each_file_and_hears_all_the_others(folder):
    files = [*BAD, *GOOD, "not_there.wav"]
    done = voice_kit("transcribe", *files, "--stt", "sphinx", "--json", cwd=folder)
    assert done.returncode == 1
    told = {line["file"]: line for line in lines(done)}
    assert list(told) == files
    for name, (_, problem) in BAD.items():
        assert set(told[name]) == {"file", "error"}
        assert problem in told[name]["error"]
    assert "There is no file" in told["not_there.wav"]["error"]
    assert told["eleven_channels.wav"]["text"] == "what is voice activity detection"
    assert told["half.wav"]["text"].startswith("what")
    assert told["silence.wav"]["text"] == told["one_sample.wav"]["text"] == ""


def test_vad_names_what_is_wrong_with_each_file_and_finds_the_speech_in_the_others(folder):
    done = voice_kit("vad", *BAD, *GOOD, "--json", cwd=folder)
    assert done.returncode == 1
    told = {line["file"]: line for line in lines(done)}
    for name, (_, problem) in BAD.items():
        assert problem in told[name]["error"]
    assert len(told["eleven_channels.wav"]["speech"]) == 1
    assert len(told["half.wav"]["speech"]) == 1
    assert told["silence.wav"]["speech"] == told["one_sample.wav"]["speech"] == []


@pytest.mark.parametrize("command", ["listen", "demo"])
def test_a_bad_recording_in_the_microphones_place_is_one_sentence(command, folder):
    done = voice_kit(command, "--wav", "text.wav", cwd=folder)
    assert "no sound file" in sentence(done)
    assert not (folder / "voice-kit-demo").exists()


@needs_limits
def test_half_an_hour_is_worked_through_in_little_memory(tmp_path):
    rate, spoken = QUESTION.rate, QUESTION.samples
    sound = np.zeros(1800 * rate, np.float32)
    for start in (1, 600, 1790):
        sound[start * rate :][: len(spoken)] = spoken
    write(tmp_path / "long.wav", Audio(sound, rate))
    command = [sys.executable, "-m", "voice_kit.cli", "transcribe", "long.wav", "--stt", "sphinx"]
    # A child of ours would be said to have needed what we did until it was another program.
    small = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", small, *command, "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    line, most = done.stdout.splitlines()
    told = json.loads(line)
    assert told["text"] == " ".join(["what is voice activity detection"] * 3)
    assert told["seconds"] == 1800
    in_mb = 1e6 if sys.platform == "darwin" else 1e3
    assert int(most) / in_mb < 800


# Engines and servers


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["transcribe", "x.wav", "--stt", "whisper:no-such-model"], "base.en"),
        (["ask", "hi", "--llm", "llamacpp:/no/such.gguf"], ".gguf"),
        (["ask", "hi", "--llm", "no-such-engine"], "handbook"),
        (["say", "hi", "--out", "x.wav", "--tts", "espeak:no-such-voice"], "voice-kit voices"),
        (["vad", "x.wav", "--vad", "no-such-engine"], "silero"),
    ],
)
def test_a_model_that_does_not_exist_is_one_sentence_with_what_there_is(words, part, tmp_path):
    assert part in sentence(voice_kit(*words, cwd=tmp_path))
    assert list(tmp_path.iterdir()) == []


def to_server(url, *more):
    return [*("--set", f"options.openai.base_url={url}"), *more]


PROBLEMS = {
    "no model": "no-such-model",
    "bad request": "refused",
    "broken": "500",
    "hang": "did not answer within 1 s",
    "garbage": "",
    "not json": "",
    "other json": "",
    "die": "",
    "cut": "",
    "error": "",
}


@pytest.mark.needs("openai")
@pytest.mark.parametrize("mode", PROBLEMS)
def test_ask_says_what_a_bad_server_did_and_ends(mode):
    with OpenAIServer(mode=mode) as server:
        limit = ("--set", "timeouts.llm=1")
        done = voice_kit(
            *("ask", "my secret", "--llm", "openai:tiny-chat"), *to_server(server.base_url, *limit)
        )
    said = sentence(done)
    assert "Try" in said
    assert "secret" not in said


@pytest.mark.needs("openai")
def test_what_a_server_said_before_it_died_is_not_lost():
    with OpenAIServer(mode="die") as server:
        done = voice_kit("ask", "hi", "--llm", "openai:tiny-chat", *to_server(server.base_url))
    assert done.stdout.startswith("It is noon.")
    assert "Try" in sentence(done)


@pytest.mark.needs("openai")
@pytest.mark.parametrize(
    "words",
    [
        ["ask", "hi", "--llm", "openai:tiny-chat"],
        ["say", "hi", "--tts", "openai:nova", "--out", "x.wav"],
        ["transcribe", "question.wav", "--stt", "openai:whisper-1"],
    ],
    ids=lambda words: words[0],
)
def test_where_no_server_listens_each_command_says_so(words, tmp_path):
    write(tmp_path / "question.wav", QUESTION)
    url = refusing_url()
    done = voice_kit(*words, *to_server(f"{url}/v1"), cwd=tmp_path)
    assert url.removeprefix("http://") in sentence(done)
    assert not (tmp_path / "x.wav").exists()


async def hang(request, reply):
    await reply.until_the_client_closes()


async def rubbish(request, reply):
    await reply.whole(b"<html>It works!</html>", 200, "text/html")


async def refuse(request, reply):
    await reply.whole(b"no", 500)


async def die(request, reply):
    await reply.start("application/octet-stream")
    await reply.chunk(bytes(4800))
    await reply.die()


@pytest.mark.parametrize("does", [hang, refuse, die], ids=lambda does: does.__name__)
def test_say_writes_no_file_when_its_server_fails(does, tmp_path):
    with ScriptedServer(does) as server:
        done = voice_kit(
            *("say", "my secret", "--tts", "openai:nova", "--out", "x.wav"),
            *to_server(server.url, "--set", "timeouts.tts=1"),
            cwd=tmp_path,
        )
    assert "secret" not in sentence(done)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("does", [hang, refuse, rubbish, die], ids=lambda does: does.__name__)
def test_transcribe_says_what_a_bad_server_did(does, tmp_path):
    write(tmp_path / "question.wav", QUESTION)
    with ScriptedServer(does) as server:
        done = voice_kit(
            *("transcribe", "question.wav", "--stt", "openai:whisper-1", "--json"),
            *to_server(server.url, "--set", "timeouts.stt=1"),
            cwd=tmp_path,
        )
    assert done.returncode == 1
    (line,) = lines(done)
    assert set(line) == {"file", "error"}
    assert "Try" in line["error"]


def typed(engines, settings, *lines):
    """Events of a conversation in real time, in which each line is answered before the next."""

    async def scene():
        events = []
        async with Conversation(
            engines, NoSpeaker(), settings, observers=[events.append]
        ) as conversation:
            for line in lines:
                conversation.type(line)
                async with asyncio.timeout(BOUND):
                    await conversation.idle()
        return events

    return asyncio.run(scene())


def all_of(kind, events):
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.needs("openai")
@pytest.mark.parametrize("mode", ["broken", "hang", "garbage", "not json", "die", "cut", "error"])
def test_in_a_conversation_a_bad_server_is_apologised_for_and_the_handbook_takes_over(mode):
    from voice_kit.think.llm_openai import OpenAIModel

    settings = Settings().changed({"timeouts.llm": 0.5})
    with OpenAIServer(mode=mode) as server:
        model = OpenAIModel("tiny-chat", base_url=server.base_url)
        engines = scripted(Script(), llm=model, then={"llm": [Handbook]})
        events = typed(engines, settings, "What is my secret?", "What is latency?")
    (failed,) = all_of(Failed, events)
    assert "Try" in failed.message
    assert "secret" not in failed.message
    (changed,) = all_of(EngineChanged, events)
    assert changed.engine == "handbook"
    apology, answer = all_of(TurnFinished, events)
    assert "orry" in apology.said_heard
    assert answer.said_heard.startswith("Latency is")


class HangsOnce:
    """Blocks its thread until it is let go, the first time; then it is the other engine."""

    stops = "steps"

    def __init__(self, method, otherwise):
        self.name = "hangs once"
        self.let_go = threading.Event()
        self.calls = 0

        def work(given):
            self.calls += 1
            if self.calls == 1:
                self.let_go.wait()
            return otherwise(given)

        setattr(self, method, work)


def speech_of(text):
    from voice_kit.types import Speech

    yield Speech(text, Audio(np.full(8000, 0.1, np.float32), 16_000))


@pytest.mark.parametrize(
    ("stage", "method", "otherwise"),
    [
        ("llm", "reply", lambda messages: iter(["Here I am."])),
        ("tts", "speak", speech_of),
    ],
)
def test_the_turn_of_an_engine_that_never_returns_ends_and_the_next_one_works(
    stage, method, otherwise
):
    engine = HangsOnce(method, otherwise)
    engines = scripted(Script(), {"again": "Here I am."}, **{stage: engine})
    settings = Settings().changed({f"timeouts.{stage}": 0.2})
    events = typed(engines, settings, "hello", "again")
    engine.let_go.set()
    first, second = all_of(TurnFinished, events)
    assert all_of(Failed, events)[0].turn == first.turn
    assert first.at < BOUND / 2, "it ended when the hanging call did, if ever"
    assert second.said_heard == "Here I am."


def test_the_turn_of_a_transcriber_that_never_returns_ends_and_the_next_one_is_heard():
    from voice_kit.types import Transcript

    script = Script()
    engine = HangsOnce("transcribe", lambda audio: Transcript(script.heard_in(audio.samples)))
    engines = scripted(script, stt=engine)
    settings = Settings().changed({"timeouts.stt": 0.2, "hear.eager": 0})
    events = []

    async def scene():
        async with Conversation(
            engines, NoSpeaker(), settings, observers=[events.append]
        ) as conversation:
            for line in ("one", "two"):
                sound = script.sound(0.3, (line, 1.0), 1.0)
                async with asyncio.timeout(BOUND):
                    await conversation.listen(FileMicrophone(sound, fast=True))
                    await conversation.idle()

    asyncio.run(scene())
    engine.let_go.set()
    assert all_of(Failed, events)[0].stage == "stt"
    finished = all_of(TurnFinished, events)
    assert finished[-1].heard == "two"
    assert finished[-1].said_heard == "You said two."


def test_a_command_is_not_held_up_by_an_engine_that_hangs_when_it_ends():
    code = """
        import asyncio, threading
        from voice_kit.audio.no_speaker import NoSpeaker
        from voice_kit.converse.conversation import Conversation
        from voice_kit.settings import Settings
        from voice_kit.workshop.fakes import Script, scripted

        class Hangs:
            name, stops = "hangs", "steps"
            def reply(self, messages):
                threading.Event().wait()

        async def scene():
            settings = Settings().changed({"timeouts.llm": 0.1})
            async with Conversation(scripted(Script(), llm=Hangs()), NoSpeaker(), settings) as talk:
                talk.type("hello")
                await talk.idle()
                print("over", flush=True)

        asyncio.run(scene())
    """
    import textwrap

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
        timeout=BOUND,
    )
    assert done.stdout == "over\n"


# Disks and sound cards


@needs_limits
def test_on_a_full_disk_say_leaves_the_old_file_and_no_new_one(tmp_path):
    write(tmp_path / "x.wav", Audio.silence(1.0))
    text = "This sentence is long enough for a small disk to be too small for it."
    done = voice_kit(
        *("say", text, "--tts", "espeak", "--out", "x.wav"), cwd=tmp_path, limit=20_000
    )
    assert "the disk is full. Free some space" in sentence(done)
    assert [path.name for path in tmp_path.iterdir()] == ["x.wav"]
    assert read(tmp_path / "x.wav").seconds == 1.0


@needs_limits
def test_on_a_full_disk_export_leaves_nothing(tmp_path):
    done = voice_kit("export", "mine.py", "--stt", "sphinx", cwd=tmp_path, limit=500)
    assert "the disk is full. Free some space" in sentence(done)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
@pytest.mark.parametrize("words", [["ask", "hi", "--llm", "handbook"], ["--help"], ["devices"]])
def test_output_that_cannot_be_written_is_one_sentence(words):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = voice_kit(*words, stdout=full)
    if words != ["devices"] or done.returncode:
        last = done.stderr.strip().splitlines()[-1]
        assert done.returncode == 1
        assert "cannot be written" in last
    assert "Traceback" not in done.stderr


@pytest.fixture
def card(monkeypatch):
    return FakeCard(16_000).plug_in(monkeypatch)


class Blocks(threading.Thread):
    """Feeds the fake card's microphone until it is closed."""

    def __init__(self, card):
        super().__init__(daemon=True)
        self.card = card

    def run(self):
        while not self.card.streams:
            threading.Event().wait(0.001)
        stream = self.card.streams[0]
        while not stream.closed:
            stream.push(np.full(512, 0.25, np.float32))
            threading.Event().wait(0.001)


def test_a_recording_that_fills_the_disk_keeps_what_it_has_and_says_so(card, tmp_path, monkeypatch):
    from voice_kit.audio import files

    write_all = files.write_all

    def on_a_small_disk(data, file):
        if file.tell() + len(data) > 33_044:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_all(data, file)

    monkeypatch.setattr(files, "write_all", on_a_small_disk)
    Blocks(card).start()
    with pytest.raises(AudioError, match=r"the disk is full.*The first 1\.\d s are in it"):
        app(["record", str(tmp_path / "me.wav")], standalone_mode=False)
    kept = read(tmp_path / "me.wav")
    assert 1.0 < kept.seconds < 1.1
    assert (abs(kept.samples - 0.25) < 0.001).all()


def test_a_recording_ends_by_itself_after_its_seconds(card, tmp_path, capsys):
    Blocks(card).start()
    app(["record", str(tmp_path / "me.wav"), "--seconds", "0.5", "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert told["seconds"] == read(tmp_path / "me.wav").seconds == pytest.approx(0.5, abs=0.04)
    assert card.streams[0].closed


def test_an_older_recording_is_written_over_only_when_that_is_said(card, tmp_path):
    Blocks(card).start()
    older = tmp_path / "me.wav"
    older.write_bytes(b"what somebody said once")
    with pytest.raises(VoiceKitError, match=r"already there.*--force"):
        app(["record", str(older), "--seconds", "0.1"], standalone_mode=False)
    assert older.read_bytes() == b"what somebody said once"
    app(["record", str(older), "--seconds", "0.1", "--force"], standalone_mode=False)
    assert read(older).seconds > 0


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["record", "me.wav"], "There is no microphone"),
        (["listen"], "There is no microphone"),
        (["say", "hi", "--tts", "espeak"], "--out"),
    ],
)
def test_without_a_sound_card_each_command_says_what_to_do(words, part, tmp_path, monkeypatch):
    class NoCard(FakeCard):
        def query_devices(self, device=None, kind=None):
            if kind is None:
                return []
            raise self.PortAudioError("Error querying device -1")

    NoCard().plug_in(monkeypatch)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AudioError, match=part):
        app(words, standalone_mode=False)
    assert list(tmp_path.iterdir()) == []


def test_the_engines_that_stand_in_here_work():
    events = typed(scripted(Script(), llm=ScriptedModel({}), tts=HummingVoice()), Settings(), "hi")
    assert [event.said_heard for event in all_of(TurnFinished, events)] == ["You said hi."]
