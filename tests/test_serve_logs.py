# ruff: noqa: E402
"""What the gateway writes down holds no word that was said, and nothing that opens a door."""

import json
import logging
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
jwt = pytest.importorskip("jwt", reason="the serve extra is not installed")

from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from voice_kit.errors import EngineFailedError, MissingEngineError, SettingsError
from voice_kit.serve.logs import (
    FIELDS,
    ButProbes,
    Lines,
    happened,
    log_config,
    observer,
    redacted,
)
from voice_kit.types import (
    Abandoned,
    Audio,
    EngineChanged,
    Failed,
    Interrupted,
    Partial,
    Route,
    Routed,
    SentenceReady,
    Source,
    SpeechReady,
    ToolCall,
    ToolUsed,
    Transcribed,
    Transcript,
    TurnEnded,
    TurnFinished,
    TurnStarted,
)

WORDS = "my doctor says pancreas"
TOKEN = jwt.encode({"sub": "alice"}, "x" * 40, "HS256")
FINE = "is the pancreas well"
PLAIN = "Wq8_plain-token-9xYz"
BOTH = pytest.mark.parametrize("kind", ["json", "text"])


def record(message, *args, name="voice_kit.somewhere", level=logging.INFO, error=None, **extra):
    found = logging.LogRecord(name, level, "/x/somewhere.py", 7, message, args, None)
    if error is not None:
        found.exc_info = (type(error), error, error.__traceback__)
    found.__dict__.update(extra)
    return found


def line(*args, kind="json", secrets=(), **named):
    text = Lines(kind, secrets).format(record(*args, **named))
    assert "\n" not in text
    return json.loads(text) if kind == "json" else text


def raised(error):
    try:
        raise error
    except type(error) as caught:
        return caught


@pytest.fixture
def lines():
    """What is logged in this test, as it would be written."""
    written = []

    class Kept(logging.Handler):
        def emit(self, each):
            written.append(self.format(each))

    kept = Kept()
    kept.setFormatter(Lines("json"))
    ours = logging.getLogger("voice_kit.serve")
    level, _ = ours.level, ours.addHandler(kept)
    ours.setLevel(logging.INFO)
    yield written
    ours.removeHandler(kept)
    ours.setLevel(level)


# Secrets


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer {}",
        "authorization: bearer {}",
        "'authorization': 'Bearer {}', 'accept': '*/*'",
        "[(b'authorization', b'Bearer {}')]",
        '{{"Authorization": "Bearer {}"}}',
        '{{\\"authorization\\": \\"Bearer {}\\"}}',
        "> Authorization: Basic {}",
        "GET /?token={} HTTP/1.1",
        "GET /v1/realtime?model=x&token={}&conversation=c",
        "http://127.0.0.1:8765/?a=b&access_token={}",
        '{{"type": "session.authenticate", "token": "{}"}}',
        "{{'type': 'session.authenticate', 'token': '{}'}}",
        '{{\\"token\\":\\"{}\\"}}',
        "token={}",
        "token%3D{}",
        "Cookie: theme=dark; voice-kit-8765={}",
        "'cookie': 'voice-kit-8765={}; theme=dark'",
        "[(b'cookie', b'voice-kit-8765={}')]",
        "Set-Cookie: __Host-voice-kit-8765={}; HttpOnly; Path=/",
        "secret='{}'",
        "VOICE_KIT_SERVE_SECRET={}",
        "OPENAI_API_KEY={}",
        "api_key: {}",
        "redis://:{}@redis:6379/0",
        "redis://gateway:{}@redis:6379/0",
    ],
)
@pytest.mark.parametrize("secret", [PLAIN, TOKEN], ids=["a token", "a JWT"])
def test_nothing_that_opens_a_door_is_written(text, secret):
    whole = text.format(secret)
    for part in (secret, secret.rpartition(".")[2]):
        assert part not in redacted(whole)
        for name in ("voice_kit.x", "uvicorn.error", "websockets.server", "httpx"):
            for kind in ("json", "text"):
                assert part not in str(line(whole, name=name, kind=kind))
                assert part not in str(line("%s", whole, name=name, kind=kind))
                assert part not in str(line("%s", {"a": [whole]}, name=name, kind=kind))


def test_a_jwt_is_hidden_wherever_it_stands():
    for text in (TOKEN, f"({TOKEN})", f"x={TOKEN},", f"/v1/{TOKEN}/y", f"“{TOKEN}”"):
        assert TOKEN not in redacted(text) and TOKEN.split(".")[1] not in redacted(text)


@BOTH
def test_a_secret_that_is_known_is_hidden_in_any_shape(kind):
    assert PLAIN not in str(line(f"it was {PLAIN}, I think", kind=kind, secrets=[PLAIN, ""]))


def test_what_is_no_secret_stays_readable():
    for text in (
        "Uvicorn running on http://127.0.0.1:8765 (Press CTRL+C to quit)",
        "the first token came after 120 ms",
        "nothing reaches redis://redis:6379/0: connection refused",
        "3 tokens a second, 2 cookies",
    ):
        assert redacted(text) == text


@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=60), st.sampled_from(["json", "text"])
)
@settings(deadline=None)
def test_any_text_makes_one_line(text, kind):
    Lines(kind).format(record("%s", text))
    assert "\n" not in Lines(kind).format(record("%s", text))
    assert len(Lines(kind).format(record(text.replace("%", ""))).splitlines()) == 1


# Words


def test_of_other_libraries_only_the_place_is_written():
    told = line("the prompt was: " + WORDS, name="openai._base_client", level=logging.WARNING)
    assert told["logger"] == "openai._base_client" and told["where"] == "somewhere.py:7"
    assert WORDS not in str(told) and "message" not in told


@BOTH
@pytest.mark.parametrize(
    "error",
    [
        ValueError(WORDS),
        KeyError(WORDS),
        SettingsError(f"persona cannot be {WORDS}"),
        EngineFailedError("whisper", WORDS, fix="try again"),
        ExceptionGroup(WORDS, [ValueError(WORDS)]),
    ],
)
def test_of_an_error_its_kind_and_its_way_are_written_and_not_its_text(kind, error):
    caught = raised(error)
    for name in ("voice_kit.x", "uvicorn.error", "asyncio"):
        told = str(line("it failed", name=name, error=caught, kind=kind, level=logging.ERROR))
        assert WORDS not in told and "pancreas" not in told
        assert type(error).__name__ in told and "test_serve_logs.py" in told


def test_of_a_missing_engine_the_fix_is_written():
    error = raised(MissingEngineError("kokoro", fix="pip install kokoro"))
    assert "pip install kokoro" in line("it failed", error=error)["fix"]


def test_of_a_whole_traceback_as_a_message_the_words_are_left_out():
    text = f"Traceback (most recent call last):\n  File x\nValueError: {WORDS}\n"
    for message in (text, "Exception in lifespan\n" + text):
        assert "pancreas" not in str(line(message, name="uvicorn.error"))
    assert "pancreas" not in str(line(ValueError(WORDS), name="uvicorn.error"))
    busy = line(OSError(98, "Address already in use"), name="uvicorn.error")
    assert busy["message"] == "Address already in use"


def test_the_access_log_says_where_to_and_not_what_was_asked():
    args = ("10.0.0.1:5000", "GET", f"/v1/x?token={PLAIN}&q=pancreas", "1.1", 200)
    told = line('%s - "%s %s HTTP/%s" %d', *args, name="uvicorn.access")
    assert told | {"event": "request", "path": "/v1/x", "status": 200} == told
    assert told["address"] == "10.0.0.1"
    assert PLAIN not in str(told) and "pancreas" not in str(told)
    socket_line = '%s - "WebSocket %s" [accepted]', "10.0.0.1", f"/v1/x?token={PLAIN}&q=pancreas"
    told = line(*socket_line, name="uvicorn.error")
    assert PLAIN not in str(told) and "pancreas" not in str(told) and "/v1/x" in str(told)


@pytest.mark.parametrize(
    ("path", "status", "written"),
    [
        ("/ready", 200, False),
        ("/ready", 503, True),
        ("/health", 200, False),
        ("/metrics?a=b", 200, False),
        ("/v1/turn", 200, True),
        ("/readyness", 200, True),
    ],
)
def test_that_all_is_well_is_not_written_down_each_second(path, status, written):
    args = ("10.0.0.1:5000", "GET", path, "1.1", status)
    record = logging.LogRecord("uvicorn.access", logging.INFO, "", 1, "%s %s %s %s %d", args, None)
    assert ButProbes().filter(record) is written


SOURCES = (Source(WORDS, WORDS, WORDS),)


def spoken():
    """Every event of a conversation that has somebody's words in it."""
    sound = Audio(np.zeros(16, np.float32), 16_000)
    return [
        TurnEnded(2.0, 0.5, 1.5, sound),
        TurnStarted(1, 2.0, False),
        Partial(1.0, WORDS),
        Transcribed(1, 2.0, Transcript(WORDS), 0.25, "whisper:base.en"),
        Routed(1, 2.0, Route("chat", 0.9, WORDS), 0.01),
        ToolUsed(
            1, 2.0, ToolCall("note", {"text": WORDS}), WORDS, 0.1, True, (Source(WORDS, WORDS),)
        ),
        ToolUsed(1, 2.0, ToolCall(WORDS, {}), WORDS, 0.1, False),
        SentenceReady(1, 2.0, WORDS),
        SpeechReady(1, 2.0, WORDS, 1.0, 0.1),
        Interrupted(1, 2.0, WORDS),
        Abandoned(1, 2.0, WORDS),
        Failed(1, 2.0, "llm", "ollama", WORDS),
        EngineChanged(2.0, "llm", "handbook", WORDS),
        TurnFinished(1, 2.0, WORDS, WORDS, WORDS, True),
    ]


def test_a_conversation_is_written_down_without_its_words(lines):
    told = observer("session-1")
    for event in spoken():
        told(event)
    assert not [each for each in lines if "pancreas" in each or "doctor" in each]
    found = [json.loads(each) for each in lines]
    assert {"time", "level", "event", "session"} <= set.intersection(*map(set, found))
    by_event = {each["event"]: each for each in found}
    assert by_event["turn_ended"]["milliseconds"] == 1000
    assert by_event["transcribed"]["milliseconds"] == 250
    assert by_event["transcribed"]["stage"] == "stt"
    assert by_event["failed"] | {"level": "warning", "stage": "llm"} == by_event["failed"]
    assert [each["tool"] for each in found if each["event"] == "tool_used"] == ["note", "unknown"]


def test_a_pause_that_was_none_is_not_written_down(lines):
    told = observer("session-1")
    told(Abandoned(0, 1.0, "it was no pause", 0.2))
    assert lines == []
    told(Abandoned(1, 2.0, "it was cut short", 0.2))
    told(Interrupted(1, 3.0, "it was cut short"))
    assert [json.loads(each)["event"] for each in lines] == ["abandoned", "interrupted"]


def test_a_line_tells_only_what_lines_may_tell(lines):
    happened("refused", code="too_much_sound", words=WORDS, text=WORDS, address="10.0.0.1")
    told = json.loads(lines[0])
    assert told["code"] == "too_much_sound" and "pancreas" not in lines[0]
    assert set(told) <= FIELDS | {"time", "level", "event"}


# A gateway in a process of its own

GATEWAY = """
    import asyncio, logging, sys, threading, warnings
    import uvicorn
    from types import SimpleNamespace
    from fastapi import Depends, FastAPI, Request, WebSocket
    from voice_kit.serve.config import Serve
    from voice_kit.serve.doors import Doors, Guest, guest
    from voice_kit.serve.limits import Limits
    from voice_kit.serve.logs import happened, log_config
    from voice_kit.serve.refused import Refused, tell_refusals

    kind, port, token = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    serve = Serve(port=port, token=token)
    app = FastAPI()
    app.state.shared = SimpleNamespace(doors=Doors(serve), limits=Limits(serve))
    tell_refusals(app)

    @app.get("/")
    async def page(request: Request):
        return app.state.shared.doors.enter(request) or {}

    @app.post("/say")
    async def say(request: Request, found: Guest = Depends(guest)):
        words = (await request.body()).decode()
        logging.getLogger("some.library").error("I was told: %s", words)
        warnings.warn(words)
        thread = threading.Thread(target=int, args=[words])
        thread.start()
        thread.join()
        raise RuntimeError(words)

    @app.websocket("/socket")
    async def socket(it: WebSocket):
        await it.accept()
        try:
            app.state.shared.doors.guest(it)
        except Refused:
            app.state.shared.doors.admit((await it.receive_json())["token"])
        words = await it.receive_text()
        asyncio.get_running_loop().call_exception_handler(
            {"message": words, "exception": ValueError(words)}
        )
        happened("closed", session="s1", words=words)
        raise RuntimeError(words)

    config = log_config(kind, [token])
    for name in ("websockets", "uvicorn"):  # as loud as somebody may make them
        config["loggers"].setdefault(name, {"handlers": []})["level"] = "DEBUG"
    uvicorn.run(app, port=port, log_config=config, log_level="trace", ws_per_message_deflate=False)
"""


@pytest.mark.timeout(300)
def test_secrets_and_words_go_through_a_gateway_and_none_is_in_its_log(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = tmp_path / "gateway.py"
    script.write_text(textwrap.dedent(GATEWAY), "utf-8")
    with logged(script, "text", str(port), PLAIN) as lines:
        visit(port)
    written = "".join(lines)
    for each in (PLAIN, TOKEN, TOKEN.split(".")[1], "pancreas", "doctor", "wrong-token"):
        assert each not in written, f"{each} is in the log"
    assert written.count("RuntimeError") >= 2 and written.count("some.library") >= 1
    assert "py.warnings" in written and "uncaught" in written
    assert "/say" in written and "/socket" in written and "asyncio" in written


@contextmanager
def logged(*command):
    """What a gateway in its own process writes, while it runs and until its end."""
    gateway = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines = []
    for line in gateway.stdout:
        lines.append(line)
        if "startup complete" in line:
            break
    else:
        pytest.fail("".join(lines))
    reading = threading.Thread(target=lambda: lines.extend(gateway.stdout))
    reading.start()
    try:
        yield lines
    finally:
        gateway.send_signal(signal.SIGINT)
        gateway.wait(30)
        reading.join(30)


def visit(port):
    bearer = {"Authorization": f"Bearer {PLAIN}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as web:
        assert web.get("/", params={"token": PLAIN, "q": WORDS}).status_code == 303
        assert web.get("/", params={"token": TOKEN}).status_code == 401
        assert web.get("/", headers={"Authorization": "Bearer wrong-token"}).status_code == 401
        assert web.get("/", headers={"Cookie": f"voice-kit-{port}={PLAIN}"}).status_code == 200
        assert web.post("/say", content=WORDS, headers={"Cookie": f"x={TOKEN}"}).status_code == 401
        assert web.post("/say", content=WORDS, headers=bearer).status_code == 500
    for query, first in [(f"?token={PLAIN}", None), ("", json.dumps({"token": PLAIN}))]:
        with connect(f"ws://127.0.0.1:{port}/socket{query}") as it:
            if first:
                it.send(first)
            it.send(WORDS)
            with pytest.raises(WebSocketException):
                it.recv(timeout=10)


def test_uvicorn_takes_the_settings_for_logs_as_they_are():
    import uvicorn

    config = uvicorn.Config("x:app", log_config=log_config("json", [PLAIN]))
    assert config.log_config["handlers"]


# The whole gateway

WHOLE = """
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from helpers_serve import Loudness, Parrot, stubs
    from voice_kit.serve.app import create_app
    from voice_kit.serve.config import Serve
    from voice_kit.serve.server import Server, config_of, listening

    token, port_file = sys.argv[2:]

    class Breaks(Parrot):
        async def reply(self, messages):
            said = messages[-1].content
            if "doctor" in said:
                raise RuntimeError(f"the server said: bad prompt {said}")
            async for each in super().reply(messages):
                yield each

    serve = Serve(port=0, token=token, log="json", drain_seconds=1.0)
    app = create_app(serve=serve, engines=stubs(llm=Breaks()))
    sock = listening(serve)
    server = Server(config_of(app, serve, log_level="trace"))
    Path(port_file).write_text(str(sock.getsockname()[1]))
    server.run(sockets=[sock])
"""


@pytest.mark.timeout(300)
def test_words_and_tokens_go_through_the_whole_gateway_and_none_is_in_its_log(tmp_path):
    script, port = tmp_path / "whole.py", tmp_path / "port"
    script.write_text(textwrap.dedent(WHOLE), "utf-8")
    here = str(Path(__file__).parent)
    with logged(script, here, PLAIN, str(port)) as raw:
        talk_with(f"127.0.0.1:{port.read_text()}")
    written = "".join(raw)
    lines = [json.loads(each) for each in written.splitlines()]
    for each in (PLAIN, "pancreas", "doctor", "wrong-token"):
        told = [line for line in lines if each in str(line)]
        assert not told, f"{each} is in the log"
        assert each not in written
    events = {each["event"] for each in lines}
    assert {"request", "refused", "failed", "turn_finished"} <= events
    assert all({"time", "level", "event"} <= set(each) for each in lines)


def talk_with(host):
    bearer = {"Authorization": f"Bearer {PLAIN}"}
    with httpx.Client(base_url=f"http://{host}", timeout=30) as web:
        assert web.get("/", params={"token": PLAIN, "q": WORDS}).status_code == 303
        assert web.get("/v1/conversations", params={"token": "wrong-token"}).status_code == 401
        web.headers.update(bearer)
        made = web.post("/v1/conversations", json={"title": WORDS}).json()
        assert made["title"] == WORDS
        web.patch(f"/v1/conversations/{made['id']}", json={"title": WORDS + "!"})
        web.get("/v1/conversations", params={"after": WORDS})
        for words in (WORDS, FINE):
            asked = {"model": "x", "messages": [{"role": "user", "content": words}]}
            answer = web.post("/v1/chat/completions", json=asked)
            assert answer.is_error if words == WORDS else words in answer.text
        web.post("/v1/chat/completions", json={"model": WORDS, "messages": WORDS})
        web.post("/v1/chat/completions", content=WORDS)
        web.post("/v1/audio/speech", json={"model": "x", "voice": WORDS, "input": WORDS})
        web.post(
            "/v1/audio/transcriptions",
            data={"model": WORDS, "prompt": WORDS},
            files={"file": (f"{WORDS}.wav", WORDS.encode())},
        )
        web.post("/v1/turn", content=WORDS, headers={"Content-Type": WORDS})
    with connect(f"ws://{host}/v1/realtime?token={PLAIN}&model={WORDS.replace(' ', '%20')}") as it:
        for message in (
            {"type": "session.update", "session": {"instructions": WORDS}},
            {"type": "session.update", "session": {"voice_kit": {"settings": {WORDS: WORDS}}}},
            {"type": WORDS, "event_id": WORDS},
            WORDS,
        ):
            it.send(message if isinstance(message, str) else json.dumps(message))
        for words in (WORDS, FINE):
            content = [{"type": "input_text", "text": words}]
            item = {"type": "message", "role": "user", "content": content}
            it.send(json.dumps({"type": "conversation.item.create", "item": item}))
            it.send(json.dumps({"type": "response.create"}))
            until_the_end_of_the_answer(it)


def until_the_end_of_the_answer(it):
    while json.loads(it.recv(timeout=30))["type"] != "response.done":
        pass
