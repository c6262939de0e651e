"""How much each may use, and that nobody is refused because Redis is away."""

import asyncio
import functools
import gc
import time
import tracemalloc
from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
pytest.importorskip("jwt", reason="the serve extra is not installed")

from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from helpers_serve import served
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_kit.serve import accounts, shares
from voice_kit.serve.config import Serve
from voice_kit.serve.doors import Guest
from voice_kit.serve.headers import behind
from voice_kit.serve.limits import Limits, address_key, room
from voice_kit.serve.refused import OverLimit, tell_refusals
from voice_kit.serve.shares import Share, Shares

ALICE = Guest("alice", None)


def on_a_loop(test):
    @functools.wraps(test)
    def run(*args, **named):
        return asyncio.run(test(*args, **named))

    return run


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def limits(places=None, **given):
    clock = Clock()
    return Limits(Serve(**given), places, clock=clock), clock


class over:  # noqa: N801 - reads as pytest.raises does
    def __init__(self, code):
        self.code = code

    def __enter__(self):
        self.raised = pytest.raises(OverLimit)
        self.caught = self.raised.__enter__()
        return self.caught

    def __exit__(self, *error):
        done = self.raised.__exit__(*error)
        assert self.caught.value.code == self.code
        return done


# Shares


def test_a_window_lets_in_its_share_and_says_when_there_is_room_again():
    window = Share(3, 60)
    assert [window.add(1, 1000 + second) for second in (0, 1, 2)] == [0, 0, 0]
    wait = window.add(1, 1003)
    assert 57 <= wait <= 61
    assert window.add(1, 1003 + wait - 0.5) > 0
    assert window.add(1, 1003 + wait + 0.001) == 0


def test_what_is_refused_is_not_counted():
    window = Share(1, 60)
    assert window.add(1, 1000) == 0
    assert all(window.add(1, 1000 + second) for second in range(1, 59))
    assert window.add(1, 1064) == 0


def test_what_can_never_fit_is_refused_for_ever():
    window = Share(3, 60)
    assert window.add(4, 1000) == 60
    assert window.add(4, 2000) == 60


@given(
    st.lists(
        st.tuples(st.floats(0, 30, allow_nan=False), st.floats(0.01, 3, allow_nan=False)),
        max_size=80,
    )
)
@settings(deadline=None)
def test_no_minute_ever_holds_more_than_the_share(steps):
    window, now, taken = Share(5, 60), 1000.0, []
    for pause, amount in steps:
        now += pause
        wait = window.add(amount, now)
        if not wait:
            taken.append((now, amount))
        else:
            assert 0 < wait <= 63.1
            within = sum(each for at, each in taken if at > now - 63.1)
            assert within + amount > 5 - 1e-6, "refused though there was room"
    for start, _ in taken:
        assert sum(each for at, each in taken if start <= at < start + 60) <= 5 + 1e-6


def test_speech_in_real_time_is_never_too_much_however_long_it_lasts():
    at, clock = limits()
    for _ in range(round(600 / 0.032)):
        at.sound("a", 0.032)
        clock.now += 0.032


def test_a_window_needs_no_more_memory_for_more_sound():
    window = Share(1e9, 60)
    for frame in range(100_000):
        window.add(0.032, 1000 + frame * 0.032)
    assert len(window._slots) <= shares.SLOTS + 1


def test_addresses_are_forgotten_so_that_memory_stays_flat(monkeypatch):
    monkeypatch.setattr(shares, "REMEMBERED", 500)
    windows = Shares(5, 1)
    tracemalloc.start()
    for number in range(1000):
        windows.add(f"address {number:5}", 1, 1000)
    before = tracemalloc.get_traced_memory()[0]
    for number in range(1000, 10_000):
        windows.add(f"address {number:5}", 1, 1000 + number / 1000)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(windows) == 500
    assert grown < 50 * 1024


# Connections


@on_a_loop
async def test_so_many_connections_in_all():
    at, _ = limits(max_connections=2)
    async with at.connection("10.0.0.1", ALICE), at.connection("10.0.0.2", ALICE):
        assert at.open == 2
        with over("too_many_connections"):
            async with at.connection("10.0.0.3", ALICE):
                pass
    assert at.open == 0
    async with at.connection("10.0.0.3", ALICE):
        assert at.open == 1


@on_a_loop
async def test_so_many_connections_from_one_address():
    at, _ = limits(per_address=2)
    async with at.connection("10.0.0.1", ALICE), at.connection("10.0.0.1"):
        with over("too_many_connections_from_address"):
            async with at.connection("10.0.0.1", ALICE):
                pass
        async with at.connection("10.0.0.2", ALICE):
            pass
    async with at.connection("10.0.0.1", ALICE):
        pass


@on_a_loop
async def test_a_connection_that_fails_gives_its_room_back():
    at, _ = limits(per_address=1, max_connections=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with at.connection("10.0.0.1", ALICE):
                raise ZeroDivisionError
    assert at.open == 0 and not at._open_by_address


@on_a_loop
async def test_ten_connections_a_second_from_one_address_are_five():
    at, clock = limits(connects_per_second=5)
    came = 0
    for _ in range(50):
        try:
            async with at.connection("10.0.0.1", ALICE):
                came += 1
        except OverLimit as error:
            assert error.code == "connecting_too_fast"
            assert 0 < error.retry_after <= 1.1
        clock.now += 0.1
    assert 20 <= came <= 30
    async with at.connection("10.0.0.2", ALICE):  # another is not disturbed
        pass


@on_a_loop
async def test_less_than_one_a_second_is_one_in_several():
    at, clock = limits(connects_per_second=0.2)
    async with at.connection("10.0.0.1", ALICE):
        pass
    with over("connecting_too_fast") as caught:
        async with at.connection("10.0.0.1", ALICE):
            pass
    assert 4 <= caught.value.retry_after <= 6
    clock.now += 5.3
    async with at.connection("10.0.0.1", ALICE):
        pass


@on_a_loop
async def test_the_last_room_goes_to_one_of_many_who_come_at_once():
    at, _ = limits(Slow(), redis="redis://somewhere", max_connections=5, connects_per_second=100)
    came, refused, all_asked = [], [], asyncio.Event()

    def asked(those, number):
        those.append(number)
        if len(came + refused) == 20:
            all_asked.set()

    async def one(number):
        try:
            async with at.connection(f"10.0.0.{number}", ALICE):
                asked(came, number)
                await all_asked.wait()
        except OverLimit:
            asked(refused, number)

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        for number in range(20):
            tasks.create_task(one(number))
    assert len(came) == 5 and len(refused) == 15
    assert at.open == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::1%eth1", True),
        (None, "", True),
        ("testclient", "/run/socket", True),
    ],
)
def test_whom_an_address_stands_for(one, other, same):
    assert (address_key(one) == address_key(other)) is same


# Several gateways


class Shared:
    """A count that two gateways share."""

    def __init__(self):
        self.counts = {}

    async def count(self, key, amount, per_seconds):
        self.counts[key] = self.counts.get(key, 0) + amount
        return self.counts[key]


class Slow(Shared):
    async def count(self, key, amount, per_seconds):
        await asyncio.sleep(0)
        return 0.0


class Away(Shared):
    asked = 0

    async def count(self, key, amount, per_seconds):
        type(self).asked += 1
        raise LookupError("whatever a client for Redis may raise")


class Hanging(Shared):
    async def count(self, key, amount, per_seconds):
        await asyncio.Event().wait()


@on_a_loop
async def test_two_gateways_count_one_address_together():
    shared = Shared()
    one, _ = limits(shared, redis="redis://somewhere")
    other, _ = limits(shared, redis="redis://somewhere")
    for at in (one, other, one, other, one):
        async with at.connection("10.0.0.1", ALICE):
            pass
    with over("connecting_too_fast"):
        async with other.connection("10.0.0.1", ALICE):
            pass


@pytest.mark.parametrize("places", [Away, Hanging])
@on_a_loop
async def test_without_redis_each_gateway_counts_alone_and_refuses_nobody_for_it(
    places, monkeypatch, caplog
):
    monkeypatch.setattr(accounts, "SHARED_WAIT", 0.01)
    at, _ = limits(places(), redis="redis://somewhere")
    for _ in range(5):
        async with at.connection("10.0.0.1", ALICE):
            pass
    with over("connecting_too_fast"):
        async with at.connection("10.0.0.1", ALICE):
            pass
    assert "by this gateway alone" in caplog.text


async def settled(*all_of_them):
    for at in all_of_them:
        for each in (at._sound, at._tools):
            await each.settle(at._clock())


@on_a_loop
async def test_two_gateways_count_the_sound_and_tools_of_one_person_together():
    shared = Shared()
    both = [limits(shared, redis="redis://somewhere", sound_per_minute=75) for _ in range(2)]
    (one, _), (other, clock) = both
    account = one.account(ALICE, "session")
    one.sound(account, 50)
    other.sound(account, 50)
    for _ in range(20):
        one.tool(account)
        other.tool(account)
    await settled(one, other)
    with over("too_much_sound") as caught:
        other.sound(account, 1)
    assert 3 <= caught.value.retry_after <= 30
    with over("too_many_tool_calls"):
        other.tool(account)
    other.sound(other.account(Guest("bob", None), "session"), 50)
    shared.counts.clear()  # what it counted is out of date
    clock.now += 31
    other.sound(account, 20)
    await settled(other)
    other.sound(account, 1)


@on_a_loop
async def test_sound_is_settled_once_in_a_while_and_not_where_only_one_gateway_can_count_it():
    shared = Shared()
    at, _ = limits(shared, redis="redis://somewhere")
    for _ in range(100):
        at.sound("socket:alice", 0.25)
        at.sound(at.account(Guest("local", None), "session"), 0.25)
    assert not shared.counts
    await settled(at)
    assert shared.counts == {"sound:socket:alice": pytest.approx(25)}


@pytest.mark.parametrize("places", [Away, Hanging])
@on_a_loop
async def test_without_redis_the_count_of_sound_here_holds(places, monkeypatch, caplog):
    monkeypatch.setattr(accounts, "SHARED_WAIT", 0.01)
    at, _ = limits(places(), redis="redis://somewhere", sound_per_minute=75)
    at.sound("socket:alice", 75)
    await settled(at)
    with over("too_much_sound"):
        at.sound("socket:alice", 1)
    at.sound("socket:bob", 75)
    assert "by this gateway alone" in caplog.text


class Failing(Shared):
    """Away after so many answers, until it is told to answer more."""

    answers = 1

    async def count(self, key, amount, per_seconds):
        if not self.answers:
            raise ConnectionError
        self.answers -= 1
        return await super().count(key, amount, per_seconds)


@on_a_loop
async def test_what_redis_was_not_told_because_it_failed_in_the_middle_it_is_told_the_next_time():
    shared = Failing()
    at, clock = limits(shared, redis="redis://somewhere")
    for name in ("alice", "bob", "carol"):
        at.sound(f"socket:{name}", 50)
    await settled(at)
    assert shared.counts == {"sound:socket:alice": 50}
    at.sound("socket:bob", 5)
    clock.now += 58
    at.sound("socket:bob", 1)
    clock.now += 6  # all the rest is more than a minute old
    shared.answers = 10
    await settled(at)
    await settled(at)
    assert shared.counts == {"sound:socket:alice": 50, "sound:socket:bob": pytest.approx(1)}
    at.sound("socket:bob", 2)
    shared.answers = 0
    await settled(at)
    at.sound("socket:bob", 3)
    shared.answers = 10
    await settled(at)
    assert shared.counts["sound:socket:bob"] == pytest.approx(6), "each second counts once"


class Swallowing(Shared):
    """As redis-py now and then."""

    def __init__(self):
        super().__init__()
        self.asked = asyncio.Event()

    async def count(self, key, amount, per_seconds):
        self.asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError from None


@on_a_loop
async def test_settling_ends_when_it_is_told_to_whatever_becomes_of_a_cancellation(monkeypatch):
    monkeypatch.setattr(accounts, "SHARED_WAIT", 60)
    places = Swallowing()
    at, _ = limits(places, redis="redis://somewhere")
    at.sound("socket:alice", 1)
    settling = asyncio.ensure_future(at.settle(every=0))
    await places.asked.wait()
    settling.cancel()
    done, _ = await asyncio.wait([settling], timeout=5)
    assert done


@on_a_loop
async def test_without_a_redis_in_the_settings_nothing_is_asked():
    at, _ = limits(Away())
    before = Away.asked
    async with at.connection("10.0.0.1", ALICE):
        pass
    at.sound("socket:alice", 1)
    await at.settle(every=0)
    assert Away.asked == before


# One session


def test_more_sound_than_is_spoken_in_a_minute_is_refused():
    at, clock = limits(sound_per_minute=75)
    at.sound("one", 70)
    at.sound("one", 5)
    with over("too_much_sound") as caught:
        at.sound("one", 0.032)
    assert 50 < caught.value.retry_after < 65
    at.sound("other", 75)
    clock.now += 64
    at.sound("one", 75)


def test_so_many_tools_in_a_minute_and_none_where_there_shall_be_none():
    at, clock = limits(tool_calls_per_minute=3)
    for _ in range(3):
        at.tool("one")
    with over("too_many_tool_calls"):
        at.tool("one")
    clock.now += 64
    at.tool("one")
    none, _ = limits(tool_calls_per_minute=0)
    with over("too_many_tool_calls"):
        none.tool("one")


def test_who_comes_back_finds_what_they_have_used_unless_all_show_one_token():
    at, _ = limits(sound_per_minute=1, tool_calls_per_minute=1)
    anybody = Guest("local", None)
    alices = [at.account(ALICE, f"session {number}") for number in (1, 2)]
    anybodys = [at.account(anybody, f"session {number}") for number in (1, 2)]
    for account in (alices[0], anybodys[0]):
        at.sound(account, 1)
        at.tool(account)
        at.left(account)
    assert len(at._sound) == len(at._tools) == 1, "what nobody can come back to is forgotten"
    with over("too_much_sound"):
        at.sound(alices[1], 1)
    with over("too_many_tool_calls"):
        at.tool(alices[1])
    at.sound(anybodys[1], 1)
    at.tool(anybodys[1])


def test_no_name_of_a_guest_is_anothers_account():
    at, _ = limits()
    names = ["alice", "session:1", "http:alice", "socket:alice"]
    accounts = {at.account(Guest(name, None), "1") for name in names}
    accounts |= {at.account(Guest("local", None), "1"), "http:alice"}
    assert len(accounts) == len(names) + 2


def test_a_message_that_is_too_big_is_told_its_size():
    at, _ = limits(max_message=1000)
    at.message(1000)
    with over("message_too_big") as caught:
        at.message(1001)
    assert "1,000 bytes" in str(caught.value)
    assert (caught.value.status, caught.value.close) == (413, 1009)


def test_a_session_ends_after_its_time_or_with_its_token():
    at, _ = limits(session_minutes=1)
    soon = Guest("alice", time.time() + 30)
    past = Guest("alice", time.time() - 1)
    assert at.lasts(ALICE) == 60
    assert 29 < at.lasts(soon) <= 30
    assert (at.lasts(ALICE, 45), at.lasts(soon, 45), at.lasts(ALICE, 61)) == (15, 15, 0)
    assert at.lasts(past) == 0
    at.age(59, soon)
    with over("session_too_long"):
        at.age(60, ALICE)
    with over("token_expired") as caught:
        at.age(1, past)
    assert caught.value.close == 4401


def test_each_refusal_is_told_to_the_metrics_once():
    told = []
    at = Limits(Serve(max_message=1000, sound_per_minute=1), told=told.append)
    for refused in (lambda: at.message(2000), lambda: at.sound("a", 2)):
        with pytest.raises(OverLimit):
            refused()
    assert told == ["message_too_big", "too_much_sound"]


def test_a_flood_of_refusals_is_one_line_in_the_log_and_another_ten_seconds_later(caplog):
    at, clock = limits(max_message=1000)
    for _ in range(100):
        with over("message_too_big"):
            at.message(2000)
    assert [each.voice_kit["code"] for each in caplog.records] == ["message_too_big"]
    clock.now += 11
    with over("message_too_big"):
        at.message(2000)
    assert len(caplog.records) == 2


# HTTP


def app_with(at):
    app = FastAPI()
    app.state.shared = SimpleNamespace(limits=at)
    tell_refusals(app)

    @app.get("/open", dependencies=[Depends(room)])
    async def now_open():
        return {"open": at.open, "by": dict(at._open_by_address)}

    return app


def test_a_request_has_room_while_it_is_answered_and_many_may_come_a_second():
    at, _ = limits(per_address=1, connects_per_second=1)
    web = TestClient(app_with(at), client=("10.0.0.1", 1))
    for _ in range(10):
        assert web.get("/open").json() == {"open": 1, "by": {"10.0.0.1": 1}}
    assert at.open == 0


@on_a_loop
async def test_a_request_too_many_gets_429_with_the_time_to_wait():
    at, _ = limits(max_connections=1)
    web = TestClient(app_with(at), client=("10.0.0.1", 1))
    async with at.connection("10.0.0.9"):
        answer = await asyncio.to_thread(web.get, "/open")
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["param"] == "too_many_connections"


@pytest.mark.parametrize(
    ("proxies", "counted"),
    [((), "10.0.0.7"), (("10.0.0.7",), "203.0.113.9"), (("10.0.0.8",), "10.0.0.7")],
)
def test_who_is_counted_behind_a_proxy(proxies, counted):
    at, _ = limits()
    web = TestClient(behind(app_with(at), proxies), client=("10.0.0.7", 1))
    told = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}  # the first is what they say themselves
    assert web.get("/open", headers=told).json()["by"] == {counted: 1}


@pytest.mark.parametrize("path", ["/v1/audio/transcriptions", "/v1/turn", "/v1/chat/completions"])
def test_a_request_has_room_while_it_is_read(path):
    async def begins(address):
        """A request whose body never ends, and what it is answered with, if it is."""
        host, port = address.removeprefix("http://").split(":")
        reading, writing = await asyncio.open_connection(host, int(port))
        kinds = {"/v1/chat/completions": "application/json", "/v1/turn": "audio/wav"}
        kind = kinds.get(path, "multipart/form-data; boundary=part")
        head = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Length: 900000"]
        head += [f"Authorization: Bearer {address.token}", f"Content-Type: {kind}"]
        writing.write("\r\n".join([*head, "", "--part\r\n"]).encode())
        return reading, writing

    async def scene(address):
        async with asyncio.timeout(20):
            first, sending = await begins(address)
            while address.shared.limits.open < 1:  # noqa: ASYNC110 - on another loop
                await asyncio.sleep(0)
            second, _ = await begins(address)
            status = await second.readline()
            sending.transport.abort()
            while address.shared.limits.open:  # noqa: ASYNC110
                await asyncio.sleep(0)
            return status, await first.read()

    with served(per_address=1) as address:
        status, answered = asyncio.run(scene(address))
    assert b" 429 " in status and not answered
