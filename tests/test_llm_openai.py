"""The engine for OpenAI-compatible servers, against one that does what a script says."""

import asyncio
import gc
import logging
import time
import warnings
from contextlib import aclosing

import pytest
from helpers_llm import (
    QUESTION,
    SECRET,
    answer,
    failure,
    is_cancelled_at_once,
    is_closed_early,
    tokens,
)
from openai_server import OpenAIServer
from scripted_server import ScriptedServer, refusing_url

from voice_kit.errors import EngineFailedError, MissingEngineError, SettingsError

pytest.importorskip("openai")

from voice_kit.think.llm_openai import OpenAIModel


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_LOG"):
        monkeypatch.delenv(name, raising=False)


def test_the_answer_comes_token_by_token():
    with OpenAIServer(mode="wait", tokens=["It ", "is "]) as server:

        async def scene():
            async with aclosing(OpenAIModel(base_url=server.base_url).reply(QUESTION)) as stream:
                return [await anext(stream), await anext(stream)]

        assert asyncio.run(scene()) == ["It ", "is "]  # while the server has not ended


def test_the_conversation_the_model_the_key_and_the_options_reach_the_server():
    with OpenAIServer() as server:
        engine = OpenAIModel(
            model="big", base_url=server.base_url, api_key="k", options={"temperature": 0, "new": 1}
        )
        assert engine.name == "openai:big"
        assert answer(engine) == ["It ", "is ", "noon."]
        request = server.asked("/v1/chat/completions")[0]
    assert request.headers["authorization"] == "Bearer k"
    assert request.json == {
        "model": "big",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": SECRET},
        ],
        "stream": True,
        "temperature": 0,
        "new": 1,
    }


def test_a_near_server_needs_no_key_and_its_first_model_that_talks_is_taken():
    with OpenAIServer() as server:
        assert OpenAIModel.here(base_url=server.base_url) == "tiny-chat"
        engine = OpenAIModel(base_url=server.url)  # "/v1" is easily forgotten
        assert engine.name == "openai:tiny-chat"
        assert answer(engine) == ["It ", "is ", "noon."]


def test_address_and_key_can_come_from_the_environment(monkeypatch):
    with OpenAIServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "from outside")
        answer(OpenAIModel())
        assert server.requests[-1].headers["authorization"] == "Bearer from outside"


def test_it_works_from_several_event_loops_with_one_connection_each():
    with OpenAIServer() as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        engine = OpenAIModel(base_url=server.base_url)

        async def twice():
            await tokens(engine)
            await tokens(engine)
            assert server.open_connections == 1

        asyncio.run(twice())
        asyncio.run(twice())
        assert server.all_closed.wait(5)
        gc.collect()


def test_thinking_is_never_said_in_a_field_or_between_tags():
    with OpenAIServer(thoughts=["Hm.", "Hm."], tokens=["<thi", "nk>Hm</think>", "Noon."]) as server:
        assert answer(OpenAIModel(base_url=server.base_url)) == ["Noon."]


def test_closing_early_closes_the_request():
    with OpenAIServer(mode="wait") as server:
        is_closed_early(OpenAIModel(base_url=server.base_url), server)


@pytest.mark.parametrize("mode", ["hang", "wait"])
def test_cancelling_returns_at_once_and_closes_the_request(mode):
    with OpenAIServer(mode=mode, tokens=["It "]) as server:
        is_cancelled_at_once(OpenAIModel(base_url=server.base_url), server, "/v1/chat/completions")


# What goes wrong while it answers


@pytest.mark.parametrize("mode", ["die", "cut", "error"])
def test_what_came_before_the_answer_broke_off_is_kept(mode):
    with OpenAIServer(mode=mode) as server:
        said, problem = failure(OpenAIModel(base_url=server.base_url))
    assert said == ["It ", "is ", "noon."]
    assert "broke off" in problem


@pytest.mark.parametrize("mode", ["other json", "not json"])
def test_an_answer_that_cannot_be_read_is_said_to_be_so(mode):
    with OpenAIServer(mode=mode) as server:
        said, problem = failure(OpenAIModel(base_url=server.base_url))
    assert said == []
    assert "what it sent is no chat completion" in problem


def test_a_page_instead_of_a_stream_is_a_failure():
    with OpenAIServer(mode="garbage") as server:
        assert failure(OpenAIModel(base_url=server.base_url))[0] == []


@pytest.mark.parametrize(
    "mode, kind, fix",
    [
        ("no key", MissingEngineError, "a valid key"),
        ("no model", MissingEngineError, "a model that http"),
        ("limit", EngineFailedError, "wait a little"),
        ("bad request", EngineFailedError, "refused (400)"),
        ("broken", EngineFailedError, "refused (500)"),
    ],
)
def test_a_refusal_is_one_sentence_with_its_fix_and_asked_only_once(mode, kind, fix):
    with OpenAIServer(mode=mode) as server:
        said, problem = failure(OpenAIModel(model="nosuch", base_url=server.base_url), kind)
        assert len(server.asked("/v1/chat/completions")) == 1  # a retry would only add silence
    assert said == []
    assert fix in problem
    assert "openai:nosuch" in problem


def test_a_server_that_went_away_is_missed():
    with OpenAIServer() as server:
        engine = OpenAIModel(base_url=server.base_url)
    assert f"check the address {server.base_url}" in failure(engine, MissingEngineError)[1]


# Finding the server and its models


def test_no_server_is_an_error_with_the_fix():
    for make in (OpenAIModel, OpenAIModel.here):
        with pytest.raises(MissingEngineError, match="start it, or check the address"):
            make(base_url=refusing_url())


def test_a_silent_server_is_given_half_a_second():
    async def script(request, reply):
        await reply.until_the_client_closes()

    with ScriptedServer(script) as server:
        before = time.perf_counter()
        with pytest.raises(MissingEngineError):
            OpenAIModel.here(base_url=server.url)
        assert time.perf_counter() - before < 0.8


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"data": [7]}', b"\xff"])
def test_a_server_of_another_kind_is_an_error_with_the_fix(body):
    async def script(request, reply):
        await reply.whole(body)

    with (
        ScriptedServer(script) as server,
        pytest.raises(MissingEngineError, match="it is not OpenAI-compatible"),
    ):
        OpenAIModel(base_url=server.url)


def test_a_server_without_a_model_says_so():
    with (
        OpenAIServer(models=["text-embedding-tiny"]) as server,
        pytest.raises(MissingEngineError, match="load one"),
    ):
        OpenAIModel(base_url=server.base_url)


def test_a_far_server_needs_a_key_and_a_model():
    with pytest.raises(MissingEngineError, match="OPENAI_API_KEY"):
        OpenAIModel(model="some")
    with pytest.raises(MissingEngineError, match="name one of its models"):
        OpenAIModel(api_key="k")
    assert OpenAIModel(model="some", api_key="k").name == "openai:some"


@pytest.mark.parametrize(
    "url", ["localhost:1234", "ftp://x", "http://", "http://a b/", "http://a:b"]
)
def test_a_wrong_address_is_named(url):
    with pytest.raises(SettingsError, match="is no address of a server"):
        OpenAIModel(base_url=url)


def test_a_proxy_is_not_asked_for_a_near_server(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, refusing_url())
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with OpenAIServer() as server:
        assert answer(OpenAIModel(base_url=server.base_url)) == ["It ", "is ", "noon."]


# Manners


def test_nothing_is_logged_even_at_debug_level(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with OpenAIServer() as server:
        answer(OpenAIModel(base_url=server.base_url))
    assert "swordfish" not in caplog.text
    assert not [r for r in caplog.records if r.name.startswith(("openai", "httpx"))]
    assert capfd.readouterr() == ("", "")
