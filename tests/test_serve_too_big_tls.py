"""Who sends too much over TLS, which cannot end one direction alone, hears why without a wait."""

import asyncio
import ssl
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

pytest.importorskip("fastapi", reason="the serve extra is not installed")

import websockets
from helpers_serve import served, until
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.server import ServerProtocol

from voice_kit.serve.certificates import certificate

ROOT = Path(__file__).parents[1]
MOST = 1_000
SOON = 8.0
"""Seconds: uvicorn itself gives up on a client after ten."""


@pytest.mark.parametrize("size", [MOST + 1, 8_000_000])
def test_who_sends_too_much_over_tls_hears_why_and_soon_the_end(tmp_path, size):
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE

    async def scene(address):
        socket = await websockets.connect(address.realtime, ssl=trusting, close_timeout=None)
        await until(socket, "session.created")
        with suppress(websockets.ConnectionClosed):  # it may have heard enough by then
            await socket.send(b"x" * size)
        async with asyncio.timeout(SOON):
            error = await until(socket, "error")
            await socket.wait_closed()
        return error["error"]["message"], socket.close_code, socket.close_reason

    file, _ = certificate(["127.0.0.1"], tmp_path)
    with served(max_message=MOST, tls={"ssl_certfile": file, "ssl_keyfile": file}) as address:
        message, code, reason = asyncio.run(scene(address))
    assert message == reason == "A message has 1,000 bytes at most. Send it in parts."
    assert code == 1009


# What is relied on, of two libraries that do not promise it


def bounds():
    """What the gateway asks for of both."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = map(Requirement, project["optional-dependencies"]["serve"])
    found = {each.name: each for each in asked if each.name in ("uvicorn", "websockets")}
    assert len(found) == 2, "both are imported, so both are named"
    return found


def pins():
    """The versions with which it is tested."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    asked = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {each.name: Version(next(iter(each.specifier)).version) for each in asked}


@pytest.mark.parametrize("name", ["uvicorn", "websockets"])
def test_no_older_one_is_allowed_than_that_with_which_it_is_tested(name):
    (floor,) = bounds()[name].specifier
    oldest, tested = Version(floor.version), pins()[name]
    assert floor.operator == ">="
    assert oldest <= tested
    assert oldest.release[:2] == tested.release[:2]


def test_what_is_changed_in_uvicorn_and_websockets_is_there():
    assert {"handle_parser_exception", "handle_events", "data_received", "send"} <= {
        *vars(WebSocketsSansIOProtocol)
    }
    names = WebSocketsSansIOProtocol.__init__.__code__.co_names
    assert {"queue", "frames", "conn", "transport", "loop"} <= set(names)
    conn = ServerProtocol()
    assert conn.parser_exc is None
    assert callable(conn.fail) and callable(conn.reader.discard)
