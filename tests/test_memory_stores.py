"""Whatever keeps conversations passes these: SQLite, a real Redis server, and a Cluster."""

import json
import os
import sqlite3
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis_server import redis_server

from voice_kit.errors import MissingEngineError, SettingsError
from voice_kit.think.memory import Line, MemoryStoreError, exported, make_store
from voice_kit.think.memory.redis_store import RedisStore
from voice_kit.think.memory.sqlite_store import SqliteStore

SECRET = "zebra-umbrella-7041"


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.needs("redis"))])
def where(request, tmp_path):
    """A place that is empty, as `make_store` takes it, which programs can share."""
    return place(request, tmp_path)


SHARED = [pytest.param(each, marks=pytest.mark.needs("redis")) for each in ("redis", "cluster")]


@pytest.fixture(params=["ram", "sqlite", *SHARED])
def store(request, tmp_path):
    store = make_store(place(request, tmp_path))
    yield store
    store.close()


def place(request, folder):
    if request.param == "ram":
        return ""
    if request.param == "sqlite":
        return f"sqlite:{folder / 'memory.sqlite'}"
    redis = pytest.importorskip("redis")
    if request.param == "cluster":
        url = request.getfixturevalue("cluster_url")
        redis.RedisCluster.from_url(url.partition(",")[0].replace("+cluster", "")).flushall()
        return url
    url = f"redis://127.0.0.1:{request.getfixturevalue('redis_port')}/0"
    redis.Redis.from_url(url).flushall()
    return url


def said(exchange, role="user", text="", at=1.0):
    return Line(exchange, role, text or f"{role} {exchange}", at)


def exchange(number, text=""):
    return [said(f"x{number}", "user", text), said(f"x{number}", "assistant", text)]


def test_what_is_kept_comes_back_in_order_and_as_it_was(store):
    lines = [
        said("a", "user", "Grüß dich,\n“Kit” 😀 \x00 %s", 1.25),
        said("a", "tool", '{"name": 1}'),
        said("a", "assistant", "Hello."),
    ]
    store.append("ann", lines[:1])
    store.append("ann", lines[1:])
    assert store.last("ann") == lines
    assert store.last("ann", 2) == lines[1:]
    assert store.last("ann", 0) == []


def test_an_unknown_conversation_is_empty(store):
    assert store.last("nobody") == store.facts("nobody") == store.names() == []
    assert store.summary("nobody") is None


def test_another_program_goes_on_where_the_last_one_ended(where):
    store = make_store(where)
    store.append("ann", exchange(1))
    code = f"""
        from voice_kit.think.memory import Line, make_store
        store = make_store({where!r})
        assert store.last("ann")[0].text == "user x1"
        store.append("ann", [Line("x2", "user", "and now?", 2.0)])
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
    assert [line.text for line in store.last("ann")] == ["user x1", "assistant x1", "and now?"]


def test_conversations_do_not_mix(store):
    store.append("ann", [*exchange(1), said("x1", "fact", "my cat is called Miso")])
    store.append("ann:b", exchange(2))
    store.append("%", exchange(3))
    assert [line.exchange for line in store.last("ann")] == ["x1", "x1"]
    assert [line.exchange for line in store.last("%")] == ["x3", "x3"]
    assert store.facts("ann:b") == []
    for name in ("a}b", "a%7Db", "ann/1", "{"):
        store.append(name, exchange(4))
        assert store.last(name) == exchange(4)
    assert set(store.names()) == {"%", "a%7Db", "a}b", "ann", "ann/1", "ann:b", "{"}


def test_facts_stand_beside_what_was_said(store):
    fact = said("x1", "fact", "my cat is called Miso")
    store.append("ann", [*exchange(1), fact])
    assert store.facts("ann") == [fact]
    assert fact not in store.last("ann")


def test_a_summary_takes_the_place_of_the_one_before(store):
    store.append("ann", exchange(1) + exchange(2))
    assert store.summarise("ann", said("x1", "summary", "They met."))
    assert store.summarise("ann", said("x2", "summary", "They met and talked."))
    assert store.summary("ann") == said("x2", "summary", "They met and talked.")
    assert len(store.last("ann")) == 4


def test_a_summary_of_what_another_writer_forgot_is_not_kept(store):
    store.append("ann", exchange(1))
    store.forget_everything("ann")
    assert not store.summarise("ann", said("x1", "summary", "They met."))
    assert store.summary("ann") is None


def test_forgetting_an_exchange_takes_its_facts_and_the_summary_with_it(store):
    store.append("ann", [*exchange(1), said("x1", "fact"), *exchange(2), said("x2", "fact")])
    store.append("ben", [*exchange(2), said("x2", "fact")])
    store.summarise("ann", said("x1", "summary", "They met."))
    store.forget("ann", "x2")
    assert [line.exchange for line in store.last("ann")] == ["x1", "x1"]
    assert [line.exchange for line in store.facts("ann")] == ["x1"]
    assert store.summary("ann") is None
    assert len(store.last("ben")) == 2 and len(store.facts("ben")) == 1


def test_forgetting_everything_leaves_the_conversations_of_others(store):
    for name in ("ann", "ben"):
        store.append(name, [*exchange(1), said("x1", "fact")])
        store.summarise(name, said("x1", "summary"))
    store.forget_everything("ann")
    assert store.names() == ["ben"]
    assert store.last("ann") == store.facts("ann") == []
    assert store.summary("ann") is None
    assert len(store.last("ben")) == 2 and store.summary("ben") is not None


def test_threads_do_not_lose_each_others_turns(where):
    stores = [make_store(where), make_store(where)]

    def write(number):
        stores[number % 2].append("ann", exchange(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(200)))
    lines = stores[0].last("ann")
    assert sorted(line.exchange for line in lines) == sorted([f"x{n}" for n in range(200)] * 2)
    together = zip(lines[::2], lines[1::2], strict=True)
    assert all(first.exchange == second.exchange for first, second in together)


def test_programs_that_begin_at_once_do_not_lose_each_others_turns(where):
    code = f"""
        import sys
        from voice_kit.think.memory import Line, make_store
        store = make_store({where!r})
        sys.stdin.readline()
        for number in range(50):
            store.append("ann", [Line(f"{{sys.argv[1]}}-{{number}}", "user", "hello", 1.0)])
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    writers = [
        subprocess.Popen([*command, str(each)], stdin=subprocess.PIPE, text=True)
        for each in range(4)
    ]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.wait() for writer in writers] == [0] * 4
    for writer in writers:
        writer.stdin.close()
    seen = [line.exchange for line in make_store(where).last("ann")]
    assert sorted(seen) == sorted(f"{who}-{number}" for who in range(4) for number in range(50))
    of_first = [each for each in seen if each.startswith("0-")]
    assert of_first == [f"0-{number}" for number in range(50)]


def test_the_export_holds_all_of_it_as_json(store):
    store.append("ann", [*exchange(1, "Grüezi"), said("x1", "fact", "I like tea", 86400.0)])
    store.append("ben", exchange(2))
    tree = json.loads(exported(store, "ann"))
    assert tree == {
        "name": "ann",
        "lines": [
            {"at": "1970-01-01T00:00:01+00:00", "role": "user", "text": "Grüezi"},
            {"at": "1970-01-01T00:00:01+00:00", "role": "assistant", "text": "Grüezi"},
        ],
        "facts": [{"at": "1970-01-02T00:00:00+00:00", "text": "I like tea"}],
        "summary": "",
    }
    assert "Grüezi" in exported(store, "ann")


def test_a_closed_store_opens_again_when_it_is_used(store):
    store.append("ann", exchange(1))
    store.close()
    store.close()
    assert len(store.last("ann")) == 2


def test_nothing_that_was_said_is_logged(store, caplog):
    caplog.set_level("DEBUG")
    store.append("ann", [said("x1", "user", SECRET), said("x1", "fact", SECRET)])
    store.summarise("ann", said("x1", "summary", SECRET))
    store.last("ann")
    exported(store, "ann")
    store.forget("ann", "x1")
    store.forget_everything("ann")
    assert SECRET not in caplog.text


# The file


def traces(folder: Path, secret=SECRET):
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files, "there is no file to look into"
    return [path.name for path in files if secret.encode() in path.read_bytes()]


@pytest.mark.parametrize("alone", [True, False])
def test_nothing_is_left_in_the_file_after_forgetting(tmp_path, alone):
    store, other = (SqliteStore(tmp_path / "memory.sqlite") for _ in range(2))
    for number in range(300):
        text = f"{SECRET} {'long ' * (number % 60)}" if number % 3 else f"harmless {number}"
        store.append("ann", exchange(number, text))
        if number % 10 == 0:
            store.append("ben", exchange(number, "other talk " * 40))
            store.forget("ann", f"x{number}")
    store.append("ann", [said("x1", "fact", SECRET)])
    assert traces(tmp_path), "it was never in there"
    if not alone:
        assert len(other.last("ben")) == 60
    store.forget_everything("ann")
    assert traces(tmp_path) == []
    assert len(other.last("ben")) == 60
    store.close()
    other.close()
    assert traces(tmp_path) == []


def test_a_forgotten_exchange_is_gone_from_the_file_too(tmp_path):
    store = SqliteStore(tmp_path / "memory.sqlite")
    for number in range(50):
        store.append("ann", exchange(number, SECRET if number == 20 else f"talk {number}"))
    store.forget("ann", "x20")
    assert traces(tmp_path) == []
    assert len(store.last("ann")) == 98
    assert traces(tmp_path, "talk 21")


def test_one_that_reads_while_all_is_forgotten_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr("voice_kit.think.memory.sqlite_store.WAIT", 0.05)
    store = SqliteStore(tmp_path / "memory.sqlite")
    store.append("ann", exchange(1, SECRET))
    reader = sqlite3.connect(tmp_path / "memory.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM lines").fetchone()
    with pytest.raises(MemoryStoreError, match=r"traces are left in .*Close that one"):
        store.forget_everything("ann")
    reader.close()
    store.forget_everything("ann")
    assert traces(tmp_path) == []


def test_those_that_open_a_new_file_at_once_agree_on_whose_it_is(tmp_path):
    for attempt in range(30):
        stores = [SqliteStore(tmp_path / f"{attempt}.sqlite") for _ in range(6)]
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda store: store.append("ann", exchange(1)), stores))
        assert len(stores[0].last("ann")) == 12
        for store in stores:
            store.close()


def test_nobody_else_may_read_the_file(tmp_path):
    if os.name != "posix":
        pytest.skip("this system has no such modes")
    SqliteStore(tmp_path / "deep" / "memory.sqlite").append("ann", exchange(1))
    files = list((tmp_path / "deep").iterdir())
    assert len(files) >= 2
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def refused(store):
    with pytest.raises(MemoryStoreError) as raised:
        store.append("ann", exchange(1, SECRET))
    told = str(raised.value)
    assert str(store.where) in told and SECRET not in told and "\n" not in told
    return told


def test_a_full_disk_is_told_with_the_fix_and_mended_by_making_room(tmp_path):
    store = SqliteStore(tmp_path / "memory.sqlite")
    store.append("ann", exchange(1))
    store._opened.execute("PRAGMA max_page_count = 1")  # SQLite's own limit: the same error
    with pytest.raises(MemoryStoreError, match="is full"):
        store.append("ann", exchange(2, "much " * 10_000))
    store.append("ann", exchange(3))
    assert [line.exchange for line in store.last("ann")] == ["x1", "x1", "x3", "x3"]


@pytest.mark.parametrize("broken", [b"no database" * 100, b"SQLite format 3\0" + b"?" * 4080])
def test_a_damaged_file_is_left_as_it_is_and_told_with_the_fix(tmp_path, broken):
    file = tmp_path / "memory.sqlite"
    file.write_bytes(broken)
    store = SqliteStore(file)
    assert "Move it away" in refused(store)
    assert file.read_bytes() == broken
    file.rename(tmp_path / "away")
    store.append("ann", exchange(1))
    assert len(store.last("ann")) == 2


def test_damage_in_the_middle_of_a_file_is_told_with_the_fix(tmp_path):
    store = SqliteStore(tmp_path / "memory.sqlite")
    store.append("ann", [line for n in range(500) for line in exchange(n, "x" * 200)])
    store.close()
    file = tmp_path / "memory.sqlite"
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(MemoryStoreError, match="damaged"):
        store.last("ann")


def test_another_programs_database_is_not_touched(tmp_path):
    file = tmp_path / "other.sqlite"
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE lines (a)")
    other.close()
    before = file.read_bytes()
    assert "belongs to another program" in refused(SqliteStore(file))
    assert file.read_bytes() == before


def test_a_place_that_cannot_be_written_is_told_with_the_fix(tmp_path):
    assert "cannot be written. Make it" in refused(SqliteStore(tmp_path))
    (tmp_path / "file").touch()
    assert "cannot be written. Make it" in refused(SqliteStore(tmp_path / "file" / "m.sqlite"))


def test_a_file_that_may_only_be_read_is_read_and_told_of(tmp_path):
    store = SqliteStore(tmp_path / "memory.sqlite")
    store.append("ann", exchange(1))
    store._opened.execute("PRAGMA query_only = ON")  # root may write anywhere
    assert len(store.last("ann")) == 2
    assert "cannot be written. Make it" in refused(store)


def test_another_program_that_holds_the_file_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr("voice_kit.think.memory.sqlite_store.WAIT", 0.05)
    store = SqliteStore(tmp_path / "memory.sqlite")
    store.append("ann", exchange(1))
    other = sqlite3.connect(tmp_path / "memory.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert "Close that program" in refused(store)
    assert len(store.last("ann")) == 2
    other.close()
    store.append("ann", exchange(2))
    assert len(store.last("ann")) == 4


def test_a_file_that_was_deleted_while_it_was_open_is_made_again(tmp_path):
    if os.name != "posix":
        pytest.skip("this system does not delete open files")
    store = SqliteStore(tmp_path / "memory.sqlite")
    store.append("ann", exchange(1))
    for path in tmp_path.iterdir():
        path.unlink()
    store.append("ann", exchange(2))
    assert [line.exchange for line in SqliteStore(store.path).last("ann")] == ["x2", "x2"]


def test_a_program_that_is_killed_loses_nothing_it_had_written(tmp_path):
    code = f"""
        import os, signal
        from voice_kit.think.memory import Line, make_store
        store = make_store("sqlite:{(tmp_path / "memory.sqlite").as_posix()}")
        for number in range(20):
            store.append("ann", [Line("x", "user", str(number), 1.0)])
        os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode != 0
    assert len(SqliteStore(tmp_path / "memory.sqlite").last("ann")) == 20


# The server


@pytest.mark.needs("redis")
def test_a_server_that_is_down_is_told_with_the_fix_and_without_its_password():
    pytest.importorskip("redis")
    store = RedisStore("redis://ann:hunter2@127.0.0.1:1/0")
    assert store.where == "redis://127.0.0.1:1/0"
    told = refused(store)
    assert "Start it" in told and "hunter2" not in told


@pytest.mark.needs("redis")
def test_a_server_that_says_nothing_is_waited_for_in_bounds(monkeypatch):
    pytest.importorskip("redis")
    import socket
    import time

    monkeypatch.setattr("voice_kit.think.memory.redis_store.WAIT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        refused(RedisStore(f"redis://127.0.0.1:{silent.getsockname()[1]}/0"))
        assert time.monotonic() - began < 3


@pytest.mark.needs("redis")
def test_lines_whose_writing_was_made_twice_stand_there_once(redis_port):
    pytest.importorskip("redis")
    store = RedisStore(f"redis://127.0.0.1:{redis_port}/0")
    store.forget_everything("ann")
    store.append("ann", exchange(1))
    store.append("ann", exchange(1))
    assert store.last("ann") == exchange(1)
    store.forget("ann", "x1")
    assert store.last("ann") == []


@pytest.mark.needs("redis")
def test_a_server_that_comes_back_goes_on(tmp_path):
    pytest.importorskip("redis")
    options = ("--appendonly", "yes", "--appendfsync", "always")
    with redis_server(tmp_path, *options) as port:
        store = RedisStore(f"redis://127.0.0.1:{port}/0")
        store.append("ann", exchange(1))
    refused(store)
    with redis_server(tmp_path, *options, port=port):
        store.append("ann", exchange(2))
        assert len(store.last("ann")) == 4


@pytest.mark.needs("redis")
@pytest.mark.parametrize("writes", ["aof_rewrite", "rdb_bgsave"])
def test_nothing_is_left_in_the_servers_files_after_forgetting(tmp_path, writes):
    redis = pytest.importorskip("redis")
    with redis_server(tmp_path, "--appendonly", "yes" if "aof" in writes else "no") as port:
        server = redis.Redis(port=port)
        server.config_set("rdbcompression", "no")
        store = RedisStore(f"redis://127.0.0.1:{port}/0")
        store.append("ann", exchange(1, SECRET))
        store.append("ben", exchange(2))
        if "rdb" in writes:
            server.save()
        assert traces(tmp_path), "it was never in there"
        store.forget_everything("ann")
        while server.info("persistence")[f"{writes}_in_progress"]:
            pass
        assert traces(tmp_path) == []
        assert len(store.last("ben")) == 2


@pytest.mark.needs("redis")
def test_something_elses_keys_are_told_of_and_left_alone(redis_port):
    redis = pytest.importorskip("redis")
    url = f"redis://127.0.0.1:{redis_port}/0"
    server = redis.Redis.from_url(url)
    server.flushall()
    server.set("voice-kit:{memory:ann}:lines", "x")
    server.rpush("voice-kit:{memory:ben}:lines", '{"no": "line"}')
    server.rpush("voice-kit:{memory:cem}:other", "x")
    store = RedisStore(url)
    refused(store)
    with pytest.raises(MemoryStoreError):
        store.last("ben")
    assert store.names() == ["ann", "ben"]


def test_without_redis_py_the_fix_is_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingEngineError, match="redis"):
        make_store("redis://127.0.0.1:1/0")


@pytest.mark.parametrize("where", ["postgres://x", "memory.sqlite", "redis://host:port/0"])
def test_an_unknown_place_is_told_with_examples(where):
    if where.startswith("redis"):
        pytest.importorskip("redis")
    with pytest.raises(SettingsError, match=r"sqlite:memory\.sqlite"):
        make_store(where)
