"""The LiteLLM engine, against an OpenAI-compatible server on loopback."""

import asyncio
import gc
import logging
import os
import subprocess
import sys
import warnings
from contextlib import aclosing
from importlib.util import find_spec

import pytest
from helpers_llm import (
    QUESTION,
    SECRET,
    answer,
    failure,
    is_cancelled_at_once,
    is_closed_early,
)
from openai_server import OpenAIServer
from scripted_server import refusing_url

from voice_kit.errors import EngineFailedError, MissingEngineError
from voice_kit.think.llm_litellm import LiteLLM

loaded = pytest.mark.skipif(find_spec("litellm") is None, reason="litellm is not installed")


def engine_of(server, **more) -> LiteLLM:
    return LiteLLM(model="openai/tiny-chat", api_base=server.base_url, api_key="k", **more)


@pytest.mark.skipif(find_spec("litellm") is not None, reason="litellm is installed")
def test_without_the_package_the_command_to_get_it_is_named():
    for make in (LiteLLM, LiteLLM.here):
        with pytest.raises(MissingEngineError, match=r"pip install .*\[litellm\]"):
            make(model="openai/any")


@loaded
def test_the_answer_comes_token_by_token():
    with OpenAIServer(mode="wait", tokens=["It ", "is "]) as server:

        async def scene():
            async with aclosing(engine_of(server).reply(QUESTION)) as stream:
                return [await anext(stream), await anext(stream)]

        assert asyncio.run(scene()) == ["It ", "is "]  # while the server has not ended


@loaded
def test_the_conversation_the_model_the_key_and_the_options_reach_the_server():
    with OpenAIServer() as server:
        engine = engine_of(server, options={"temperature": 0})
        assert engine.name == "litellm:openai/tiny-chat"
        assert answer(engine) == ["It ", "is ", "noon."]
        request = server.asked("/v1/chat/completions")[0]
    assert request.headers["authorization"] == "Bearer k"
    assert request.json["model"] == "tiny-chat"
    assert request.json["temperature"] == 0
    assert request.json["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": SECRET},
    ]


@loaded
def test_it_works_from_several_event_loops():
    with OpenAIServer() as server:
        engine = engine_of(server)
        assert [answer(engine) for _ in range(3)] == [["It ", "is ", "noon."]] * 3


@loaded
def test_thinking_is_never_said_in_a_field_or_between_tags():
    with OpenAIServer(thoughts=["Hm.", "Hm."], tokens=["<thi", "nk>Hm</think>", "Noon."]) as server:
        assert answer(engine_of(server)) == ["Noon."]


@loaded
def test_closing_early_closes_the_request():
    with OpenAIServer(mode="wait") as server:
        is_closed_early(engine_of(server), server)


@loaded
@pytest.mark.parametrize("mode", ["hang", "wait"])
def test_cancelling_returns_at_once_and_closes_the_request(mode):
    with OpenAIServer(mode=mode, tokens=["It "]) as server:
        is_cancelled_at_once(engine_of(server), server, "/v1/chat/completions")


@loaded
@pytest.mark.parametrize("mode", ["die", "error"])
def test_what_came_before_the_answer_broke_off_is_kept(mode, capfd):
    with OpenAIServer(mode=mode) as server:
        said, problem = failure(engine_of(server))
    assert said == ["It ", "is ", "noon."]
    assert "broke off" in problem
    assert capfd.readouterr() == ("", "")


@loaded
@pytest.mark.parametrize("mode", ["other json", "not json", "garbage"])
def test_an_answer_that_cannot_be_read_is_a_failure(mode, capfd):
    with OpenAIServer(mode=mode) as server:
        assert failure(engine_of(server))[0] == []
    assert capfd.readouterr() == ("", "")


@loaded
@pytest.mark.parametrize(
    "mode, kind, fix",
    [
        ("no key", MissingEngineError, "a valid key"),
        ("no model", MissingEngineError, "a model that the provider has"),
        ("limit", EngineFailedError, "wait a little"),
        ("bad request", EngineFailedError, "refused (400)"),
        ("broken", EngineFailedError, "is in trouble"),
    ],
)
def test_a_refusal_is_one_sentence_with_its_fix_and_asked_only_once(mode, kind, fix, capfd):
    with OpenAIServer(mode=mode) as server:
        said, problem = failure(engine_of(server), kind)
        assert len(server.asked("/v1/chat/completions")) == 1
    assert said == []
    assert fix in problem
    assert capfd.readouterr() == ("", "")


@loaded
def test_no_server_is_a_failure_with_the_fix():
    engine = LiteLLM(model="openai/tiny-chat", api_base=refusing_url(), api_key="k")
    assert "could not be reached" in failure(engine)[1]


@loaded
@pytest.mark.parametrize("model", ["nosuch", "nosuch/model"])
def test_a_provider_that_does_not_exist_is_named(model, capfd):
    with pytest.raises(MissingEngineError, match=rf"litellm:{model} is not available.*providers"):
        LiteLLM(model=model)
    assert capfd.readouterr() == ("", "")


@loaded
def test_the_key_that_is_missing_is_named(monkeypatch):
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    with pytest.raises(MissingEngineError, match="set GROQ_API_KEY"):
        LiteLLM(model="groq/some-model")
    monkeypatch.setenv("GROQ_API_KEY", "k")
    assert LiteLLM(model="groq/some-model").name == "litellm:groq/some-model"


@loaded
def test_a_model_has_to_be_named():
    for make in (LiteLLM, LiteLLM.here):
        with pytest.raises(MissingEngineError, match="PROVIDER/MODEL"):
            make()


@loaded
def test_nothing_is_printed_or_logged_even_at_debug_level(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with OpenAIServer() as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        answer(engine_of(server))
        gc.collect()
    assert "swordfish" not in caplog.text
    assert capfd.readouterr() == ("", "")


LOADING = """
import logging, os, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(name)s %(message)s")
environment, handlers = dict(os.environ), list(logging.root.handlers)
from voice_kit.think.llm_litellm import LiteLLM
assert "litellm" not in sys.modules
LiteLLM(model="openai/any", api_base=sys.argv[1], api_key="k")
assert dict(os.environ) == environment, set(os.environ) ^ set(environment)
assert (logging.root.level, logging.root.handlers) == (logging.INFO, handlers)
print("loaded")
"""


@loaded
def test_loading_asks_no_network_reads_no_env_file_and_says_nothing(tmp_path):
    (tmp_path / ".env").write_text("FROM_DOTENV=1\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LITELLM_")}
    environment |= {"HTTPS_PROXY": refusing_url(), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", LOADING, refusing_url()],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""
    assert done.stdout == "loaded\n"


@loaded
def test_loading_it_leaves_what_others_log_of_their_requests_alone():
    code = """
import logging
from voice_kit.think.llm_litellm import _loaded
before = [logging.getLogger(name).level for name in ("httpx", "httpcore", None)]
_loaded()
assert [logging.getLogger(name).level for name in ("httpx", "httpcore", None)] == before
assert not any("litellm" in type(f).__module__ for f in logging.getLogger("httpx").filters)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)
