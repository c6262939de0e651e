"""One question over HTTP, through the very loop of a conversation."""

import asyncio
import json
import threading
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="no FastAPI: pip install 'voice-kit[serve]'")

from helpers_http import (
    app_of,
    client_of,
    quick,
    samples_of,
    serving,
    shared_with,
    wav,
)

from voice_kit.audio.files import read_bytes
from voice_kit.errors import EngineFailedError
from voice_kit.serve import http_turn, turnstile
from voice_kit.serve.turn_notes import LONGEST, in_header
from voice_kit.serve.turn_sound import Taker
from voice_kit.types import Audio, Speech, ToolCall
from voice_kit.workshop.fakes import (
    HummingVoice,
    Script,
    ScriptedModel,
    ScriptedTranscriber,
)

WAV = {"content-type": "audio/wav"}
ANSWERS = {
    "What is an echo?": "Sound that comes back. It is late.",
    "What is an echo? And why?": "Sound that comes back. Walls.",
}


class Gateway:
    def __init__(self, engines, folder, **serve):
        self.shared = shared_with(engines, folder=folder, **serve)
        self.app = app_of(self.shared, http_turn.router)
        self._running = serving(self.app)

    def __enter__(self):
        self.http = client_of(self._running.__enter__())
        return self

    def __exit__(self, *error):
        self.http.close()
        self._running.__exit__(*error)

    def ask(self, audio, *, headers=None, **query):
        data = audio if isinstance(audio, bytes) else wav(audio)
        headers = {**WAV, **(headers or {})}
        return self.http.post("/v1/turn", params=query, content=data, headers=headers)


@pytest.fixture(scope="module")
def script():
    script = Script()
    for line in ("What is an echo?", "And why?"):
        script.say(line, 1.0)
    return script


@pytest.fixture
def question(script):
    return script.sound(0.3, ("What is an echo?", 1.0), 0.3)


@pytest.fixture(scope="module")
def gateway(script, tmp_path_factory):
    with Gateway(quick(script, ANSWERS), tmp_path_factory.mktemp("home")) as running:
        yield running


def parts(answer):
    """The parts of a multipart answer: their types and contents."""
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + answer.content)
    return [(part.get_content_type(), part.get_payload(decode=True)) for part in message.walk()][1:]


def test_a_question_is_answered_aloud(gateway, question):
    answer = gateway.ask(question, stream=False)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/wav"
    rate, samples = samples_of(answer.content)
    assert len(samples) / rate == pytest.approx(7 * 0.25, abs=0.01)  # seven words
    assert unquote(answer.headers["voice-kit-transcript"]) == "What is an echo?"
    assert unquote(answer.headers["voice-kit-answer"]) == "Sound that comes back. It is late."
    timing = answer.headers["server-timing"]
    stages = [part.partition(";")[0] for part in timing.split(", ")]
    assert stages == ["read", "detect", "prepare", "transcribe", "first_token", "synthesis"]


def test_it_takes_no_longer_than_its_engines(gateway, script):
    sound = script.sound(0.3, ("What is an echo?", 1.0), 60.0)
    answer = gateway.ask(sound)
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() < 20  # a minute in real time


def test_a_question_with_pauses_is_one_question(gateway, script):
    sound = script.sound(("What is an echo?", 1.0), 4.0, ("And why?", 1.0), 0.2)
    answer = gateway.ask(sound, stream=False)
    assert unquote(answer.headers["voice-kit-transcript"]) == "What is an echo? And why?"
    assert unquote(answer.headers["voice-kit-answer"]) == "Sound that comes back. Walls."


def test_a_question_with_pauses_is_transcribed_once(script, tmp_path):
    stt = ScriptedTranscriber(script, delay=0.0)
    sound = script.sound(("What is an echo?", 1.0), 4.0, ("And why?", 1.0), 0.2)
    with Gateway(quick(script, ANSWERS, stt=stt), tmp_path) as gateway:
        gateway.ask(sound)
    assert stt.seconds == [pytest.approx(6.1, abs=0.1)]


def test_even_a_very_long_pause_does_not_make_two_questions_of_it(gateway, script):
    sound = script.sound(("What is an echo?", 1.0), 12.0, ("And why?", 1.0), 0.2)
    answer = gateway.ask(sound, stream=False)
    assert unquote(answer.headers["voice-kit-transcript"]) == "What is an echo? And why?"
    assert unquote(answer.headers["voice-kit-answer"]) == "Sound that comes back. Walls."


def test_it_comes_in_parts_where_these_are_asked_for(gateway, question):
    answer = gateway.ask(question, headers={"accept": "multipart/mixed"})
    (kind, first), (sound, data), (last_kind, last) = parts(answer)
    assert (kind, sound, last_kind) == ("application/json", "audio/wav", "application/json")
    assert json.loads(first)["transcript"] == "What is an echo?"
    whole = json.loads(last)
    assert whole["answer"] == "Sound that comes back. It is late."
    assert whole["problem"] is None
    assert whole["timings_ms"]["total"] >= whole["timings_ms"]["transcribe"]
    assert read_bytes(data).seconds == pytest.approx(1.75, abs=0.05)


@pytest.mark.parametrize("form", ["mp3", "opus", "flac", "aac", "pcm", "wav"])
def test_the_answer_has_the_form_that_was_asked_for(gateway, question, form):
    answer = gateway.ask(question, format=form)
    if form == "pcm":
        assert len(answer.content) == pytest.approx(1.75 * 2 * 24_000, abs=500)
        assert answer.headers["content-type"] == "audio/pcm;rate=24000"
    else:
        assert read_bytes(answer.content).seconds == pytest.approx(1.75, abs=0.1)


def test_a_browser_may_say_which_form_it_takes(gateway, question):
    answer = gateway.ask(question, headers={"accept": "audio/ogg, */*"})
    assert answer.headers["content-type"] == "audio/ogg"


def test_the_question_may_be_plain_samples_or_a_form(gateway, question):
    plain = (question.samples * 32768).astype("<i2").tobytes()
    swapped = (question.samples * 32768).astype(">i2").tobytes()
    asked = [
        gateway.ask(plain, headers={"content-type": "audio/pcm;rate=16000"}),
        gateway.ask(swapped, headers={"content-type": "audio/L16; rate=16000"}),
        gateway.http.post("/v1/turn", files={"file": ("a.wav", wav(question))}),
    ]
    assert [unquote(each.headers["voice-kit-transcript"]) for each in asked] == [
        "What is an echo?"
    ] * 3


@pytest.mark.parametrize("seconds", [0, 3])
def test_silence_gives_an_empty_transcript_and_no_sound(gateway, seconds):
    answer = gateway.ask(Audio.silence(seconds))
    assert answer.status_code == 200
    assert answer.headers["voice-kit-transcript"] == ""
    assert len(answer.content) == 44


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"", "audio/wav", 400),
        (b"nothing to hear", "audio/wav", 400),
        (b"\0\0", "audio/pcm", 400),
        (b"\0\0", "audio/pcm;rate=7", 400),
        (b"\0\0" * 16_000 * 121, "audio/pcm;rate=16000", 413),
        (b"x", "multipart/form-data", 400),
        (b"--b\r\n\r\nx\r\n--b--", "multipart/form-data; boundary=b", 400),
    ],
)
def test_what_is_no_question_is_refused(gateway, data, kind, status):
    answer = gateway.ask(data, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_who_has_no_sound_left_has_nothing_decoded(script, question, tmp_path):
    with Gateway(quick(script, ANSWERS), tmp_path, sound_per_minute=10.0) as gateway:
        assert gateway.ask(question).status_code == 200
        rest = wav(Audio.silence(10.0 - question.seconds))
        long = b"\0\0" * 16_000 * 121  # it would be too long, were more of it decoded
        asked = [
            gateway.ask(long, headers={"content-type": "audio/pcm;rate=16000"}),
            gateway.ask(rest),
            gateway.ask(b"nothing to hear"),
        ]
        with decoding(gateway):  # nor do they wait for a turn
            asked.append(gateway.ask(b"nothing to hear"))
    assert [each.status_code for each in asked] == [429, 200, 429, 429]
    assert int(asked[2].headers["retry-after"]) > 0
    assert {each.json()["error"]["param"] for each in asked if each.is_error} == {"too_much_sound"}


@contextmanager
def decoding(gateway):
    """Somebody's question is decoded meanwhile, and no other can be."""
    gateway.app.state.questions = turnstile.Turnstile(1)
    turn = gateway.app.state.questions.turn()
    with asyncio.Runner() as loop:
        loop.run(turn.__aenter__())
        yield
        loop.run(turn.__aexit__(None, None, None))


def test_only_so_many_questions_are_decoded_at_once(script, tmp_path, monkeypatch):
    monkeypatch.setattr(turnstile, "WAIT", 0.05)
    with Gateway(quick(script, ANSWERS), tmp_path) as gateway:
        with decoding(gateway):
            asked = gateway.ask(b"nothing to hear")
        assert asked.status_code == 503 and asked.json()["error"]["code"] == "busy"
        assert gateway.ask(b"nothing to hear").status_code == 400


def test_a_conversation_remembers(script, tmp_path):
    model = ScriptedModel(ANSWERS, first=0.0)
    first = script.sound(("What is an echo?", 1.0), 0.2)
    second = script.sound(("And why?", 1.0), 0.2)
    with Gateway(quick(script, llm=model), tmp_path) as gateway:
        answer = gateway.ask(first, conversation="new")
        conversation = answer.headers["voice-kit-conversation"]
        again = gateway.ask(second, conversation=conversation)
        assert again.headers["voice-kit-conversation"] == conversation
        alone = gateway.ask(second)
        assert "voice-kit-conversation" not in alone.headers
        stranger = gateway.ask(second, conversation="ffffffffffffffffffffffffffff")
        assert stranger.status_code == 404
    prompts = [
        [line.content for line in prompt if line.role != "system"] for prompt in model.prompts
    ]
    assert prompts == [
        ["What is an echo?"],
        ["What is an echo?", "Sound that comes back. It is late.", "And why?"],
        ["And why?"],
    ]


def test_what_nobody_took_is_not_remembered(script, tmp_path):
    """Whoever leaves in the midst of an answer has heard what was sent until then."""

    class Slow(HummingVoice):
        reached = threading.Event()
        closed = threading.Event()

        async def speak(self, text):
            if "late" in text:
                self.reached.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    self.closed.set()
            async for speech in super().speak(text):
                yield speech

    voice, model = Slow(delay=0.0), ScriptedModel(ANSWERS, first=0.0)
    sound = script.sound(("What is an echo?", 1.0), 0.2)
    with Gateway(quick(script, tts=voice, llm=model), tmp_path) as gateway:
        with gateway.http.stream(
            "POST", "/v1/turn", params={"conversation": "new"}, content=wav(sound), headers=WAV
        ) as answer:
            conversation = answer.headers["voice-kit-conversation"]
            pieces = answer.iter_raw()
            assert next(pieces)
            assert voice.reached.wait(10)
        assert voice.closed.wait(10)
        second = script.sound(("And why?", 1.0), 0.2)
        gateway.ask(second, conversation=conversation)
    lines = [line.content for line in model.prompts[-1] if line.role != "system"]
    assert lines == ["What is an echo?", "Sound that comes back.", "And why?"]


def test_tools_can_be_used_only_so_often(script, question, tmp_path):
    class Calling(ScriptedModel):
        calls_tools = True

        async def reply(self, messages, tools=()):
            if messages[-1].role == "tool":
                yield "Found: " + messages[-1].content
            else:
                yield ToolCall("tell_time", {}, "1")

    engines = quick(script, llm=Calling({}))
    with Gateway(engines, tmp_path, tool_calls_per_minute=1) as gateway:
        first, second = (gateway.ask(question, stream=False) for _ in range(2))
    assert "It is" in unquote(first.headers["voice-kit-answer"])
    assert "At most 1 tools are used a minute." in unquote(second.headers["voice-kit-answer"])


class Broken:
    name, stops = "broken", "async"

    async def transcribe(self, audio):
        raise EngineFailedError("broken", "it has no power", fix="another one")

    async def speak(self, text):
        raise EngineFailedError("broken", "it has no voice", fix="another one")
        yield Speech("", Audio.silence(0))


def test_a_failure_is_said_aloud_and_told_in_a_header(script, question, tmp_path):
    with Gateway(quick(script, stt=Broken()), tmp_path) as gateway:
        answer = gateway.ask(question)
    assert answer.status_code == 200
    assert "it has no power" in unquote(answer.headers["voice-kit-problem"])
    assert len(answer.content) > 44


def test_where_nothing_can_be_said_the_failure_is_a_503(script, question, tmp_path):
    with Gateway(quick(script, tts=Broken()), tmp_path) as gateway:
        answer = gateway.ask(question)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "it has no voice" in answer.json()["error"]["message"]


def test_another_voice_takes_over(script, question, tmp_path):
    engines = quick(script, ANSWERS, tts=Broken(), then={"tts": [lambda: HummingVoice(delay=0.0)]})
    with Gateway(engines, tmp_path) as gateway:
        answer = gateway.ask(question, stream=False)
        text = gateway.shared.metrics.text().decode()
    assert answer.status_code == 200
    assert len(answer.content) > 44
    assert 'voice_kit_turns_total{kind="http"} 1.0' in text
    assert 'voice_kit_engine_changes_total{stage="tts"} 1.0' in text


def test_the_sound_begins_before_the_answer_is_whole(script, question, tmp_path):
    class Thinking(ScriptedModel):
        go_on = threading.Event()

        async def reply(self, messages):
            yield "A first sentence. And"
            await asyncio.to_thread(self.go_on.wait, 10)
            yield " a second."

    model = Thinking({})
    with (
        Gateway(quick(script, llm=model), tmp_path) as gateway,
        gateway.http.stream("POST", "/v1/turn", content=wav(question), headers=WAV) as answer,
    ):
        pieces = answer.iter_raw()
        assert next(pieces)
        assert not model.go_on.is_set()
        assert unquote(answer.headers["voice-kit-answer"]) == "A first sentence."
        model.go_on.set()
        assert sum(len(piece) for piece in pieces) > 3 * 0.25 * 48_000


def test_several_turns_at_once_do_not_hear_each_other(script, tmp_path):
    def ask(line, told):
        told[line] = gateway.ask(script.sound((line, 1.0), 0.2), stream=False)

    stt = ScriptedTranscriber(script, delay=0.05)
    with Gateway(quick(script, ANSWERS, stt=stt), tmp_path) as gateway:
        told = {}
        lines = [f"Question {number}?" for number in range(8)]
        for line in lines:
            script.say(line, 1.0)
        threads = [threading.Thread(target=ask, args=(line, told)) for line in lines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len(told) == 8
    for line, answer in told.items():
        assert unquote(answer.headers["voice-kit-transcript"]) == line
        assert unquote(answer.headers["voice-kit-answer"]) == f"You said {line}."


def test_a_header_holds_what_fits_into_it():
    assert unquote(in_header("Größe: 3 m, “naja”")) == "Größe: 3 m, “naja”"
    long = in_header("ß" * 2_000)
    assert len(long) <= LONGEST
    assert unquote(long).startswith("ßßß")
    assert unquote(long).endswith("…")
    assert "\n" not in in_header("a\nb\r\nc")


def test_nothing_is_taken_before_the_question_is_over():
    async def scene():
        taker = Taker()
        playback = taker.open(lambda at: None)
        playback.play(Audio(np.full(4_800, 0.5, np.float32), 24_000))
        sounds = taker.sounds()
        first = asyncio.ensure_future(anext(sounds))
        await asyncio.sleep(0)
        assert not first.done()
        assert playback.heard == 0
        taker.question_over()
        assert len(await first) == 2_400
        assert playback.heard == pytest.approx(0.1)
        playback.stop()
        taker.close()
        assert [piece async for piece in sounds] == []
        assert await playback.settled() == pytest.approx(0.1)

    asyncio.run(scene())


@pytest.mark.needs("sounds")
def test_a_real_recording_is_answered_by_the_embedded_engines(tmp_path):
    from voice_kit.converse.loading import load_engines
    from voice_kit.settings import Settings

    settings = Settings(stt="sphinx", llm="handbook", tts="espeak", judge="silence")
    file = Path(__file__).parents[1] / "voice_kit" / "sounds" / "question_vad.flac"
    with Gateway(load_engines(settings), tmp_path) as gateway:
        answer = gateway.ask(file.read_bytes(), headers={"content-type": "audio/flac"})
        gateway.shared.close()
    assert answer.status_code == 200
    assert "voice" in unquote(answer.headers["voice-kit-transcript"])
    assert read_bytes(answer.content).seconds > 1
