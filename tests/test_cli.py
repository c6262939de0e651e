"""The command line as people and programs use it."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from voice_kit.audio.files import read, write
from voice_kit.cli.options import console, notes
from voice_kit.sounds import clip
from voice_kit.types import Audio

COMMANDS = [
    "doctor",
    "devices",
    "listen",
    "vad",
    "record",
    "transcribe",
    "say",
    "ask",
    "talk",
    "demo",
    "voices",
    "export",
    "replay",
    "again",
    "why",
    "scenario",
    "bench",
    "load",
]


def voice_kit(*words, **more):
    command = [sys.executable, "-m", "voice_kit.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def question(tmp_path):
    write(tmp_path / "question.wav", clip("question_vad").audio())
    return tmp_path / "question.wav"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command):
    done = voice_kit(command, "--help")
    assert done.returncode == 0
    assert f"Example: voice-kit {command}" in done.stdout


def test_alone_it_lists_every_command():
    done = voice_kit("--help")
    assert all(command in done.stdout for command in COMMANDS)


def test_transcribe_prints_a_line_for_each_file_and_goes_on_after_a_bad_one(tmp_path, question):
    bad = tmp_path / "bad.wav"
    bad.write_text("this is no sound")
    done = voice_kit(
        "transcribe", bad, question, tmp_path / "none.wav", "--stt", "sphinx", "--json"
    )
    first, second, third = lines(done)
    assert done.returncode == 1
    assert first["file"] == str(bad)
    assert "error" in first
    assert "none.wav" in third["error"]
    assert set(second) == {"file", "text", "seconds", "took_s", "engine"}
    assert second["text"].lower().strip("?.") == "what is voice activity detection"
    assert second["engine"] == "sphinx"
    assert second["seconds"] == pytest.approx(clip("question_vad").audio().seconds, abs=0.01)


def test_vad_prints_where_the_speech_is(tmp_path):
    speech = clip("question_vad").audio()
    padded = np.concatenate([np.zeros(2 * speech.rate), speech.samples, np.zeros(speech.rate)])
    write(tmp_path / "padded.wav", Audio(padded.astype(np.float32), speech.rate))
    (line,) = lines(voice_kit("vad", tmp_path / "padded.wav", "--json"))
    ((start, end),) = line["speech"]
    assert 1.9 < start < 2.4
    assert 2.0 + speech.seconds - 0.5 < end < 2.0 + speech.seconds + 0.2


def test_say_writes_a_sound_and_nothing_else(tmp_path):
    done = voice_kit("say", "Good morning.", "--out", "hi.wav", "--tts", "espeak", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    sound = read(tmp_path / "hi.wav")
    assert 0.4 < sound.seconds < 3
    assert np.abs(sound.samples).max() > 0.05
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ""] == ["hi.wav"]


def test_ask_answers_as_json():
    (answer,) = lines(voice_kit("ask", "What is latency?", "--llm", "handbook", "--json"))
    assert set(answer) == {
        *("text", "engine", "route", "confidence", "reason", "tools", "sources", "first_token_s")
    }
    assert answer["route"] == "chat" and answer["tools"] == [] == answer["sources"]
    assert "latency" in answer["text"].lower()
    assert answer["engine"] == "handbook"
    assert 0 <= answer["first_token_s"] < 5


def test_ask_does_what_is_asked_and_tells_of_it_as_json():
    (answer,) = lines(voice_kit("ask", "what is twelve times twelve", "--json"))
    assert answer["text"] == "That is 144."
    assert (answer["route"], answer["engine"]) == ("skill", "skill:calculate")
    (used,) = answer["tools"]
    assert used["tool"] == "calculate" and used["worked"] is True


def test_ask_answers_also_when_it_cannot_remember_and_says_so(tmp_path):
    damaged = tmp_path / "memory.sqlite"
    damaged.write_bytes(b"no database" * 1000)
    done = voice_kit(
        "ask", "what is two plus two", "--json", "--set", f"memory.store=sqlite:{damaged}"
    )
    (answer,) = lines(done)
    assert answer["text"] == "That is 4."
    assert done.stderr.count("Move it away") == 1 and str(damaged) in done.stderr


def test_a_question_can_be_asked_of_a_pipe_that_closes():
    command = f"{sys.executable} -m voice_kit.cli ask 'What is latency?' | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert len(done.stdout) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["ask", "hi", "--llm", "nonsense"], "handbook"),
        (["ask", "hi", "--set", "hear.stp=1"], "hear.stop"),
        (["transcribe", "x.wav", "--stt", "sphinx", "--language", "fr"], "fr"),
        (["say", "hi", "--out", "no/such/folder/x.wav", "--tts", "espeak"], "folder"),
        (["say", "🙂", "--out", "x.wav", "--tts", "espeak"], "words"),
    ],
)
def test_an_error_is_one_sentence_with_the_fix_and_an_exit_code(words, part, tmp_path):
    done = voice_kit(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert part in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_wrong_command_line_shows_how_it_is_used():
    done = voice_kit("transcribe", "--nonsense")
    assert done.returncode == 2
    assert "--nonsense" in done.stderr


def test_doctor_offline_finds_everything_needed_and_says_how_to_get_better_engines():
    done = voice_kit("doctor", "--offline", "--json")
    findings = lines(done)
    assert done.returncode == 0, done.stdout
    what = [finding["what"] for finding in findings]
    assert {"Python", "packages", "microphone", "vad", "stt", "llm", "tts"} <= set(what)
    assert all(finding["status"] in ("ok", "note", "fix") for finding in findings)
    assert all(finding["fix"] for finding in findings if finding["status"] != "ok")
    assert "hub" not in done.stdout


def test_doctor_leaves_with_one_when_something_needed_is_missing():
    done = voice_kit("doctor", "--offline", "--json", "--set", "stt=whisper:/no/such/folder")
    assert done.returncode == 1
    assert any(finding["status"] == "fix" for finding in lines(done))


def test_voices_are_listed_and_those_that_are_here_are_marked():
    voices = lines(voice_kit("voices", "espeak", "--json"))
    assert len(voices) > 30
    assert all(voice["here"] for voice in voices)
    german = lines(voice_kit("voices", "espeak", "--language", "de", "--json"))
    assert 0 < len(german) < len(voices)


def test_listen_tells_the_turns_of_a_recording(question):
    events = lines(voice_kit("listen", "--wav", question, "--json"))
    assert [event["event"] for event in events] == ["speech_started", "turn_ended"]


def test_export_writes_an_assistant_that_runs(tmp_path, question):
    name = "my_assistant.py"
    done = voice_kit("export", name, "--set", "hear.stop=0.4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / name).read_text()
    assert '"hear.stop": 0.4' in text
    assert "PocketSphinx()" in text
    ran = subprocess.run(
        [sys.executable, name, str(question)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "voice activity" in ran.stdout
    assert read(tmp_path / "answer.wav").samples.any()
    again = voice_kit("export", name, cwd=tmp_path)
    assert again.returncode == 1
    assert "--force" in again.stderr


def test_typed_lines_are_answered_where_there_is_no_microphone():
    done = voice_kit("talk", "--typed", "--llm", "handbook", input="What is latency?\n\n")
    assert done.returncode == 0, done.stderr
    assert "What is latency?" in done.stdout
    assert "kit  Latency is" in done.stdout


def test_a_text_and_a_sound_may_come_through_a_pipe(tmp_path):
    (answer,) = lines(
        voice_kit("ask", "-", "--llm", "handbook", "--json", input="What is latency?")
    )
    assert "latency" in answer["text"].lower()
    said = voice_kit(
        *("say", "-", "--tts", "espeak", "--out", "x.wav"), cwd=tmp_path, input="Good morning."
    )
    assert said.returncode == 0, said.stderr
    with (tmp_path / "x.wav").open() as sound:
        (line,) = lines(voice_kit("vad", "-", "--json", stdin=sound))
    assert line["file"] == "-"
    assert line["speech"]


def test_an_engines_option_is_a_number_where_it_looks_like_one(tmp_path):
    words = ["say", "Good morning everybody.", "--tts", "espeak", "--json", "--out", "x.wav"]
    (slow,) = lines(voice_kit(*words, "--set", "options.espeak.speed=0.5", cwd=tmp_path))
    (fast,) = lines(voice_kit(*words, "--set", "options.espeak.speed=2", cwd=tmp_path))
    assert slow["seconds"] > 2 * fast["seconds"]
    wrong = voice_kit(*words, "--set", "options.espeak.speed=abc", cwd=tmp_path)
    assert wrong.returncode == 1
    assert "options.espeak" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_help_loads_nothing_that_it_does_not_need():
    code = "import sys, voice_kit.cli; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ["pydantic", "matplotlib", "av", "soxr", "onnxruntime", "voice_kit.settings"]
    command = [sys.executable, "-c", code, *heavy]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("where", [console, notes])
def test_what_is_printed_is_what_was_meant_and_no_picture_or_style(where, capsys):
    """A fingerprint (one in five has one of these), a device, what somebody said."""
    where.print(said := "3F:AB:CD:09 is [USB] :smile:")
    assert "".join(capsys.readouterr()) == f"{said}\n"


def test_where_a_character_cannot_be_written_a_question_mark_is(tmp_path, question):
    words = ["demo", "--fast", "--wav", question, "--out", tmp_path / "out"]
    done = voice_kit(*words, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "speech to text" in done.stdout
    assert "???" in done.stdout


def test_nobody_is_told_to_fetch_what_a_server_keeps():
    assert "to fetch" in voice_kit("voices", "kokoro").stdout
    served = voice_kit("voices", "openai").stdout
    assert "needs a server" in served and "to fetch" not in served


def test_only_voices_that_speak_here_are_heard_unless_one_was_named():
    from voice_kit.cli import room

    assert [room._local(name) for name in ("espeak", "kokoro", "piper")] == [True] * 3
    assert [room._local(name) for name in ("elevenlabs", "openai")] == [False] * 2


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to whole consoles only")
def test_ctrl_c_ends_the_demo_at_once_and_leaves_nothing_behind(tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "voice_kit.cli", "demo", "--json", "--out", str(out)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        assert "TurnStarted" in next(line for line in child.stdout if "TurnStarted" in line)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=30)
        group = child.pid
    assert child.returncode == 130
    assert "Traceback" not in errors
    assert not out.exists()
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to whole consoles only")
def test_ctrl_c_while_a_long_recording_is_searched_ends_without_a_crash(tmp_path):
    code = """
import signal, sys, threading
from voice_kit.cli import main, running

search = running.turns
def searching(*given):
    threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
    return search(*given)
running.turns = searching
sys.argv = ["voice-kit", "transcribe", "long.wav", "--stt", "sphinx"]
main()
"""
    write(tmp_path / "long.wav", Audio.silence(1800))
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (130, "")
