"""A GGUF in process, on a tiny model with random weights."""

import asyncio
import logging
import re
import urllib.error
import urllib.request
from contextlib import aclosing
from pathlib import Path

import pytest
from helpers_llm import QUESTION, answer, tokens
from helpers_tools import weather
from tiny_gguf import WORDS, write_tiny_gguf

from voice_kit.errors import EngineFailedError, MissingEngineError
from voice_kit.think.calls import call
from voice_kit.think.llm_llamacpp import LlamaCpp
from voice_kit.types import Message

xllamacpp = pytest.importorskip("xllamacpp")
pytest.importorskip("openai")
pytest.importorskip("gguf")

pytestmark = pytest.mark.models

EXACT = {"temperature": 0, "max_tokens": 24}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_tiny_gguf(folder / "tiny.gguf")
    return folder


@pytest.fixture(scope="module")
def engine(folder) -> LlamaCpp:
    return LlamaCpp(model="tiny", path=str(folder), threads=1, options=EXACT)


def reference(folder, thinking: bool, max_tokens: int = 24) -> str:
    """What llama.cpp itself says, asked in process and not over HTTP."""
    params = xllamacpp.CommonParams()
    params.model.path = str(folder / "tiny.gguf")
    params.n_ctx, params.cpuparams.n_threads, params.verbosity = 4096, 1, -1
    said = [{"role": message.role, "content": message.content} for message in QUESTION]
    answer = xllamacpp.Server(params).handle_chat_completions(
        {
            "messages": said,
            "temperature": 0,
            "max_tokens": max_tokens,
            "chat_template_kwargs": {"enable_thinking": thinking},
        }
    )
    return answer["choices"][0]["message"]["content"]


def test_it_says_token_by_token_what_llama_cpp_says(engine, folder):
    said = answer(engine)
    assert len(said) >= 20
    assert set("".join(said).split()) <= set(WORDS)
    assert "".join(said) == reference(folder, thinking=False).lstrip()


def test_the_files_own_template_is_used_and_thinking_is_asked_for_only_if_wanted(engine, folder):
    thinking = LlamaCpp(model="tiny", path=str(folder), threads=1, think=True, options=EXACT)
    assert "".join(answer(thinking)) == reference(folder, thinking=True).lstrip()
    assert answer(thinking) != answer(engine)  # the template says something else


def test_the_whole_conversation_is_read(engine):
    other = [Message("user", "Hello."), Message("assistant", "Hello!"), QUESTION[-1]]
    assert asyncio.run(tokens(engine, other)) != answer(engine)


def test_it_takes_tools_and_reads_what_came_of_them(engine):
    async def said(messages):
        return [token async for token in engine.reply(messages, [weather])]

    def after(result):
        past = call("weather", {"city": "Bern"})
        asked = Message("assistant", "", calls=(past,))
        return [*QUESTION, asked, Message("tool", result, result_of=past)]

    assert asyncio.run(said(QUESTION))
    assert asyncio.run(said(after("Rain."))) != asyncio.run(said(after("Sun.")))
    assert engine.calls_tools  # llama.cpp refused none of it


def test_the_same_answer_comes_in_every_event_loop(engine):
    assert answer(engine) == answer(engine) == answer(engine)


def test_an_early_start_and_the_turn_that_replaces_it_are_answered_together(engine):
    async def scene():
        async with aclosing(engine.reply(QUESTION)) as early:
            first = await anext(early)
            whole = await tokens(engine)
            return whole, [first] + [token async for token in early]

    whole, early = asyncio.run(scene())
    assert whole == early


def test_closing_early_stops_the_model(folder):
    engine = LlamaCpp(model="tiny", path=str(folder), threads=1, options={"temperature": 0})

    async def scene():
        async with aclosing(engine.reply(QUESTION)) as stream:  # some 4000 tokens, if left alone
            await anext(stream)
            assert metric(engine, "requests_processing") == 1
        while metric(engine, "requests_processing"):
            await asyncio.to_thread(metric, engine, "requests_processing")
        return metric(engine, "tokens_predicted_total")

    assert asyncio.run(scene()) < 2000


def metric(engine, name: str) -> float:
    found = re.search(rf"^llamacpp:{name} (\S+)$", engine._server.handle_metrics(), re.MULTILINE)
    return float(found[1])


def test_nobody_else_on_this_machine_can_ask_it(engine):
    address = engine._server.listening_address
    assert address.startswith("http://127.0.0.1:")
    for path in ("/slots", "/metrics", "/v1/chat/completions"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{address}{path}")
        assert caught.value.code in (401, 403), path


@pytest.mark.parametrize("name", ["tiny", "tiny.gguf"])
def test_a_model_is_found_by_its_name_in_the_models_folder(folder, name, tmp_path, monkeypatch):
    monkeypatch.setenv("VOICE_KIT_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny.gguf").write_bytes((folder / "tiny.gguf").read_bytes())
    assert LlamaCpp.here() == "tiny"
    assert LlamaCpp(model=name, threads=1).name == "llamacpp:tiny"
    assert LlamaCpp(threads=1).name == "llamacpp:tiny"


def test_a_model_is_found_by_its_path(folder):
    assert LlamaCpp(model=str(folder / "tiny.gguf"), threads=1).name == "llamacpp:tiny"


def test_without_a_model_the_folder_for_one_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("VOICE_KIT_HOME", str(tmp_path / "none"))
    for make in (LlamaCpp, LlamaCpp.here):
        with pytest.raises(MissingEngineError, match=f"{tmp_path}/none/models"):
            make()
    with pytest.raises(MissingEngineError, match="llamacpp:nosuch is not available"):
        LlamaCpp(model="nosuch")


def test_the_eyes_of_a_model_and_a_half_loaded_file_are_no_model(folder, tmp_path):
    (tmp_path / "mmproj-f16.gguf").write_bytes((folder / "tiny.gguf").read_bytes())
    (tmp_path / "all-zero.gguf").write_bytes(bytes(1000))
    with pytest.raises(MissingEngineError):
        LlamaCpp.here(path=str(tmp_path))
    (tmp_path / "zoo.gguf").write_bytes((folder / "tiny.gguf").read_bytes())
    assert LlamaCpp.here(path=str(tmp_path)) == "zoo"


@pytest.mark.parametrize("cut", ["empty", "text", "half"])
def test_a_broken_file_is_one_sentence(folder, tmp_path, cut, capfd):
    whole = (folder / "tiny.gguf").read_bytes()
    content = {"empty": b"", "text": b"hello" * 1000, "half": whole[: len(whole) // 2]}[cut]
    (tmp_path / "bad.gguf").write_bytes(content)
    with pytest.raises(MissingEngineError, match=r"bad\.gguf is broken"):
        LlamaCpp(model="bad", path=str(tmp_path))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("device", ["cuda:7", "cuda:x"])
def test_a_graphics_card_that_is_not_there_is_named(folder, device):
    with pytest.raises(MissingEngineError, match=f"on {device} is not available"):
        LlamaCpp(path=str(folder), device=device)


def test_it_runs_on_the_processor_when_told_to(engine, folder):
    on_cpu = LlamaCpp(path=str(folder), device="cpu", threads=1, options=EXACT)
    assert answer(on_cpu) == answer(engine)


def test_it_writes_nothing_to_the_terminal_or_the_log(folder, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    answer(LlamaCpp(path=str(folder), threads=1, options=EXACT))
    assert capfd.readouterr() == ("", "")
    assert "swordfish" not in caplog.text


def test_a_conversation_longer_than_the_model_can_see_is_a_failure(folder):
    engine = LlamaCpp(path=str(folder), threads=1, context=256, options=EXACT)
    with pytest.raises(EngineFailedError, match=r"refused \(400\)"):
        asyncio.run(tokens(engine, [Message("user", "ba be " * 500)]))
