"""The exported assistant is a file that a learner can read, and that Python and ruff accept."""

import ast
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from voice_kit.errors import SettingsError
from voice_kit.settings import Settings
from voice_kit.workshop.export import assistant, export

RUFF = shutil.which("ruff") or Path(sys.executable).with_name("ruff")

CHANGES = {
    "as it is": {},
    "another ear, with a stand-in": {
        "stt": "whisper:/no/such/model",
        "device": "cpu",
        "compute": "int8",
    },
    "a server": {
        "llm": "openai:tiny",
        "options.openai.base_url": "http://127.0.0.1:1/v1",
        "options.openai.api_key": "my secret key",
    },
    "German": {
        "language": "de",
        "stt": "openai:whisper-1",
        "options.openai.base_url": "http://x/1",
    },
    "a long persona with quotes": {
        "persona": 'You are "Kit", it\'s you.\n' + "Speak like a pirate, and never stop. " * 9
    },
    "timing": {"hear.stop": 0.3, "hear.eager": 0, "interrupt.mode": "any", "timeouts.llm": 5},
}


@pytest.fixture(params=CHANGES, ids=str)
def settings(request):
    return Settings().changed(CHANGES[request.param])


def test_it_compiles_and_ruff_has_nothing_to_say(settings, tmp_path):
    file = tmp_path / "mine.py"
    export(file, settings)
    py_compile.compile(str(file), doraise=True)
    if not Path(RUFF).exists():
        pytest.skip("no ruff in this Python: run make test")
    select = ["--isolated", "--line-length", "100"]
    checked = subprocess.run(
        [RUFF, "check", *select, "--select", "E,F,I,UP,B,SIM,C4", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    formatted = subprocess.run(
        [RUFF, "format", *select, "--diff", file], capture_output=True, text=True, check=False
    )
    assert formatted.returncode == 0, formatted.stdout


def test_its_settings_are_those_it_was_made_from(settings):
    tree = ast.parse(assistant(settings))
    (changed,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "changed"
    ]
    written = Settings().changed(ast.literal_eval(changed.args[0]))
    for name in ("language", "persona", "hear", "interrupt", "timeouts"):
        assert getattr(written, name) == getattr(settings, name)


def test_a_key_stays_out_of_the_file():
    text = assistant(Settings().changed(CHANGES["a server"]))
    assert "OpenAIModel(" in text
    assert "secret" not in text


def test_what_takes_over_is_written_after_what_was_asked_for():
    text = assistant(Settings().changed({"stt": "whisper:/no/such/model", "vad": "silero"}))
    assert 'Line("vad", Silero(), [Energy]),' in text
    assert 'Line("stt", FasterWhisper(model="/no/such/model"), [PocketSphinx]),' in text


def test_it_says_in_one_sentence_that_there_is_no_microphone(tmp_path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    embedded = {"stt": "sphinx", "llm": "handbook", "tts": "espeak"}
    export(tmp_path / "mine.py", Settings().changed(embedded))
    done = subprocess.run(
        [sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "libportaudio2" in line


def test_a_file_that_is_there_is_kept(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("mine")
    with pytest.raises(SettingsError, match="--force"):
        export(file, Settings())
    assert file.read_text() == "mine"
    export(file, Settings(), force=True)
    assert "Conversation(" in file.read_text()
