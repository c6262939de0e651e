"""Notes and timers that all gateways share, in one real Redis and in a Cluster."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from redis_server import DURABLE, redis_server, redis_that_stops

from voice_kit.serve.places import make_places, new_id
from voice_kit.serve.places_ram import RamPlaces
from voice_kit.think.skills import Alarms, Notebook, Room
from voice_kit.think.skills.alarms import EVERY
from voice_kit.think.tools import ToolError

pytestmark = [pytest.mark.anyio, pytest.mark.needs("redis")]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def redis_url(redis_port):
    return f"redis://127.0.0.1:{redis_port}/0"


@asynccontextmanager
async def gateways(url, keep_days=0.0):
    async with make_places(url, keep_days) as here, make_places(url, keep_days) as there:
        yield here, there


@asynccontextmanager
async def stopping(folder):
    """Two gateways, and functions that take their Redis away and bring it back."""
    with redis_that_stops(folder) as (port, away, back):
        async with gateways(f"redis://127.0.0.1:{port}/0") as (here, there):
            yield here, there, away, back


async def pages_of(places, conversation, subject="ann"):
    """As a session that takes the conversation has them."""
    hold = await places.take(subject, conversation)
    return await asyncio.to_thread(places.pages, subject, hold)


async def until(true):
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0)


async def handed_over(places):
    await until(lambda: not places.memory.unwritten)


def notebook(pages):
    return Notebook(pages, Room())


class Moment:
    """A clock that is set by hand."""

    now = 1_800_000_000.0

    def __call__(self):
        return self.now


async def test_a_gateway_that_shares_nothing_leaves_notes_in_their_folder():
    assert RamPlaces().pages("ann", None) is None


@pytest.mark.parametrize("kind", ["redis_url", "cluster_url"])
async def test_what_is_noted_here_is_read_there(kind, request):
    async with gateways(request.getfixturevalue(kind)) as (here, there):
        known, other = new_id("ann"), new_id("ann")
        pages = await pages_of(here, known)
        notebook(pages).add("Milk", "shopping")
        assert notebook(pages).notes("shopping") == ["Milk"], "at once, whatever Redis does"
        Alarms(pages, Room()).add("timer", time.time() + 600, name="tea", length=600)
        await handed_over(here)
        taken = await pages_of(there, known)
        assert notebook(taken).notes("shopping") == ["Milk"]
        assert [each.title for each in Alarms(taken, Room()).pending()] == ["tea timer"]
        assert notebook(await pages_of(there, other)).notes("shopping") == []


async def test_questions_outside_of_any_conversation_have_notes_of_their_guest(redis_url):
    async with gateways(redis_url) as (here, there):
        pages = await asyncio.to_thread(here.pages, "bob", None)
        notebook(pages).add("Bread")
        await handed_over(here)
        assert notebook(await asyncio.to_thread(there.pages, "bob", None)).notes() == ["Bread"]
        assert notebook(await asyncio.to_thread(there.pages, "eve", None)).notes() == []


async def test_two_that_write_at_once_do_not_lose_each_others_notes(redis_url):
    async with gateways(redis_url) as (here, there):
        known = new_id("ann")
        both = [await pages_of(here, known), await pages_of(there, known)]
        for number in range(20):
            for name, pages in zip("ab", both, strict=True):
                notebook(pages).add(f"{name} {number}")
        await handed_over(here)
        await handed_over(there)
        kept = notebook(await pages_of(there, known)).notes()
        assert sorted(kept) == sorted(f"{name} {n}" for name in "ab" for n in range(20))
        assert [note for note in kept if note[0] == "a"] == [f"a {n}" for n in range(20)]


async def test_what_was_said_to_be_noted_outlives_the_gateway(redis_url):
    async with gateways(redis_url) as (here, _):
        pages = await pages_of(here, new_id("ann"))
        for number in range(50):
            await asyncio.to_thread(notebook(pages).add, f"note {number}")
            assert not here.memory.unwritten, "killed now, it would be lost"


async def test_a_timer_rings_where_its_conversation_goes_on_and_each_ring_once(redis_url):
    async with gateways(redis_url) as (here, there):
        known, clock = new_id("ann"), Moment()
        first = Alarms(await pages_of(here, known), Room(clock))
        first.add("timer", clock.now + 10, name="tea", length=10)
        await handed_over(here)
        second = Alarms(await pages_of(there, known), Room(clock))
        assert list(second.due()) == []
        clock.now += 10
        assert list(second.due()) == ["Your tea timer is done."]
        await handed_over(there)
        third = Alarms(await pages_of(here, known), Room(clock))
        assert list(third.due()) == []
        clock.now += EVERY
        assert list(third.due()) == ["Your tea timer is done."]
        third.remove(third.ringing())
        await handed_over(here)
        assert Alarms(await pages_of(there, known), Room(clock)).pending() == []


async def test_with_a_conversation_its_notes_are_deleted_and_stay_so(redis_url, redis_port):
    import redis

    secret = "zebra-umbrella-7041"
    async with gateways(redis_url) as (here, there):
        known = new_id("ann")
        pages = await pages_of(here, known)
        notebook(pages).add(secret)
        await handed_over(here)
        server = redis.Redis(port=redis_port)
        assert secret.encode() in everything(server)
        assert await there.delete("ann", known)
        assert secret.encode() not in everything(server)
        notebook(pages).add(secret)  # a tool that was still at work
        await handed_over(here)
        assert secret.encode() not in everything(server)
        again = notebook(await pages_of(there, known))
        assert again.notes() == []
        again.add("A new one.")
        await handed_over(there)
        assert notebook(await pages_of(here, known)).notes() == ["A new one."]


def everything(server):
    return b"".join(server.dump(key) or b"" for key in server.scan_iter())


async def test_notes_are_kept_as_long_as_their_conversation(redis_url, redis_port):
    import redis

    from voice_kit.think.memory.redis_store import key
    from voice_kit.think.memory.store import Line

    async with gateways(redis_url, keep_days=1.0) as (here, _):
        hold = await here.take("ann", new_id("ann"))
        notebook(await asyncio.to_thread(here.pages, "ann", hold)).add("Milk")
        await handed_over(here)
        server, where = redis.Redis(port=redis_port), key(hold.name, "pages")
        assert 86_000_000 < server.pttl(where) <= 86_400_000
        server.pexpire(where, 5_000)
        line = Line("x", "user", "Hello.", time.time())
        await asyncio.to_thread(hold.store.append, hold.name, [line])
        assert server.pttl(where) > 86_000_000


async def test_while_redis_is_away_notes_are_taken_and_timers_ring(tmp_path):
    async with stopping(tmp_path) as (here, there, away, back):
        known, clock = new_id("ann"), Moment()
        pages = await pages_of(here, known)
        notes, alarms = notebook(pages), Alarms(pages, Room(clock))
        notes.add("Before.")
        alarms.add("timer", clock.now + 10, length=10)
        await handed_over(here)
        await asyncio.to_thread(away)
        clock.now += 10
        assert list(alarms.due()) == ["Your timer of 10 seconds is done."]
        notes.add("Meanwhile.")
        with pytest.raises(ToolError, match="another one"):
            notes.delete_last("notes", "Before.")
        alarms.remove(alarms.ringing())
        blind = notebook(await pages_of(there, known))
        assert blind.notes() == []
        blind.add("Elsewhere.")
        assert here.memory.unwritten and there.memory.unwritten
        del pages, notes, alarms  # its session has ended, and its user comes back
        again = notebook(await pages_of(here, known))
        assert again.notes() == ["Before.", "Meanwhile."]
        await asyncio.to_thread(back)
        await handed_over(here)
        await handed_over(there)
        kept = await pages_of(here, known)
        assert sorted(notebook(kept).notes()) == ["Before.", "Elsewhere.", "Meanwhile."]
        assert Alarms(kept, Room(clock)).pending() == []
        await until(lambda: "Before." in blind.notes())


async def test_who_was_blind_sees_the_notes_once_redis_is_back(tmp_path):
    async with stopping(tmp_path) as (here, there, away, back):
        known = new_id("ann")
        notebook(await pages_of(here, known)).add("Before.")
        await handed_over(here)
        await asyncio.to_thread(away)
        blind = notebook(await pages_of(there, known))
        assert blind.notes() == []
        await asyncio.to_thread(back)
        await until(lambda: blind.notes() == ["Before."])


async def test_what_waits_when_the_gateway_ends_is_handed_over_first(tmp_path):
    with redis_server(tmp_path, *DURABLE) as port:
        url, known = f"redis://127.0.0.1:{port}/0", new_id("ann")
        async with make_places(url) as here:
            pages = await pages_of(here, known)
            here.memory.pages.close()  # its thread is not there any more
            notebook(pages).add("At the very end.")
        async with make_places(url) as there:
            assert notebook(await pages_of(there, known)).notes() == ["At the very end."]
