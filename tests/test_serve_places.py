"""What all gateways share: in one process, in one Redis, in a Cluster, behind a Sentinel."""

import asyncio
import itertools
import os
import signal
import time
from contextlib import asynccontextmanager, suppress

import pytest
from redis_server import redis_server, redis_that_stops

from voice_kit.errors import SettingsError
from voice_kit.serve.places import (
    DAY,
    TITLE,
    AwayError,
    UnknownConversationError,
    make_places,
    new_id,
    title_of,
)
from voice_kit.serve.places_ram import RamPlaces
from voice_kit.think.memory.redis_store import key as key_of
from voice_kit.think.memory.store import Line, MemoryStoreError

pytestmark = pytest.mark.anyio
SECRET = "zebra-umbrella-7041"
guests = (f"guest{number}" for number in itertools.count())


@pytest.fixture
def anyio_backend():
    return "asyncio"


NEEDS = pytest.mark.needs("redis")


@pytest.fixture(params=["ram", pytest.param("redis", marks=NEEDS),
                        pytest.param("cluster", marks=NEEDS)])  # fmt: skip
def url(request):
    if request.param == "ram":
        return ""
    if request.param == "cluster":
        return request.getfixturevalue("cluster_url")
    return f"redis://127.0.0.1:{request.getfixturevalue('redis_port')}/0"


@pytest.fixture
def redis_url(redis_port):
    return f"redis://127.0.0.1:{redis_port}/0"


@pytest.fixture
def ann():
    return next(guests)


@asynccontextmanager
async def gateways(url, keep_days=0.0):
    """Two that share what they can: without a Redis it is one, twice."""
    first = make_places(url, keep_days)
    second = make_places(url, keep_days) if url else first
    async with first, second:
        yield first, second


async def talk(hold, *words):
    """Someone says these, and is answered."""
    history = await asyncio.to_thread(hold.history)
    for each in words:
        history.add("user", each)
        history.add("assistant", f"You said {each}")
    written = await asyncio.to_thread(history.flush)
    return history, written


def said(memory, hold):
    return [line.text for line in memory.last(hold.name) if line.role == "user"]


# Whose conversations


async def test_a_conversation_is_listed_once_something_was_said_in_it(url, ann):
    async with gateways(url) as (here, there):
        new = await here.open(ann)
        hold = await here.take(ann, new.id)
        assert await there.conversations(ann) == []
        before = time.time()
        await talk(hold, "What is the time in Rome?", "And now?")
        (listed,) = await there.conversations(ann)
        assert (listed.id, listed.title) == (new.id, "What is the time in Rome?")
        assert before <= listed.created <= listed.changed
        assert await there.open(ann, new.id) == listed


async def test_they_are_listed_page_by_page_the_last_changed_first(url, ann):
    async with gateways(url) as (here, there):
        for number in range(7):
            hold = await here.take(ann, new_id(ann))
            hold.store.append(hold.name, [Line("x", "user", f"talk {number}", 100.0 + number)])
        seen, after = [], ""
        while page := await there.conversations(ann, 3, after):
            assert len(page) <= 3
            seen += [info.title for info in page]
            after = page[-1].id
        assert seen == [f"talk {number}" for number in reversed(range(7))]
        with pytest.raises(UnknownConversationError):
            await there.conversations(ann, 3, new_id(ann))


async def test_somebody_elses_conversation_is_refused_as_if_nobody_had_it(url, ann):
    ben = next(guests)
    async with gateways(url) as (here, there):
        hold = await here.take(ann, (await here.open(ann)).id)
        await talk(hold, SECRET)
        answers = []
        for refused in (hold.id, new_id(next(guests)), "", "x" * 28, "é\ud800", hold.id[:-1]):
            for ask in (
                there.open(ben, refused),
                there.take(ben, refused),
                there.rename(ben, refused, "mine"),
                there.delete(ben, refused),
            ):
                with pytest.raises(UnknownConversationError) as raised:
                    await ask
                answers.append(str(raised.value))
        assert len(answers) == 24 and len(set(answers)) == 1
        assert await there.conversations(ben) == []
        assert not hold.lost and said(there.memory, hold) == [SECRET]


@NEEDS
async def test_who_is_refused_learns_nothing_from_how_long_it_takes(monkeypatch, ann):
    from voice_kit.serve.places_redis import RedisPlaces

    asked = []
    monkeypatch.setattr(RedisPlaces, "_asked", lambda self, ask: asked.append(ask))
    places = make_places("redis://127.0.0.1:1/0")
    for refused in (new_id(next(guests)), "nonsense"):
        with pytest.raises(UnknownConversationError):
            await places.open(ann, refused)
        with pytest.raises(UnknownConversationError):
            await places.take(ann, refused)
    assert not asked, "the server was asked, which takes longer for what is there"


async def test_ones_own_conversation_of_which_nothing_is_kept_is_begun_again(url, ann):
    async with gateways(url) as (here, there):
        known = new_id(ann)
        assert (await here.open(ann, known)).title == ""
        await talk(await here.take(ann, known), "Hello.")
        assert (await there.open(ann, known)).title == "Hello."


async def test_guests_whose_names_look_alike_do_not_meet(url):
    names = ["a", "a/b", "a}b", "a%7Db", "{a}", "*", "a" * 300]
    run = next(guests)
    async with gateways(url) as (here, there):
        for name in names:
            hold = await here.take(run + name, new_id(run + name))
            await talk(hold, f"I am {name}."[:TITLE])
        for name in names:
            (listed,) = await there.conversations(run + name)
            assert listed.title == title_of(f"I am {name}."[:TITLE])


def test_a_title_is_one_short_line():
    assert title_of("  one\ntwo\x00 \u202e three ") == "one two three"
    assert title_of("word " * 30) == ("word " * 12)[:-1][: TITLE - 1].rpartition(" ")[0] + "…" or (
        len(title_of("word " * 30)) <= TITLE
    )
    assert len(title_of("x" * 100)) == TITLE
    assert title_of("") == title_of("\n") == ""


# Who serves it


async def test_another_gateway_goes_on_with_its_memory(url, ann):
    async with gateways(url) as (here, there):
        first = await here.take(ann, new_id(ann))
        history, _ = await talk(first, "My cat is called Miso.")
        await asyncio.to_thread(history.close)
        second = await there.take(ann, first.id)
        later = await asyncio.to_thread(second.history)
        assert [line.content for line in later.lines] == [
            "My cat is called Miso.",
            "You said My cat is called Miso.",
        ]


async def test_who_served_it_before_is_told_once_and_writes_nothing_more(url, ann):
    async with gateways(url) as (here, there):
        told = asyncio.Queue()
        first = await here.take(ann, new_id(ann), lambda: told.put_nowait("let go"))
        history, written = await talk(first, "One.")
        assert written and not first.lost
        second = await there.take(ann, first.id)
        async with asyncio.timeout(5):
            await told.get()
        history.add("user", "Two, to nobody.")
        assert not await asyncio.to_thread(history.flush)
        assert "another window" in history.problem
        await talk(second, "Two.")
        assert said(there.memory, first) == ["One.", "Two."]
        assert first.lost and not second.lost and told.empty()


async def test_what_was_said_before_it_was_taken_is_written_all_the_same(url, ann):
    async with gateways(url) as (here, there):
        first = await here.take(ann, new_id(ann))
        before = time.time()
        await there.take(ann, first.id)
        first.store.append(first.name, [Line("x", "user", "Just in time.", before)])
        with pytest.raises(MemoryStoreError):
            first.store.append(first.name, [Line("y", "user", "Too late.", time.time() + 1)])
        assert said(there.memory, first) == ["Just in time."]


async def test_who_served_it_before_has_a_moment_to_write_what_was_heard(url, ann):
    async def ends(hold, history, asked):
        await asked.wait()
        history.add("user", "Heard.")
        await asyncio.to_thread(history.flush)
        await hold.release()

    async with gateways(url) as (here, there):
        for _ in range(5):  # in a Cluster each is somewhere else
            asked = asyncio.Event()
            former = await here.take(ann, new_id(ann), asked.set)
            history, _ = await talk(former)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(ends(former, history, asked))
                latter = await there.take(ann, former.id)
            assert said(there.memory, latter) == ["Heard."]


async def test_a_session_that_has_ended_is_told_nothing(url, ann):
    async with gateways(url) as (here, there):
        told, again = asyncio.Event(), asyncio.Event()
        first = await here.take(ann, new_id(ann), told.set)
        await first.release()
        await first.release()
        second = await there.take(ann, first.id, again.set)
        await there.take(ann, first.id)
        async with asyncio.timeout(5):
            await again.wait()
        assert second.lost and not told.is_set()


@NEEDS
async def test_a_session_that_missed_the_news_notices_when_it_writes(redis_url, ann, monkeypatch):
    monkeypatch.setattr("voice_kit.serve.redis_upkeep.Upkeep.listen", lambda _: asyncio.sleep(0))
    deaf = make_places(redis_url)
    async with deaf, make_places(redis_url) as there:
        told = asyncio.Event()
        first = await deaf.take(ann, new_id(ann), told.set)
        history, _ = await talk(first, "One.")
        await there.take(ann, first.id)
        assert not first.lost
        history.add("user", "Two, to nobody.")
        assert not await asyncio.to_thread(history.flush)
        async with asyncio.timeout(5):
            await told.wait()
        assert said(there.memory, first) == ["One."]


@NEEDS
async def test_a_session_is_not_told_to_let_go_of_what_it_took_itself(redis_url, ann):
    from voice_kit.serve import scripts

    async with gateways(redis_url) as (here, there):
        told, later = asyncio.Event(), asyncio.Event()
        hold = await here.take(ann, new_id(ann), told.set)
        given = hold.token, here.gateway, hold.name
        await here._eval(scripts.TAKE, [key_of(hold.name, "holder")], *given)
        other = await here.take(ann, new_id(ann), later.set)
        await there.take(ann, other.id)
        async with asyncio.timeout(5):
            await later.wait()  # whatever was said before was heard
        assert not told.is_set() and not hold.lost


@NEEDS
async def test_one_whose_news_were_cut_off_asks_when_it_listens_again(redis_url, redis_port, ann):
    import redis

    async with gateways(redis_url) as (here, there):
        told = asyncio.Event()
        first = await here.take(ann, new_id(ann), told.set)
        server = redis.Redis(port=redis_port)
        channel = f"voice-kit:gateway:{here.gateway}"
        await until(lambda: server.pubsub_numsub(channel)[0][1])
        server.client_kill_filter(_type="pubsub")
        await there.take(ann, first.id)
        async with asyncio.timeout(10):
            await told.wait()
        assert first.lost


# Forgetting


async def test_a_deleted_conversation_is_gone_and_its_session_ends(url, ann):
    async with gateways(url) as (here, there):
        told = asyncio.Event()
        hold = await here.take(ann, new_id(ann), told.set)
        history, _ = await talk(hold, SECRET)
        history.remember(SECRET)
        await asyncio.to_thread(history.flush)
        assert await there.delete(ann, hold.id)
        async with asyncio.timeout(5):
            await told.wait()
        history.add("user", SECRET)
        assert not await asyncio.to_thread(history.flush)
        assert await there.conversations(ann) == []
        assert there.memory.last(hold.name) == there.memory.facts(hold.name) == []
        assert not await there.delete(ann, hold.id)
        again = await there.take(ann, hold.id)
        await talk(again, "Hello.")
        await asyncio.to_thread(history.close)
        assert said(there.memory, again) == ["Hello."]


@NEEDS
async def test_nothing_that_was_said_is_left_in_redis_after_deleting(tmp_path, ann):
    with redis_server(tmp_path) as port:
        import redis

        server = redis.Redis(port=port)
        async with gateways(f"redis://127.0.0.1:{port}/0") as (here, there):
            hold = await here.take(ann, new_id(ann))
            history, _ = await talk(hold, SECRET, SECRET)
            history.remember(SECRET)
            assert await asyncio.to_thread(history.flush)
            lines = history.summary_needs(0)
            assert lines and await asyncio.to_thread(history.summarised, lines, SECRET)
            await here.rename(ann, hold.id, SECRET)
            assert _everything(server).count(SECRET.encode()) >= 4
            await there.delete(ann, hold.id)
            assert SECRET.encode() not in _everything(server)


def _everything(server):
    return b"".join(value for key in server.scan_iter() for value in (key, server.dump(key)))


async def test_a_title_does_not_outlive_what_it_was_made_of(url, ann):
    async with gateways(url) as (here, there):
        hold = await here.take(ann, new_id(ann))
        history, _ = await talk(hold, SECRET, "Harmless.")
        (listed,) = await there.conversations(ann)
        assert listed.title == SECRET
        first = history.store.last(hold.name)[0].exchange
        await asyncio.to_thread(history.forget, first)
        assert [info.title for info in await there.conversations(ann)] == ["Harmless."]
        await asyncio.to_thread(history.forget_everything)
        assert [info.title for info in await there.conversations(ann)] == [""]


async def test_what_its_owner_calls_it_stays(url, ann):
    async with gateways(url) as (here, there):
        hold = await here.take(ann, new_id(ann))
        history, _ = await talk(hold, "Hello.")
        renamed = await there.rename(ann, hold.id, "Rome")
        assert renamed.title == "Rome"
        history.add("user", "More.")
        await asyncio.to_thread(history.forget_everything)
        assert [info.title for info in await here.conversations(ann)] == ["Rome"]


async def test_after_the_days_that_are_kept_here_all_is_forgotten(ann):
    now = [1000.0]
    places = RamPlaces(2 * DAY, clock=lambda: now[0])
    old, new = [await places.take(ann, new_id(ann)) for _ in range(2)]
    old.store.append(old.name, [Line("x", "user", "old", 1.0)])
    now[0] += 1.5 * DAY
    new.store.append(new.name, [Line("x", "user", "new", 1.0)])
    now[0] += 1.0 * DAY
    assert [info.title for info in await places.conversations(ann)] == ["new"]
    assert places.memory.names() == [new.name]


@NEEDS
async def test_after_the_days_that_are_kept_redis_forgets_it(redis_url, redis_port, ann):
    import redis

    async with gateways(redis_url, keep_days=2) as (here, there):
        old, new = [await here.take(ann, new_id(ann)) for _ in range(2)]
        old.store.append(old.name, [Line("x", "user", "old", time.time() - 3 * DAY)])
        history, _ = await talk(new, "new")
        history.remember("a fact")
        assert await asyncio.to_thread(history.flush)
        assert [info.title for info in await there.conversations(ann)] == ["new"]
        server = redis.Redis(port=redis_port)
        keys = [key for key in server.scan_iter() if ann.encode() in key]
        assert len(keys) >= 6
        assert all(0 < server.ttl(key) <= 2 * DAY for key in keys)
    async with gateways(redis_url) as (here, there):
        kept = await here.take(ann + "-for-ever", new_id(ann + "-for-ever"))
        await talk(kept, "kept")
        assert server.ttl(key_of(kept.name, "lines")) == -1


async def test_this_process_remembers_so_many_conversations_at_most(ann, monkeypatch):
    monkeypatch.setattr("voice_kit.serve.places_ram.MOST", 3)
    places = RamPlaces()
    for number in range(5):
        hold = await places.take(ann, new_id(ann))
        hold.store.append(hold.name, [Line("x", "user", str(number), 1.0)])
    assert [info.title for info in await places.conversations(ann)] == ["4", "3", "2"]
    assert len(places.memory.names()) == 3


# Limits


async def test_what_is_counted_slides_out_of_the_window(ann):
    now = [600.0]
    places = RamPlaces(clock=lambda: now[0])
    assert await places.count("sound", 30, 60) == 30
    now[0] += 59
    assert await places.count("sound", 10, 60) == 40
    now[0] += 31  # half of the next window is over
    assert await places.count("sound", 0, 60) == pytest.approx(20)
    assert await places.count("other", 1, 60) == 1
    now[0] += 120
    assert await places.count("sound", 0, 60) == 0


@pytest.mark.parametrize("kind", ["redis_url", "cluster_url"])
@NEEDS
async def test_gateways_count_together(kind, request, ann):
    async with gateways(request.getfixturevalue(kind)) as (here, there):
        assert await here.count(ann, 1, 3600) == 1
        assert await there.count(ann, 2, 3600) == 3
        assert await here.count(ann, 0.5, 3600) == 3.5


@pytest.mark.needs("redis", "serve")
async def test_the_sound_that_a_person_sends_to_one_gateway_counts_for_the_other(redis_url, ann):
    from voice_kit.serve.config import Serve
    from voice_kit.serve.limits import Limits
    from voice_kit.serve.refused import OverLimit

    serve = Serve(redis=redis_url, sound_per_minute=60)
    async with gateways(redis_url) as both, asyncio.TaskGroup() as tasks:
        here, there = (Limits(serve, each) for each in both)
        settling = [tasks.create_task(each.settle(every=0)) for each in (here, there)]
        here.sound(f"socket:{ann}", 50)
        there.sound(f"socket:{ann}", 50)
        async with asyncio.timeout(20):
            for each in (here, there):
                with suppress(OverLimit):
                    while True:  # whoever has settled last knows that it is too much
                        each.sound(f"socket:{ann}", 0.001)
                        await asyncio.sleep(0)
        for task in settling:
            task.cancel()


# When the server is away


@asynccontextmanager
async def server_that_stops(folder):
    """Its address, and functions that take it away, and bring it back with what it had."""
    with redis_that_stops(folder) as (port, away, back):
        yield f"redis://127.0.0.1:{port}/0", away, back


async def until(true, seconds=20):
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0)


@NEEDS
async def test_while_redis_is_away_conversations_go_on_and_none_of_it_is_lost(tmp_path, ann):
    async with (
        server_that_stops(tmp_path) as (url, away, back),
        gateways(url) as (here, there),
    ):
        old = await here.take(ann, new_id(ann))
        history, _ = await talk(old, "One.")
        await asyncio.to_thread(away)
        history.add("user", "Two.")
        assert not await asyncio.to_thread(history.flush)
        assert "Start it" in history.problem and "Start it" in here.problem
        new = await here.take(ann, (await here.open(ann)).id)
        later, written = await talk(new, "Something else.")
        assert not written
        assert [line.content for line in later.lines][:1] == ["Something else."]
        await asyncio.to_thread(later.close)  # its user has left; nobody will write again
        await new.release()
        again = await asyncio.to_thread((await here.take(ann, new.id)).history)
        assert [line.content for line in again.lines][:1] == ["Something else."]
        assert {info.title for info in await here.conversations(ann)} == {"Two.", "Something else."}
        with pytest.raises(AwayError):
            await here.delete(ann, old.id)
        with pytest.raises(AwayError):
            await here.rename(ann, old.id, "x")
        assert await here.count(ann, 1, 3600) is None
        await asyncio.to_thread(back)
        await until(lambda: not here.problem and not here.memory.unwritten)
        await until(lambda: not there.problem)
        assert said(there.memory, old) == ["One.", "Two."]
        assert said(there.memory, new) == ["Something else."]
        assert {info.title for info in await there.conversations(ann)} == {
            "One.",
            "Something else.",
        }
        history.add("user", "Three.")
        assert await asyncio.to_thread(history.flush) and history.problem == ""
        assert said(there.memory, old) == ["One.", "Two.", "Three."]
        assert len(there.memory.last(old.name)) == 4, "something stands there twice"


@NEEDS
async def test_a_redis_that_reads_and_does_not_write_is_a_problem_until_it_does(tmp_path, ann):
    import redis

    async with server_that_stops(tmp_path) as (url, _, _), gateways(url) as (here, _):
        history, _ = await talk(await here.take(ann, new_id(ann)), "One.")
        with redis.Redis.from_url(url) as server:
            server.replicaof("127.0.0.1", 1)  # of a server that there is not
            history.add("user", "Two.")
            assert not await asyncio.to_thread(history.flush)
            await here.conversations(ann)
            assert "ReadOnlyError" in here.problem
            server.replicaof("NO", "ONE")
        await until(lambda: not here.problem)
        await until(lambda: not here.memory.unwritten)


@NEEDS
async def test_a_past_that_could_not_be_read_is_taken_up_when_redis_is_back(tmp_path, ann):
    async with (
        server_that_stops(tmp_path) as (url, away, back),
        gateways(url) as (here, there),
    ):
        first = await here.take(ann, new_id(ann))
        await talk(first, "One.")
        await asyncio.to_thread(away)
        second = await there.take(ann, first.id)
        history, _ = await talk(second, "Two.")
        assert history.lines[0].content == "Two."
        await asyncio.to_thread(back)
        await until(lambda: not there.memory.unwritten)
        history.add("user", "Three.")
        assert await asyncio.to_thread(history.flush)
        asked = [line.content for line in history.lines if line.role == "user"]
        assert asked == ["One.", "Two.", "Three."]


@NEEDS
async def test_who_took_it_while_redis_was_away_has_it_afterwards(tmp_path, ann):
    async with (
        server_that_stops(tmp_path) as (url, away, back),
        gateways(url) as (here, there),
    ):
        told = asyncio.Event()
        first = await here.take(ann, new_id(ann), told.set)
        history, _ = await talk(first, "One.")
        await asyncio.to_thread(away)
        history.add("user", "Two.")
        await asyncio.to_thread(history.flush)
        second = await there.take(ann, first.id)
        await talk(second, "Three.")
        history.add("user", "Too late.")
        await asyncio.to_thread(history.flush)
        await asyncio.to_thread(back)
        async with asyncio.timeout(20):
            await told.wait()
        await until(lambda: not here.memory.unwritten and not there.memory.unwritten)
        assert first.lost and not second.lost
        assert sorted(said(there.memory, first)) == ["One.", "Three.", "Two."]


@pytest.mark.needs("redis", "serve")
async def test_the_sound_that_was_sent_while_redis_was_away_counts_once_it_is_back(tmp_path, ann):
    from voice_kit.serve.accounts import Accounts

    async with (
        server_that_stops(tmp_path) as (url, away, back),
        gateways(url) as (here, there),
    ):
        sound = Accounts("sound", 60, 3600, here)
        await asyncio.to_thread(away)
        sound.add(ann, 50, now=0)
        await sound.settle(now=0)
        await asyncio.to_thread(back)
        await until(lambda: not here.problem and not there.problem)
        await sound.settle(now=0)
        assert await there.count(f"sound:{ann}", 0, 3600) == pytest.approx(50, rel=0.01)


@NEEDS
async def test_nobody_waits_long_for_a_server_that_hangs(tmp_path, ann):
    with redis_server(tmp_path) as port:
        import redis

        process = redis.Redis(port=port).info("server")["process_id"]
        async with gateways(f"redis://127.0.0.1:{port}/0") as (here, _):
            hold = await here.take(ann, new_id(ann))
            history, _ = await talk(hold, "One.")
            os.kill(process, signal.SIGSTOP)
            try:
                began = time.monotonic()
                waits = []
                for ask in (
                    here.open(ann, hold.id),
                    here.take(ann, new_id(ann)),
                    here.count(ann, 1, 60),
                    here.conversations(ann),
                ):
                    await ask
                    waits.append(time.monotonic() - began)
                    began = time.monotonic()
                history.add("user", "Two.")
                assert time.monotonic() - began < 0.5, "saying something waited for Redis"
                await asyncio.to_thread(history.flush)
                waits.append(time.monotonic() - began)
            finally:
                os.kill(process, signal.SIGCONT)
            assert max(waits) < 2.5
            await until(lambda: not here.problem and not here.memory.unwritten)
            assert said(here.memory, hold) == ["One.", "Two."]


@NEEDS
async def test_nothing_that_was_said_is_logged(tmp_path, ann, caplog):
    caplog.set_level("DEBUG")
    async with (
        server_that_stops(tmp_path) as (url, away, _back),
        gateways(url) as (here, there),
    ):
        hold = await here.take(ann, new_id(ann))
        history, _ = await talk(hold, SECRET)
        await there.take(ann, hold.id)
        await there.rename(ann, hold.id, SECRET)
        await here.conversations(ann)
        await asyncio.to_thread(away)
        history.add("user", SECRET)
        await asyncio.to_thread(history.flush)
        with suppress(AwayError):
            await there.delete(ann, hold.id)
    assert "Redis" in caplog.text, "nothing was logged at all"
    assert SECRET not in caplog.text


# Where it is


@NEEDS
async def test_a_conversation_goes_on_when_a_sentinel_names_another_master(tmp_path, ann):
    pytest.importorskip("redis")
    from helpers_redis import watched_redis

    with watched_redis(tmp_path) as (watcher, kill_master):
        url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{watcher}/mymaster/0"
        async with gateways(url) as (here, there):
            hold = await here.take(ann, new_id(ann))
            history, written = await talk(hold, "One.")
            assert written, history.problem
            await asyncio.to_thread(kill_master)
            history.add("user", "Two.")
            await asyncio.to_thread(history.flush)
            await until(lambda: not here.memory.unwritten and not here.problem, 40)
            assert said(here.memory, hold) == ["One.", "Two."]
            await until(lambda: not there.problem)
            assert (await there.open(ann, hold.id)).title == "One."


@pytest.mark.needs("redis")
@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("redis://:pw@host:6379/2", "redis://host:6379/2"),
        ("rediss://ann:pw@host/0?ssl_cert_reqs=none", "rediss://host/0"),
        (
            "redis+sentinel://ann:pw@one:26379,two/mymaster/3?sentinel_password=pw2",
            "redis+sentinel://one:26379,two/mymaster/3",
        ),
        ("rediss+cluster://ann:pw@[::1]:7000,two:7001", "rediss+cluster://[::1]:7000,two:7001"),
    ],
)
def test_an_address_is_shown_without_its_passwords(address, where):
    from voice_kit.think.memory.redis_connect import RedisUrl

    assert RedisUrl(address).where == where
    make_places(address)


@pytest.mark.needs("redis")
def test_the_parts_of_an_address_reach_the_client():
    from voice_kit.think.memory.redis_connect import RedisUrl

    url = "rediss+sentinel://ann:p%40w@one,two:7/main/3?sentinel_password=q&ssl_cert_reqs=none"
    client = RedisUrl(url).blocking(0.5)
    given = client.connection_pool.connection_kwargs
    assert (given["username"], given["password"], given["db"]) == ("ann", "p@w", 3)
    assert given["socket_timeout"] == 0.5 and given["ssl_cert_reqs"] == "none"
    assert client.connection_pool.service_name == "main"
    sentinels = [
        each.connection_pool.connection_kwargs
        for each in client.connection_pool.sentinel_manager.sentinels
    ]
    assert [(each["host"], each["port"]) for each in sentinels] == [("one", 26379), ("two", 7)]
    assert sentinels[0]["password"] == "q"


@pytest.mark.needs("redis")
@pytest.mark.parametrize(
    "address",
    ["redis+sentinel://host:26379", "redis+moon://host", "postgres://x", "redis://host:port/0",
     "redis+cluster://", "redis+cluster://host:port"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_examples(address):
    with pytest.raises(SettingsError, match=r"redis\+sentinel"):
        make_places(address)
