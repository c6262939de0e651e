"""Speech from an OpenAI-compatible server, a real one on this machine."""

import asyncio
from contextlib import aclosing

import numpy as np
import pytest
from helpers_speech_server import chunks, dies, hangs, serving, status

from voice_kit.errors import EngineFailedError, EngineTimeoutError, MissingEngineError
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
    async def scene():
        async with serving(answer) as server:
            return await said(engine(server.url, **options), text), server.requests

    return asyncio.run(scene())


@pytest.mark.parametrize("sizes", [(len(PCM),), (1, 3, 999), (4801, 7), (2, 65_537)], ids=str)
def test_every_sample_arrives_however_the_stream_is_cut(sizes):
    parts, _ = talk(chunks(*cut(*sizes)))
    samples = np.concatenate([part.audio.samples for part in parts])
    assert np.array_equal(samples, WAVE.astype(np.float32) / 32768)
    assert "".join(part.text for part in parts) == TEXT
    assert all(len(part.audio.samples) for part in parts)
    assert {part.audio.rate for part in parts} == {24_000}


def test_the_text_comes_with_its_sound_and_not_at_once():
    parts, _ = talk(chunks(*cut(4800)))
    heard = ["".join(part.text for part in parts[:count]) for count in (10, 20, 31)]
    assert 5 < len(heard[0]) < len(heard[1]) < len(heard[2])
    assert TEXT.startswith(heard[2])


def test_half_a_sample_at_the_end_is_dropped():
    parts, _ = talk(chunks(PCM + b"\x01"))
    assert sum(len(part.audio.samples) for part in parts) == len(WAVE)


def test_the_first_sound_is_given_before_the_rest_has_come():
    async def scene():
        async with (
            serving(hangs(PCM[:9600])) as server,
            aclosing(engine(server.url).speak(TEXT)) as parts,
        ):
            return await anext(parts)

    assert asyncio.run(scene()).audio.seconds == pytest.approx(0.19)


def test_it_asks_as_openais_own_client_does(require):
    require("openai")
    import openai

    async def scene():
        async with serving(chunks(PCM)) as server:
            await said(engine(server.url, speed=1.25, api_key="k"))
            async with openai.AsyncOpenAI(base_url=server.url, api_key="k") as client:
                await client.audio.speech.create(
                    model="tts-1", voice="nova", input=TEXT, response_format="pcm", speed=1.25
                )
            return server.requests

    ours, theirs = asyncio.run(scene())
    assert ours.line == theirs.line == "POST /audio/speech HTTP/1.1"
    assert ours.body == theirs.body
    assert ours.headers["authorization"] == theirs.headers["authorization"] == "Bearer k"


def test_closing_early_closes_the_connection():
    async def scene():
        async with serving(hangs(PCM[:9600])) as server:
            async with aclosing(engine(server.url).speak(TEXT)) as parts:
                await anext(parts)
            await asyncio.wait_for(server.left.wait(), 10)

    asyncio.run(scene())


def test_cancelling_closes_the_connection_of_a_server_that_hangs():
    async def scene():
        async with serving(hangs()) as server, asyncio.TaskGroup() as tasks:
            task = tasks.create_task(said(engine(server.url)))
            await server.asked.wait()
            task.cancel()
            await asyncio.wait_for(server.left.wait(), 10)
            return task

    assert asyncio.run(scene()).cancelled()


def test_the_next_sentence_uses_the_same_connection():
    async def scene():
        async with serving(chunks(PCM[:9600])) as server:
            speech = engine(server.url)
            await said(speech)
            await said(speech)
            return server

    server = asyncio.run(scene())
    assert (len(server.requests), server.connections) == (2, 1)


def test_an_engine_outlives_the_event_loop_it_first_spoke_in():
    speech = []

    async def scene():
        async with serving(chunks(PCM[:9600])) as server:
            speech[:] = speech or [engine(server.url)]
            speech[0]._server._url = server.url
            return await said(speech[0])

    assert asyncio.run(scene())
    assert asyncio.run(scene())
    assert len(speech[0]._server._kept) == 1


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (status(401), EngineFailedError, "api_key"),
        (status(404), EngineFailedError, "no such model"),
        (status(429), EngineFailedError, "no more requests"),
        (status(500), EngineFailedError, "status 500"),
        (hangs(), EngineTimeoutError, r"0\.3 s"),
        (hangs(PCM[:9600]), EngineTimeoutError, r"0\.3 s"),
        (dies(PCM[:9600]), EngineFailedError, "connection broke"),
        (dies(), EngineFailedError, "connection broke"),
        (chunks(), EngineFailedError, "no sound"),
        (chunks(b"RI", b"FF....WAVEfmt ", PCM), EngineFailedError, "pcm"),
        (chunks(b'{"error": "My secret"}'), EngineFailedError, "no sound|pcm"),
        (chunks(b"<html>My secret</html>"), EngineFailedError, "no sound|pcm"),
    ],
)
def test_what_goes_wrong_is_one_sentence_with_the_fix_and_without_the_text(answer, error, message):
    with pytest.raises(error, match=message) as caught:
        talk(answer, timeout=0.3)
    assert "Try: " in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_missing():
    async def scene():
        async with serving(chunks()) as server:
            url = server.url
        await said(engine(url))

    with pytest.raises(MissingEngineError, match=r"start the server at http://127\.0\.0\.1"):
        asyncio.run(scene())


def test_no_text_asks_nothing():
    assert talk(chunks(PCM), "") == ([], [])
    parts, requests = talk(chunks(PCM), " \n")
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
