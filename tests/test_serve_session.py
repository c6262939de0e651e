"""Conversations over a socket, as our own clients hold them: in bytes, with what was heard."""

import asyncio
import json
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import httpx
import jwt
import numpy as np
import pytest
import websockets
from helpers_serve import (
    Loudness,
    Parrot,
    Tone,
    say,
    served,
    silence_message,
    sound_message,
    speech_frames,
    stubs,
    until,
)

from voice_kit.audio.files import to_wav
from voice_kit.audio.protocols import Playback
from voice_kit.errors import VoiceKitError
from voice_kit.serve import limits, listening, outbox, realtime
from voice_kit.serve.config import Serve
from voice_kit.serve.jwts import issue
from voice_kit.serve.outbox import Outbox
from voice_kit.serve.protocol import HEADER, VIEWS, Heard, Silence, Sound
from voice_kit.serve.ray_engines import RayVoice
from voice_kit.serve.socket_audio import LOST, SocketMicrophone
from voice_kit.serve.socket_speaker import SocketSpeaker
from voice_kit.types import FRAME, RATE, Audio

JWT = Serve(secret="a secret of thirty-two bytes or more")
STORY = " ".join(f"word{number}" for number in range(200)) + "."
"""Ten seconds of sound."""


@pytest.fixture(scope="module")
def gateway():
    with served() as address:
        yield address


@asynccontextmanager
async def connected(address, *, binary=True, conversation="", views=()):
    """A client after its greeting; `socket.conversation` is which one it is in."""
    asked = f"{address.realtime}&conversation={conversation}"
    async with websockets.connect(asked, max_size=None, max_queue=None) as socket:
        created = await until(socket, "session.created")
        socket.conversation = created["session"]["voice_kit"]["conversation"]
        ours = {"binary": binary, "views": list(views)}
        await say(socket, type="session.update", session={"voice_kit": ours})
        assert (await until(socket, "session.updated"))["session"]["voice_kit"]["binary"] == binary
        socket.number = 0
        yield socket


async def ask(socket, level, seconds=0.5):
    """Speak, and be quiet until it counts as a turn."""
    frames = speech_frames(seconds, level)
    await socket.send(sound_message(socket.number, frames))
    socket.number += len(frames)
    await socket.send(silence_message(socket.number, 50))
    socket.number += 50


async def type_line(socket, text):
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    await say(socket, type="conversation.item.create", item=item)
    await say(socket, type="response.create")


async def closed(socket):
    """The code with which the gateway closes it."""
    async with asyncio.timeout(20):
        try:
            while True:
                await socket.recv()
        except websockets.ConnectionClosed as gone:
            return gone.rcvd.code if gone.rcvd else None


def refusals(address):
    """How many were not let in, or not now, by the reason that the metrics give."""
    samples = address.shared.metrics._refused.collect()[0].samples
    return {each.labels["reason"]: each.value for each in samples if each.name.endswith("_total")}


def transcript(done):
    return done["response"]["output"][0]["content"][0]["transcript"]


async def lines(address, conversation, count):
    """What memory holds of it, once there are so many lines."""
    url = f"{address}/v1/conversations/{conversation}/lines"
    async with httpx.AsyncClient(headers=address.headers) as client, asyncio.timeout(20):
        while True:
            answer = await client.get(url)
            found = answer.json()["data"] if answer.status_code == 200 else []
            if len(found) >= count:
                return [(line["role"], line["text"]) for line in found]


async def nobody(address):
    """Until no session is open."""
    async with asyncio.timeout(20):
        while address.shared.sessions:  # noqa: ASYNC110 - they end on another loop
            await asyncio.sleep(0)


def test_a_question_in_bytes_is_answered_in_bytes(gateway):
    async def scene():
        async with connected(gateway) as socket:
            seen = []
            await ask(socket, 0.2)
            done = await until(socket, "response.done", seen=seen)
            return seen, done

    seen, done = asyncio.run(scene())
    sounds = [message for message in seen if isinstance(message, bytes)]
    assert transcript(done) == "You said question 20."
    assert {HEADER.unpack_from(sound)[0] for sound in sounds} == {3}
    count = sum(HEADER.unpack_from(sound)[2] for sound in sounds)
    assert count == pytest.approx(4 * 0.05 * 24_000, abs=2)
    heard = [message for message in seen if isinstance(message, dict)]
    started = next(each for each in heard if each["type"] == "input_audio_buffer.speech_started")
    assert started["audio_start_ms"] == 0
    words = [
        each["transcript"] for each in heard if each["type"].endswith("transcription.completed")
    ]
    assert words == ["question 20"]


def test_a_session_tells_from_the_start_what_may_be_changed_and_then_what_it_is(gateway):
    async def scene():
        async with websockets.connect(gateway.realtime) as socket:
            created = (await until(socket, "session.created"))["session"]["voice_kit"]
            wanted = {"voice_kit": {"settings": {**created["settings"], "hear.stop": 0.7}}}
            await say(socket, type="session.update", session=wanted)
            updated = (await until(socket, "session.updated"))["session"]["voice_kit"]
        return created["settings"], updated["settings"]

    before, after = asyncio.run(scene())
    assert before["hear.stop"] == gateway.shared.settings.hear.stop != 0.7
    assert after == {**before, "hear.stop": 0.7}


def test_a_typed_line_is_answered(gateway):
    async def scene():
        async with connected(gateway) as socket:
            await type_line(socket, "hello")
            return await until(socket, "response.done")

    assert transcript(asyncio.run(scene())) == "You said hello."


def test_memory_keeps_what_was_heard_of_an_interrupted_answer():
    async def scene(address):
        async with connected(address) as socket:
            await type_line(socket, "tell a story")
            sound = b""
            while not sound:
                message = await socket.recv()
                sound = message if isinstance(message, bytes) else b""
            playback = HEADER.unpack_from(sound)[3]
            heard = {"id": playback, "samples": 12_000, "audible": 0.0, "final": False}
            await say(socket, type="voice_kit.heard", heard=[heard])
            await ask(socket, 0.2, seconds=1.0)
            seen = []
            cut = await until(socket, "conversation.item.truncated", seen=seen)
            kept = await lines(address, socket.conversation, 2)
            return cut, seen, kept

    with served(stubs(llm=Parrot(STORY))) as address:
        cut, seen, kept = asyncio.run(scene(address))
    first = " ".join(STORY.split()[:10])
    assert cut["audio_end_ms"] == 500
    assert kept[:2] == [("user", "tell a story"), ("assistant", first)]
    kinds = [
        each["kind"]
        for each in seen
        if isinstance(each, dict) and each["type"] == "voice_kit.playback"
    ]
    assert kinds == ["pause", "stop"]


def test_no_more_sound_is_sent_than_three_seconds_ahead_of_what_was_heard():
    async def scene(address):
        async with connected(address) as socket:
            await type_line(socket, "tell a story")
            samples = 0
            while samples < 2.9 * 24_000:
                message = await socket.recv()
                samples += HEADER.unpack_from(message)[2] if isinstance(message, bytes) else 0
            heard = {"id": 1, "samples": 1, "audible": 0.0, "final": False}
            await type_line(socket, "another")  # what comes before its answer was all
            seen = []
            await until(socket, "response.created", seen=seen)
            samples += sum(
                HEADER.unpack_from(each)[2]
                for each in seen
                if isinstance(each, bytes) and HEADER.unpack_from(each)[3] == heard["id"]
            )
            return samples

    with served(stubs(llm=Parrot(STORY))) as address:
        assert asyncio.run(scene(address)) <= 3.3 * 24_000


def test_a_client_that_comes_back_goes_on_with_its_memory():
    parrot = Parrot()

    async def scene(address):
        async with connected(address) as socket:
            await type_line(socket, "my name is Ada")
            await until(socket, "response.done")
            conversation = socket.conversation
        await nobody(address)
        async with connected(address, conversation=conversation) as socket:
            assert socket.conversation == conversation
            await type_line(socket, "and now")
            await until(socket, "response.done")

    with served(stubs(llm=parrot)) as address:
        asyncio.run(scene(address))
    assert ("user", "my name is Ada") in parrot.prompts[-1]


def test_two_sockets_do_not_hear_each_other():
    parrot = Parrot()

    async def scene(address):
        async with connected(address) as one, connected(address) as other:
            assert one.conversation != other.conversation
            await type_line(one, "my secret is blue")
            await until(one, "response.done")
            seen = []
            await type_line(other, "how are you")
            done = await until(other, "response.done", seen=seen)
            return json.dumps([each for each in seen if isinstance(each, dict)]), done

    with served(stubs(llm=parrot)) as address:
        seen, done = asyncio.run(scene(address))
    assert transcript(done) == "You said how are you."
    assert "blue" not in seen
    assert "blue" not in str(parrot.prompts[-1])


def test_a_conversation_that_is_opened_again_leaves_its_first_window(gateway):
    async def scene():
        async with (
            connected(gateway) as first,
            connected(gateway, conversation=first.conversation) as second,
        ):
            code = await closed(first)
            await type_line(second, "still there")
            return code, await until(second, "response.done")

    code, done = asyncio.run(scene())
    assert code == 4409
    assert transcript(done) == "You said still there."


def test_another_window_knows_what_was_heard_in_the_first_until_it_took_over():
    async def scene(address):
        async with connected(address) as first:
            await type_line(first, "tell a story")
            await until(first, "response.created")
            await say(first, type="voice_kit.heard", heard=[{"id": 1, "samples": 48_000}])
            async with connected(address, conversation=first.conversation) as second:
                await type_line(second, "go on")
                await until(second, "response.done")
            assert await closed(first) == 4409

    parrot = Parrot(STORY)
    with served(stubs(llm=parrot, tts=Tone(word=0.5))) as address:
        asyncio.run(scene(address))
    assert ("user", "tell a story") in parrot.prompts[-1]


@pytest.mark.parametrize("conversation", ["0123456789ab0123456789abcdef", "../../x", "a" * 4_000])
def test_a_conversation_of_nobody_is_refused(gateway, conversation):
    async def scene():
        url = f"{gateway.realtime}&conversation={conversation}"
        async with websockets.connect(url) as socket:
            error = json.loads(await socket.recv())
            return error["error"]["code"], await closed(socket)

    assert asyncio.run(scene()) == ("conversation_not_found", 4403)


def test_a_wrong_token_is_refused(gateway):
    async def scene():
        async with websockets.connect(f"{gateway.ws}/v1/realtime?token=wrong") as socket:
            return await closed(socket)

    assert asyncio.run(scene()) == 4401


def test_a_page_of_another_site_is_refused(gateway):
    async def scene():
        async with websockets.connect(gateway.realtime, origin="https://evil.example") as socket:
            return await closed(socket)

    assert asyncio.run(scene()) == 4403


def test_the_first_message_may_show_the_token(gateway):
    async def scene(token):
        async with websockets.connect(f"{gateway.ws}/v1/realtime") as socket:
            await say(socket, type="session.authenticate", token=token)
            first = json.loads(await socket.recv())
            return first["type"], None if first["type"] == "session.created" else await closed(
                socket
            )

    assert asyncio.run(scene(gateway.token)) == ("session.created", None)
    assert asyncio.run(scene("another")) == ("error", 4401)


def test_whoever_shows_no_token_is_not_waited_for(gateway, monkeypatch):
    monkeypatch.setattr(realtime, "PATIENCE", 0.05)

    async def scene():
        async with websockets.connect(f"{gateway.ws}/v1/realtime") as socket:
            return await closed(socket)

    assert asyncio.run(scene()) == 4401


BAD = [
    "",
    "{",
    "[]",
    '{"type": "nothing"}',
    '{"type": "response.create"}',
    '{"type": "input_audio_buffer.append", "audio": "§"}',
    '{"type": "session.update", "session": {"voice_kit": {"settings": {"hear.stop": "x"}}}}',
    '{"type": "session.update", "session": {"audio": {"input": {"turn_detection": {}}}}}',
    b"",
    b"\x07" * 40,
    HEADER.pack(1, 0, 3, 0),
]


def test_bad_messages_are_answered_and_the_session_goes_on(gateway):
    async def scene():
        async with connected(gateway) as socket:
            codes = []
            for message in BAD:
                await socket.send(message)
                error = (await until(socket, "error"))["error"]
                assert error["message"].endswith((".", "?"))
                codes.append(error["code"])
            await type_line(socket, "hello")
            return codes, await until(socket, "response.done")

    codes, done = asyncio.run(scene())
    assert len(codes) == len(BAD)
    assert "internal_error" not in codes
    assert transcript(done) == "You said hello."


def test_who_asks_for_another_voice_than_the_cluster_has_is_told_in_one_sentence():
    voice = RayVoice(None, "tts", {"name": "kokoro:af_heart"}, Tone())

    async def scene(address):
        async with connected(address) as socket:
            wanted = {"audio": {"output": {"voice": "af_bella"}}}
            await say(socket, type="session.update", session=wanted)
            error = await until(socket, "error")
            usual = {"audio": {"output": {"voice": "alloy"}}}
            await say(socket, type="session.update", session=usual)
            await until(socket, "session.updated")
            return error["error"]["message"]

    with served(stubs(tts=voice)) as address:
        assert asyncio.run(scene(address)).startswith("There is one voice here.")


def test_an_answer_can_be_cut_after_any_time(gateway):
    async def scene():
        async with connected(gateway, binary=False) as socket:
            await type_line(socket, "hello")
            item = (await until(socket, "response.output_item.added"))["item"]["id"]
            at = {"item_id": item, "content_index": 0, "audio_end_ms": 10**308}
            await say(socket, type="conversation.item.truncate", **at)
            seen = []
            await until(socket, "conversation.item.truncated", seen=seen)
            return [each["error"]["code"] for each in seen if each["type"] == "error"]

    assert asyncio.run(scene()) == []


def test_what_breaks_in_our_own_code_ends_no_session(gateway, monkeypatch):
    def broken(text):
        raise RuntimeError("the words of somebody")

    async def scene():
        async with connected(gateway) as socket:
            with monkeypatch.context() as patch:
                patch.setattr(listening, "parse", broken)
                await socket.send("{}")
                error = (await until(socket, "error"))["error"]
            await type_line(socket, "hello")
            return error, await until(socket, "response.done")

    error, _ = asyncio.run(scene())
    assert error["code"] == "internal_error"
    assert "words" not in error["message"]


@pytest.mark.parametrize("message", ["x" * 60_000, b"x" * 99_999, "é" * 30_000])
def test_a_message_that_is_too_big_ends_only_its_own_session_which_is_told_why(message):
    async def scene(address):
        async with connected(address) as socket, connected(address) as other:
            await socket.send(message)
            error = await until(socket, "error")
            limit = await until(socket, "rate_limits.updated")
            code = await closed(socket)
            await type_line(other, "hello")
            done = await until(other, "response.done")
            return error["error"], limit["rate_limits"][0]["name"], code, done

    with served(max_message=50_000) as address:
        error, name, code, done = asyncio.run(scene(address))
        assert refusals(address) == {"message_too_big": 1}
    assert error["code"] == "rate_limit_exceeded" and "50,000 bytes" in error["message"]
    assert (name, code) == ("message_too_big", 1009)
    assert transcript(done) == "You said hello."


def test_nobody_shows_a_token_in_a_message_that_is_too_big():
    async def scene(address):
        async with websockets.connect(f"{address.ws}/v1/realtime") as socket:
            await socket.send("x" * 1_500)
            error = await until(socket, "error")
            return error["error"]["message"], await closed(socket)

    with served(max_message=1_000) as address:
        message, code = asyncio.run(scene(address))
        assert refusals(address) == {"message_too_big": 1}
    assert "1,000 bytes" in message and code == 1009


def test_a_long_reason_in_other_letters_is_told_whole_and_closes_in_as_many_as_fit(monkeypatch):
    why = "Память недоступна. " * 20

    async def fails(*_):
        raise VoiceKitError(why)

    async def scene(address):
        async with websockets.connect(address.realtime) as socket:
            error = await until(socket, "error")
            with pytest.raises(websockets.ConnectionClosed) as gone:
                await socket.recv()
            return error["error"]["message"], gone.value.rcvd

    with served() as address:
        monkeypatch.setattr(address.shared.places, "open", fails)
        message, close = asyncio.run(scene(address))
    assert message == why
    assert close.code == 1011 and len(close.reason) > 50 and why.startswith(close.reason)


def test_who_guesses_a_token_in_a_message_is_logged_with_their_address(caplog):
    async def scene(address):
        async with websockets.connect(f"{address.ws}/v1/realtime") as socket:
            await say(socket, type="session.authenticate", token="a-guess-of-many-letters")
            return await closed(socket)

    with served() as address:
        assert asyncio.run(scene(address)) == 4401
    told = [getattr(each, "voice_kit", {}) for each in caplog.records]
    assert [each["address"] for each in told if each.get("event") == "refused"] == ["127.0.0.1"]


def test_a_connection_that_a_limit_refuses_is_counted_once_by_the_name_of_that_limit():
    async def scene(address):
        async with connected(address), websockets.connect(address.realtime) as socket:
            error = await until(socket, "error")
            return error["error"]["code"], await closed(socket)

    with served(max_connections=1) as address:
        assert asyncio.run(scene(address)) == ("rate_limit_exceeded", 4429)
        assert refusals(address) == {"too_many_connections": 1}


def test_more_sound_than_its_share_is_not_heard_and_the_session_goes_on():
    async def scene(address):
        async with connected(address) as socket:
            await socket.send(silence_message(0, 300))
            error = await until(socket, "error")
            limits = await until(socket, "rate_limits.updated")
            await type_line(socket, "hello")
            return error, limits, await until(socket, "response.done")

    with served(sound_per_minute=5) as address:
        error, limits, done = asyncio.run(scene(address))
    assert error["error"]["code"] == "rate_limit_exceeded"
    assert limits["rate_limits"][0]["reset_seconds"] > 0
    assert transcript(done) == "You said hello."


def test_who_is_over_the_limit_gets_no_more_in_by_sending_it_in_small_pieces(monkeypatch):
    taken = []
    monkeypatch.setattr(SocketMicrophone, "take", lambda self, sound: taken.append(sound))

    async def scene(address):
        async with connected(address) as socket:
            for number in range(1000):
                await socket.send(sound_message(number, np.zeros((1, FRAME), np.int16)))
            await type_line(socket, "hello")
            await until(socket, "response.done")

    with served(sound_per_minute=5) as address:
        asyncio.run(scene(address))
    assert 4.7 <= sum(each.frames.size for each in taken) / RATE <= 5.3


def test_sound_that_a_client_gathers_counts_whatever_number_its_frames_have():
    transcriber = Loudness()

    async def scene(address):
        async with connected(address) as socket:
            await socket.send(silence_message(0, 100))
            by_hand = {"audio": {"input": {"turn_detection": None}}}
            await say(socket, type="session.update", session=by_hand)
            for _ in range(20):
                await socket.send(sound_message(69, speech_frames(1.0)))
            await say(socket, type="input_audio_buffer.commit")
            await say(socket, type="response.create")
            await until(socket, "response.done")

    with served(stubs(stt=transcriber), sound_per_minute=5) as address:
        asyncio.run(scene(address))
    assert sum(transcriber.seconds) <= 2


def test_so_many_lines_are_kept_until_a_client_asks_for_a_response(gateway):
    async def scene():
        async with connected(gateway) as socket:
            content = [{"type": "input_text", "text": "more"}]
            item = {"type": "message", "role": "user", "content": content}
            for _ in range(listening.MOST + 3):
                await say(socket, type="conversation.item.create", item=item)
            await say(socket, type="response.create")
            seen = []
            await until(socket, "response.done", seen=seen)
            return [each for each in seen if isinstance(each, dict)]

    seen = asyncio.run(scene())
    assert [each["error"]["code"] for each in seen if each["type"] == "error"] == [
        "too_many_items"
    ] * 3
    typed = [each for each in seen if each["type"] == "conversation.item.done"]
    assert len([each for each in typed if each["item"]["role"] == "user"]) == listening.MOST


def test_no_more_sound_is_kept_for_being_committed_piece_by_piece(monkeypatch):
    monkeypatch.setattr(listening, "LONGEST", 2.0)
    transcriber = Loudness()

    async def scene(address):
        async with connected(address) as socket:
            by_hand = {"audio": {"input": {"turn_detection": None}}}
            await say(socket, type="session.update", session=by_hand)
            for number in range(10):
                await socket.send(sound_message(number, speech_frames(0.5)))
                await say(socket, type="input_audio_buffer.commit")
            await say(socket, type="response.create")
            seen = []
            await until(socket, "response.done", seen=seen)
            return [each for each in seen if isinstance(each, dict)]

    with served(stubs(stt=transcriber)) as address:
        seen = asyncio.run(scene(address))
    assert {each["error"]["code"] for each in seen if each["type"] == "error"} == {
        "buffer_full", "input_audio_buffer_commit_empty"
    }  # fmt: skip
    assert len([each for each in seen if each["type"] == "input_audio_buffer.committed"]) == 3
    assert transcriber.seconds == [pytest.approx(1.5, abs=0.1)]


def test_who_comes_back_has_no_new_share_of_sound_and_another_person_has_one():
    async def sends(address, name, amount):
        headers = {"Authorization": f"Bearer {issue(JWT, name, 1.0)[0]}"}
        async with websockets.connect(
            f"{address.ws}/v1/realtime", additional_headers=headers
        ) as socket:
            await until(socket, "session.created")
            await socket.send(silence_message(0, amount))
            await type_line(socket, "hello")
            seen = []
            await until(socket, "response.done", seen=seen)
            return [each["error"]["code"] for each in seen if each["type"] == "error"]

    async def scene(address):
        found = [await sends(address, "alice", 125) for _ in range(2)]
        return [*found, await sends(address, "bob", 125)]

    with served(secret=JWT.secret, sound_per_minute=5) as address:
        assert asyncio.run(scene(address)) == [[], ["rate_limit_exceeded"], []]


def test_a_person_has_one_share_of_sound_for_socket_and_http():
    headers = {"Authorization": f"Bearer {issue(JWT, 'alice', 1.0)[0]}"}

    async def scene(address):
        async with websockets.connect(
            f"{address.ws}/v1/realtime", additional_headers=headers
        ) as socket:
            await until(socket, "session.created")
            await socket.send(silence_message(0, 125))
            await type_line(socket, "hello")
            await until(socket, "response.done")
        sound = to_wav(Audio(np.zeros(3 * RATE, np.float32), RATE))
        asked = {"content": sound, "headers": {**headers, "Content-Type": "audio/wav"}}
        async with httpx.AsyncClient() as client:
            return (await client.post(f"{address}/v1/turn", **asked)).status_code

    with served(secret=JWT.secret, sound_per_minute=5) as address:
        assert asyncio.run(scene(address)) == 429


def test_more_tools_than_its_share_are_not_used():
    async def scene(address):
        async with connected(address) as socket:
            said = []
            for _ in range(2):
                await type_line(socket, "what time is it")
                said.append(transcript(await until(socket, "response.done")))
            return said

    with served(tool_calls_per_minute=1) as address:
        first, second = asyncio.run(scene(address))
    assert first.startswith("It is ")
    assert second.startswith("At most 1 tools")


def test_a_session_that_is_too_old_ends_and_says_so():
    async def scene(address):
        async with connected(address) as socket:
            error = await until(socket, "error")
            return error["error"]["code"], await closed(socket)

    with served(session_minutes=0.005) as address:
        assert asyncio.run(scene(address)) == ("rate_limit_exceeded", 4429)


def test_a_session_that_is_too_old_ends_however_slowly_its_client_hears_the_last_answer():
    async def scene(address):
        async with connected(address) as socket, asyncio.timeout(20):
            await type_line(socket, "go on")
            with pytest.raises(websockets.ConnectionClosed) as gone:
                for heard in range(1_000_000):
                    told = [{"id": 1, "samples": heard}]
                    await say(socket, type="voice_kit.heard", heard=told)
                    await (await socket.ping())
            return gone.value.rcvd.code

    with served(stubs(llm=Parrot(STORY)), session_minutes=0.005, drain_seconds=0.5) as address:
        assert asyncio.run(scene(address)) == 4429


def test_who_asks_once_their_session_ends_is_told_to_connect_again():
    @dataclass
    class LastAnswer(Parrot):
        sessions: set = field(default_factory=set)

        async def reply(self, messages):
            for session in self.sessions:
                session.end(4429, "Enough.", polite=True)
            async for token in super().reply(messages):
                yield token

    async def scene(address):
        async with connected(address, binary=False) as socket:
            await type_line(socket, "hello")
            await until(socket, "response.output_audio.delta")
            async with asyncio.timeout(20):
                (session,) = parrot.sessions
                while not session.microphone.closed:  # noqa: ASYNC110 - on another loop
                    await asyncio.sleep(0)
            await type_line(socket, "what else?")
            error = await until(socket, "error")
            return error["error"]["code"], await closed(socket)

    parrot = LastAnswer()
    with served(stubs(llm=parrot, tts=Tone(word=1.0)), drain_seconds=20) as address:
        parrot.sessions = address.shared.sessions
        assert asyncio.run(scene(address)) == ("session_ends", 4429)
    assert [prompt[-1] for prompt in parrot.prompts] == [("user", "hello")]


@contextmanager
def for_people():
    """A gateway that takes JWTs, and what makes them: it is given when they expire, from now."""

    def signed(seconds):
        claims = {"sub": "alice", "aud": JWT.audience, "exp": time.time() + seconds}
        return {"Authorization": f"Bearer {jwt.encode(claims, JWT.secret, 'HS256')}"}

    with served(secret=JWT.secret) as address:
        yield address, signed


@pytest.mark.parametrize("since", [5, 3600])
def test_a_token_that_has_expired_opens_no_session(since):
    async def scene(address, headers):
        url = f"{address.ws}/v1/realtime"
        async with websockets.connect(url, additional_headers=headers) as socket:
            first = json.loads(await socket.recv())
            return first["type"], first["error"]["message"], await closed(socket)

    with for_people() as (address, signed):
        kind, message, code = asyncio.run(scene(address, signed(-since)))
        assert refusals(address) == {"token_expired": 1}
    assert kind == "error" and "expired" in message and code == 4401


def test_a_session_ends_with_its_token_though_the_clock_was_set_back_meanwhile(monkeypatch):
    behind, at = 0.0, []
    clock = SimpleNamespace(time=lambda: time.time() - behind, monotonic=time.monotonic)
    monkeypatch.setattr(limits, "time", clock)

    async def scene(address, headers):
        nonlocal behind
        url = f"{address.ws}/v1/realtime"
        async with websockets.connect(url, additional_headers=headers) as socket:
            await until(socket, "session.created")
            behind = 0.7
            error = await until(socket, "error")
            limit = await until(socket, "rate_limits.updated")
            at.append(clock.time())
            return error["error"], limit["rate_limits"][0]["name"], await closed(socket)

    with for_people() as (address, signed):
        expires = time.time() + 2
        error, name, code = asyncio.run(scene(address, signed(2)))
        assert refusals(address) == {"token_expired": 1}
    assert "expired" in error["message"]
    assert (name, code) == ("token_expired", 4401)
    assert at[0] >= int(expires)


def test_a_client_that_vanishes_is_remembered_as_far_as_it_heard():
    async def scene(address):
        async with connected(address) as socket:
            await type_line(socket, "tell a story")
            while not isinstance(await socket.recv(), bytes):
                pass
            heard = {"id": 1, "samples": 6_000, "audible": 0.0, "final": False}
            await say(socket, type="voice_kit.heard", heard=[heard])
            socket.transport.abort()
        await nobody(address)
        return await lines(address, socket.conversation, 2)

    with served(stubs(llm=Parrot(STORY))) as address:
        kept = asyncio.run(scene(address))
    said = dict(kept)["assistant"].split()
    assert said == STORY.split()[: len(said)]
    assert len(said) <= 5


def test_a_client_that_does_not_read_is_let_go(monkeypatch):
    monkeypatch.setattr(outbox, "MOST", 100_000)  # an answer's sound is ten times as much

    async def scene(address):
        async with connected(address, binary=False) as socket:
            await type_line(socket, "tell a story")
            return await closed(socket)

    with served(stubs(llm=Parrot(STORY))) as address:
        assert asyncio.run(scene(address)) == 4408


def test_a_message_that_is_not_taken_in_makes_a_client_too_slow(monkeypatch):
    monkeypatch.setattr(outbox, "PATIENCE", 0.01)

    async def scene():
        slow = asyncio.Event()
        box = Outbox(slow.set)

        async def never(message):
            await asyncio.Event().wait()

        box.put("hello")
        writing = asyncio.ensure_future(box.run(never))
        await slow.wait()
        writing.cancel()

    asyncio.run(scene())


def test_a_gateway_that_stops_lets_an_answer_finish():
    async def scene(address):
        async with connected(address, binary=False) as socket:
            await type_line(socket, "hello")
            await until(socket, "response.created")
            address.stop()
            done = await until(socket, "response.done")
            return done["response"]["status"], await closed(socket)

    with served(stubs(tts=Tone(word=0.2))) as address:
        assert asyncio.run(scene(address)) == ("completed", 1001)


def test_a_gateway_that_stops_lets_an_answer_over_http_finish():
    class Slow(Tone):
        async def speak(self, text):
            async for speech in super().speak(text):
                yield speech
                address.stop()
                async with asyncio.timeout(20):
                    while not address.shared.draining:  # noqa: ASYNC110 - uvicorn looks now and then
                        await asyncio.sleep(0)
                for _ in range(1_000):  # time enough to be cut off
                    await asyncio.sleep(0)
                yield speech

    with served(stubs(tts=Slow()), drain_seconds=20) as address:
        address.server.config.timeout_graceful_shutdown = 0
        question = to_wav(Audio(np.full(RATE, 0.1, np.float32), RATE))
        headers = {**address.headers, "Content-Type": "audio/wav"}
        answer = httpx.post(f"{address}/v1/turn", content=question, headers=headers, timeout=30)
    assert answer.status_code == 200
    assert len(answer.content) == 44 + 2 * 24_000 * 2 * 4 * 0.05


def test_a_gateway_that_stops_lets_nobody_in(gateway):
    async def scene():
        gateway.shared.draining = True
        try:
            async with websockets.connect(gateway.realtime) as socket:
                return await closed(socket)
        finally:
            gateway.shared.draining = False

    assert asyncio.run(scene()) == 1001


def test_a_gateway_that_stops_does_not_wait_for_who_was_about_to_come_in():
    async def scene(address):
        async with websockets.connect(f"{address.ws}/v1/realtime") as socket:
            async with asyncio.timeout(20):
                while not address.shared.limits.open:  # noqa: ASYNC110 - on another loop
                    await asyncio.sleep(0)
            address.stop()
            async with asyncio.timeout(20):
                while not address.shared.draining:  # noqa: ASYNC110
                    await asyncio.sleep(0)
            await say(socket, type="session.authenticate", token=address.token)
            error = json.loads(await socket.recv())
            return error["error"]["code"], await closed(socket)

    with served(drain_seconds=20) as address:
        assert asyncio.run(scene(address)) == ("going_away", 1001)


def test_an_answer_that_takes_too_long_does_not_hold_up_a_gateway_that_stops():
    async def scene(address):
        async with connected(address) as socket:  # which never says that it heard anything
            await type_line(socket, "tell a story")
            await until(socket, "response.created")
            address.stop()
            return await closed(socket)

    with served(stubs(llm=Parrot(STORY)), drain_seconds=0.2) as address:
        assert asyncio.run(scene(address)) == 1001


def test_views_come_ten_times_a_second_at_most(gateway):
    async def scene():
        async with connected(
            gateway, views=["orb", "transcript", "timeline", "waveform"]
        ) as socket:
            seen = []
            await ask(socket, 0.2, seconds=2.0)
            await until(socket, "response.done", seen=seen)
            return [each for each in seen if isinstance(each, dict)]

    shown = [each for each in asyncio.run(scene()) if each["type"] == "voice_kit.view"]
    assert {each["view"] for each in shown} == set(VIEWS)
    waves = [each for each in shown if each["view"] == "waveform"]
    assert len(waves) < 40


def test_nothing_but_the_answer_is_sent_to_who_asked_for_no_views(gateway):
    async def scene():
        async with connected(gateway) as socket:
            seen = []
            await socket.send(silence_message(0, 200))
            await type_line(socket, "hello")
            await until(socket, "response.created", seen=seen)
            return seen

    kinds = {each["type"] for each in asyncio.run(scene())}
    assert kinds <= {"conversation.item.added", "conversation.item.done"}


# The microphone and the loudspeaker alone


def frames_of(microphone):
    async def all_of_them():
        microphone.close()
        return [frame.copy() async for frame in microphone.frames()]

    return asyncio.run(all_of_them())


def numbered(number, count=1):
    values = np.arange(number + 1, number + 1 + count, dtype=np.int16)
    return Sound(number, np.repeat(values[:, np.newaxis] * 100, FRAME, axis=1))


def heard_values(microphone):
    return [round(float(frame[0]) * 32768 / 100) for frame in frames_of(microphone)]


def test_frames_that_were_lost_become_silence():
    microphone = SocketMicrophone()
    microphone.take(numbered(5, 2))
    microphone.take(numbered(9))
    assert heard_values(microphone) == [6, 7, 0, 0, 10]
    assert microphone.lost == 2


def test_silence_counts_as_many_frames_as_it_says():
    microphone = SocketMicrophone()
    microphone.take(Silence(1, 3))
    microphone.take(numbered(4))
    assert heard_values(microphone) == [0, 0, 0, 5]
    assert microphone.heard == 4


def test_frames_that_come_twice_are_heard_once():
    microphone = SocketMicrophone()
    microphone.take(numbered(1, 3))
    microphone.take(numbered(2, 3))
    assert heard_values(microphone) == [2, 3, 4, 5]


def test_a_client_that_counts_anew_is_heard():
    microphone = SocketMicrophone()
    microphone.take(numbered(300))
    microphone.take(numbered(0))
    microphone.take(numbered(1))
    microphone.take(numbered(1 + LOST * 3))
    assert heard_values(microphone)[:3] == [301, 1, 2]
    assert microphone.heard == 4
    assert not microphone.lost


def test_numbers_begin_again_after_the_greatest():
    microphone = SocketMicrophone()
    microphone.take(Silence(0xFFFFFFFF, 1))
    microphone.take(numbered(1))
    assert heard_values(microphone) == [0, 0, 2]


def test_what_a_message_costs_is_known_before_it_is_heard():
    microphone = SocketMicrophone()
    microphone.take(numbered(1))
    assert microphone.seconds(numbered(4)) == pytest.approx(3 * FRAME / 16_000)
    assert microphone.seconds(numbered(1)) == 0


def test_sound_of_any_rate_and_length_becomes_frames():
    microphone = SocketMicrophone()
    for _ in range(10):
        microphone.pcm(np.full(777, 3_000, "<i2").tobytes(), 24_000)
    microphone.finish()
    frames = frames_of(microphone)
    assert len(frames) == -(-7_770 * 2 // 3 // FRAME)
    assert frames[3].mean() == pytest.approx(3_000 / 32_768, rel=0.01)


class Tape:
    """Where speech goes in these tests."""

    def __init__(self):
        self.sent, self.controls, self.complete = 0, [], []

    def opened(self, playback):
        pass

    def sound(self, playback, samples):
        self.sent += len(samples)

    def control(self, playback, kind, level):
        self.controls.append(kind)

    def whole(self, playback):
        self.complete.append(playback)


def tone(seconds):
    return Audio(np.full(round(seconds * 24_000), 0.1, np.float32), 24_000)


def test_what_is_acknowledged_counts_as_heard_and_never_more_than_was_sent():
    async def scene():
        tape, started = Tape(), asyncio.Event()
        speaker = SocketSpeaker(tape, acknowledged=True)
        playback: Playback = speaker.open(lambda at: started.set())
        playback.play(tone(1.0))
        assert playback.heard == 0
        speaker.heard([Heard(1, 12_000, 0.0, False)])
        assert playback.heard == 0.5
        speaker.heard([Heard(1, 10**9, None, False), Heard(7, 5, None, True)])
        assert playback.heard == 1.0
        await playback.finished()
        await started.wait()
        playback.stop()
        assert await playback.settled() == 1.0
        assert tape.complete == [1]

    asyncio.run(scene())


def test_the_last_acknowledgement_after_a_stop_is_what_was_heard():
    async def scene():
        speaker = SocketSpeaker(Tape(), acknowledged=True)
        playback = speaker.open(lambda at: None)
        playback.play(tone(1.0))
        speaker.heard([Heard(1, 12_000, 0.0, False)])
        playback.stop()
        asyncio.get_running_loop().call_soon(speaker.heard, [Heard(1, 14_400, None, True)])
        assert await playback.settled() == 0.6
        speaker.heard([Heard(1, 20_000, None, True)])
        assert playback.heard == 0.6

    asyncio.run(scene())


def test_a_client_that_says_nothing_is_taken_to_hear_what_it_was_sent():
    async def scene():
        tape = Tape()
        speaker = SocketSpeaker(tape)
        playback = speaker.open(lambda at: None)
        playback.play(tone(0.1))
        playback.pause()
        assert not tape.controls
        await playback.finished()
        assert playback.heard == pytest.approx(0.1)
        assert tape.complete == [1]

    asyncio.run(scene())


def test_a_client_that_says_nothing_may_say_where_it_has_cut():
    async def scene():
        speaker = SocketSpeaker(Tape())
        playback = speaker.open(lambda at: None)
        playback.play(tone(5.0))
        speaker.cut(1, 0.25)
        playback.stop()
        assert await playback.settled() == 0.25

    asyncio.run(scene())


def test_a_client_that_is_gone_hears_nothing_more():
    async def scene():
        tape = Tape()
        speaker = SocketSpeaker(tape, acknowledged=True)
        playback = speaker.open(lambda at: None)
        playback.play(tone(1.0))
        speaker.heard([Heard(1, 2_400, 0.0, False)])
        speaker.leave()
        await playback.finished()
        speaker.heard([Heard(1, 24_000, None, False)])
        assert playback.heard == pytest.approx(0.1)
        later = speaker.open(lambda at: None)
        later.play(tone(1.0))
        await later.finished()
        assert later.heard == 0

    asyncio.run(scene())


def test_the_transcriber_hears_what_was_sent(gateway):
    reader = Loudness()

    async def scene(address):
        async with connected(address) as socket:
            await ask(socket, 0.3, seconds=1.0)
            await until(socket, "response.done")

    with served(stubs(stt=reader)) as address:
        asyncio.run(scene(address))
    assert reader.seconds[-1] == pytest.approx(1.0, abs=0.5)
