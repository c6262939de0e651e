"""Every engine of the kit keeps what its kind promises, and a wrong one is found out."""

import asyncio
import base64
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tiny_smart_turn
import tiny_whisper
from ollama_server import OllamaServer
from openai_server import OpenAIServer
from scripted_server import ScriptedServer
from tiny_gguf import write_tiny_gguf
from tiny_kokoro import SPEED, make_kokoro
from tiny_piper import write_piper

from voice_kit.engines import BUILT_IN, make
from voice_kit.errors import VoiceKitError
from voice_kit.settings import Settings
from voice_kit.types import RATE, Audio, Speech, Transcript, Word
from voice_kit.workshop.contracts import (
    CONTRACTS,
    EngineContract,
    JudgeContract,
    LanguageModelContract,
    TranscriberContract,
    VoiceContract,
    VoiceDetectorContract,
    broken,
)

ROOT = Path(__file__).parents[1]


def made(spec, **options):
    """The engine that the kit makes of `[options.NAME]`."""
    stage, _, name = spec.partition(" ")
    options = {name.partition(":")[0]: options} if options else {}
    return make(stage, name, Settings(options=options))


# Those that hear


class TestSilero(VoiceDetectorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        return made("vad silero")


class TestWebrtc(VoiceDetectorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        return made("vad webrtc")


class TestEnergy(VoiceDetectorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        return made("vad energy")


class TestFlatness(VoiceDetectorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        from voice_kit.workshop.plugins.vad_flatness import Flatness

        return Flatness()


class TestSphinx(TranscriberContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        engine = made("stt sphinx")
        yield engine
        engine.close()


@pytest.mark.models
@pytest.mark.needs("torch")
class TestWhisper(TranscriberContract):
    trained = False

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, tmp_path_factory):
        pytest.importorskip("transformers", reason="no transformers in this Python: run make test")
        folder = tiny_whisper.make(tmp_path_factory.mktemp("whisper"))
        return made(f"stt whisper:{folder}")


class TestOpenaiHearing(TranscriberContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        async def answer(request, reply):
            await reply.json({"text": "What is voice activity detection?"})

        with ScriptedServer(answer) as server:
            yield made("stt openai", base_url=server.url)


class TestText(JudgeContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        return made("judge text")


class TestSilence(JudgeContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        return made("judge silence")


class TestSmartTurn(JudgeContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, tmp_path_factory):
        weights = np.full((1, 80, 800), 1e-5, np.float32)
        file = tmp_path_factory.mktemp("smart-turn") / "tiny.onnx"
        return made(f"judge smart-turn:{tiny_smart_turn.make(file, weights, 0.3)}")


class TestFalling(JudgeContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        from voice_kit.workshop.plugins.judge_falling import Falling

        return Falling()


# Those that think


class TestHandbook(LanguageModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        return made("llm handbook")


class TestOllama(LanguageModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        with OllamaServer(thoughts=("Well, ",), thinking=("qwen3:1.7b",)) as server:
            yield made("llm ollama:qwen3:1.7b", host=server.url)


@pytest.mark.needs("openai")
class TestOpenaiThinking(LanguageModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        with OpenAIServer(thoughts=("Well, ",)) as server:
            yield made("llm openai:tiny-chat", base_url=server.base_url)


@pytest.mark.needs("litellm")
@pytest.mark.timeout(300)
class TestLitellm(LanguageModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        with OpenAIServer() as server:
            yield made("llm litellm:openai/tiny-chat", api_base=server.base_url, api_key="k")


@pytest.mark.models
@pytest.mark.needs("xllamacpp", "openai")
class TestLlamacpp(LanguageModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, tmp_path_factory):
        pytest.importorskip("gguf")
        file = write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")
        exact = {"temperature": 0, "max_tokens": 24}
        return made(f"llm llamacpp:{file}", threads=1, options=exact)


# Those that speak


class TestEspeak(VoiceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        return made("tts espeak")


@pytest.mark.soak
@pytest.mark.skipif(os.environ.get("SOAK") != "whole", reason="a minute of speech: SOAK=whole")
@pytest.mark.models
@pytest.mark.needs("kokoro")
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore::UserWarning:torch", "ignore::FutureWarning:torch")
class TestKokoro(VoiceContract):
    trained = False

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, tmp_path_factory):
        folder = make_kokoro(tmp_path_factory.mktemp("kokoro") / "tiny")
        return made("tts kokoro", path=str(folder), speed=SPEED)


@pytest.mark.models
@pytest.mark.needs("piper")
class TestPiper(VoiceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("piper") / "voices"
        write_piper(folder, timed=True)
        return made("tts piper:en_US-tiny-medium", path=str(folder))


def hum(text, rate=24_000):
    """50 ms of sound for each character, as 16-bit samples."""
    return (np.sin(np.arange(rate // 20 * len(text)) / 9) * 20_000).astype("<i2")


class TestOpenaiSpeaking(VoiceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        async def answer(request, reply):
            await reply.whole(hum(request.json["input"]).tobytes(), kind="audio/pcm")

        with ScriptedServer(answer) as server:
            yield made("tts openai:nova", base_url=server.url)


class TestElevenlabs(VoiceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        async def answer(request, reply):
            text = request.json["text"]
            said = {
                "characters": list(text),
                "character_start_times_seconds": [0.05 * n for n in range(len(text))],
                "character_end_times_seconds": [0.05 * (n + 1) for n in range(len(text))],
            }
            sound = base64.b64encode(hum(text).tobytes()).decode()
            line = {"audio_base64": sound, "alignment": said, "normalized_alignment": None}
            await reply.whole(json.dumps(line).encode() + b"\n", kind="application/json")

        with ScriptedServer(answer) as server:
            yield made("tts elevenlabs:voice", base_url=server.url, api_key="k")


def test_every_engine_of_the_kit_is_held_to_its_contract():
    held = Counter(
        contract
        for each in globals().values()
        if isinstance(each, type) and issubclass(each, EngineContract)
        for contract in CONTRACTS.values()
        if issubclass(each, contract) and each is not contract
    )
    examples = {VoiceDetectorContract: 1, JudgeContract: 1}  # of plugins, which need no library
    assert held == {
        contract: len(BUILT_IN[stage]) + examples.get(contract, 0)
        for stage, contract in CONTRACTS.items()
    }


# Engines that are right, and then wrong in one thing each


class Ears:
    name, stops = "ears", "steps"
    heard = "what is voice activity detection"

    def transcribe(self, audio):
        loud = np.nan_to_num(audio.samples).max(initial=0.0) > 0.01
        words = (Word("what", 0.1, 0.4), Word("is", 0.4, 0.5)) if loud else ()
        return Transcript(self.heard if loud else "", words=words)


class Detector:
    name = "detector"
    direct = True

    def start(self):
        return 0.0

    def detect(self, frames, states):
        loudness = np.abs(np.nan_to_num(frames)).max(axis=1)
        now = 0.5 * np.minimum(1.0, 50 * loudness) + 0.5 * np.asarray(states)
        return now.astype(np.float32), now.tolist()


class Mind:
    name, stops = "mind", "steps"

    def reply(self, messages):
        yield from ("It ", "tells ", "speech ", "from ", "noise.")


class Voice:
    name, stops = "voice", "steps"

    def speak(self, text):
        if text.strip():
            wave = 0.1 * np.sin(np.arange(800 * len(text)) / 9)
            yield Speech(text, Audio(wave.astype(np.float32), RATE))


class Judge:
    name, stops, needs_words, direct = "judge", "steps", True, True

    def finished(self, audio, transcript):
        return 0.9 if transcript.text.startswith("what") else 0.5


class FarVoice(Voice):
    """As good as the other, but far away."""

    stops = "async"

    async def speak(self, text):
        await asyncio.sleep(0)
        for part in Voice.speak(self, text):
            yield part


class FarEars(Ears):
    stops = "async"

    async def transcribe(self, audio):
        return Ears.transcribe(self, audio)


RIGHT = {Detector: "vad", Ears: "stt", FarEars: "stt", Mind: "llm", Voice: "tts", FarVoice: "tts"}
RIGHT |= {Judge: "judge"}


@pytest.mark.parametrize("engine", RIGHT, ids=lambda cls: cls.__name__)
def test_a_right_engine_breaks_nothing(engine):
    assert broken(CONTRACTS[RIGHT[engine]], engine()) == []


def test_it_can_be_asked_where_a_loop_is_running():
    async def in_a_notebook():
        return broken(CONTRACTS["tts"], FarVoice())

    assert asyncio.run(in_a_notebook()) == []


def wrong(cls, promise):
    """Mark a right engine's variant as one that breaks this promise."""

    def remember(variant):
        WRONG.append((variant, cls, promise))
        return variant

    return remember


WRONG = []


@wrong(Voice, "it has a name")
class Nameless(Voice):
    name = ""


@wrong(Voice, "it says how its work ends early")
class Unstoppable(Voice):
    stops = "never"


@wrong(Voice, "it sounds")
class SaysItIsNear(FarVoice):
    stops = "steps"


@wrong(Voice, "its languages are codes")
class Polyglot(Voice):
    languages = frozenset({"English"})


@wrong(Voice, "it is made from keywords with defaults")
class Demanding(Voice):
    def __init__(self, key):
        pass


@wrong(Voice, "what is here is known at once")
class Sluggish(Voice):
    @classmethod
    def here(cls):
        threading.Event().wait(0.6)
        return ""


@wrong(Voice, "what is here is known at once")
class Talkative(Voice):
    @classmethod
    def here(cls):
        raise VoiceKitError("one line\nand another")


@wrong(Voice, "its work changes nothing global")
class Impatient(Voice):
    def speak(self, text):
        socket.setdefaulttimeout(7)
        yield from Voice.speak(self, text)


@wrong(Ears, "its work changes nothing global")
class Stubborn(Ears):
    def transcribe(self, audio):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return super().transcribe(audio)


@wrong(Ears, "nothing that is said is logged")
class Indiscreet(Ears):
    def transcribe(self, audio):
        heard = super().transcribe(audio)
        logging.getLogger("indiscreet").debug("heard %s", heard.text)
        return heard


@wrong(Mind, "nothing that is said is logged")
class Gossip(Mind):
    def reply(self, messages):
        logging.getLogger("gossip").warning("asked: %s", messages[-1].content)
        return super().reply(messages)


@wrong(Voice, "it may be asked from several threads")
class Mixed(Voice):
    """Keeps the call under way in one place for all."""

    def __init__(self):
        self.calls, self.meet = 0, threading.Barrier(3)

    def speak(self, text):
        self.calls += 1
        mine = self.calls
        if threading.current_thread() is not threading.main_thread():
            self.meet.wait(5)
        for part in super().speak(text):
            yield part if self.calls == mine else Speech(text[:3], part.audio)


@wrong(Detector, "each frame of a batch gets a chance and a state")
class OneForAll(Detector):
    def detect(self, frames, states):
        chances, states = super().detect(frames, states)
        return chances[:1], states


@wrong(Detector, "each frame of a batch gets a chance and a state")
class Logits(Detector):
    def detect(self, frames, states):
        chances, states = super().detect(frames, states)
        return 10 * chances - 5, states


@wrong(Detector, "frames and the list of states are not changed")
class Greedy(Detector):
    def detect(self, frames, states):
        answer = super().detect(frames, states)
        frames[:] = 0
        return answer


@wrong(Detector, "a start can be kept and used again")
class Remembering(Detector):
    def start(self):
        return [0.0]

    def detect(self, frames, states):
        chances, after = super().detect(frames, [state[0] for state in states])
        for state, each in zip(states, after, strict=True):
            state[0] = each
        return chances, list(states)


@wrong(Detector, "streams in one batch do not mix")
class Mixing(Detector):
    def detect(self, frames, states):
        return super().detect(np.broadcast_to(frames.mean(axis=0), frames.shape), states)


@wrong(Detector, "silence is no speech")
class Paranoid(Detector):
    def detect(self, frames, states):
        return np.ones(len(frames), np.float32), list(states)


@wrong(Detector, "who speaks is heard")
class Deaf(Detector):
    def detect(self, frames, states):
        return np.zeros(len(frames), np.float32), list(states)


@wrong(Detector, "one broken sample does not deafen it")
class Fragile(Detector):
    def detect(self, frames, states):
        now = 0.5 * np.abs(frames).max(axis=1) + 0.5 * np.asarray(states)
        return now.astype(np.float32), now.tolist()


@wrong(Detector, "one that is called in place is quick")
class Slow(Detector):
    def detect(self, frames, states):
        threading.Event().wait(0.01)
        return super().detect(frames, states)


@wrong(Ears, "silence is an empty text")
class Inventive(Ears):
    def transcribe(self, audio):
        return Transcript("Thanks for watching!")


@wrong(Ears, "any rate will do")
class Particular(Ears):
    def transcribe(self, audio):
        if audio.rate != RATE:
            raise ValueError(audio.rate)
        return super().transcribe(audio)


@wrong(Ears, "its words have places in the sound")
class InMilliseconds(Ears):
    def transcribe(self, audio):
        return Transcript(self.heard, words=(Word("what", 100, 400), Word("is", 400, 500)))


@wrong(Ears, "speech is written down")
class Shouting(Ears):
    def transcribe(self, audio):
        audio.samples[:] *= 2
        return super().transcribe(audio)


@wrong(Ears, "samples that are no numbers do no harm")
class Offended(Ears):
    def transcribe(self, audio):
        if np.isnan(audio.samples).any():
            raise ZeroDivisionError
        return super().transcribe(audio)


@wrong(Mind, "a question is answered in pieces of text")
class Speechless(Mind):
    def reply(self, messages):
        yield from ()


@wrong(Mind, "a question is answered in pieces of text")
class Forgetful(Mind):
    def reply(self, messages):
        messages.clear()
        yield "Hm?"


@wrong(Mind, "closing early leaves it ready")
class Exhausted(Mind):
    cut = False

    def reply(self, messages):
        try:
            yield from ("" if self.cut else "It is so.").split()
        except GeneratorExit:
            self.cut = True
            raise


@wrong(Mind, "its thinking is not spoken")
class Ruminating(Mind):
    def reply(self, messages):
        yield "<think>Hm.</think> It is so."


@wrong(Mind, "tools are taken where it says so")
class Boastful(Mind):
    calls_tools = True


@wrong(Voice, "the texts of its parts are the text")
class Swallowing(Voice):
    def speak(self, text):
        for part in super().speak(text):
            yield Speech(text.rstrip("?."), part.audio)


@wrong(Voice, "it sounds")
class SixteenBit(Voice):
    def speak(self, text):
        for part in super().speak(text):
            samples = (part.audio.samples * 32767).astype(np.int16)
            yield Speech(text, Audio(samples, RATE))


@wrong(Voice, "it sounds")
class Clipping(Voice):
    def speak(self, text):
        for part in super().speak(text):
            yield Speech(text, Audio(part.audio.samples * 40, RATE))


@wrong(Voice, "no text is too awkward")
class Refined(Voice):
    def speak(self, text):
        text.encode("ascii")
        yield from super().speak(text)


@wrong(Voice, "more words take longer")
class Beep(Voice):
    def speak(self, text):
        for part in super().speak(text):
            yield Speech(text, Audio(part.audio.samples[:800], RATE))


@wrong(Voice, "its words are words of the text")
class Phonetic(Voice):
    def speak(self, text):
        for part in super().speak(text):
            yield Speech(text, part.audio, (Word("aɪ", 0.0, 0.1),))


@wrong(Judge, "it gives a chance")
class Percent(Judge):
    def finished(self, audio, transcript):
        return 50


@wrong(Judge, "no sound and no words are no trouble")
class Touchy(Judge):
    def finished(self, audio, transcript):
        return float(len(transcript.text) / max(1, len(transcript.text)) / len(audio.samples))


@wrong(Judge, "it says whether it needs words")
class Undecided(Judge):
    needs_words = None


def keeps(contract, engine, promise):
    """Whether the engine passes this one test of the contract."""
    try:
        getattr(contract(), f"test_{promise.replace(' ', '_')}")(engine)
    except Exception:
        return False
    return True


@pytest.mark.parametrize(
    ("engine", "right", "promise"), WRONG, ids=[each[0].__name__ for each in WRONG]
)
def test_a_wrong_engine_is_found_out(engine, right, promise):
    contract = CONTRACTS[RIGHT[right]]
    assert keeps(contract, right(), promise)
    assert not keeps(contract, engine("key") if engine is Demanding else engine(), promise)


def test_all_that_a_wrong_engine_breaks_is_listed_with_what_was_seen():
    (found,) = broken(VoiceContract, Nameless())
    assert found == "it has a name: its `name` is '', no text"
    promises = [line.partition(":")[0] for line in broken(TranscriberContract, InMilliseconds())]
    assert promises == [
        "any rate will do",
        "its words have places in the sound",
        "silence is an empty text",
    ]


def test_each_promise_is_broken_by_some_wrong_engine():
    promises = {
        name.removeprefix("test_").replace("_", " ")
        for contract in CONTRACTS.values()
        for name in dir(contract)
        if name.startswith("test_")
    }
    shown = {promise for *_, promise in WRONG}
    assert promises - shown == {
        "importing its module loads nothing heavy",
        "it says whether its calls can be taken back",
        "what was said before may come with it",
    }


def test_a_module_that_loads_its_library_at_once_is_found_out(tmp_path, monkeypatch):
    (tmp_path / "eager_engine.py").write_text(
        "import matplotlib\nfrom voice_kit.workshop.plugins.judge_falling import Falling\n"
        "class Eager(Falling):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from eager_engine import Eager

    (found,) = broken(JudgeContract, Eager())
    assert found == (
        "importing its module loads nothing heavy: importing eager_engine loads matplotlib"
    )


def test_the_example_for_contributors_runs_as_it_stands(tmp_path):
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^( *)```python\n(.*?)^\1```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "test_falling.py").write_text(textwrap.dedent(block[1]), encoding="utf-8")
    shutil.copytree(ROOT / "voice_kit" / "workshop" / "plugins", tmp_path / "my_engines")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_falling.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    promises = [name for name in dir(JudgeContract) if name.startswith("test_")]
    assert f"{len(promises)} passed" in done.stdout
