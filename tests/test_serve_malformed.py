"""Messages that nobody should send: thousands of them at a gateway that is in use."""

import asyncio
import base64
import copy
import json
import os
import random

import pytest

pytest.importorskip("fastapi", reason="no FastAPI: pip install 'voice-kit[serve]'")

import websockets
from helpers_serve import say, until

from voice_kit.serve.protocol import HEADER, KNOWN, SILENCE, SOUND
from voice_kit.workshop.load import socket_of
from voice_kit.workshop.load_gateway import measured

MESSAGES = 100_000 if os.environ.get("SOAK") == "whole" else 2_000
BURST = 50
"""Messages between two looks at whether the gateway is still well."""
SECRET = "pelican"
GROWTH = 40
"""Megabytes: what its queues and histories may need. 100,000 messages that stay need more."""
OURS = {"internal_error", "server_error"}
"""What the gateway says when it is the one to blame."""
MAY_CLOSE = {1007, 1009, 4401, 4403, 4408, 4409, 4429}

PCM = base64.b64encode(bytes(960)).decode()
ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]}
VALID = [
    {"type": "session.update", "session": {"voice_kit": {"binary": True, "views": ["orb"]}}},
    {"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}},
    {"type": "session.update", "session": {"instructions": "Be brief.", "voice": "alloy"}},
    {"type": "session.authenticate", "token": "abc"},
    {"type": "input_audio_buffer.append", "audio": PCM},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "conversation.item.create", "item": ITEM},
    {"type": "conversation.item.delete", "item_id": "item_1"},
    {"type": "conversation.item.truncate", "item_id": "item_1", "audio_end_ms": 100},
    {"type": "response.create", "response": {"instructions": "Say hello."}},
    {"type": "response.cancel"},
    {"type": "output_audio_buffer.clear"},
    {"type": "voice_kit.heard", "heard": [{"id": 1, "samples": 5, "audible": 0.1, "final": False}]},
]
JUNK = [
    None, True, -1, 0, 2**63, 10**400, 1e308, -0.0, "", "x" * 5000, "\u0000", "\ud800", "🦩" * 99,
    [], {}, [[]], {"type": []}, [None] * 99, "NaN", {"a": {"b": {"c": {}}}}, "../../etc/passwd",
    "'; DROP TABLE lines; --", "${jndi:ldap://x}", "%s%n", {"__proto__": 1},
]  # fmt: skip


def places(tree, path=()):
    """Every place in a message, as the keys that lead there."""
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in inside:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def twisted(dice):
    """A text message in which something is not as it should be."""
    message = copy.deepcopy(dice.choice(VALID))
    for _ in range(dice.randint(1, 3)):
        found = list(places(message))
        if not found:
            break
        *way, last = dice.choice(found)
        at = message
        for key in way:
            at = at[key]
        match dice.randrange(4):
            case 0:
                at[last] = copy.deepcopy(dice.choice(JUNK))
            case 1:
                del at[last]
            case 2 if isinstance(at, dict):
                at[dice.choice(["type", "session", "item", "audio", "é"])] = at.pop(last)
            case _:
                at[last] = [copy.deepcopy(at[last])]
    return json.dumps(message)


def broken(dice):
    """Text that may not be a message at all."""
    text = json.dumps(dice.choice(VALID))
    at = dice.randrange(len(text))
    match dice.randrange(5):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + chr(dice.randrange(0xD000)) + text[at + 1 :]
        case 2:
            return text + text
        case 3:
            return "[" * dice.choice([10, 100_000]) + text
        case _:
            return json.dumps({"type": dice.choice(KNOWN)})


def binary(dice):
    """A binary message, of which hardly anything fits together."""
    kind, flags = dice.choice([SOUND, SILENCE, 0, 3, 255]), dice.choice([0, 0, 0, 1, 255])
    count = dice.choice([0, 1, 2, 16, 0xFFFF])
    number = dice.choice([0, 1, 7, 0x7FFFFFFF, 0xFFFFFFFF])
    size = dice.choice([0, 1, 1023, 1024, 1024 * min(count, 16), 16384])
    return HEADER.pack(kind, flags, count, number)[: dice.choice([8, 8, 8, 3])] + bytes(size)


def malformed(dice):
    """Any of those."""
    return dice.choices([twisted, broken, binary], [6, 2, 2])[0](dice)


class Attacker:
    """Sends what it should not, and reads all that comes back."""

    def __init__(self, address, token, seed):
        self.address, self.headers = address, {"Authorization": f"Bearer {token}"}
        self.dice, self.codes, self.closed = random.Random(seed), set(), []
        self.mark, self.reached = "", asyncio.Event()

    async def attack(self, count):
        sent = 0
        while sent < count:
            async with websockets.connect(
                self.address, additional_headers=self.headers, max_size=None, ping_interval=None
            ) as socket:
                reading = asyncio.ensure_future(self.read(socket))
                try:
                    while sent < count and not reading.done():
                        for _ in range(BURST):
                            await socket.send(malformed(self.dice))
                            sent += 1
                        await self.look(socket, f"mark_{sent}", reading)
                except websockets.ConnectionClosed:
                    pass
                await socket.close()
                await reading

    async def look(self, socket, mark, reading):
        """Return once all that was sent has been dealt with."""
        self.mark, self.reached = mark, asyncio.Event()
        await say(socket, type="no such event", event_id=mark)
        reached = asyncio.ensure_future(self.reached.wait())
        async with asyncio.timeout(60):
            await asyncio.wait([reached, reading], return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()

    async def read(self, socket):
        try:
            async for message in socket:
                if isinstance(message, str):
                    assert SECRET not in message
                    told = json.loads(message)
                    if told["type"] == "error":
                        self.codes.add(told["error"]["code"])
                        if told["error"]["event_id"] == self.mark:
                            self.reached.set()
        except websockets.ConnectionClosed as gone:
            code = gone.rcvd.code if gone.rcvd else 1006
            assert code in MAY_CLOSE, f"it was closed with {code}"
            self.closed.append(code)


async def neighbour(address, token, line):
    """Somebody else in the same gateway, who is answered."""
    headers = {"Authorization": f"Bearer {token}"}
    async with websockets.connect(address, additional_headers=headers, max_size=None) as socket:
        item = {**ITEM, "content": [{"type": "input_text", "text": line}]}
        await say(socket, type="conversation.item.create", item=item)
        await say(socket, type="response.create")
        done = await until(socket, "response.done", seconds=60)
    return done["response"]["status"]


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_message_breaks_a_session_or_the_gateway_or_shows_what_others_said():
    with measured(conversations=20) as gateway:
        address, token = socket_of(gateway.url)
        attackers = [Attacker(address, token, seed) for seed in range(4)]

        async def scene(count):
            said = f"The word is {SECRET}."
            assert await neighbour(address, token, said) == "completed"
            await asyncio.gather(*(each.attack(count // len(attackers)) for each in attackers))
            assert await neighbour(address, token, said) == "completed"

        asyncio.run(scene(400))  # what is made once has been made
        before = gateway.resident()
        asyncio.run(scene(MESSAGES))
        assert gateway.resident() - before < GROWTH
    told = set().union(*(each.codes for each in attackers))
    assert not told & OURS
    assert {"invalid_json", "invalid_event", "unknown_event", "bad_frame"} <= told


def test_the_messages_are_of_every_kind_and_hardly_ever_right():
    dice = random.Random(1)
    found = [malformed(dice) for _ in range(2_000)]
    right = [json.dumps(each) for each in VALID]
    assert sum(each in right for each in found) < 100
    assert sum(isinstance(each, bytes) for each in found) > 200
    for name in KNOWN:
        assert any(isinstance(each, str) and name in each for each in found)
