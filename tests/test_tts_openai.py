"""Speech from an OpenAI-compatible server, a real one on this machine."""

import asyncio
import gc
import logging
import warnings
from contextlib import aclosing

import numpy as np
import pytest
from scripted_server import ScriptedServer, dies, hangs, refuses, refusing_url, sends

from voice_kit.errors import (
    EngineFailedError,
    EngineTimeoutError,
    MissingEngineError,
    SettingsError,
)
from voice_kit.speak.tts_openai import OpenAISpeech

TEXT = "My secret is that the answer takes a while to say."
WAVE = (np.sin(np.arange(24_000 * 3) / 9) * 20_000).astype("<i2")
PCM = WAVE.tobytes()


def cut(*sizes):
    """The wave in chunks of these sizes, the last one repeated until the end."""
    parts, at = [], 0
    while at < len(PCM):
        size = sizes[min(len(parts), len(sizes) - 1)]
        parts.append(PCM[at : at + size])
        at += size
    return parts


def engine(url, **options):
    return OpenAISpeech("nova", model_id="tts-1", base_url=url, **options)


async def said(speech, text=TEXT):
    async with aclosing(speech.speak(text)) as parts:
        return [part async for part in parts]


def talk(answer, text=TEXT, **options):
    with ScriptedServer(answer) as server:
        return asyncio.run(said(engine(server.url, **options), text)), server.requests


@pytest.mark.parametrize("sizes", [(len(PCM),), (1, 3, 999), (4801, 7), (2, 65_537)], ids=str)
def test_every_sample_arrives_however_the_stream_is_cut(sizes):
    parts, _ = talk(sends(*cut(*sizes)))
    samples = np.concatenate([part.audio.samples for part in parts])
    assert np.array_equal(samples, WAVE.astype(np.float32) / 32768)
    assert "".join(part.text for part in parts) == TEXT
    assert all(len(part.audio.samples) for part in parts)
    assert {part.audio.rate for part in parts} == {24_000}


def test_the_text_comes_with_its_sound_and_not_at_once():
    parts, _ = talk(sends(*cut(4800)))
    heard = ["".join(part.text for part in parts[:count]) for count in (10, 20, 31)]
    assert 5 < len(heard[0]) < len(heard[1]) < len(heard[2])
    assert TEXT.startswith(heard[2])


def test_half_a_sample_at_the_end_is_dropped():
    parts, _ = talk(sends(PCM + b"\x01"))
    assert sum(len(part.audio.samples) for part in parts) == len(WAVE)


def test_the_first_sound_is_given_before_the_rest_has_come():
    async def scene(url):
        async with aclosing(engine(url).speak(TEXT)) as parts:
            return await anext(parts)

    with ScriptedServer(hangs(PCM[:9600])) as server:
        assert asyncio.run(scene(server.url)).audio.seconds == pytest.approx(0.19)


def test_it_asks_as_openais_own_client_does(require):
    require("openai")
    import openai

    async def scene(url):
        await said(engine(url, speed=1.25, api_key="k"))
        async with openai.AsyncOpenAI(base_url=url, api_key="k") as client:
            await client.audio.speech.create(
                model="tts-1", voice="nova", input=TEXT, response_format="pcm", speed=1.25
            )

    with ScriptedServer(sends(PCM)) as server:
        asyncio.run(scene(f"{server.url}/v1"))
    ours, theirs = server.requests
    assert ours.line == theirs.line == "POST /v1/audio/speech HTTP/1.1"
    assert ours.json == theirs.json
    assert ours.headers["authorization"] == theirs.headers["authorization"] == "Bearer k"


def test_closing_early_closes_the_connection():
    async def scene():
        async with aclosing(engine(server.url).speak(TEXT)) as parts:
            await anext(parts)
            assert not server.closed.is_set()
        assert await asyncio.to_thread(server.closed.wait, 10)

    with ScriptedServer(hangs(PCM[:9600])) as server:
        asyncio.run(scene())


def test_cancelling_closes_the_connection_of_a_server_that_hangs():
    async def scene():
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(said(engine(server.url)))
            assert await asyncio.to_thread(server.came.wait, 10)
            task.cancel()
            assert await asyncio.to_thread(server.closed.wait, 10)
        return task

    with ScriptedServer(hangs()) as server:
        assert asyncio.run(scene()).cancelled()


def test_the_next_sentence_uses_the_same_connection():
    async def scene():
        speech = engine(server.url)
        await said(speech)
        await said(speech)

    with ScriptedServer(sends(PCM[:9600])) as server:
        asyncio.run(scene())
        assert (len(server.requests), server.connections) == (2, 1)


def test_an_engine_outlives_the_event_loop_it_first_spoke_in_and_leaves_nothing_open():
    with ScriptedServer(sends(PCM[:9600])) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        speech = engine(server.url)
        assert asyncio.run(said(speech))
        assert asyncio.run(said(speech))
        assert server.all_closed.wait(10)
        assert server.connections == 2
        gc.collect()


def test_an_address_without_a_path_means_v1_as_for_every_openai_engine():
    _, (request,) = talk(sends(PCM))
    assert request.path == "/v1/audio/speech"


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://", "http://x:port/v1"])
def test_what_is_no_address_is_refused_with_an_example(url):
    with pytest.raises(SettingsError, match="such as http://localhost"):
        OpenAISpeech(base_url=url, api_key="k")


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (refuses(401), MissingEngineError, "a valid key in OPENAI_API_KEY"),
        (refuses(404), MissingEngineError, "another model, voice or base_url"),
        (refuses(429), EngineFailedError, "limit is used up"),
        (refuses(500), EngineFailedError, r"refused \(500\)"),
        (hangs(), EngineTimeoutError, r"0\.3 s"),
        (hangs(PCM[:9600]), EngineTimeoutError, r"0\.3 s"),
        (dies(PCM[:9600]), EngineFailedError, "answer broke off"),
        (dies(), EngineFailedError, "answer broke off"),
        (sends(), EngineFailedError, "no sound"),
        (sends(b"RI", b"FF....WAVEfmt ", PCM), EngineFailedError, "pcm"),
        (sends(b'{"error": "My secret"}'), EngineFailedError, "no sound|pcm"),
        (sends(b"<html>My secret</html>"), EngineFailedError, "no sound|pcm"),
    ],
)
def test_what_goes_wrong_is_one_sentence_with_the_fix_and_without_the_text(answer, error, message):
    with pytest.raises(error, match=message) as caught:
        talk(answer, timeout=0.3)
    assert "Try: " in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_missing():
    url = refusing_url()
    with pytest.raises(MissingEngineError, match=f"start the server, or check the address {url}"):
        asyncio.run(said(engine(url)))


def test_no_text_asks_nothing():
    assert talk(sends(PCM), "") == ([], [])
    parts, requests = talk(sends(PCM), " \n")
    assert [part.text for part in parts] == [" \n"]
    assert requests == []


def test_a_server_in_the_room_needs_no_key_and_openai_does(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert OpenAISpeech.here(base_url="http://192.168.1.7:8880/v1") == ""
    with pytest.raises(MissingEngineError, match="OPENAI_API_KEY"):
        OpenAISpeech.here()
    with pytest.raises(MissingEngineError, match="OPENAI_API_KEY"):
        OpenAISpeech()
    assert not any(voice.here for voice in OpenAISpeech.voices())
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert all(voice.here for voice in OpenAISpeech.voices())
    assert OpenAISpeech().name == "openai:alloy"


def test_nothing_is_logged_even_at_debug_level(caplog):
    caplog.set_level(logging.DEBUG)
    talk(sends(PCM))
    assert not [r for r in caplog.records if r.name.startswith(("httpx", "httpcore"))]
