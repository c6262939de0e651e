"""Who sends too much is told so, and hears it, whatever they still have to send."""

import asyncio
import base64
import json
import os
import socket
import struct
import threading
import tracemalloc
from contextlib import suppress

import httpx
import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")

import websockets
from helpers_serve import say, served, until
from websockets.frames import Frame, Opcode

from voice_kit.serve import let_by

MOST = 1_000
LARGE = 8_000_000
"""Bytes: more than all buffers between two sockets of a machine hold."""
CHAT, SOUND = "/v1/chat/completions", "/v1/audio/transcriptions"


@pytest.fixture(scope="module")
def gateway():
    with served(max_message=MOST) as address:
        yield address


def opened(address, path, length, *more):
    """A socket on which only the head of a request was sent."""
    host, port = address.removeprefix("http://").split(":")
    plain = socket.create_connection((host, int(port)), timeout=20)
    head = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        f"Authorization: Bearer {address.token}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        *more,
    ]
    plain.sendall("\r\n".join([*head, "", ""]).encode())
    return plain


def answer(plain):
    """All that comes until the gateway closes: status, headers, body."""
    came = b""
    while part := plain.recv(65_536):
        came += part
    head, _, body = came.partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    return int(status.split()[1]), [each.lower() for each in headers], json.loads(body)


def test_what_is_too_big_is_counted():
    with served(max_message=MOST) as address:
        for size in (MOST + 1, MOST // 2):
            content = b"x" * size
            httpx.post(address + CHAT, content=content, headers=address.headers)
        text = address.shared.metrics.text().decode()
    assert 'voice_kit_refused_total{reason="message_too_big"} 1.0' in text


@pytest.mark.parametrize("size", [2_000, LARGE])
@pytest.mark.parametrize("connection", ["close", "keep-alive"])
def test_who_sends_all_of_it_before_they_read_hears_why_it_is_refused(gateway, size, connection):
    with opened(gateway, CHAT, size, f"Connection: {connection}") as plain:
        plain.sendall(b"x" * size)
        status, headers, body = answer(plain)
    assert status == 413
    assert "connection: close" in headers
    assert "more than 1000 bytes" in body["error"]["message"]


@pytest.mark.parametrize(("path", "status"), [(CHAT, 401), ("/nowhere", 404), ("/health", 405)])
def test_who_is_refused_for_something_else_hears_it_too(gateway, path, status):
    stranger = Stranger(gateway)
    with opened(stranger, path, LARGE, "Connection: close") as plain:
        plain.sendall(b"x" * LARGE)
        assert answer(plain)[0] == status


class Stranger(str):
    token = "nobodys"


@pytest.mark.parametrize("path", [CHAT, SOUND, "/v1/turn"])
@pytest.mark.parametrize("declared", [True, False])
def test_a_client_hears_it_however_it_sends(gateway, path, declared):
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = part + b"x" * LARGE
    kind = "multipart/form-data; boundary=b" if path == SOUND else "application/octet-stream"
    pieces = (body[at : at + 50_000] for at in range(0, len(body), 50_000))
    found = httpx.post(
        gateway + path,
        content=body if declared else pieces,
        headers={**gateway.headers, "content-type": kind},
        timeout=20,
    )
    assert found.status_code == 413
    assert "Send it in parts" in found.json()["error"]["message"]


def test_who_asks_before_sending_is_told_not_to(gateway):
    with opened(gateway, CHAT, LARGE, "Expect: 100-continue") as plain:
        plain.shutdown(socket.SHUT_WR)
        assert answer(plain)[0] == 413


def test_the_answer_is_there_before_the_end_of_what_is_sent(gateway):
    with opened(gateway, CHAT, LARGE) as plain:
        plain.sendall(b"x" * 10)
        assert plain.recv(12) == b"HTTP/1.1 413"
        plain.sendall(b"x" * (LARGE - 10))
        while plain.recv(65_536):
            pass


def test_nobody_is_listened_to_for_ever(gateway, monkeypatch):
    monkeypatch.setattr(let_by, "MOST", 2 * LARGE)
    sent, broken = 0, threading.Event()
    with opened(gateway, CHAT, 100 * LARGE) as plain:

        def send():
            nonlocal sent
            try:
                while sent < 100 * LARGE:
                    sent += plain.send(b"x" * 1_000_000)
            except OSError:
                broken.set()

        sending = threading.Thread(target=send)
        sending.start()
        assert plain.recv(12) == b"HTTP/1.1 413"
        sending.join(20)
        assert broken.is_set() and 2 * LARGE <= sent < 10 * LARGE
    assert httpx.get(f"{gateway}/health").is_success


def test_who_stops_sending_is_not_waited_for(gateway, monkeypatch):
    monkeypatch.setattr(let_by, "LINGERS", 0.2)
    with opened(gateway, CHAT, LARGE) as plain:
        plain.sendall(b"x" * 2_000)
        assert answer(plain)[0] == 413


def test_what_has_come_as_a_whole_leaves_the_connection_open(gateway):
    with httpx.Client(base_url=gateway, headers=gateway.headers) as client:
        for _ in range(2):
            body = {"messages": "x" * 500}
            found = client.post(CHAT, json=body)
            assert found.status_code == 400
            assert found.headers.get("connection") != "close"


# On a socket


async def told(socket):
    """What was said before it was closed, and with which code and reason."""
    error = await until(socket, "error")
    limit = await until(socket, "rate_limits.updated") if socket.admitted else None
    try:
        await socket.recv()
    except websockets.ConnectionClosed as gone:
        return error["error"], limit, gone.rcvd.code, gone.rcvd.reason


def parts_of(message, count):
    """The same in so many frames of one message."""
    step = len(message) // count
    return [message[at : at + step] for at in range(0, len(message), step)]


SENT = {
    "a little": "x" * (MOST + 1),
    "more than twice as much": b"x" * (2 * MOST + 1),
    "far more": "x" * LARGE,
    "in parts": parts_of("x" * LARGE, 10),
    "in parts that are small": parts_of(b"x" * 10 * MOST, 40),
    "of which most are letters": "é" * (MOST - 1),
}


@pytest.mark.parametrize("admitted", [True, False], ids=["admitted", "a stranger"])
@pytest.mark.parametrize("sent", SENT.values(), ids=SENT)
def test_a_message_that_is_too_big_is_answered_in_words_and_counted(sent, admitted):
    async def scene(address):
        at = address.realtime if admitted else f"{address.ws}/v1/realtime"
        async with asyncio.timeout(30):
            socket = await websockets.connect(at)  # `told` reads it to its end
            socket.admitted = admitted
            if admitted:
                await until(socket, "session.created")
            with suppress(websockets.ConnectionClosed):  # it may have heard enough by then
                await socket.send(sent)
            return await told(socket)

    with served(max_message=MOST) as address:
        error, limit, code, reason = asyncio.run(scene(address))
        text = address.shared.metrics.text().decode()
    sentence = "A message has 1,000 bytes at most. Send it in parts."
    assert (error["code"], error["message"]) == ("rate_limit_exceeded", sentence)
    assert (code, reason) == (1009, sentence)
    assert limit is None or limit["rate_limits"][0]["name"] == "message_too_big"
    assert 'voice_kit_refused_total{reason="message_too_big"} 1.0' in text


def test_what_was_asked_before_it_is_answered_before_it_and_others_notice_nothing(gateway):
    async def scene():
        async with asyncio.timeout(30), websockets.connect(gateway.realtime) as other:
            socket, seen = await websockets.connect(gateway.realtime), []  # the gateway closes it
            await say(socket, type="session.update", session={})
            await say(socket, type="nonsense")
            await socket.send(b"x" * LARGE)
            await until(socket, "rate_limits.updated", seen=seen)
            await say(other, type="nonsense")
            return seen, await until(other, "error")

    seen, others = asyncio.run(scene())
    kinds = [message["type"] for message in seen]
    assert kinds == ["session.created", "session.updated", "error", "error"]
    assert [message["error"]["code"] for message in seen[2:]] == [
        "unknown_event",
        "rate_limit_exceeded",
    ]
    assert others["error"]["code"] == "unknown_event"


GIGABYTE = 1_000_000_000


def test_of_a_message_of_a_gigabyte_nothing_is_kept(gateway):
    plain = upgraded(gateway)
    head = struct.pack("!BBQ4s", 0x82, 0xFF, GIGABYTE, os.urandom(4))
    tracemalloc.start()
    try:
        with plain:
            plain.sendall(head)
            piece, left = b"x" * 1_000_000, GIGABYTE
            while left:
                left -= plain.send(piece[:left])
            most = tracemalloc.get_traced_memory()[1]
            came = b""
            while part := plain.recv(65_536):
                came += part
    finally:
        tracemalloc.stop()
    assert most < 10_000_000
    assert b"A message has 1,000 bytes at most." in came
    assert struct.pack("!H", 1009) in came


def test_what_came_in_the_same_breath_is_answered_too(gateway):
    with upgraded(gateway) as plain:
        nonsense = Frame(Opcode.TEXT, b'{"type": "nonsense"}').serialize(mask=True)
        plain.sendall(nonsense + Frame(Opcode.BINARY, b"x" * LARGE).serialize(mask=True))
        came = b""
        while part := plain.recv(65_536):
            came += part
    assert 0 < came.index(b"unknown_event") < came.index(b"rate_limit_exceeded")


def upgraded(address):
    """A socket on which nothing was said yet, and of which nothing is read by itself."""
    host, port = address.removeprefix("http://").split(":")
    plain = socket.create_connection((host, int(port)), timeout=20)
    head = [
        f"GET /v1/realtime?token={address.token} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
    ]
    plain.sendall("\r\n".join([*head, "", ""]).encode())
    assert plain.recv(12) == b"HTTP/1.1 101"
    return plain
