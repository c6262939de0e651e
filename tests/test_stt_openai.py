"""The transcriber behind OpenAI-compatible servers, against a real small server on loopback."""

import asyncio
import gc
import io
import warnings
import wave
from email.parser import BytesParser
from email.policy import HTTP

import numpy as np
import pytest
from helpers_hear import voice
from scripted_server import ScriptedServer, hangs, refusing_url

from voice_kit.errors import (
    EngineFailedError,
    EngineTimeoutError,
    MissingEngineError,
    SettingsError,
    VoiceKitError,
)
from voice_kit.hear.stt_openai import OpenAITranscriber
from voice_kit.types import RATE, Audio, Transcript

SECRET = "what somebody said"


@pytest.fixture(autouse=True)
def no_account(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def saying(text):
    """A server that hears this in every sound."""

    async def answer(request, reply):
        await reply.json({"text": text, "usage": {"type": "duration", "seconds": 1}})

    return ScriptedServer(answer)


def hear(server, audio=None, **options):
    engine = OpenAITranscriber(base_url=server.url, **options)
    return asyncio.run(engine.transcribe(audio or voice(1)))


def form(request):
    """The fields of a multipart request, as bytes by name."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in message.iter_parts()
    }


def test_it_gives_back_what_the_server_heard():
    with saying(" What time is it? ") as server:
        transcript = hear(server)
    assert transcript == Transcript("What time is it?", "en", confident=True)


def test_the_server_is_sent_the_sound_the_model_and_the_language():
    audio = voice(1.5)
    with saying("Quelle heure est-il ?") as server:
        transcript = hear(server, audio, model="whisper-large-v3", language="fr", api_key="k-1")
        (request,) = server.asked("/v1/audio/transcriptions")
    assert transcript.language == "fr"
    assert request.headers["authorization"] == "Bearer k-1"
    fields = form(request)
    assert fields["model"] == b"whisper-large-v3"
    assert fields["language"] == b"fr"
    with wave.open(io.BytesIO(fields["file"])) as sent:
        assert (sent.getframerate(), sent.getnchannels(), sent.getsampwidth()) == (RATE, 1, 2)
        heard = np.frombuffer(sent.readframes(sent.getnframes()), "<i2") / 32768
    np.testing.assert_allclose(heard, audio.samples, atol=1e-4)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_a_sound_of_any_rate_arrives_at_16_khz(rate):
    with saying("Hello there.") as server:
        assert hear(server, voice(1, rate)).text == "Hello there."
        (request,) = server.requests
    with wave.open(io.BytesIO(form(request)["file"])) as sent:
        assert sent.getframerate() == RATE
        assert sent.getnframes() == pytest.approx(RATE, abs=2)


def test_broken_samples_are_sent_as_silence():
    broken = voice(1).samples.copy()
    broken[:100] = np.nan
    with saying("Hello there.") as server:
        assert hear(server, Audio(broken, RATE)).text == "Hello there."


@pytest.mark.parametrize("silence", [Audio.silence(0), Audio.silence(2), Audio.silence(1, 48_000)])
def test_silence_gives_an_empty_text_and_is_not_sent(silence):
    with saying("Thanks for watching!") as server:
        assert hear(server, silence) == Transcript("", "en", confident=False)
        assert not server.requests


def hiss():
    noise = np.random.default_rng(1).normal(0, 0.01, 2 * RATE)
    return Audio(noise.astype(np.float32), RATE)


@pytest.mark.parametrize("text", ["Thanks for watching!", " Thank you.", "[Music]", "no " * 80])
def test_what_is_invented_over_noise_is_left_out(text):
    with saying(text) as server:
        assert hear(server, hiss()) == Transcript("", "en", confident=False)


def test_a_sentence_over_noise_is_believed():
    with saying("Turn the light on.") as server:
        assert hear(server, hiss()).text == "Turn the light on."


def test_one_engine_serves_one_event_loop_after_another_and_leaves_nothing_open():
    with saying("Hello there.") as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        engine = OpenAITranscriber(base_url=server.url)
        for _ in range(3):
            assert asyncio.run(engine.transcribe(voice(1))).text == "Hello there."
        assert server.all_closed.wait(10)
        gc.collect()


def test_within_one_loop_the_connection_is_kept():
    async def twice(engine):
        first = await engine.transcribe(voice(1))
        second = await engine.transcribe(voice(1))
        return first, second, server.connections

    with saying("Hello there.") as server:
        first, second, connections = asyncio.run(twice(OpenAITranscriber(base_url=server.url)))
        assert len(server.requests) == 2
    assert first == second
    assert connections == 1


def test_several_sounds_are_heard_side_by_side():
    """Each answer waits for the other's request."""

    async def both(engine):
        return await asyncio.gather(engine.transcribe(voice(1)), engine.transcribe(voice(2)))

    async def answer(request, reply):
        waiting.append(asyncio.get_running_loop().create_future())
        if len(waiting) == 2:
            for future in waiting:
                future.set_result(None)
        await waiting[-1 if len(waiting) == 2 else 0]
        await reply.json({"text": "Hello there."})

    waiting = []
    with ScriptedServer(answer) as server:
        heard = asyncio.run(both(OpenAITranscriber(base_url=server.url, timeout=20)))
    assert [transcript.text for transcript in heard] == ["Hello there."] * 2


def test_cancelling_closes_the_request():
    async def scene(engine):
        task = asyncio.create_task(engine.transcribe(voice(1)))
        await asyncio.to_thread(server.came.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await asyncio.to_thread(server.closed.wait, 10)

    with ScriptedServer(hangs()) as server:
        assert asyncio.run(scene(OpenAITranscriber(base_url=server.url)))


# Servers that fail


async def dies_before_answering(request, reply):
    await reply.die()


async def dies_in_mid_answer(request, reply):
    await reply.raw(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"text": "')
    await reply.raw(SECRET.encode())
    await reply.die()


async def speaks_no_http(request, reply):
    await reply.raw(b"220 mail.example ESMTP\r\n")
    await reply.die()


async def is_a_web_page(request, reply):
    await reply.whole(b"<html>It works!</html>", 200, "text/html")


async def sends_other_json(request, reply):
    await reply.json({"txt": SECRET})


async def sends_a_list(request, reply):
    await reply.json([SECRET])


async def sends_a_number(request, reply):
    await reply.json({"text": 7})


async def sends_bytes(request, reply):
    await reply.whole(bytes(range(128, 256)), 200, "application/json")


@pytest.mark.parametrize("answer", [dies_before_answering, dies_in_mid_answer, speaks_no_http])
def test_a_server_that_dies_is_a_sentence(answer):
    with ScriptedServer(answer) as server, pytest.raises(EngineFailedError) as failure:
        hear(server)
    assert "the answer broke off" in str(failure.value)
    assert SECRET not in str(failure.value)
    assert failure.value.__cause__ is not None


@pytest.mark.parametrize(
    "answer", [is_a_web_page, sends_other_json, sends_a_list, sends_a_number, sends_bytes]
)
def test_garbage_is_a_sentence_that_does_not_repeat_it(answer):
    with ScriptedServer(answer) as server, pytest.raises(EngineFailedError) as failure:
        hear(server)
    assert "no transcription" in str(failure.value)
    assert SECRET not in str(failure.value)


def test_a_server_that_hangs_is_given_up_in_time():
    with (
        ScriptedServer(hangs()) as server,
        pytest.raises(EngineTimeoutError, match=r"within 0\.2 s"),
    ):
        hear(server, timeout=0.2)


@pytest.mark.timeout(30)
def test_a_server_that_never_stops_answering_is_given_up_in_time():
    """Each byte comes soon enough; the whole never does."""

    async def answer(request, reply):
        await reply.start("application/json")
        while True:
            await reply.chunk(b" ")

    with ScriptedServer(answer) as server, pytest.raises(EngineTimeoutError):
        hear(server, timeout=0.3)


def test_a_server_that_is_not_there_is_a_sentence_with_its_address():
    url = refusing_url()
    engine = OpenAITranscriber(base_url=url)
    with pytest.raises(MissingEngineError, match=f"start the server, or check the address {url}"):
        asyncio.run(engine.transcribe(voice(1)))


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (401, MissingEngineError, "valid key"),
        (403, MissingEngineError, "valid key"),
        (404, MissingEngineError, "/models names"),
        (413, EngineFailedError, "too long"),
        (429, EngineFailedError, "limit is used up"),
        (400, EngineFailedError, r"refused \(400\)"),
        (500, EngineFailedError, r"refused \(500\)"),
        (302, EngineFailedError, r"refused \(302\)"),
    ],
)
def test_a_refusal_is_a_sentence_with_the_fix(status, kind, sentence):
    async def answer(request, reply):
        await reply.json({"error": {"message": SECRET}}, status)

    with ScriptedServer(answer) as server, pytest.raises(kind, match=sentence) as failure:
        hear(server, api_key="k-secret")
    assert SECRET not in str(failure.value)
    assert "k-secret" not in str(failure.value)


def test_after_a_failure_the_next_sound_is_heard():
    async def answer(request, reply):
        if len(server.requests) == 1:
            await reply.die()
        else:
            await reply.json({"text": "Hello there."})

    async def twice(engine):
        with pytest.raises(VoiceKitError):
            await engine.transcribe(voice(1))
        return await engine.transcribe(voice(1))

    with ScriptedServer(answer) as server:
        assert asyncio.run(twice(OpenAITranscriber(base_url=server.url))).text == "Hello there."


# Addresses and keys


def test_without_a_key_a_far_server_is_not_asked():
    with pytest.raises(MissingEngineError, match="OPENAI_API_KEY"):
        OpenAITranscriber()
    with pytest.raises(MissingEngineError, match="OPENAI_API_KEY"):
        OpenAITranscriber.here()


def test_address_and_key_come_from_the_environment(monkeypatch):
    with saying("Hello there.") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1/")
        monkeypatch.setenv("OPENAI_API_KEY", "from-outside")
        assert OpenAITranscriber.here() == "whisper-1"
        assert asyncio.run(OpenAITranscriber().transcribe(voice(1))).text == "Hello there."
        (request,) = server.asked("/v1/audio/transcriptions")
    assert request.headers["authorization"] == "Bearer from-outside"


def test_a_near_server_needs_no_key_and_is_sent_none():
    with saying("Hello there.") as server:
        hear(server)
        (request,) = server.requests
    assert "authorization" not in request.headers


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://", "http://x:port/v1"])
def test_what_is_no_address_is_refused_with_an_example(url):
    with pytest.raises(SettingsError, match="such as http://localhost"):
        OpenAITranscriber(base_url=url, api_key="k")


def test_it_calls_itself_by_its_model():
    engine = OpenAITranscriber(model="whisper-large-v3", base_url="http://localhost:8000/v1")
    assert engine.name == "openai:whisper-large-v3"
    assert engine.stops == "async"
