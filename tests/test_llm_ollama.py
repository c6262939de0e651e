"""The Ollama engine, against a server that speaks its interface."""

import asyncio
import gc
import logging
import re
import sys
import threading
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
from ollama_server import OllamaServer
from scripted_server import ScriptedServer, refusing_url

from voice_kit.errors import (
    EngineFailedError,
    MissingEngineError,
    SettingsError,
)
from voice_kit.think.llm_ollama import Ollama
from voice_kit.think.llm_ollama_models import address, pull, pull_in_terminal


def test_the_answer_comes_token_by_token():
    with OllamaServer(mode="wait", tokens=["It ", "is "]) as server:

        async def scene():
            async with aclosing(Ollama(host=server.url).reply(QUESTION)) as stream:
                return [await anext(stream), await anext(stream)]

        assert asyncio.run(scene()) == ["It ", "is "]  # while the server has not ended


def test_the_whole_conversation_and_the_options_reach_the_server():
    with OllamaServer() as server:
        engine = Ollama(
            model="qwen3:1.7b", host=server.url, num_ctx=512, options={"seed": 1}, keep_alive=-1
        )
        assert engine.name == "ollama:qwen3:1.7b"
        assert answer(engine) == ["It ", "is ", "noon."]
        asked = server.asked("/api/chat")[0].json
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": SECRET},
    ]
    assert asked["options"] == {"num_ctx": 512, "seed": 1}
    assert asked["keep_alive"] == -1
    assert asked["stream"] is True


def test_it_works_from_several_event_loops_and_threads():
    with OllamaServer() as server:
        engine = Ollama(host=server.url)
        assert [answer(engine), answer(engine)] == [["It ", "is ", "noon."]] * 2
        answers = []
        threads = [
            threading.Thread(target=lambda: answers.append(answer(engine))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert answers == [["It ", "is ", "noon."]] * 4


def test_one_event_loop_uses_one_connection_and_leaves_none_open():
    with OllamaServer() as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        engine = Ollama(host=server.url)

        async def scene():
            await tokens(engine)
            assert server.open_connections == 1
            await tokens(engine)
            assert server.open_connections == 1

        asyncio.run(scene())
        assert server.all_closed.wait(5)
        gc.collect()


@pytest.mark.parametrize("model, sent", [("qwen3:1.7b", False), ("gemma3:1b", None)])
def test_a_model_that_can_think_is_asked_not_to(model, sent):
    with OllamaServer([model], thinking=["qwen3:1.7b"]) as server:
        answer(Ollama(host=server.url))
        assert server.asked("/api/chat")[0].json.get("think") is sent


def test_thinking_is_never_said_in_a_field_or_between_tags():
    untold = {"thoughts": ["Hm."], "tokens": ["<thi", "nk>Hm", "m</think>", "\n\nNoon."]}
    with OllamaServer(thinking=["qwen3:1.7b"], **untold) as server:
        assert answer(Ollama(host=server.url, think=True)) == ["Noon."]
        assert server.asked("/api/chat")[0].json["think"] is True


def test_closing_early_closes_the_request():
    with OllamaServer(mode="wait") as server:
        is_closed_early(Ollama(host=server.url), server)


@pytest.mark.parametrize("mode", ["hang", "wait"])
def test_cancelling_returns_at_once_and_closes_the_request(mode):
    with OllamaServer(mode=mode, tokens=["It "]) as server:
        is_cancelled_at_once(Ollama(host=server.url), server, "/api/chat")


def test_the_next_answer_comes_after_one_that_was_cut_short():
    with OllamaServer(mode="wait") as server:
        engine = Ollama(host=server.url)

        async def scene():
            async with aclosing(engine.reply(QUESTION)) as stream:
                await anext(stream)
            server.mode = "answer"
            return await tokens(engine)

        assert asyncio.run(scene()) == ["It ", "is ", "noon."]


# What goes wrong while it answers


@pytest.mark.parametrize("mode", ["die", "cut"])
def test_what_came_before_the_end_of_the_connection_is_kept(mode):
    with OllamaServer(mode=mode) as server:
        said, problem = failure(Ollama(host=server.url))
    assert said == ["It ", "is ", "noon."]
    assert "broke off" in problem


def test_what_came_before_an_error_of_ollama_is_kept():
    with OllamaServer(mode="error") as server:
        said, problem = failure(Ollama(host=server.url))
    assert said == ["It ", "is ", "noon."]
    assert "could not answer" in problem


@pytest.mark.parametrize("mode", ["garbage", "other json"])
def test_an_answer_that_is_not_ollamas_is_said_to_be_so(mode):
    with OllamaServer(mode=mode) as server:
        said, problem = failure(Ollama(host=server.url))
        assert said == []
        assert f"check that {server.url} is an Ollama server" in problem


def test_a_model_too_big_for_the_machine_is_named_as_the_reason():
    with OllamaServer(mode="no memory") as server:
        assert "does not fit into memory" in failure(Ollama(host=server.url))[1]


def test_a_server_in_trouble_ends_the_answer_with_its_status():
    with OllamaServer(mode="broken") as server:
        assert "could not answer (500)" in failure(Ollama(host=server.url))[1]


def test_a_model_removed_meanwhile_is_missed_with_the_command_to_get_it():
    with OllamaServer() as server:
        engine = Ollama(host=server.url)
        server.models.clear()
        problem = failure(engine, MissingEngineError)[1]
    assert problem.endswith("Try: ollama pull qwen3:1.7b")


def test_a_server_that_went_away_is_missed_with_the_command_to_start_it():
    with OllamaServer() as server:
        engine = Ollama(host=server.url)
    assert "ollama serve" in failure(engine, MissingEngineError)[1]


# Finding the server and its models


def test_no_server_is_an_error_with_the_fix():
    for make in (Ollama, Ollama.here):
        with pytest.raises(MissingEngineError, match=r"ollama serve.*https://ollama.com"):
            make(host=refusing_url())


def test_a_silent_server_is_given_half_a_second():
    with OllamaServer(mute=True) as server:
        for make in (Ollama, Ollama.here):
            before = time.perf_counter()
            with pytest.raises(MissingEngineError):
                make(host=server.url)
            assert time.perf_counter() - before < 1.5  # loading the client's library included


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"models": [7]}', b"\xff", b"{"])
def test_a_server_that_is_not_ollama_is_an_error_with_the_fix(body):
    async def script(request, reply):
        await reply.whole(body)

    with (
        ScriptedServer(script) as server,
        pytest.raises(MissingEngineError, match="another host: the server there is not Ollama"),
    ):
        Ollama(host=server.url)


def test_a_server_that_speaks_no_http_is_an_error_with_the_fix():
    async def script(request, reply):
        await reply.raw(b"220 mail.example.com ESMTP\r\n")
        await reply.die()

    with ScriptedServer(script) as server, pytest.raises(MissingEngineError):
        Ollama(host=server.url)


@pytest.mark.parametrize("host", ["local host", "htp://box", "box:port", "http://[::1"])
def test_a_wrong_address_is_named(host):
    with pytest.raises(SettingsError, match="no address of an Ollama server"):
        Ollama(host=host)


@pytest.mark.parametrize(
    "host, url",
    [
        ("", "http://127.0.0.1:11434"),
        ("box", "http://box:11434"),
        (":56789", "http://127.0.0.1:56789"),
        ("1.2.3.4:5", "http://1.2.3.4:5"),
        ("http://box", "http://box:80"),
        ("https://box/path/", "https://box:443/path"),
        ("[::1]", "http://[::1]:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:1", "http://127.0.0.1:1"),
    ],
)
def test_an_address_is_understood_as_ollama_understands_it(host, url, monkeypatch):
    import httpx
    import ollama

    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    assert address(host) == url
    if not host.startswith("0.0.0.0"):
        theirs = httpx.Client(base_url=url).base_url
        assert ollama.Client(host)._client.base_url == theirs
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert address() == url


def test_a_proxy_is_not_asked_for_a_server_on_this_machine(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, refusing_url())
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with OllamaServer() as server:
        assert answer(Ollama(host=server.url)) == ["It ", "is ", "noon."]


def test_the_key_for_a_server_behind_one_is_sent(monkeypatch):
    monkeypatch.setenv("OLLAMA_API_KEY", "k")
    with OllamaServer() as server:
        answer(Ollama(host=server.url))
        assert {request.headers.get("authorization") for request in server.requests} == {"Bearer k"}


@pytest.mark.parametrize(
    "models, model",
    [
        (["mistral:7b", "qwen3:1.7b", "gemma3:1b"], "qwen3:1.7b"),
        (["llama3.2:latest", "gemma3:4b"], "gemma3:4b"),
        (["mixtral:8x7b", "qwen3:8b"], "qwen3:8b"),
        (["nomic-embed-text:latest", "my-own:latest"], "my-own:latest"),
        (["qwen3:480b-cloud", "my-own:latest"], "my-own:latest"),
    ],
)
def test_the_best_model_is_a_quick_one_of_this_machine_that_can_talk(models, model):
    with OllamaServer(models) as server:
        assert Ollama.here(host=server.url) == model
        assert Ollama(host=server.url).name == f"ollama:{model}"


@pytest.mark.parametrize("models", [[], ["nomic-embed-text:latest"]])
def test_a_server_without_a_model_says_what_to_pull(models):
    with OllamaServer(models) as server:
        for make in (Ollama, Ollama.here):
            with pytest.raises(MissingEngineError, match=r"Try: ollama pull qwen3:1\.7b"):
                make(host=server.url)


def test_a_model_that_does_not_exist_is_named_with_the_command_to_get_it():
    with OllamaServer() as server:
        with pytest.raises(MissingEngineError, match="ollama pull nosuch:1b"):
            Ollama(model="nosuch:1b", host=server.url)
        assert not server.asked("/api/pull")


def test_a_name_without_a_tag_means_the_latest():
    with OllamaServer(["llama3.2:latest", "hf.co/some/model:q4"]) as server:
        assert Ollama(model="llama3.2", host=server.url).name == "ollama:llama3.2"
        assert Ollama(model="hf.co/some/model:q4", host=server.url)
        with pytest.raises(MissingEngineError):
            Ollama(model="hf.co/some/model", host=server.url)


# Pulling


def test_a_model_is_pulled_only_after_a_yes():
    with OllamaServer([]) as server:
        questions = []

        def no(question):
            questions.append(question)
            return False

        assert not pull("qwen3:1.7b", ask=no, progress=print, host=server.url)
        assert len(questions) == 1
        assert "qwen3:1.7b" in questions[0]
        assert not server.asked("/api/pull")


def test_pulling_tells_how_far_it_is_and_never_goes_back():
    with OllamaServer([]) as server:
        steps = []
        assert pull(
            "qwen3:1.7b",
            ask=lambda _: True,
            progress=lambda part, status: steps.append((part, status)),
            host=server.url,
        )
        assert Ollama(host=server.url).name == "ollama:qwen3:1.7b"
    parts = [part for part, _ in steps]
    assert parts == sorted(parts)
    assert 0.5 in parts
    assert steps[-1] == (1.0, "success")


def test_a_missing_model_is_pulled_by_the_callable_that_was_given():
    def yes(model, server):
        return pull(model, ask=lambda _: True, progress=lambda *_: None, host=server)

    with OllamaServer([], library=["tiny:1b"]) as server:
        assert answer(Ollama(model="tiny:1b", host=server.url, pull=yes)) == ["It ", "is ", "noon."]


def test_a_pull_that_changed_nothing_leaves_the_model_missing():
    with OllamaServer([]) as server, pytest.raises(MissingEngineError):
        Ollama(model="tiny:1b", host=server.url, pull=lambda *_: True)


def test_a_name_that_the_library_does_not_know_is_an_error():
    with (
        OllamaServer([]) as server,
        pytest.raises(MissingEngineError, match=r"ollama\.com/library"),
    ):
        pull("nosuch", ask=lambda _: True, progress=lambda *_: None, host=server.url)


def test_a_download_that_breaks_off_says_that_it_can_go_on():
    with (
        OllamaServer([], mode="die") as server,
        pytest.raises(EngineFailedError, match=r"broke off.*goes on"),
    ):
        pull("qwen3:1.7b", ask=lambda _: True, progress=lambda *_: None, host=server.url)


def test_pulling_from_no_server_is_an_error_with_the_fix():
    with pytest.raises(MissingEngineError, match="ollama serve"):
        pull("qwen3:1.7b", ask=lambda _: True, progress=lambda *_: None, host=refusing_url())


def test_without_a_terminal_nothing_is_asked_and_nothing_pulled(capfd):
    with OllamaServer([]) as server:
        assert not pull_in_terminal("qwen3:1.7b", server.url)
        assert not server.requests
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo terminals")
@pytest.mark.parametrize("typed, pulled", [(b"y\n", True), (b"n\n", False), (b"\n", False)])
def test_in_a_terminal_a_question_comes_before_the_progress_bar(typed, pulled):
    import os
    import pty

    script = (
        "import sys; from voice_kit.think.llm_ollama_models import pull_in_terminal;"
        "print('PULLED', pull_in_terminal('qwen3:1.7b', sys.argv[1]))"
    )
    with OllamaServer([]) as server:
        child, terminal = pty.fork()
        if not child:  # pragma: no cover
            os.execv(sys.executable, [sys.executable, "-c", script, server.url])
        seen, answered = b"", False
        while not re.search(rb"PULLED \w+\r", seen):
            seen += os.read(terminal, 1024)
            if b"[y/n]" in seen and not answered:
                assert not server.asked("/api/pull")
                os.write(terminal, typed)
                answered = True
        os.close(terminal)
        os.waitpid(child, 0)
        assert bool(server.asked("/api/pull")) is pulled
        assert answered
        assert f"PULLED {pulled}".encode() in seen


# Manners


def test_nothing_is_logged_even_at_debug_level_and_nothing_global_changes(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("httpx")
    before = (logger.level, logger.propagate, list(logger.handlers), logging.root.level)
    with OllamaServer() as server:
        answer(Ollama(host=server.url))
    assert "swordfish" not in caplog.text
    assert not [r for r in caplog.records if r.name.partition(".")[0] in ("httpx", "httpcore")]
    assert (logger.level, logger.propagate, list(logger.handlers), logging.root.level) == before
    assert capfd.readouterr() == ("", "")


def test_what_others_do_with_httpx_is_still_logged(caplog):
    import httpx

    caplog.set_level(logging.INFO)
    with OllamaServer(mode="wait") as server:

        async def scene():
            async with aclosing(Ollama(host=server.url).reply(QUESTION)) as stream:
                await anext(stream)
                async with httpx.AsyncClient(trust_env=False) as client:
                    await client.get(f"{server.url}/api/tags")

        asyncio.run(scene())
    assert [r.name for r in caplog.records if r.name == "httpx"] == ["httpx"]
