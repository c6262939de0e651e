"""Other packages bring engines by entry point; the examples do as they say."""

import asyncio
import importlib
import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from voice_kit import engines
from voice_kit.errors import LanguageError, MissingEngineError, SettingsError, UnknownEngineError
from voice_kit.settings import Settings
from voice_kit.types import FRAME, RATE, Audio, Message
from voice_kit.workshop import plugins
from voice_kit.workshop.contracts import CONTRACTS, broken

HERE = Path(__file__).parent / "plugins"
EXAMPLES = Path(plugins.__file__).parent


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of installed packages that holds ours, as pip would leave it."""
    shutil.copytree(HERE / "voice_kit_parrot", tmp_path / "voice_kit_parrot")
    about = tmp_path / "voice_kit_parrot-1.0.dist-info"
    about.mkdir()
    shutil.copy(HERE / "entry_points.txt", about)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: voice-kit-parrot\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    engines._plugins.cache_clear()
    yield tmp_path
    engines._plugins.cache_clear()
    for name in [name for name in sys.modules if name.startswith("voice_kit_parrot")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("stage", "name"), [("stt", "length"), ("llm", "echo"), ("tts", "tone"), ("vad", "loud")]
)
def test_an_installed_package_brings_an_engine_of_each_kind(site, stage, name):
    assert name in engines.names(stage)
    assert name not in engines.BUILT_IN[stage]
    assert engines.make(stage, name, Settings()).name.startswith(name)
    settings = Settings(**{stage: name})
    assert engines.choose(stage, settings).spec == name


@pytest.mark.parametrize(
    ("stage", "name"), [("stt", "length"), ("llm", "echo"), ("tts", "tone"), ("vad", "loud")]
)
def test_its_engines_keep_what_the_kit_asks_of_every_engine(site, stage, name):
    assert broken(CONTRACTS[stage], engines.make(stage, name, Settings())) == []


def test_without_the_package_the_name_is_unknown():
    with pytest.raises(UnknownEngineError, match="espeak"):
        engines.make("tts", "tone", Settings())


def test_it_is_made_with_its_model_its_options_and_the_language(site):
    settings = Settings(language="de", options={"tone": {"pitch": 220.0}})
    tone = engines.make("tts", "tone:square", settings)
    assert (tone.name, tone.pitch, tone.language) == ("tone:square", 220.0, "de")
    (speech,) = tone.speak("Hello.")
    assert speech.audio.seconds == pytest.approx(0.1)


def test_an_option_it_does_not_have_is_named_with_those_it_has(site):
    with pytest.raises(SettingsError, match=r"speed.*pitch"):
        engines.make("tts", "tone", Settings(options={"tone": {"speed": 2}}))


def test_a_language_it_does_not_speak_is_refused_when_it_is_chosen(site):
    with pytest.raises(LanguageError, match=r"fr.*de, en"):
        engines.choose("tts", Settings(tts="tone", language="fr"))


@pytest.mark.parametrize(
    ("name", "problem"), [("broken", "a_library_that_nobody_has"), ("nameless", "Nobody")]
)
def test_a_package_that_cannot_be_loaded_is_an_error_with_the_fix(site, name, problem):
    with pytest.raises(MissingEngineError, match=rf"{name}.*voice-kit-parrot.*{problem}") as raised:
        engines.make("tts", name, Settings())
    assert isinstance(raised.value.__cause__, ImportError | AttributeError)


def test_a_broken_package_does_not_hide_the_others(site):
    assert {"broken", "tone", "espeak"} <= set(engines.names("tts"))
    assert engines.make("tts", "tone", Settings())


def test_a_new_python_finds_it_too(site):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from voice_kit import engines; "
        "from voice_kit.settings import Settings; "
        "print(engines.make('llm', 'echo', Settings()).name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(site)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "echo", done.stderr


# The examples

NEEDS = {
    "stt_whisperx": ("WhisperX", "whisperx", {}),
    "tts_coqui": ("Coqui", "TTS", {}),
    "tts_google": ("GoogleCloud", "google.cloud.texttospeech", {}),
    "llm_anthropic": ("Anthropic", "anthropic", {"model": "any"}),
    "vad_flatness": ("Flatness", "", {}),
    "judge_falling": ("Falling", "", {}),
}


def there(library):
    try:
        return find_spec(library) is not None
    except ModuleNotFoundError:  # of the package above it
        return False


def test_there_is_an_example_of_each_kind_and_each_is_documented():
    found = {path.stem for path in EXAMPLES.glob("*_*.py") if path.stem != "__init__"}
    assert found == NEEDS.keys()
    assert {name.partition("_")[0] for name in found} == set(engines.STAGES)
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for name in found:
        assert f"{name}.py" in readme


@pytest.mark.parametrize("name", sorted(NEEDS))
def test_each_example_shows_the_entry_point_that_is_its_own(name):
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    stage, _, module, cls = re.search(
        r'\[project\.entry-points\."voice_kit\.(\w+)"\]\s+(\w+) = "my_engines\.(\w+):(\w+)"', text
    ).groups()
    assert (stage, module, cls) == (name.partition("_")[0], name, NEEDS[name][0])
    assert hasattr(importlib.import_module(f"voice_kit.workshop.plugins.{name}"), cls)


@pytest.mark.parametrize("name", sorted(name for name in NEEDS if NEEDS[name][1]))
def test_each_example_without_its_library_says_how_to_get_it(name):
    cls, library, options = NEEDS[name]
    if there(library):
        pytest.skip(f"{library} is installed")
    module = importlib.import_module(f"voice_kit.workshop.plugins.{name}")
    with pytest.raises(MissingEngineError, match="pip install"):
        getattr(module, cls)(**options)


@pytest.mark.parametrize("example", sorted(NEEDS))
def test_each_example_is_found_by_its_entry_point(example, tmp_path, monkeypatch):
    about = tmp_path / "my_engines-1.0.dist-info"
    about.mkdir()
    shutil.copytree(EXAMPLES, tmp_path / "my_engines")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-engines\nVersion: 1.0\n")
    stage, _, name = example.partition("_")
    (about / "entry_points.txt").write_text(
        f"[voice_kit.{stage}]\n{name} = my_engines.{example}:{NEEDS[example][0]}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    engines._plugins.cache_clear()
    try:
        assert name in engines.names(stage)
        assert engines.engine_class(stage, name).__name__ == NEEDS[example][0]
    finally:
        engines._plugins.cache_clear()
        for module in [module for module in sys.modules if module.startswith("my_engines")]:
            del sys.modules[module]


# What the examples make of their libraries' answers. The stand-ins have the shapes that
# whisperx 3.8 and coqui-tts 0.28 have; the real ones bring gigabytes, and their models a network.


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Writes a module that stands in for a library."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)

    def write(path, text):
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)

    write("torch.py", "class cuda:\n    is_available = staticmethod(lambda: False)\n")
    torch = sys.modules.pop("torch", None)
    yield write
    for name in set(sys.modules) - before | {"torch"}:
        if name.partition(".")[0] in {"torch", "whisperx", "TTS"}:
            sys.modules.pop(name, None)
    if torch is not None:
        sys.modules["torch"] = torch


WHISPERX = """
class Model:
    def transcribe(self, audio, language=None):
        assert (audio.dtype, audio.ndim, language) == ("float32", 1, "en")
        said = [{"text": " It costs 3.50.", "start": 0.0, "end": 1.0}]
        return {"segments": said if abs(audio).max() > 0.01 else [], "language": language}

def load_model(whisper_arch, device, device_index=0, compute_type="default", language=None):
    assert (whisper_arch, device, device_index, compute_type) == ("small", "cpu", 0, "default")
    return Model()

def load_align_model(language_code, device):
    return "model", {"language": language_code}

def align(transcript, model, align_model_metadata, audio, device):
    words = [{"word": "It", "start": 0.1, "end": 0.2, "score": 1.0},
             {"word": "costs", "start": 0.3, "end": 0.6, "score": 1.0}, {"word": "3.50."}]
    return {"segments": transcript, "word_segments": words}
"""


def test_whisperx_gives_each_word_its_place(library):
    library("whisperx.py", WHISPERX)
    from voice_kit.workshop.plugins.stt_whisperx import WhisperX

    ears = WhisperX(model="small")
    tone = np.full(48_000, 0.1, np.float32)
    heard = ears.transcribe(Audio(tone, 48_000))
    assert heard.text == "It costs 3.50."
    assert [(w.text, w.start, w.end) for w in heard.words] == [
        ("It", 0.1, 0.2),
        ("costs", 0.3, 0.6),
        ("3.50.", 0.6, 0.6),
    ]
    assert ears.transcribe(Audio.silence(1)).text == ""


COQUI = """
class TTS:
    is_multi_lingual, is_multi_speaker, speakers = {many}, {many}, ["Ann", "Bob"]

    class synthesizer:
        output_sample_rate = 22050

    def __init__(self, model_name="", *, progress_bar=True):
        self.model_name = model_name

    def to(self, device):
        return self

    def tts(self, text, speaker=None, language=None, split_sentences=True):
        assert (speaker, language, split_sentences) == ({speaker}, {language}, False)
        return [0.0, 0.5] * 11025
"""


@pytest.mark.parametrize("many", [True, False])
def test_coqui_is_told_voice_and_language_only_where_it_has_several(library, many):
    speaker, language = ("'Bob'", "'de'") if many else (None, None)
    library("TTS/__init__.py", "")
    library("TTS/api.py", COQUI.format(many=many, speaker=speaker, language=language))
    from voice_kit.workshop.plugins.tts_coqui import Coqui

    model = "tts_models/multilingual/multi-dataset/xtts_v2" if many else "tts_models/de/x/vits"
    voice = Coqui(model=model, language="de", voice="Bob")
    (speech,) = voice.speak("Guten Tag.")
    assert (speech.text, speech.audio.seconds) == ("Guten Tag.", 1.0)
    assert speech.audio.samples.dtype == np.float32
    if many:
        with pytest.raises(SettingsError, match=r"Eve.*Ann"):
            Coqui(model=model, language="de", voice="Eve")


def test_coqui_refuses_a_model_of_another_language():
    from voice_kit.workshop.plugins.tts_coqui import Coqui

    with pytest.raises(LanguageError, match="tts_models/fr"):
        Coqui(model="tts_models/en/ljspeech/vits", language="fr")


def test_the_detector_tells_a_hum_of_voices_from_hiss_and_silence():
    from voice_kit.workshop.plugins.vad_flatness import Flatness

    time = np.arange(20 * FRAME) / RATE
    vowel = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 12)) * 0.1
    hiss = np.random.default_rng(0).normal(0, 0.1, len(time))
    streams = np.stack([vowel, hiss, 0 * time]).astype(np.float32).reshape(3, 20, FRAME)
    detector = Flatness()
    states = [detector.start()] * 3
    for index in range(20):
        frames = streams[:, index].copy()
        before = frames.copy(), list(states)
        chances, after = detector.detect(frames, states)
        assert (frames == before[0]).all()
        assert states == before[1]
        states = after
    assert chances[0] > 0.8
    assert chances[1] < 0.3
    assert chances[2] == 0


ANTHROPIC = """HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"""


def test_the_judge_of_loudness_takes_a_voice_that_falls_for_finished():
    from voice_kit.types import Transcript
    from voice_kit.workshop.plugins.judge_falling import Falling

    hum = np.sin(np.arange(16_000) * 0.1).astype(np.float32)
    falls = hum * np.linspace(0.5, 0.05, len(hum), dtype=np.float32)
    judge, no_words = Falling(), Transcript("")
    ends, goes_on, short = (
        judge.finished(Audio(sound, 16_000), no_words) for sound in (falls, falls[::-1], hum[:800])
    )
    assert goes_on < 0.5 < ends
    assert short == 0.5


def test_claude_is_asked_with_the_system_prompt_apart(monkeypatch):
    if not there("anthropic"):
        pytest.skip("anthropic is not installed: pip install anthropic")
    from voice_kit.workshop.plugins.llm_anthropic import Anthropic

    monkeypatch.setenv("ANTHROPIC_API_KEY", "test")
    asked = {}

    async def serve(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(re.search(r"content-length: (\d+)", head)[1])
        asked.update(json.loads(await reader.readexactly(length)))
        about = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": []}
        about |= {"stop_reason": None, "usage": {"input_tokens": 1, "output_tokens": 1}}
        events = [
            {"type": "message_start", "message": about},
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "text", "text": ""},
            },
            *(
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "text_delta", "text": word},
                }
                for word in ("Good", " day.")
            ),
            {"type": "content_block_stop", "index": 0},
            {"type": "message_stop"},
        ]
        body = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)
        writer.write((ANTHROPIC + body).encode())
        await writer.drain()
        writer.close()

    async def scene():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            mind = Anthropic(model="m", base_url=f"http://127.0.0.1:{port}")
            messages = [Message("system", "Be kind."), Message("user", "Hello")]
            return [token async for token in mind.reply(messages)]

    assert asyncio.run(scene()) == ["Good", " day."]
    assert asked["system"] == "Be kind."
    assert asked["messages"] == [{"role": "user", "content": "Hello"}]
