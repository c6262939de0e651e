"""The notebooks with ENGINES = "best": the same cells on Whisper, Ollama and Kokoro, all tiny.

What a network with random weights writes or says means nothing; that every cell takes it does.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
import tiny_kokoro
import tiny_whisper
from helpers_papermill import executed_by_papermill
from ollama_server import OllamaServer

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "notebooks" / "source").glob("[0-9][0-9]_*.py"))
BEST = [source.stem for source in SOURCES if 'ENGINES == "best"' in source.read_text("utf-8")]
WHOLE = os.environ.get("SOAK") == "whole"
QUICK = {"04_ask_a_language_model", "06_the_first_conversation"}
"""In every test run; the others take minutes, for a random Kokoro's phonemes never end."""

pytestmark = [pytest.mark.needs("jupyter", "torch", "kokoro"), pytest.mark.timeout(900)]


def kept(hub, name, make):
    """A model where Hugging Face's library keeps those that it has fetched."""
    place = hub / f"models--{name.replace('/', '--')}"
    snapshot = place / "snapshots" / "abc"
    snapshot.parent.mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("abc")
    make(snapshot)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A home in which Whisper and Kokoro lie, as after `voice-kit models fetch`."""
    home = tmp_path_factory.mktemp("models")
    whisper = tiny_whisper.make(tmp_path_factory.mktemp("whisper"), multilingual=False)
    for size in ("base.en", "tiny.en"):
        name = f"Systran/faster-whisper-{size}"
        kept(home / "hub", name, lambda to: shutil.copytree(whisper, to))
    kept(home / "hub", "hexgrad/Kokoro-82M", tiny_kokoro.make_kokoro)
    return home


@pytest.fixture(scope="module")
def ollama():
    with OllamaServer(tokens=("It ", "is ", "noon", ". ", "Or ", "so", ".")) as server:
        yield server


def test_most_notebooks_have_a_best():
    assert len(BEST) >= 8
    assert set(BEST) >= QUICK


@pytest.mark.soak
@pytest.mark.parametrize("name", BEST)
def test_every_cell_takes_the_best_engines(name, models, ollama, tmp_path):
    if not (WHOLE or name in QUICK):
        pytest.skip("it takes minutes: make soak")
    out = tmp_path / "ran.ipynb"
    env = {
        "HF_HOME": str(models),
        "HF_HUB_OFFLINE": "1",
        "OLLAMA_HOST": ollama.url,
        "OMP_NUM_THREADS": "1",
        "VOICE_KIT_OPTIONS": json.dumps({"kokoro": {"speed": 8}, "whisper": {"filtered": False}}),
        "VOICE_KIT_STRICT": "1",
    }
    notebook = ROOT / "notebooks" / "solutions" / f"{name}.ipynb"
    options = ("-p", "ENGINES", "best", "--execution-timeout", "300")
    done = executed_by_papermill(notebook, out, *options, **env)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not (tmp_path / "reached.txt").exists()
    ran = json.loads(out.read_text("utf-8"))
    printed = "".join(
        text
        for cell in ran["cells"]
        for each in cell.get("outputs", [])
        for text in (each.get("text", ()), each.get("data", {}).get("text/plain", ()))
        for text in text
    )
    wanted = {
        "03": ["whisper:base.en"],
        "04": ["ollama:", "It is noon. Or so."],
        "05": ["kokoro:af_heart (the best there is)"],
        "06": ["whisper:base.en (the best", "ollama:qwen3:1.7b (the best", "kokoro:af_heart (the"],
    }
    for words in wanted.get(name[:2], ()):
        assert words in printed
