"""Tools of MCP servers, real ones, on standard input and over HTTP."""

import asyncio
import contextlib
import importlib.util
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from helpers_tools import Asked, clock

from voice_kit.errors import MissingEngineError, SettingsError
from voice_kit.settings import Settings
from voice_kit.think import mcp_session, mcp_tools
from voice_kit.think.mcp_tools import McpServers
from voice_kit.think.tools import LONGEST, SPOKEN, Tools
from voice_kit.types import Source, ToolCall

installed = importlib.util.find_spec("mcp") is not None
needs_mcp = pytest.mark.skipif(not installed, reason="mcp is not installed")
PROGRAM = str(Path(__file__).with_name("mcp_server.py"))


def tiny(*options, **more):
    """How to start the tiny server."""
    return {"command": [sys.executable, PROGRAM, *options], **more}


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """However slow this machine is, the first turn waits for the servers."""
    monkeypatch.setattr(mcp_tools, "PATIENCE", 60.0)
    monkeypatch.setattr(mcp_session, "STARTING", 60.0)


async def use(tools, name, /, **arguments):
    return await tools.use(Asked(), ToolCall(name, arguments), clock)


def is_there(process):
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def shared():
    """A server that many tests use, in an event loop that goes on: what it gives runs in that."""
    patch = pytest.MonkeyPatch()
    patch.setattr(mcp_tools, "PATIENCE", 60.0)
    patch.setenv("SECRET_KEY", "swordfish")
    patch.setenv("CITY", "Bern")
    with asyncio.Runner() as runner:
        servers = McpServers({"tiny": tiny(env={"PLACE": "in $CITY"}, seconds=30)})
        tools = Tools(more=servers.tools)
        runner.run(tools.ready())
        patch.undo()
        assert servers.problems == {}

        def run(name, /, **arguments):
            return runner.run(use(tools, name, **arguments))

        run.tools = tools
        process = run("process").said
        yield run
        runner.run(servers.__aexit__())
    assert not is_there(process)


# What they are told and what comes back


@needs_mcp
def test_the_tools_of_a_server_are_told_as_it_gives_them(shared):
    found = {each.name: each for each in shared.tools}
    assert len(found) >= 10
    add = found["add"]
    assert add.description == "Add two lengths."
    assert add.parameters["required"] == ["a", "b"]
    assert add.parameters["properties"]["a"]["type"] == "integer"
    assert add.parameters["properties"]["unit"]["enum"] == ["m", "km"]
    assert all(each.outside and each.stops == "async" for each in found.values())


@needs_mcp
def test_a_tool_is_used(shared):
    assert shared("add", a=1, b=2, unit="km").said == "3 km"
    assert shared("process").said == shared("process").said  # one and the same


@needs_mcp
def test_a_server_sees_only_what_of_the_environment_it_is_given(shared):
    assert shared("environment", name="PLACE").said == "in Bern"
    assert shared("environment", name="SECRET_KEY").said == "nothing"


@needs_mcp
@pytest.mark.parametrize("arguments", [{}, {"a": "many", "b": 1}, {"a": 1, "b": {"$gt": ""}}])
def test_arguments_that_do_not_fit_are_refused_by_the_server(shared, arguments):
    result = shared("add", **arguments)
    assert not result.worked
    assert "validation" in result.told


@needs_mcp
def test_a_tool_that_fails_is_a_result_that_says_so(shared):
    result = shared("fail", word="luck")
    assert not result.worked
    assert "fail" in result.told


@needs_mcp
def test_links_and_data_become_words(shared):
    links = shared("links")
    assert links.said == "Bern"
    assert links.sources == (Source("Bern", "https://bern.example"),)
    assert json.loads(shared("numbers", count=3).told) == {"numbers": [0, 1, 2]}


@needs_mcp
def test_a_megabyte_from_a_server_is_cut(shared):
    result = shared("megabyte")
    assert len(result.said) <= SPOKEN
    assert len(result.told) <= LONGEST


@needs_mcp
def test_what_a_server_calls_destructive_asks_first(shared):
    found = {each.name: each for each in shared.tools}
    question = found["delete_page"].asks(page="Home")
    assert question == "Shall I let tiny do “Delete the page” with page Home?"
    assert len(found["delete_page"].asks(page="x" * 10_000)) < 300
    assert found["add"].asks is None


@needs_mcp
def test_nothing_of_it_is_logged_or_printed(shared, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    assert shared("environment", name="swordfish").worked
    assert "swordfish" not in caplog.text
    assert capfd.readouterr() == ("", "")


# What goes wrong


@needs_mcp
def test_a_server_that_dies_or_hangs_is_one_sentence_and_starts_again(tmp_path, capfd):
    mark = tmp_path / "begun"

    async def scene():
        async with McpServers({"tiny": tiny(seconds=30)}) as servers:
            tools = Tools(more=servers.tools)
            await tools.ready()
            first = (await use(tools, "process")).said

            # Someone interrupts: the server goes on.
            hanging = asyncio.create_task(use(tools, "hang", mark=str(mark)))
            while not mark.exists():
                await asyncio.wait([hanging], timeout=0.01)
            hanging.cancel()
            await asyncio.wait([hanging])
            assert (await use(tools, "process")).said == first

            died = await use(tools, "die", code=3)
            assert not died.worked
            assert died.said == "The tool server “tiny” broke off; ask again, and it starts anew."
            await tools.ready()
            assert len(tools) >= 10  # it has them still
            second = (await use(tools, "process")).said
            assert second != first

            servers._servers[0]._server = servers._servers[0]._server.model_copy(
                update={"seconds": 0.2}
            )
            hung = await use(tools, "hang", mark=str(mark))
            assert hung.said == "The tool server “tiny” did not answer within 0.2 seconds."
            assert servers._servers[0]._session.is_over  # the next use begins another
        assert not is_there(first) and not is_there(second)

    asyncio.run(scene())
    assert capfd.readouterr() == ("", "")


@needs_mcp
@pytest.mark.parametrize("how", ["left", "stubborn"])
def test_no_program_outlives_the_conversation(how, monkeypatch):
    monkeypatch.setattr("mcp.client.stdio.PROCESS_TERMINATION_TIMEOUT", 0.1)
    monkeypatch.setattr("mcp.client.stdio.FORCE_KILL_TIMEOUT", 0.1)
    process = []

    async def scene():
        servers = McpServers({"tiny": tiny(*(["--stubborn"] if how == "stubborn" else []))})
        tools = Tools(more=servers.tools)
        await tools.ready()
        process.append((await use(tools, "process")).said)
        assert is_there(process[0])
        if how == "stubborn":
            await servers.__aexit__()
            assert not is_there(process[0])

    asyncio.run(scene())  # and nobody closes it, unless it is stubborn
    assert not is_there(process[0])


@needs_mcp
def test_a_server_that_cannot_be_started_is_one_sentence_and_the_others_are_there(
    monkeypatch, caplog, capfd
):
    caplog.set_level(logging.DEBUG)
    quitting = {"command": [sys.executable, "-c", "raise SystemExit(1)"]}
    chatting = {"command": [sys.executable, "-c", "print('swordfish', flush=True); input()"]}
    gone = {"command": ["/nowhere/server"]}
    refusing = {"url": f"http://127.0.0.1:{free_port()}/mcp"}
    wrong = {"gone": gone, "quitting": quitting, "chatting": chatting, "refusing": refusing}
    started = []

    class Counted(mcp_session.McpSession):
        def __init__(self, name, server):
            started.append(name)
            super().__init__(name, server)

    monkeypatch.setattr(mcp_tools, "McpSession", Counted)

    async def scene():
        async with McpServers({**wrong, "tiny": tiny()}) as servers:
            tools = Tools(more=servers.tools)
            await tools.ready()
            assert "add" in tools
            await tools.ready()
            assert sorted(started) == sorted([*wrong, "tiny"])  # not at each turn again
            monkeypatch.setattr(mcp_tools, "AGAIN", 0.0)
            await tools.ready()
            assert len(started) == 2 * len(wrong) + 1
            return servers.problems

    problems = asyncio.run(scene())
    assert problems.keys() == wrong.keys()
    for name, problem in problems.items():
        assert "\n" not in problem
        assert f"“{name}” could not be" in problem and f"tools.servers.{name}" in problem
    assert "is not there" in problems["gone"]
    assert "swordfish" not in caplog.text
    assert capfd.readouterr() == ("", "")
    assert "start it" in problems["refusing"]


@needs_mcp
def test_a_server_that_is_slow_to_start_holds_up_no_turn(monkeypatch):
    monkeypatch.setattr(mcp_tools, "PATIENCE", 0.05)
    monkeypatch.setattr(mcp_session, "STARTING", 0.5)
    monkeypatch.setattr("mcp.client.stdio.PROCESS_TERMINATION_TIMEOUT", 0.1)

    async def scene():
        async with McpServers({"mute": {"command": ["cat", "/dev/zero"]}}) as servers:
            tools = Tools(more=servers.tools)
            loop = asyncio.get_running_loop()
            began = loop.time()
            await tools.ready()
            assert loop.time() - began < 0.45
            assert (len(tools), servers.problems) == (0, {})
            with contextlib.suppress(Exception):
                await servers._servers[0]._session.up
            return servers.problems["mute"]

    assert "did not start within 0.5 seconds" in asyncio.run(scene())


# Names


class InName:
    """A connection to a server whose tools do nothing but have names."""

    def __init__(self, *names):
        self.names = names

    async def list_tools(self, cursor):
        from mcp_types import ListToolsResult, Tool

        page = int(cursor or 0)  # one name to a page
        tool = Tool(name=self.names[page], description="d" * 10_000, input_schema={"x": page})
        more = str(page + 1) if page + 1 < len(self.names) else None
        return ListToolsResult(tools=[tool], next_cursor=more)


@needs_mcp
def test_names_that_collide_get_their_servers_name_before_them(monkeypatch):
    names = {
        "http://files": InName("search", "open", "open"),
        "http://web": InName("search", "read page", "x" * 128),
        "http://sky": InName("weather.now", "other"),
    }

    @contextlib.asynccontextmanager
    async def client(server):
        yield names[server.url]

    monkeypatch.setattr(mcp_session, "_client", client)

    async def scene():
        given = {url.removeprefix("http://"): {"url": url} for url in names}
        given["sky"] |= {"only": ["weather.now"], "ask": True}
        async with McpServers(given) as servers:
            tools = Tools(more=servers.tools)
            await tools.ready()
            assert sorted(each.name for each in tools) == [
                "files_open",
                "files_search",
                "read_page",
                "weather_now",
                "web_search",
                "x" * 64,
            ]
            asking = next(each for each in tools if each.name == "weather_now")
            assert asking.asks() == "Shall I let sky do “weather.now”?"
            assert asking.parameters == {"x": 0}
            assert len(asking.description) == 1000
            taken = {each.name for each in await servers.tools({"weather_now", "web_search"})}
            assert "sky_weather_now" in taken
            assert not taken & {"weather_now", "web_search"}

    asyncio.run(scene())


# Over HTTP


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def over_http(port, seen):
    """The tiny server at a port, in a thread of its own."""
    import uvicorn
    from mcp_server import server

    app = server.streamable_http_app(host="127.0.0.1")

    async def watched(scope, receive, send):
        seen.append(dict(scope.get("headers", ())))
        await app(scope, receive, send)

    config = uvicorn.Config(watched, port=port, log_level="critical", lifespan="on")
    serving = uvicorn.Server(config)
    ready = threading.Event()
    startup = serving.startup

    async def started(**more):
        await startup(**more)
        ready.set()

    serving.startup = started
    thread = threading.Thread(target=serving.run)
    thread.start()
    assert ready.wait(30)
    try:
        yield
    finally:
        serving.should_exit = serving.force_exit = True
        thread.join(30)
        assert not thread.is_alive()


@needs_mcp
def test_a_server_over_http_is_used_and_missed_and_found_again(monkeypatch, caplog):
    monkeypatch.setenv("TOKEN", "open sesame")
    caplog.set_level(logging.DEBUG)
    port, seen = free_port(), []
    url = f"http://127.0.0.1:{port}/mcp"

    async def scene():
        given = {"url": url, "headers": {"Authorization": "Bearer $TOKEN"}, "seconds": 20}
        async with McpServers({"far": given}) as servers:
            tools = Tools(more=servers.tools)
            with over_http(port, seen):
                await tools.ready()
                assert (await use(tools, "add", a=1, b=2)).said == "3 m"
                assert (await use(tools, "environment", name="swordfish")).said == "nothing"
            missed = await use(tools, "add", a=1, b=2)
            assert not missed.worked
            assert missed.said.startswith("The tool server “far” broke off")
            missed = await use(tools, "add", a=1, b=2)
            assert missed.said.startswith("The tool server “far” could not be reached. Try: start")
            with over_http(port, seen):
                assert (await use(tools, "add", a=1, b=2)).said == "3 m"

    asyncio.run(scene())
    sent = [headers for headers in seen if headers]
    assert sent
    assert all(headers[b"authorization"] == b"Bearer open sesame" for headers in sent)
    ours = [each for each in caplog.records if not each.name.startswith(("mcp.server", "sse"))]
    assert not [each for each in ours if "swordfish" in each.getMessage()]
    assert "sesame" not in caplog.text


# Settings


def test_without_servers_the_package_is_not_needed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    async def scene():
        async with McpServers(Settings().tools.servers) as servers:
            return await servers.tools(), servers.problems

    assert asyncio.run(scene()) == ([], {})
    with pytest.raises(MissingEngineError, match=r"pip install .*\[mcp\]"):
        McpServers({"tiny": {"command": ["server"]}})


@needs_mcp
@pytest.mark.parametrize(
    "given, problem",
    [
        ({}, "give it a command or a url"),
        ({"command": ["a"], "url": "http://b"}, "give it a command or a url"),
        ({"command": "server --now"}, "tools.servers.tiny.command"),
        ({"url": "ftp://b"}, "tools.servers.tiny.url"),
        ({"command": ["a"], "shell": True}, "tools.servers.tiny.shell"),
        ({"command": ["a"], "seconds": 0}, "tools.servers.tiny.seconds"),
    ],
)
def test_a_server_that_is_none_is_a_mistake_in_the_settings(given, problem):
    with pytest.raises(SettingsError, match=problem):
        McpServers({"tiny": given})


def test_importing_it_loads_no_mcp():
    code = "import sys, voice_kit.think.mcp_tools; print('mcp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
