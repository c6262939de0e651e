"""What every engine that talks to a server relies on."""

import asyncio
import json

import httpx
import pytest
from scripted_server import ScriptedServer, hangs, refuses, refusing_url, sends

from voice_kit.errors import (
    EngineFailedError,
    EngineTimeoutError,
    MissingEngineError,
    SettingsError,
)
from voice_kit.remote.clients import Http, PerLoop
from voice_kit.remote.servers import Server, address, ask, bearer, near, openai_server

SERVER = Server("some:model", "http://localhost:1/v1", sends="tune", kind="musical")
SECRET = "what somebody said"


@pytest.mark.parametrize(
    "url",
    [
        *("http://localhost:1", "http://127.0.0.1/v1", "http://[::1]:80", "http://192.168.1.7"),
        *("https://10.0.0.1", "http://gpu.local:8000", "http://a.localhost"),
    ],
)
def test_a_server_in_the_same_room_is_near(url):
    assert near(url)


@pytest.mark.parametrize(
    "url",
    ["https://api.openai.com/v1", "http://8.8.8.8", "http://localhost.example.com", "http://"],
)
def test_any_other_is_far(url):
    assert not near(url)


def test_an_address_loses_what_is_around_it():
    assert address(" http://localhost:1/v1/ \n") == "http://localhost:1/v1"


@pytest.mark.parametrize(
    "url", ["", "localhost:1", "ftp://x", "http://", "http://a b/", "http://a:b"]
)
def test_what_is_no_address_is_refused_with_an_example(url):
    with pytest.raises(SettingsError, match="such as http://localhost"):
        address(url)


def test_address_and_key_are_those_given_before_those_of_the_environment(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://outside.example.com/v2")
    monkeypatch.setenv("OPENAI_API_KEY", " outside ")
    assert openai_server("", "") == ("http://outside.example.com/v2", "outside")
    assert openai_server("http://localhost:1", "mine") == ("http://localhost:1/v1", "mine")
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert openai_server(None, None) == ("https://api.openai.com/v1", "outside")


def test_only_a_near_server_needs_no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert openai_server("http://localhost:1/v1", None) == ("http://localhost:1/v1", "")
    assert bearer("") == {}
    with pytest.raises(MissingEngineError, match="OPENAI_API_KEY"):
        openai_server("http://far.example.com/v1", None)


def test_a_question_gets_the_servers_json():
    with ScriptedServer(sends(b'{"a": ', b"1}")) as server:
        assert ask(server.url, headers={"X-Key": "k"}, body={"b": 2}) == {"a": 1}
        (request,) = server.requests
    assert (request.headers["x-key"], request.json) == ("k", {"b": 2})


@pytest.mark.parametrize(
    ("script", "error"), [(refuses(401), OSError), (hangs(), OSError), (sends(b"<"), ValueError)]
)
def test_a_question_without_an_answer_is_an_error(script, error):
    with ScriptedServer(script) as server, pytest.raises(error):
        ask(server.url, within=0.3)


def test_a_question_to_nobody_is_an_error():
    with pytest.raises(OSError):
        ask(refusing_url())


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (httpx.ConnectError(SECRET), MissingEngineError, "start the server, or check the address"),
        (httpx.ConnectTimeout(SECRET), MissingEngineError, "start the server"),
        (ConnectionError(SECRET), MissingEngineError, "start the server"),
        (httpx.ReadTimeout(SECRET), EngineTimeoutError, r"within 0\.3 s"),
        (TimeoutError(SECRET), EngineTimeoutError, r"within 0\.3 s"),
        (httpx.ProxyError(SECRET), EngineFailedError, "NO_PROXY"),
        (httpx.ReadError(SECRET), EngineFailedError, "broke off"),
        (httpx.RemoteProtocolError(SECRET), EngineFailedError, "broke off"),
        (json.JSONDecodeError(SECRET, "", 0), EngineFailedError, "no tune.* is an? musical server"),
        (KeyError(SECRET), EngineFailedError, "no tune"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_each_failure_is_one_sentence_that_repeats_nothing(error, kind, sentence):
    problem = SERVER.problem(error, 0.3)
    assert type(problem) is kind
    with pytest.raises(kind, match=sentence):
        raise problem
    assert SECRET not in str(problem)


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (401, MissingEngineError, "a valid key in OPENAI_API_KEY"),
        (403, MissingEngineError, "a valid key in OPENAI_API_KEY"),
        (404, MissingEngineError, "a model that http://localhost:1/v1/models names"),
        (402, EngineFailedError, "limit is used up"),
        (413, EngineFailedError, "too long"),
        (429, EngineFailedError, "limit is used up"),
        (500, EngineFailedError, r"refused \(500\)"),
    ],
)
def test_each_refusal_is_one_sentence_with_its_fix(status, kind, sentence):
    problem = SERVER.refused(status)
    assert type(problem) is kind
    with pytest.raises(kind, match=sentence):
        raise problem


def test_an_engine_says_its_own_way_out():
    own = Server("some", "http://x", key="MY_KEY", start="my --serve", another="b", change="c")
    ways_out = {
        "MY_KEY": own.refused(401),
        "Try: b": own.refused(404),
        "Try: c": own.refused(500),
        "my --serve": own.problem(ConnectionError()),
    }
    assert [way for way, problem in ways_out.items() if way not in str(problem)] == []


def test_each_event_loop_has_its_own_client_until_it_ends():
    made, closed = [], []

    def make():
        made.append(object())
        return made[-1]

    async def close(client):
        closed.append(client)

    async def twice():
        one, other = await clients.get(), await clients.get()
        assert one is other
        assert one not in closed

    clients = PerLoop(make, close)
    asyncio.run(twice())
    asyncio.run(twice())
    assert len(made) == 2
    assert closed == made


def test_closing_an_answer_early_hangs_up():
    async def scene():
        answer = Http(Server("some", server.url), {}, timeout=10).post("/x", json={})
        assert await anext(answer) == b"first"
        await answer.aclose()
        assert await asyncio.to_thread(server.closed.wait, 10)

    with ScriptedServer(hangs(b"first")) as server:
        asyncio.run(scene())


def test_a_proxy_is_not_asked_for_a_near_server(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, refusing_url())
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    async def posted():
        answer = Http(Server("some", server.url), {}, timeout=10).post("/x", json={})
        return b"".join([part async for part in answer])

    with ScriptedServer(sends(b"[1]")) as server:
        assert asyncio.run(posted()) == b"[1]"
        assert ask(server.url) == [1]
