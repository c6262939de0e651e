"""Two gateways and one real Redis: either goes on with any conversation, whatever happens."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest
import websockets
from helpers_serve import TOKEN, Parrot, Tone, say, served, stubs, until
from redis_server import redis_server, redis_that_stops

from voice_kit.serve.places import new_id

pytestmark = pytest.mark.needs("redis", "serve")

HERE = Path(__file__).parent
SECRET = "zebra-umbrella-7041"


@pytest.fixture(scope="module")
def port(redis_port):
    return redis_port


@pytest.fixture(scope="module")
def two(port):
    with both(port) as gateways:
        yield gateways


@contextmanager
def both(port, **changes):
    url = f"redis://127.0.0.1:{port}/0"
    with served(redis=url, **changes) as first, served(redis=url, **changes) as second:
        yield first, second


@contextmanager
def alone(port):
    """A gateway in a process of its own, and the process."""
    command = [sys.executable, HERE / "gateway_alone.py", f"redis://127.0.0.1:{port}/0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE)
    try:
        yield process.stdout.readline().strip(), process
    finally:
        process.kill()
        process.communicate()


@asynccontextmanager
async def connected(address, conversation=""):
    asked = f"{address.replace('http', 'ws', 1)}/v1/realtime?token={TOKEN}"
    async with websockets.connect(f"{asked}&conversation={conversation}", max_size=None) as socket:
        created = await until(socket, "session.created")
        socket.conversation = created["session"]["voice_kit"]["conversation"]
        yield socket


async def ask(socket, text):
    """The answer to a typed line, once it is over."""
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    await say(socket, type="conversation.item.create", item=item)
    await say(socket, type="response.create")
    return await spoken(socket)


async def spoken(socket):
    """What the next answer that is over was."""
    done = await until(socket, "response.done", seconds=40)  # a timer rings again after 15
    return done["response"]["output"][0]["content"][0]["transcript"]


async def closed(socket):
    """The code with which it is closed."""
    async with asyncio.timeout(20):
        try:
            while True:
                await socket.recv()
        except websockets.ConnectionClosed as gone:
            return gone.rcvd.code if gone.rcvd else None


async def request(address, method, path, **more):
    async with httpx.AsyncClient(timeout=20) as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return await client.request(method, address + path, **{"headers": headers, **more})


async def readiness(address):
    answer = await request(address, "GET", "/ready")
    return answer.status_code, answer.json()["degraded"]


async def counted(address, line):
    """Once its metrics say so."""
    async with asyncio.timeout(20):
        while line not in (await request(address, "GET", "/metrics")).text.splitlines():
            pass


async def said(address, conversation):
    """What its user said, as memory has it."""
    answer = await request(address, "GET", f"/v1/conversations/{conversation}/lines")
    lines = answer.json().get("data", [])  # none while Redis is away
    return [line["text"] for line in lines if line["role"] == "user"]


async def remembered(address, conversation, lines):
    """Once memory has exactly these of its user."""
    async with asyncio.timeout(30):
        while await said(address, conversation) != lines:
            pass


def test_a_conversation_goes_on_at_the_other_gateway_with_its_memory(port):
    url, parrot = f"redis://127.0.0.1:{port}/0", Parrot()

    async def scene(first, second):
        async with connected(first) as socket:
            assert await ask(socket, "My cat is called Miso.") == "You said My cat is called Miso.."
            known = socket.conversation
        async with connected(second, known) as socket:
            assert socket.conversation == known
            await ask(socket, "What is my cat called?")
        await remembered(first, known, ["My cat is called Miso.", "What is my cat called?"])

    with served(redis=url) as first, served(stubs(llm=parrot), redis=url) as second:
        asyncio.run(scene(first, second))
    told = [text for _, text in parrot.prompts[-1]]
    assert "My cat is called Miso." in told and "What is my cat called?" in told


def test_a_timer_of_a_gateway_that_died_rings_at_the_other_which_has_the_notes_too(two, port):
    async def scene(doomed, process):
        async with connected(doomed) as socket:
            assert await ask(socket, "Take a note buy milk.") == "Noted."
            said = "Tea timer set for 3 seconds."
            assert await ask(socket, "Set a tea timer for three seconds.") == said
            process.send_signal(signal.SIGKILL)
            assert await closed(socket) is None
        async with connected(two[0], socket.conversation) as again:
            assert await spoken(again) == "Your tea timer is done."
            assert await ask(again, "Stop.") == "Okay."
            assert await ask(again, "Read my notes.") == "You have 1 note: buy milk."
        async with connected(two[1], socket.conversation) as third:
            assert await ask(third, "How much time is left?") == "There is no timer."
            known = f"/v1/conversations/{third.conversation}"
            assert (await request(two[0], "DELETE", known)).is_success
            assert await closed(third) == 4409
        async with connected(two[1], socket.conversation) as empty:
            assert await ask(empty, "Read my notes.") == "There are no notes."

    with alone(port) as (doomed, process):
        asyncio.run(scene(doomed, process))


def test_two_conversations_of_a_guest_do_not_hear_each_other(two):
    async def scene():
        async with connected(two[0]) as one, connected(two[1]) as other:
            await asyncio.gather(ask(one, "One."), ask(other, "Other."))
            await remembered(two[1], one.conversation, ["One."])
            await remembered(two[0], other.conversation, ["Other."])

    asyncio.run(scene())


def test_a_session_whose_conversation_is_taken_ends_in_the_middle_of_its_answer_as_heard(port):
    parrot = Parrot()
    story = " ".join(f"word{number}" for number in range(400)) + "."
    url = f"redis://127.0.0.1:{port}/0"

    async def scene(first, second):
        async with connected(first) as old:
            content = [{"type": "input_text", "text": "Tell a story."}]
            item = {"type": "message", "role": "user", "content": content}
            await say(old, type="conversation.item.create", item=item)
            await say(old, type="response.create")
            await until(old, "response.output_audio.delta")
            assert await heard(first, 0.1)
            async with connected(second, old.conversation) as new:
                assert await closed(old) == 4409
                await ask(new, "Go on.")
                await remembered(second, old.conversation, ["Tell a story.", "Go on."])
        assert not first.shared.sessions or await ended(first)

    engines = stubs(llm=Parrot(story), tts=Tone(0.2))
    with served(engines, redis=url) as first, served(stubs(llm=parrot), redis=url) as second:
        asyncio.run(scene(first, second))
    (question, (role, words), again) = parrot.prompts[-1][1:]
    assert (question, again) == (("user", "Tell a story."), ("user", "Go on."))
    assert role == "assistant" and story.startswith(words)


async def heard(address, seconds):
    async with asyncio.timeout(20):
        while True:
            answers = [each.talk._floor._answer for each in address.shared.sessions]
            if any(answer and answer.heard > seconds for answer in answers):
                return True
            await asyncio.sleep(0)


async def ended(address):
    async with asyncio.timeout(20):
        while address.shared.sessions:  # noqa: ASYNC110 - they end on another loop
            await asyncio.sleep(0)
    return True


def test_a_deleted_conversation_ends_at_the_other_gateway_and_is_gone(two, port):
    import redis

    async def scene():
        async with connected(two[0]) as socket:
            await ask(socket, SECRET)
            known = socket.conversation
            await remembered(two[1], known, [SECRET])
            answer = await request(two[1], "DELETE", f"/v1/conversations/{known}")
            assert answer.json() == {
                "id": known,
                "object": "conversation.deleted",
                "deleted": True,
            }
            assert await closed(socket) == 4409
        await ended(two[0])
        assert await said(two[0], known) == []
        listed = await request(two[0], "GET", "/v1/conversations")
        assert known not in [each["id"] for each in listed.json()["data"]]

    asyncio.run(scene())
    server = redis.Redis(port=port)
    kept = b"".join(server.dump(key) for key in server.scan_iter())
    assert SECRET.encode() not in kept


def test_a_killed_gateway_loses_no_turn_and_its_clients_go_on_at_the_other(two, port):
    count = 5

    async def scene(doomed, process):
        async def user(number):
            lines = [f"I am {number}.", f"Still {number}."]
            async with connected(doomed) as socket:
                for line in lines:
                    await ask(socket, line)
                    await remembered(two[0], socket.conversation, lines[: lines.index(line) + 1])
                ready.release()
                assert await closed(socket) is None
            async with connected(two[0], socket.conversation) as again:
                await ask(again, "And now?")
            await remembered(two[1], socket.conversation, [*lines, "And now?"])

        ready = asyncio.Semaphore(0)
        async with asyncio.TaskGroup() as users:
            for number in range(count):
                users.create_task(user(number))
            for _ in range(count):
                await ready.acquire()
            process.send_signal(signal.SIGKILL)

    with alone(port) as (doomed, process):
        asyncio.run(scene(doomed, process))


def test_redis_stops_and_comes_back_and_no_remembered_turn_is_lost(tmp_path):
    waits = []

    async def timed(awaitable):
        began = time.monotonic()
        result = await awaitable
        waits.append(time.monotonic() - began)
        return result

    async def scene(first, second, stop, start):
        async with connected(first) as one, connected(second) as other:
            await ask(one, "Before.")
            await ask(other, "Before, too.")
            await remembered(second, one.conversation, ["Before."])
            await remembered(first, other.conversation, ["Before, too."])
            assert await readiness(first) == (200, [])
            await asyncio.to_thread(stop)
            await timed(ask(one, "Meanwhile."))
            assert await readiness(first) == (200, ["redis"])
            await counted(first, 'voice_kit_degraded{without="redis"} 1.0')
            await timed(ask(other, "Meanwhile, too."))
            async with AsyncExitStack() as windows:
                new = await timed(windows.enter_async_context(connected(first)))
                await timed(ask(new, "New."))
            async with AsyncExitStack() as windows:
                opened = connected(first, new.conversation)
                again = await timed(windows.enter_async_context(opened))
                await timed(ask(again, "New again."))
            listed = await timed(request(first, "GET", "/v1/conversations"))
            assert "cannot be reached" in listed.json()["problem"]
            refused = await request(first, "DELETE", f"/v1/conversations/{one.conversation}")
            assert refused.status_code == 503
            await asyncio.to_thread(start)
            await remembered(second, one.conversation, ["Before.", "Meanwhile."])
            await remembered(first, other.conversation, ["Before, too.", "Meanwhile, too."])
            await remembered(second, new.conversation, ["New.", "New again."])
            await counted(first, 'voice_kit_degraded{without="redis"} 0.0')
            assert await readiness(first) == (200, [])
            await ask(one, "After.")
            await remembered(second, one.conversation, ["Before.", "Meanwhile.", "After."])

    with redis_that_stops(tmp_path) as (port, stop, start), both(port) as (first, second):
        asyncio.run(scene(first, second, stop, start))
    assert len(waits) == 7
    assert max(waits) < 8, "somebody waited longer than Redis may take"


def test_a_redis_that_hangs_keeps_nobody_waiting(tmp_path):
    import redis

    async def scene(first, process):
        async with connected(first) as one:
            await ask(one, "Before.")
            await remembered(first, one.conversation, ["Before."])
            os.kill(process, signal.SIGSTOP)
            try:
                began = time.monotonic()
                answers = [ask(one, f"Meanwhile {number}.") for number in range(1)]
                await asyncio.gather(*answers)
                spoken = time.monotonic() - began
                async with connected(first) as new:
                    await ask(new, "New.")
                begun = time.monotonic() - began - spoken
            finally:
                os.kill(process, signal.SIGCONT)
            await remembered(first, one.conversation, ["Before.", "Meanwhile 0."])
            await remembered(first, new.conversation, ["New."])
            return spoken, begun

    with redis_server(tmp_path) as port, served(redis=f"redis://127.0.0.1:{port}/0") as first:
        process = redis.Redis(port=port).info("server")["process_id"]
        spoken, begun = asyncio.run(scene(first, process))
    assert spoken < 5 and begun < 10


def test_only_ones_own_conversations_are_listed_named_and_deleted(port):
    from voice_kit.serve.jwts import issue

    secret = "only-for-these-tests-" * 2
    url = f"redis://127.0.0.1:{port}/0"

    async def scene(address):
        def bearer(subject):
            token, _ = issue(address.shared.serve, subject, 1)
            return {"Authorization": f"Bearer {token}"}

        ann, ben = bearer("ann"), bearer("ben")
        made = await request(address, "POST", "/v1/conversations", headers=ann,
                             json={"title": "Rome"})  # fmt: skip
        assert made.status_code == 201
        path = f"/v1/conversations/{made.json()['id']}"
        nobodys = f"/v1/conversations/{new_id('someone else')}"
        asks = [
            ("GET", {}),
            ("PATCH", {"json": {"title": "mine"}}),
            ("DELETE", {}),
            ("GET", {}),
        ]
        for method, more in asks:
            for end in ("", "/lines") if method == "GET" else ("",):
                theirs = await request(address, method, path + end, headers=ben, **more)
                none = await request(address, method, nobodys + end, headers=ben, **more)
                assert theirs.status_code == none.status_code == 404
                assert theirs.json() == none.json()
        assert (await request(address, "GET", path)).status_code == 401
        listed = await request(address, "GET", "/v1/conversations", headers=ben)
        assert listed.json()["data"] == []
        renamed = await request(address, "PATCH", path, headers=ann, json={"title": " Paris\n "})
        assert renamed.json()["title"] == "Paris"
        (one,) = (await request(address, "GET", "/v1/conversations", headers=ann)).json()["data"]
        assert one["title"] == "Paris" and one["id"] == made.json()["id"]
        assert (await request(address, "DELETE", path, headers=ann)).status_code == 200
        listed = await request(address, "GET", "/v1/conversations", headers=ann)
        assert listed.json()["data"] == []

    with served(redis=url, secret=secret, token="") as address:
        asyncio.run(scene(address))
