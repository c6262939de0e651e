"""The gateway as its users meet it: OpenAI's own client, the page, and the command."""

import asyncio
import base64
import json
import signal
import threading
from contextlib import asynccontextmanager

import httpx
import numpy as np
import pytest
import websockets
from helpers_serve import TOKEN, Loudness, Parrot, Tone, command, say, served, stubs, until
from openai import AsyncOpenAI
from scenes import Scene

from voice_kit.converse.line import Engines, Line
from voice_kit.converse.steps import StageFailedError
from voice_kit.errors import EngineFailedError, SettingsError, VoiceKitError
from voice_kit.hear.batch import Batch
from voice_kit.serve.config import Serve, load_serve
from voice_kit.serve.pool import Once, Pool
from voice_kit.serve.protocol import (
    GOING_AWAY,
    KNOWN,
    LIMIT,
    NOT_ADMITTED,
    NOT_YOURS,
    TAKEN_OVER,
    TOO_BIG,
    TOO_SLOW,
)
from voice_kit.serve.realtime import BROKEN
from voice_kit.serve.server import listening
from voice_kit.serve.shared import Shared, within
from voice_kit.settings import Settings
from voice_kit.types import Audio, Transcript, TurnStarted
from voice_kit.workshop.fakes import Script, ScriptedJudge, ScriptedTranscriber, scripted

STORY = " ".join(f"word{number}" for number in range(100)) + "."
"""Five seconds of sound."""


@pytest.fixture(scope="module")
def gateway():
    with served() as address:
        yield address


# OpenAI's own client


@asynccontextmanager
async def openai(address):
    """Its realtime connection, unmodified."""
    client = AsyncOpenAI(api_key=address.token, websocket_base_url=f"{address.ws}/v1")
    async with client.realtime.connect(model="voice-kit") as connection:
        assert (await connection.recv()).type == "session.created"
        yield connection


async def event(connection, kind, seen=None):
    """The next event of this type; those before it go into `seen`."""
    async with asyncio.timeout(20):
        while True:
            found = await connection.recv()
            if found.type == kind:
                return found
            if seen is not None:
                seen.append(found)


def pcm(seconds, level=0.1):
    return np.full(round(seconds * 24_000), round(level * 32767), "<i2").tobytes()


async def speak(connection, sound):
    for start in range(0, len(sound), 4_800):
        piece = base64.b64encode(sound[start : start + 4_800]).decode()
        await connection.input_audio_buffer.append(audio=piece)


def kinds(events):
    return [each.type for each in events]


def test_openais_client_speaks_and_hears_the_answer(gateway):
    async def scene():
        async with openai(gateway) as connection:
            seen = []
            await speak(connection, pcm(0.8) + pcm(1.6, 0))
            done = await event(connection, "response.done", seen)
            return seen, done

    seen, done = asyncio.run(scene())
    in_order = [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "conversation.item.input_audio_transcription.completed",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
    ]
    told = [kind for kind in kinds(seen) if not kind.endswith("transcription.delta")]
    assert told == in_order
    assert done.response.status == "completed"
    assert done.response.output[0].content[0].transcript == "You said question 10."
    sound = b"".join(base64.b64decode(each.delta) for each in seen if "audio.delta" in each.type)
    assert len(sound) == pytest.approx(2 * 24_000 * 4 * 0.05, abs=4)
    one = {each.response_id for each in seen if hasattr(each, "response_id")}
    assert one == {done.response.id}


def test_openais_client_changes_its_session(gateway):
    async def scene():
        async with openai(gateway) as connection:
            detection = {"type": "server_vad", "threshold": 0.6, "silence_duration_ms": 400}
            heard = {"turn_detection": detection, "format": {"type": "audio/pcm", "rate": 24000}}
            audio = {"input": heard, "output": {"voice": "marin"}}
            wanted = {"type": "realtime", "instructions": "Be brief.", "audio": audio}
            await connection.session.update(session=wanted)
            return (await event(connection, "session.updated")).session

    session = asyncio.run(scene())
    assert session.instructions == "Be brief."
    assert session.audio.input.turn_detection.silence_duration_ms == 400
    assert session.audio.output.voice == "tone"


def test_openais_client_says_itself_when_it_has_finished(gateway):
    async def scene():
        async with openai(gateway) as connection:
            manual = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
            await connection.session.update(session=manual)
            await speak(connection, pcm(0.7, 0.3))
            await connection.input_audio_buffer.clear()
            await event(connection, "input_audio_buffer.cleared")
            await connection.input_audio_buffer.commit()
            error = await event(connection, "error")
            await speak(connection, pcm(0.7, 0.2))
            await connection.input_audio_buffer.commit()
            seen = []
            await connection.response.create()
            done = await event(connection, "response.done", seen)
            return error, seen, done

    error, seen, done = asyncio.run(scene())
    assert error.error.code == "input_audio_buffer_commit_empty"
    assert kinds(seen).count("input_audio_buffer.committed") == 1
    assert "input_audio_buffer.speech_started" not in kinds(seen)
    assert done.response.output[0].content[0].transcript == "You said question 20."


def test_a_commit_ends_the_turn_without_waiting_for_quiet(gateway):
    async def scene():
        async with openai(gateway) as connection:
            await speak(connection, pcm(0.7))
            await connection.input_audio_buffer.commit()
            return await event(connection, "response.done")

    done = asyncio.run(scene())
    assert done.response.output[0].content[0].transcript == "You said question 10."


def test_openais_client_types(gateway):
    async def scene():
        async with openai(gateway) as connection:
            content = [{"type": "input_text", "text": "hello"}]
            item = {"type": "message", "role": "user", "content": content}
            await connection.conversation.item.create(item=item)
            added = await event(connection, "conversation.item.added")
            await connection.response.create()
            return added, await event(connection, "response.done")

    added, done = asyncio.run(scene())
    assert added.item.content[0].text == "hello"
    assert done.response.output[0].content[0].transcript == "You said hello."


def test_lines_before_the_last_one_are_part_of_the_conversation():
    parrot = Parrot()

    async def scene(address):
        async with openai(address) as connection:
            for role, text in [("user", "I am Ada"), ("assistant", "Hello Ada"), ("user", "So")]:
                kind = "input_text" if role == "user" else "output_text"
                content = [{"type": kind, "text": text}]
                item = {"type": "message", "role": role, "content": content}
                await connection.conversation.item.create(item=item)
            await connection.response.create()
            await event(connection, "response.done")

    with served(stubs(llm=parrot)) as address:
        asyncio.run(scene(address))
    said = [("user", "I am Ada"), ("assistant", "Hello Ada"), ("user", "So")]
    assert parrot.prompts[-1][-3:] == said


@pytest.fixture(scope="module")
def teller():
    """A gateway that tells long stories."""
    with served(stubs(llm=Parrot(STORY))) as address:
        yield address


def test_openais_client_cancels_an_answer(teller):
    async def scene():
        async with openai(teller) as connection:
            await connection.response.create(response={"instructions": "Tell a story."})
            await event(connection, "response.output_audio.delta")
            await connection.response.cancel()
            await connection.response.create(response={"instructions": "And another."})
            second = await event(connection, "response.created")
            return second

    assert asyncio.run(scene()).response.id


def test_memory_keeps_what_openais_client_says_it_has_played():
    async def scene(address):
        async with openai(address) as connection:
            await connection.response.create(response={"instructions": "Tell a story."})
            done = await event(connection, "response.done")
            item = done.response.output[0].id
            await connection.conversation.item.truncate(
                item_id=item, audio_end_ms=500, content_index=0
            )
            truncated = await event(connection, "conversation.item.truncated")
            conversation = next(iter(address.shared.sessions))._conversation
            return truncated, conversation, await heard(address, conversation)

    with served(stubs(llm=Parrot(STORY))) as address:
        truncated, _, kept = asyncio.run(scene(address))
    assert truncated.audio_end_ms == 500
    assert kept == " ".join(STORY.split()[:10])


async def heard(address, conversation):
    """The assistant's words that memory holds."""
    url = f"{address}/v1/conversations/{conversation}/lines"
    async with httpx.AsyncClient(headers=address.headers) as client, asyncio.timeout(20):
        while True:
            answer = await client.get(url)
            lines = answer.json()["data"] if answer.status_code == 200 else []
            if said := [line["text"] for line in lines if line["role"] == "assistant"]:
                return said[0]


def test_an_interruption_is_told_once_it_is_one(teller):
    async def scene():
        async with openai(teller) as connection:
            await connection.response.create(response={"instructions": "Tell a story."})
            await event(connection, "response.done")  # all of it was sent, and is being played
            seen = []
            await speak(connection, pcm(0.06) + pcm(0.6, 0))  # a click
            await speak(connection, pcm(1.0, 0.3) + pcm(1.0, 0))
            await event(connection, "response.created", seen)
            return seen

    seen = asyncio.run(scene())
    (started,) = (each for each in seen if each.type == "input_audio_buffer.speech_started")
    assert started.audio_start_ms > 500


# What all conversations share


def test_engines_are_loaded_once_and_frames_are_computed_together(gateway):
    shared = gateway.shared
    one, other = shared.engines_for_one(), shared.engines_for_one()
    assert isinstance(one.vad.current, Batch)
    assert one.vad.current is other.vad.current
    assert one.stt.current is other.stt.current
    assert one.stt is not other.stt


class Broken(Loudness):
    """Cannot hear."""

    async def transcribe(self, audio):
        raise EngineFailedError(self.name, "it is broken", fix="another")


def test_what_stands_in_for_one_does_not_for_everybody_and_is_made_once():
    made = []

    def stand_in():
        made.append(Loudness(name="stand-in"))
        return made[-1]

    async def scene():
        engines = Engines(whole.vad, Line("stt", Broken(), [stand_in]), whole.llm, whole.tts)
        shared = Shared(Settings(), Serve(token=TOKEN), engines)
        one, other, third = (shared.engines_for_one() for _ in range(3))
        for lines in (one, other):
            failure = StageFailedError("stt", lines.stt.current, VoiceKitError("broken"))
            assert await lines.stt.replace(failure)
        assert one.stt.current is other.stt.current is made[0]
        assert third.stt.current.name == "loudness"
        assert len(made) == 1

    whole = stubs()
    asyncio.run(scene())


class Paced(Tone):
    """A voice whose pace can be changed."""

    speed = 1.0


def test_a_pace_that_one_asks_for_is_not_everybodys():
    shared = Shared(Settings(), Serve(token=TOKEN), stubs(tts=Paced()))
    one, other = shared.engines_for_one(), shared.engines_for_one()
    one.tts.current.speed = 0.5
    assert other.tts.current.speed == shared.engines.tts.current.speed == 1.0


def test_nothing_touches_the_machine_unless_a_flag_names_it():
    wanted = {"tools.allow": ["open_app"], "tools.servers": {"a": {}, "b": {}}, "tools.notes": "x"}
    settings = Settings().changed(wanted)
    closed = within(settings, Serve()).tools
    assert (closed.allow, closed.servers, closed.notes) == ((), {}, "")
    opened = within(settings, Serve(allow=("volume", "b"))).tools
    assert (opened.allow, list(opened.servers)) == (("volume", "b"), ["b"])


def test_each_conversation_has_a_folder_of_its_own_whose_name_tells_nothing(gateway):
    shared = gateway.shared
    folders = {shared.folder(*whose) for whose in [("ada", "1"), ("ada", "2"), ("bob", "1")]}
    assert len(folders) == 3
    assert not any("ada" in str(folder.name) for folder in folders)


class OneAtATime:
    """As PocketSphinx: one sound at a time, and `abort` ends whichever that is."""

    name, stops = "one", "never"

    def __init__(self, go):
        self.go, self.aborted, self.busy = go, 0, 0
        self.turn = threading.Lock()

    def transcribe(self, audio):
        self.busy += 1
        with self.turn:
            assert self.go.wait(20)
        return Transcript("heard")

    def abort(self):
        self.aborted += 1


def test_who_wants_no_answer_any_more_ends_its_own_call_only():
    go = threading.Event()
    first, second = OneAtATime(go), OneAtATime(go)

    async def scene():
        pool = Pool(first, lambda: second, most=2)
        calls = [asyncio.ensure_future(pool.transcribe(Audio.silence(1))) for _ in range(3)]
        async with asyncio.timeout(20):
            while not (first.busy and second.busy):  # noqa: ASYNC110 - they are threads
                await asyncio.sleep(0)
            calls[0].cancel()
            await asyncio.wait(calls[:1])
            go.set()
            heard = await asyncio.gather(*calls[1:])
        assert [each.text for each in heard] == ["heard", "heard"]
        assert first.aborted + second.aborted == 1

    asyncio.run(scene())


class Slow(ScriptedTranscriber):
    """As PocketSphinx: the longer a sound is, the longer it takes."""

    async def transcribe(self, audio):
        self.delay = audio.seconds / 2
        return await super().transcribe(audio)

    def abort(self):
        """It can be stopped, so an answer begins early however slow it is."""


@pytest.mark.parametrize("shared", [False, True])
def test_a_slow_recogniser_keeps_its_judge_after_a_long_sentence_in_a_pool_too(shared):
    script = Script()
    stt = Pool(Slow(script)) if shared else Slow(script)
    stt.in_loop_time = True
    engines = scripted(script, stt=stt, judge=ScriptedJudge({}))
    parts = 0.5, ("a sentence without an end", 4.0), 8.0, ("a short one", 0.6), 8.0
    scene = Scene(script, *parts, engines=engines)
    assert engines.judge.current.asked[-1:] == ["a short one"]
    assert [started.eager for started in scene.all(TurnStarted)] == [True, True]


def test_a_recogniser_that_cannot_be_stopped_is_none_that_can_in_a_pool():
    assert not hasattr(Pool(ScriptedTranscriber(Script())), "abort")


def test_what_is_made_once_is_tried_again_after_a_failure():
    tries = []

    def make():
        tries.append(1)
        if len(tries) == 1:
            raise VoiceKitError("not yet")
        return object()

    once = Once(make)
    with pytest.raises(VoiceKitError):
        once()
    assert once() is once()
    assert len(tries) == 2


# Over HTTP


def test_the_page_opens_with_its_token_and_keeps_it(gateway):
    with httpx.Client(base_url=str(gateway), follow_redirects=True) as client:
        assert client.get("/").status_code == 401
        page = client.get("/", params={"token": TOKEN})
        assert page.status_code == 200
        assert "token" not in str(page.url)
        assert "text/html" in page.headers["content-type"]
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert client.get("/").status_code == 200


def test_the_notebooks_modules_are_served_and_nothing_beside_them(gateway):
    with httpx.Client(base_url=str(gateway)) as client:
        module = client.get("/static/show/orb.js")
        assert module.status_code == 200
        assert "javascript" in module.headers["content-type"]
        for path in ("orb.py", "../errors.py", "%2e%2e/errors.py", "__init__.py", ""):
            assert client.get(f"/static/show/{path}").status_code == 404


def test_everybodys_routes_are_there(gateway):
    with httpx.Client(base_url=str(gateway), headers=gateway.headers) as client:
        for path in ("/health", "/ready", "/metrics", "/v1/models", "/v1/conversations", "/docs"):
            assert client.get(path).status_code == 200, path
        paths = client.get("/openapi.json").json()["paths"]
    for path in (
        "/v1/audio/transcriptions",
        "/v1/audio/speech",
        "/v1/chat/completions",
        "/v1/turn",
    ):
        assert path in paths


def test_the_documentation_is_ours_alone_and_tells_of_every_event_and_route(gateway):
    with httpx.Client(base_url=str(gateway)) as client:
        page = client.get("/docs").text
        paths = client.get("/openapi.json").json()["paths"]
    assert "//" not in page.replace("<!doctype", "")
    assert "<script" not in page
    assert len(KNOWN) >= 12
    assert len(paths) >= 8
    for name in (*KNOWN, *paths):
        assert name in page
    for code in (NOT_ADMITTED, NOT_YOURS, TOO_SLOW, TAKEN_OVER, LIMIT, GOING_AWAY, TOO_BIG, BROKEN):
        assert f"<dt><code>{code}</code></dt>" in page


# The command


def sentence(*arguments, home, **environment):
    """What it says instead of starting."""
    process = command(*arguments, home=home, **environment)
    said, why = process.communicate(timeout=60)
    assert process.returncode == 1
    assert not said
    return why.strip()


def test_a_port_that_is_taken_is_one_sentence_with_the_fix(tmp_path):
    with listening(Serve(port=0)) as sock:
        port = sock.getsockname()[1]
        why = sentence("--port", str(port), home=tmp_path)
    assert why.splitlines() == [why]
    assert f"--port {port + 1}" in why


def test_a_public_address_without_a_sign_in_is_refused_with_the_command_that_helps(tmp_path):
    assert "export VOICE_KIT_SERVE_SECRET=" in sentence("--host", "0.0.0.0", home=tmp_path)


def test_voice_kit_serve_prints_an_address_that_opens_and_stops_politely(tmp_path):
    engines = ["--vad", "energy", "--stt", "sphinx", "--llm", "handbook", "--tts", "espeak"]
    process = command("--port", "0", "--json", *engines, home=tmp_path)
    try:
        told = json.loads(process.stdout.readline())
        url = told["url"].split("?")[0]

        async def scene():
            socket = f"{url.replace('http', 'ws', 1)}v1/realtime?token={told['token']}"
            async with httpx.AsyncClient(base_url=url) as client, asyncio.timeout(60):
                while not await answers(client):
                    pass
                assert (await client.get("/v1/models")).status_code == 401
            async with websockets.connect(socket) as connected:
                await until(connected, "session.created")
                content = [{"type": "input_text", "text": "what is two plus two"}]
                item = {"type": "message", "role": "user", "content": content}
                await say(connected, type="conversation.item.create", item=item)
                await say(connected, type="response.create")
                done = await until(connected, "response.done", seconds=60)
                process.send_signal(signal.SIGTERM)
                with pytest.raises(websockets.ConnectionClosed) as closed:
                    while True:
                        await connected.recv()
                return done, closed.value.rcvd.code

        done, code = asyncio.run(scene())
        assert done["response"]["output"][0]["content"][0]["transcript"] == "That is 4."
        assert code == 1001
        _, logs = process.communicate(timeout=60)
        assert told["token"] not in logs
        assert "plus" not in logs
    finally:
        process.kill()
        process.communicate()


async def answers(client):
    try:
        return (await client.get("/ready")).status_code == 200
    except httpx.TransportError:
        return False


# Settings of the gateway


def test_the_gateways_settings_come_from_file_environment_and_flags_in_that_order(
    tmp_path, monkeypatch
):
    file = tmp_path / "voice-kit.toml"
    file.write_text('[serve]\nport = 1\nmax_connections = 2\nlog = "json"\n')
    monkeypatch.setenv("VOICE_KIT_SERVE_MAX_CONNECTIONS", "3")
    monkeypatch.setenv("VOICE_KIT_SERVE_ALLOW", "volume, open_page")
    serve = load_serve({"log": "text"}, file)
    assert (serve.port, serve.max_connections, serve.log) == (1, 3, "text")
    assert serve.allow == ("volume", "open_page")


def test_a_setting_that_there_is_not_is_named_with_those_that_there_are(monkeypatch):
    with pytest.raises(SettingsError, match=r"“hots”\. Did you mean “host”"):
        load_serve({"hots": 1})
    monkeypatch.setenv("VOICE_KIT_SERVE_PROT", "1")
    with pytest.raises(SettingsError, match="Did you mean “port”"):
        load_serve()


def test_a_secret_that_cannot_be_used_is_not_told(monkeypatch):
    with pytest.raises(SettingsError) as caught:
        load_serve({"secret": ["s3cret"]})
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(Serve(secret="s3cret", token="s3cret", redis="redis://:s3cret@h"))
