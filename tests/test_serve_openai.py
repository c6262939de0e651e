"""The engines over HTTP, asked by OpenAI's own client."""

import asyncio
import io
import json
import socket
import threading
import wave
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="no FastAPI: pip install 'voice-kit[serve]'")
openai = pytest.importorskip("openai", reason="no client: pip install 'voice-kit[openai]'")

from helpers_http import (  # noqa: E402
    TOKEN,
    app_of,
    client_of,
    quick,
    samples_of,
    serving,
    shared_with,
    wav,
)

from voice_kit.audio.files import read_bytes  # noqa: E402
from voice_kit.errors import EngineFailedError  # noqa: E402
from voice_kit.serve import http_openai  # noqa: E402
from voice_kit.types import RATE, Audio, Speech, ToolCall, Transcript, Word  # noqa: E402
from voice_kit.workshop.fakes import HummingVoice, Script, ScriptedModel, ScriptedTranscriber  # noqa: E402

SECRET = "my cat is called Aristotle"


@dataclass
class Broken:
    """Fails at everything."""

    name: str = "broken"
    stops: str = "async"

    def _fail(self):
        raise EngineFailedError("broken", "it has no power", fix="another one")

    async def transcribe(self, audio):
        self._fail()

    async def reply(self, messages):
        self._fail()
        yield ""

    async def speak(self, text):
        self._fail()
        yield Speech("", Audio.silence(0))


@dataclass
class Endless:
    """Goes on until it is stopped."""

    name: str = "endless"
    stops: str = "async"
    begun: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)

    async def reply(self, messages):
        try:
            yield "once"
            while True:
                self.begun.set()
                await asyncio.Event().wait()
        finally:
            self.closed.set()

    async def transcribe(self, audio):
        try:
            self.begun.set()
            await asyncio.Event().wait()
        finally:
            self.closed.set()


class Gateway:
    """A gateway, and OpenAI's client that talks to it."""

    def __init__(self, engines, **serve):
        self.shared = shared_with(engines, **serve)
        self.app = app_of(self.shared, http_openai.router)
        self._running = serving(self.app)

    def __enter__(self):
        self.url = self._running.__enter__()
        self.http = client_of(self.url)
        self.openai = openai.OpenAI(
            base_url=f"{self.url}/v1",
            api_key=TOKEN,
            max_retries=0,
            http_client=openai.DefaultHttpxClient(trust_env=False),
        )
        return self

    def __exit__(self, *error):
        self.http.close()
        self.openai.close()
        self._running.__exit__(*error)


@pytest.fixture(scope="module")
def script():
    script = Script()
    script.say("What is an echo?", 1.0)
    script.say(SECRET, 1.0)
    return script


@pytest.fixture(scope="module")
def gateway(script):
    answers = {"What is an echo?": "Sound that comes back. It is late."}
    with Gateway(quick(script, answers)) as running:
        yield running


@pytest.fixture(scope="module")
def broken(script):
    engines = quick(script, stt=Broken(), llm=Broken(), tts=Broken())
    with Gateway(engines) as running:
        yield running


def asked(gateway, words="What is an echo?", **more):
    return gateway.openai.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": words}], **more
    )


def heard(gateway, audio, name="speech.wav", kind=None, **more):
    data = audio if isinstance(audio, bytes) else wav(audio)
    file = (name, data, kind) if kind else (name, data)
    return gateway.openai.audio.transcriptions.create(model="whisper-1", file=file, **more)


def spoken(gateway, text="One two three.", **more):
    return gateway.openai.audio.speech.create(model="tts-1", voice="alloy", input=text, **more)


# Chat


def test_the_client_gets_the_models_answer_and_about_its_tokens(gateway):
    answer = asked(gateway)
    assert answer.choices[0].message.content == "Sound that comes back. It is late."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "scripted"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.completion_tokens == 9  # of 34 letters


def test_the_client_gets_the_answer_token_by_token(gateway):
    chunks = list(asked(gateway, stream=True, stream_options={"include_usage": True}))
    deltas = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(filter(None, deltas)) == "Sound that comes back. It is late."
    assert len([delta for delta in deltas if delta]) == 7
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == 9
    assert len({chunk.id for chunk in chunks}) == 1


def test_the_model_is_shown_the_conversation_as_it_was_sent(script):
    model = ScriptedModel({}, first=0.0)
    with Gateway(quick(script, llm=model)) as gateway:
        gateway.openai.chat.completions.create(
            model="any",
            messages=[
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "Hello."}]},
                {"role": "assistant", "content": "Hi."},
                {"role": "user", "content": "And now?"},
            ],
        )
    (prompt,) = model.prompts
    assert [(line.role, line.content) for line in prompt] == [
        ("system", "Be brief."),
        ("user", "Hello."),
        ("assistant", "Hi."),
        ("user", "And now?"),
    ]


def test_an_answer_ends_at_a_stop_and_at_the_most_tokens(gateway):
    assert asked(gateway, stop=" back").choices[0].message.content == "Sound that comes"
    short = asked(gateway, max_tokens=3)
    assert short.choices[0].finish_reason == "length"
    assert short.choices[0].message.content == "Sound that"


@pytest.mark.parametrize("stream", [False, True])
def test_half_a_pair_of_surrogates_is_a_question_mark(script, stream):
    # As some servers and clients send it, which cut texts between the two halves of an emoji.
    model = ScriptedModel({"Hello ?": "Hel\ud83dlo."}, first=0.0)
    with Gateway(quick(script, llm=model)) as gateway:
        body = b'{"messages": [{"role": "user", "content": "Hello \\ud83d"}], "stream": %s}'
        answer = gateway.http.post(
            "/v1/chat/completions",
            content=body % (b"true" if stream else b"false"),
            headers={"content-type": "application/json"},
        )
    assert answer.status_code == 200 and "?lo." in answer.text


def test_a_stop_is_found_across_tokens(gateway):
    assert asked(gateway, stop=["s back. It"]).choices[0].message.content == "Sound that come"


def test_a_model_with_tools_calls_those_of_the_client(script):
    class Calling(ScriptedModel):
        calls_tools = True

        async def reply(self, messages, tools=()):
            self.prompts.append((list(messages), [tool.name for tool in tools]))
            if messages[-1].role == "tool":
                yield f"It is {messages[-1].content}."
            else:
                yield ToolCall("clock", {"zone": "UTC"}, "c1")

    model = Calling({})
    tools = [{"type": "function", "function": {"name": "clock", "parameters": {}}}]
    with Gateway(quick(script, llm=model)) as gateway:
        first = asked(gateway, tools=tools).choices[0]
        assert first.finish_reason == "tool_calls"
        (call,) = first.message.tool_calls
        assert (call.function.name, call.function.arguments) == ("clock", '{"zone": "UTC"}')
        messages = [
            {"role": "user", "content": "Time?"},
            first.message.model_dump(),
            {"role": "tool", "tool_call_id": call.id, "content": "noon"},
        ]
        second = gateway.openai.chat.completions.create(model="x", messages=messages, tools=tools)
    assert second.choices[0].message.content == "It is noon."
    assert model.prompts[0][1] == ["clock"]


def test_a_model_without_tools_says_so(gateway):
    tools = [{"type": "function", "function": {"name": "clock", "parameters": {}}}]
    with pytest.raises(openai.BadRequestError, match="uses no tools"):
        asked(gateway, tools=tools)


def test_who_leaves_in_the_midst_of_an_answer_stops_the_engine(script):
    endless = Endless()
    with Gateway(quick(script, llm=endless)) as gateway:
        answer = asked(gateway, stream=True)
        assert next(iter(answer)).choices[0].delta.role == "assistant"
        assert endless.begun.wait(10)
        assert not endless.closed.is_set()
        answer.close()
        assert endless.closed.wait(10)


def test_who_leaves_before_the_answer_stops_the_engine(script):
    for engine in ("llm", "stt"):
        endless = Endless()
        with Gateway(quick(script, **{engine: endless})) as gateway:
            leaving = openai.OpenAI(
                base_url=f"{gateway.url}/v1",
                api_key=TOKEN,
                max_retries=0,
                timeout=0.5,
                http_client=openai.DefaultHttpxClient(trust_env=False),
            )
            with pytest.raises(openai.APITimeoutError):
                if engine == "llm":
                    leaving.chat.completions.create(
                        model="x", messages=[{"role": "user", "content": "Hello."}]
                    )
                else:
                    sound = wav(script.sound(("What is an echo?", 1.0)))
                    leaving.audio.transcriptions.create(model="x", file=("a.wav", sound))
            assert endless.begun.is_set()
            assert endless.closed.wait(10)
            leaving.close()


# Hearing


def test_the_client_gets_what_was_said(gateway, script):
    sound = script.sound(0.3, ("What is an echo?", 1.0), 0.3)
    assert heard(gateway, sound).text == "What is an echo?"
    assert heard(gateway, sound, response_format="text") == "What is an echo?\n"


@pytest.mark.parametrize("form", ["flac", "ogg"])
def test_any_sound_file_is_heard(gateway, script, form):
    import av

    sound = script.sound(0.3, ("What is an echo?", 1.0), 0.3)
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono")
        array = (sound.samples * 32768).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(array, format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert heard(gateway, file.getvalue(), f"a.{form}").text == "What is an echo?"


def test_a_long_recording_comes_with_the_times_of_its_parts(gateway, script):
    sound = script.sound(20.0, ("What is an echo?", 2.0), 20.0, (SECRET, 2.0), 5.0)
    answer = heard(gateway, sound, response_format="verbose_json")
    assert answer.text == f"What is an echo? {SECRET}"
    assert answer.duration == 49.0
    first, second = answer.segments
    assert first.start < 20 <= 22 <= first.end < 25
    assert second.start < 42 <= 44 <= second.end < 47
    captions = heard(gateway, sound, response_format="srt")
    assert captions.startswith("1\n00:00:19,")
    assert "\n\n2\n00:00:41," in captions
    assert heard(gateway, sound, response_format="vtt").startswith("WEBVTT\n\n00:00:19.")


def test_a_transcriber_that_knows_its_words_times_tells_them(script):
    class Timed:
        name, stops = "timed", "async"

        async def transcribe(self, audio):
            return Transcript("hello there", words=(Word("hello", 0.1, 0.4),))

    with Gateway(quick(script, stt=Timed())) as gateway:
        answer = heard(gateway, Audio.silence(1), response_format="verbose_json")
    (word,) = answer.words
    assert (word.word, word.start, word.end) == ("hello", 0.1, 0.4)


def test_the_words_come_one_stretch_after_the_other_where_a_stream_is_asked_for(gateway, script):
    sound = script.sound(20.0, ("What is an echo?", 2.0), 20.0, (SECRET, 2.0), 5.0)
    with heard(gateway, sound, stream=True) as events:
        kinds = [(event.type, getattr(event, "delta", None) or event.text) for event in events]
    assert kinds == [
        ("transcript.text.delta", "What is an echo?"),
        ("transcript.text.delta", f" {SECRET}"),
        ("transcript.text.done", f"What is an echo? {SECRET}"),
    ]


@pytest.mark.parametrize("seconds", [0, 2, 40])
def test_silence_gives_an_empty_transcript(gateway, seconds):
    assert heard(gateway, Audio.silence(seconds)).text == ""


def test_plain_samples_are_heard_where_their_type_says_their_rate(gateway, script):
    sound = script.sound(0.3, ("What is an echo?", 1.0), 0.3)
    plain = (sound.samples * 32768).astype("<i2").tobytes()
    answer = gateway.openai.audio.transcriptions.create(
        model="x", file=("a", plain, "audio/pcm;rate=16000")
    )
    assert answer.text == "What is an echo?"
    with pytest.raises(openai.BadRequestError, match="rate=16000"):
        gateway.openai.audio.transcriptions.create(model="x", file=("a", plain, "audio/pcm"))


@pytest.mark.parametrize("data", [b"", b"no sound at all", b"RIFF\0\0\0\0WAVE", b"{}" * 500])
def test_what_is_no_sound_is_a_bad_request(gateway, data):
    with pytest.raises(openai.BadRequestError) as caught:
        heard(gateway, data)
    assert caught.value.code == "invalid_audio"
    assert caught.value.param == "file"


def opus(seconds):
    """A file of so much silence, in few bytes."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        for second in range(seconds):
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 48_000), np.int16), format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = 48_000, second * 48_000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def surround(seconds):
    """A WAV file of so much silence from eight loudspeakers."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((8, 2, 48_000, 0, "NONE", ""))
        out.writeframes(bytes(seconds * 48_000 * 16))
    return file.getvalue()


def test_a_few_bytes_that_are_hours_are_too_long(gateway):
    long = opus(130)
    assert len(long) < 200_000
    with pytest.raises(openai.APIStatusError) as caught:
        heard(gateway, long, "long.ogg")
    assert caught.value.status_code == 413
    assert caught.value.code == "too_long"


def test_a_language_that_is_not_listened_in_is_refused(gateway, script):
    sound = script.sound(("What is an echo?", 1.0))
    assert heard(gateway, sound, language="en").text == "What is an echo?"
    with pytest.raises(openai.BadRequestError, match="listens in “en” only"):
        heard(gateway, sound, language="fr")


def test_a_request_that_is_too_big_is_not_read(script):
    with Gateway(quick(script), max_message=1_000) as gateway:
        with pytest.raises(openai.APIStatusError) as caught:
            asked(gateway, "x" * 2_000)
        assert caught.value.status_code == 413
        sound = {"file": wav(Audio.silence(10))}
        assert gateway.http.post("/v1/audio/transcriptions", files=sound).status_code == 413


def test_a_minutes_share_of_sound_can_be_used_up(script):
    with Gateway(quick(script), sound_per_minute=10.0) as gateway:
        assert heard(gateway, Audio.silence(30)).text == ""  # more than that at once uses it up
        with pytest.raises(openai.RateLimitError) as caught:
            heard(gateway, Audio.silence(1))
        with pytest.raises(openai.RateLimitError):
            heard(gateway, b"no sound at all")  # which would show, were it decoded
    assert int(caught.value.response.headers["retry-after"]) > 0


def test_no_more_is_decoded_than_is_left_of_a_minutes_share(script):
    with Gateway(quick(script), sound_per_minute=20.0) as gateway:
        heard(gateway, Audio.silence(10))
        with pytest.raises(openai.RateLimitError) as caught:
            heard(gateway, opus(130), "long.ogg")  # it would be too long, were it decoded for 120 s
        plain = "audio/pcm;rate=8000"
        with pytest.raises(openai.RateLimitError):
            heard(gateway, np.zeros(130 * 8_000, "<i2").tobytes(), kind=plain)
        assert int(caught.value.response.headers["retry-after"]) > 0
        assert caught.value.param == "too_much_sound"
        assert b'refused_total{reason="too_much_sound"} 2.0' in gateway.shared.metrics.text()
        assert heard(gateway, surround(9)).text == ""  # what is refused is not counted
        assert heard(gateway, Audio.silence(1)).text == ""


# Speaking


def test_the_client_gets_the_sound_of_a_text(gateway):
    rate, samples = samples_of(spoken(gateway, response_format="wav").content)
    assert rate == 24_000
    assert len(samples) == 3 * 0.25 * rate
    assert abs(samples[5_000] / 32768 - 0.1) < 0.01


@pytest.mark.parametrize("form", ["mp3", "opus", "flac", "aac", "wav", "pcm"])
def test_every_form_of_sound_can_be_read_again(gateway, form):
    answer = spoken(gateway, "One two three. Four five six.", response_format=form)
    data = answer.content
    if form == "pcm":
        audio = Audio(np.frombuffer(data, "<i2") / np.float32(32768), 24_000)
    else:
        audio = read_bytes(data)
    assert audio.seconds == pytest.approx(1.5, abs=0.1)
    middle = audio.samples[len(audio.samples) // 4 : len(audio.samples) // 2]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.1, abs=0.05 if form != "opus" else 0.1)


def test_sound_comes_sentence_by_sentence(script):
    class Waiting(HummingVoice):
        go_on = threading.Event()

        async def speak(self, text):
            if "Second" in text:
                await asyncio.to_thread(self.go_on.wait, 10)
            async for speech in super().speak(text):
                yield speech

    voice = Waiting(delay=0.0)
    with (
        Gateway(quick(script, tts=voice)) as gateway,
        gateway.openai.audio.speech.with_streaming_response.create(
            model="x", voice="y", input="First one. Second one.", response_format="pcm"
        ) as answer,
    ):
        parts = answer.iter_bytes(4_800)
        assert next(parts)  # while the second sentence waits
        assert not voice.go_on.is_set()
        voice.go_on.set()
        rest = sum(len(part) for part in parts)
    assert rest + 4_800 == 2 * 24_000 * 0.25 * 4


def test_sound_comes_as_events_where_these_are_asked_for(gateway):
    data = spoken(gateway, stream_format="sse", response_format="pcm").content.decode()
    lines = [line for line in data.split("\n") if line]
    assert all(line.startswith("data: {") for line in lines)
    assert "speech.audio.delta" in lines[0]
    assert "speech.audio.done" in lines[-1]


@pytest.mark.parametrize("text", ["", "   ", "🙂"])
def test_a_text_with_nothing_to_say_is_a_bad_request(gateway, text):
    with pytest.raises(openai.BadRequestError, match="nothing to say"):
        spoken(gateway, text)


def test_what_cannot_be_said_at_once_is_a_bad_request(gateway):
    with pytest.raises(openai.BadRequestError) as caught:
        spoken(gateway, "word " * 1000)
    assert caught.value.param == "input"
    with pytest.raises(openai.BadRequestError, match="one speed"):
        spoken(gateway, speed=2.0)


# What goes wrong


def test_an_engine_that_fails_is_a_503_that_says_when_to_ask_again(broken, script):
    sound = script.sound((SECRET, 1.0))
    for ask in (
        lambda: asked(broken, SECRET),
        lambda: asked(broken, SECRET, stream=True),
        lambda: heard(broken, sound),
        lambda: spoken(broken, SECRET),
    ):
        with pytest.raises(openai.InternalServerError) as caught:
            ask()
        assert caught.value.status_code == 503
        assert int(caught.value.response.headers["retry-after"]) > 0
        assert "Try: another one" in caught.value.message
        assert SECRET not in caught.value.message


def test_another_engine_stands_in_for_one_that_fails(script):
    engines = quick(
        script,
        llm=Broken(),
        tts=Broken(),
        then={
            "llm": [lambda: ScriptedModel({}, first=0.0)],
            "tts": [lambda: HummingVoice(delay=0.0)],
        },
    )
    with Gateway(engines) as gateway:
        assert asked(gateway, "Hello").choices[0].message.content == "You said Hello."
        assert spoken(gateway, response_format="pcm").content
        text = gateway.shared.metrics.text().decode()
    assert 'voice_kit_failures_total{stage="llm"} 1.0' in text
    assert 'voice_kit_failures_total{stage="tts"} 1.0' in text


def test_an_answer_that_breaks_off_is_not_taken_for_the_whole(script):
    class Breaking(HummingVoice):
        async def speak(self, text):
            if "Second" in text:
                raise RuntimeError
            async for speech in super().speak(text):
                yield speech

    with (
        Gateway(quick(script, tts=Breaking(delay=0.0))) as gateway,
        pytest.raises(httpx.RemoteProtocolError),
        gateway.http.stream(
            "POST",
            "/v1/audio/speech",
            json={"input": "First one. Second one.", "response_format": "pcm"},
        ) as answer,
    ):
        assert answer.status_code == 200
        for _ in answer.iter_bytes():
            pass


def test_a_stream_of_words_that_breaks_off_says_so(script):
    class Breaking(ScriptedModel):
        async def reply(self, messages):
            yield "Well"
            raise RuntimeError

    then = {"llm": [lambda: ScriptedModel({}, first=0.0)]}  # which must not begin anew
    with Gateway(quick(script, llm=Breaking({}), then=then)) as gateway:
        answer, words = asked(gateway, stream=True), []
        with pytest.raises(openai.APIError, match="raised RuntimeError"):
            words += (chunk.choices[0].delta.content for chunk in answer)
    assert "".join(filter(None, words)) == "Well"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "pope", "content": SECRET}]}, "messages.0.role"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "text": ""}]}]},
            "messages.0.content.0.type",
        ),
        ({"messages": [{"role": "user", "content": "x"}], "n": 2}, "n"),
        ({"messages": [{"role": "user", "content": "x"}], "stop": ["."] * 17}, "stop"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "messages"),
    ],
)
def test_a_bad_request_says_what_is_wrong_and_does_not_repeat_it(gateway, body, param):
    answer = gateway.http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert SECRET not in error["message"]


def test_what_is_no_json_is_a_bad_request(gateway):
    answer = gateway.http.post(
        "/v1/chat/completions", content=b"{", headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_json"


def test_nobody_comes_in_without_the_token(gateway):
    stranger = httpx.Client(base_url=gateway.url, trust_env=False)
    routes = ["/v1/models", "/v1/models/x"]
    posts = ["/v1/chat/completions", "/v1/audio/speech", "/v1/audio/transcriptions"]
    answers = [stranger.get(path) for path in routes]
    answers += [stranger.post(path, content=b"x" * 100) for path in posts]
    assert {answer.status_code for answer in answers} <= {401, 403}
    assert answers[0].json()["error"]["code"] == "missing_api_key"
    stranger.close()


def test_a_wrong_address_and_a_wrong_method_are_told_alike(gateway):
    nowhere = gateway.http.get("/v1/nowhere")
    assert (nowhere.status_code, nowhere.json()["error"]["code"]) == (404, "not_found")
    wrong = gateway.http.get("/v1/audio/speech")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"


# When there is too much to do


class Held(ScriptedTranscriber):
    """Works until it is let go."""

    def __init__(self, script):
        super().__init__(script, delay=0.0)
        self.begun, self.go_on = threading.Event(), threading.Event()

    async def transcribe(self, audio):
        self.begun.set()
        await asyncio.to_thread(self.go_on.wait, 10)
        return await super().transcribe(audio)


def test_who_asks_while_others_compute_waits_and_then_is_told_to_come_again(script, monkeypatch):
    from voice_kit.serve import turnstile

    stt, told = Held(script), []
    sound = script.sound(("What is an echo?", 1.0))
    with Gateway(quick(script, stt=stt)) as gateway:
        gateway.app.state.turnstile = turnstile.Turnstile(1)
        first = threading.Thread(target=lambda: told.append(heard(gateway, sound).text))
        first.start()
        assert stt.begun.wait(10)
        monkeypatch.setattr(turnstile, "WAIT", 0.05)
        with pytest.raises(openai.InternalServerError) as caught:
            heard(gateway, b"no sound at all")  # which would show, were it decoded
        assert caught.value.status_code == 503
        assert caught.value.code == "busy"
        assert int(caught.value.response.headers["retry-after"]) > 0
        monkeypatch.setattr(turnstile, "WAIT", 10.0)
        second = threading.Thread(target=lambda: told.append(heard(gateway, sound).text))
        second.start()
        stt.go_on.set()
        first.join(10)
        second.join(10)
    assert told == ["What is an echo?"] * 2


def test_who_takes_nothing_is_given_up(script, monkeypatch):
    from voice_kit.serve import pouring

    monkeypatch.setattr(pouring, "STALLED", 0.2)

    class Watched(HummingVoice):
        given_up = threading.Event()

        async def speak(self, text):
            try:
                async for speech in super().speak(text):
                    yield speech
            finally:
                if len(self.spoken) == 1:
                    self.given_up.set()

    voice = Watched(delay=0.0, word=400.0)  # some 40 MB of sound
    text = json.dumps({"input": "one two", "response_format": "wav"}).encode()
    with Gateway(quick(script, tts=voice)) as gateway:
        address = urlsplit(gateway.url)
        with socket.create_connection((address.hostname, address.port)) as lazy:
            head = (
                f"POST /v1/audio/speech HTTP/1.1\r\nHost: {address.netloc}\r\n"
                f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(text)}\r\n\r\n"
            )
            lazy.sendall(head.encode() + text)
            assert voice.given_up.wait(20)
        assert spoken(gateway, "one", response_format="pcm")  # and others are served


# Which engines there are


def test_the_models_are_the_engines(gateway):
    names = [model.id for model in gateway.openai.models.list()]
    assert names == ["voice-kit", "scripted", "scripted", "humming"]
    assert gateway.openai.models.retrieve("humming").owned_by == "tts"
    with pytest.raises(openai.NotFoundError, match="humming"):
        gateway.openai.models.retrieve("gpt-9")


def test_a_wav_of_unknown_length_is_played_to_its_end(gateway):
    data = spoken(gateway, response_format="wav").content
    assert read_bytes(data).seconds == pytest.approx(0.75, abs=0.01)
