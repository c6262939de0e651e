"""ElevenLabs' interface, spoken by a real server on this machine."""

import asyncio
import base64
import json
from contextlib import aclosing
from itertools import pairwise

import numpy as np
import pytest
from scripted_server import ScriptedServer, dies, hangs, refuses, sends

from voice_kit.errors import EngineFailedError, EngineTimeoutError, MissingEngineError
from voice_kit.speak.heard import heard_text
from voice_kit.speak.tts_elevenlabs import ElevenLabs

TEXT = "My secret is safe, you know."
STEP = 0.1  # seconds each character lasts here
WAVE = (np.sin(np.arange(round(24_000 * STEP * len(TEXT))) / 9) * 20_000).astype("<i2")


def line(sound, text="", at=0, **more):
    """One line of the answer: sound, and the characters from `at` on with their times."""
    spans = [(round((at + n) * STEP, 3), round((at + n + 1) * STEP, 3)) for n in range(len(text))]
    alignment = {
        "characters": list(text),
        "character_start_times_seconds": [start for start, _ in spans],
        "character_end_times_seconds": [end for _, end in spans],
    }
    sound = base64.b64encode(sound.tobytes()).decode()
    said = {"audio_base64": sound, "alignment": alignment if text else None}
    return json.dumps({**said, "normalized_alignment": None, **more}).encode() + b"\n"


def lines(*borders):
    """The answer in lines cut at these characters."""
    per = round(24_000 * STEP)
    marks = [0, *borders, len(TEXT)]
    return [line(WAVE[one * per : two * per], TEXT[one:two], one) for one, two in pairwise(marks)]


def engine(url, **options):
    return ElevenLabs("voice/1", base_url=url, api_key="k", **options)


async def said(speech, text=TEXT):
    async with aclosing(speech.speak(text)) as parts:
        return [part async for part in parts]


def talk(answer, text=TEXT, **options):
    with ScriptedServer(answer) as server:
        return asyncio.run(said(engine(server.url, **options), text)), server.requests


def words(parts):
    """Every word with its time in the whole."""
    at, placed = 0.0, []
    for part in parts:
        placed += [(word.text, at + word.start, at + word.end) for word in part.words]
        at += part.audio.seconds
    return placed


@pytest.mark.parametrize("borders", [(), (5, 12, 20), (1, 2, 3, 4), tuple(range(1, len(TEXT)))])
def test_sound_text_and_times_are_the_same_however_the_answer_is_cut(borders):
    parts, _ = talk(sends(*lines(*borders)))
    samples = np.concatenate([part.audio.samples for part in parts])
    assert np.array_equal(samples, WAVE.astype(np.float32) / 32768)
    assert "".join(part.text for part in parts) == TEXT
    placed = words(parts)
    assert [text for text, _, _ in placed] == TEXT.split()
    for text, _, end in placed:
        assert end == pytest.approx((TEXT.index(text) + len(text)) * STEP, abs=0.001)


def test_what_was_heard_is_exact_to_the_word():
    parts, _ = talk(sends(*lines(5, 12, 20)))
    assert heard_text(parts, 1.0) == "My secret"
    assert heard_text(parts, 1.75) == "My secret is safe,"
    assert heard_text(parts, 9) == TEXT


def test_a_line_may_be_cut_anywhere():
    whole = b"".join(lines(5, 12, 20))
    parts, _ = talk(sends(*(whole[at : at + 1001] for at in range(0, len(whole), 1001))))
    assert "".join(part.text for part in parts) == TEXT
    assert [text for text, _, _ in words(parts)] == TEXT.split()


def test_times_that_come_before_their_sound_wait_for_it():
    third = len(WAVE) // 3
    first = line(WAVE[:third], TEXT)
    parts, _ = talk(sends(first, line(WAVE[third : 2 * third]), line(WAVE[2 * third :])))
    assert TEXT.startswith(parts[0].text)
    assert parts[0].text == "My secret "
    assert "".join(part.text for part in parts) == TEXT


@pytest.mark.parametrize("spelled", ["", "Something else entirely, really!!"])
def test_times_of_other_words_are_no_times_and_the_text_still_comes(spelled):
    parts, _ = talk(sends(line(WAVE[:30_000], spelled), line(WAVE[30_000:])))
    assert "".join(part.text for part in parts) == TEXT
    assert words(parts) == []


def test_the_request_is_the_one_elevenlabs_documents():
    _, (request,) = talk(sends(*lines()), language="fr", speed=1.1)
    path = "/v1/text-to-speech/voice%2F1/stream/with-timestamps?output_format=pcm_24000"
    assert request.line == f"POST {path} HTTP/1.1"
    assert request.headers["xi-api-key"] == "k"
    assert request.json == {
        "text": TEXT,
        "model_id": "eleven_flash_v2_5",
        "language_code": "fr",
        "voice_settings": {"speed": 1.1},
    }


def test_a_model_that_refuses_languages_is_told_none():
    _, (request,) = talk(sends(*lines()), model_id="eleven_multilingual_v2")
    assert request.json == {"text": TEXT, "model_id": "eleven_multilingual_v2"}


def test_the_first_sound_is_given_before_the_rest_has_come_and_closing_hangs_up():
    async def scene():
        async with aclosing(engine(server.url).speak(TEXT)) as parts:
            first = await anext(parts)
            assert not server.closed.is_set()
        assert await asyncio.to_thread(server.closed.wait, 10)
        return first

    with ScriptedServer(hangs(lines(5)[0])) as server:
        assert asyncio.run(scene()).text == "My "


def test_cancelling_hangs_up_on_a_server_that_hangs():
    async def scene():
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(said(engine(server.url)))
            assert await asyncio.to_thread(server.came.wait, 10)
            task.cancel()
            assert await asyncio.to_thread(server.closed.wait, 10)

    with ScriptedServer(hangs()) as server:
        asyncio.run(scene())


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (refuses(401), MissingEngineError, "a valid key in ELEVENLABS_API_KEY"),
        (refuses(422), EngineFailedError, "another model or voice"),
        (hangs(lines(5)[0]), EngineTimeoutError, r"0\.3 s"),
        (dies(lines(5)[0]), EngineFailedError, "answer broke off"),
        (sends(), EngineFailedError, "no sound"),
        (sends(b"My secret garbage\n"), EngineFailedError, "unreadable"),
        (sends(b"[1, 2]\n"), EngineFailedError, "unreadable"),
        (sends(b'{"detail": "My secret"}\n'), EngineFailedError, "unreadable"),
        (sends(b'{"audio_base64": "My secret"}\n'), EngineFailedError, "unreadable"),
        (sends(b'{"audio_base64": "", "alignment": {}}\n'), EngineFailedError, "no sound"),
        (sends(b'{"audio_base64": "", "alignment": [3]}\n'), EngineFailedError, "unreadable"),
    ],
)
def test_what_goes_wrong_is_one_sentence_with_the_fix_and_without_the_text(answer, error, message):
    with pytest.raises(error, match=message) as caught:
        talk(answer, timeout=0.3)
    assert "Try: " in str(caught.value)
    assert "secret" not in str(caught.value)


def test_without_a_key_it_is_missing(monkeypatch):
    monkeypatch.delenv("ELEVENLABS_API_KEY", raising=False)
    for ask in (ElevenLabs, ElevenLabs.here, ElevenLabs.voices):
        with pytest.raises(MissingEngineError, match="ELEVENLABS_API_KEY"):
            ask()
    monkeypatch.setenv("ELEVENLABS_API_KEY", "k")
    assert ElevenLabs.here() == ""
    assert ElevenLabs().name.startswith("elevenlabs:")


def test_the_accounts_voices_are_asked_of_the_server():
    one = {"voice_id": "abc", "name": "A", "labels": {"gender": "female", "language": "en"}}
    listed = json.dumps({"voices": [one, {"voice_id": "def", "labels": None}]}).encode()

    def ask(answer):
        with ScriptedServer(answer) as server:
            return ElevenLabs.voices(api_key="k", base_url=server.url)

    assert [(voice.name, voice.language, voice.gender) for voice in ask(sends(listed))] == [
        ("abc", "en", "female"),
        ("def", "", ""),
    ]
    for answer in (refuses(401), sends(b"garbage"), sends(b"[]")):
        with pytest.raises(MissingEngineError, match="api_key"):
            ask(answer)
