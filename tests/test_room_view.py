"""The room sees checks and times of who joins, never a word, and never holds a notebook up."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from exercise_answers import RIGHT, WRONG
from scripted_server import ScriptedServer, hangs, refusing_url, sends

from voice_kit.converse.timeline import Bar, Timeline, TurnTimes
from voice_kit.errors import VoiceKitError
from voice_kit.workshop import checks, room_join, room_turns
from voice_kit.workshop.exercises import EXERCISES
from voice_kit.workshop.room_seats import AWAY, MINUTE, OFTEN, WITHIN, RefusedError, Seats
from voice_kit.workshop.room_view import LARGEST, RoomServer, local

FIRST, SECOND = list(EXERCISES)[:2]
KEY = "0123456789abcdef"


@pytest.fixture(autouse=True)
def nobody_sits(tmp_path, monkeypatch):
    """A home of one's own, no seat from the test before, and a quick look for news."""
    monkeypatch.setenv("VOICE_KIT_HOME", str(tmp_path / "kit"))
    monkeypatch.setattr(room_join, "EVERY", 0.05)
    monkeypatch.setattr(room_join, "_seat", None)
    monkeypatch.setattr(room_join, "_asked", False)
    yield
    if room_join._seat is not None:
        room_join._seat.leave(forgotten=False)


@contextmanager
def room(**more):
    """A room on this machine. Its `told` is set whenever a seat has told something."""
    with RoomServer("127.0.0.1", 0, **more) as server:
        server.told, take = threading.Condition(), server.seats.take

        def taken(content):
            try:
                return take(content)
            finally:
                with server.told:
                    server.told.notify_all()

        server.seats.take = taken
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)


def until(server, true, seconds=10):
    """Wait for what seats tell until this is so of what is shown."""
    with server.told:
        assert server.told.wait_for(lambda: true(server.seats.shown()), seconds)
    return server.seats.shown()


def of(shown, name):
    (found,) = [check for check in shown["checks"] if check["name"] == name]
    return found


def written(name, source):
    names = dict(EXERCISES[name].given)
    exec(f"{name} = {source}" if source.startswith("lambda") else source, names)
    names[name].__name__ = name
    return names[name]


def turn(silence=0.7, words="a secret"):
    done = TurnTimes(1, heard=words, said=words, ended=10.0, first_sound=10.0 + silence)
    done.bars = [
        *(Bar("speech", 9.0, 10.0), Bar("wait", 10.0, 10.5), Bar("transcribe", 10.1, 10.3)),
        *(Bar("synthesis", 10.5, 10.0 + silence), Bar("playback", 10.7, 12.0)),
    ]
    return done


# Joining


def test_who_joins_is_seen_at_each_check_and_who_does_not_is_not(capsys):
    with room() as server:
        checks.check(written(FIRST, RIGHT[FIRST]))
        assert server.seats.shown()["seats"] == []
        checks.join(server.room.removeprefix("http://"), name="Ada")
        assert "You have seat 1" in capsys.readouterr().out
        checks.check(written(SECOND, WRONG[SECOND][0][0]))
        shown = until(server, lambda shown: of(shown, SECOND)["wrong"] == [1])
        assert [seat["name"] for seat in shown["seats"]] == ["Ada"]
        checks.check(written(SECOND, RIGHT[SECOND]))
        until(server, lambda shown: of(shown, SECOND)["passed"] == [1])


def test_what_was_passed_before_joining_counts_but_not_what_was_filled_in():
    checks.keep(EXERCISES[FIRST], RIGHT[FIRST])
    checks.keep(EXERCISES[SECOND], f"{checks.FILLED_IN}\n{RIGHT[SECOND]}")
    with room() as server:
        checks.join(server.room)
        shown = server.seats.shown()
        assert of(shown, FIRST)["passed"] == [1] and of(shown, SECOND)["passed"] == []
        assert shown["seats"][0]["name"] == "" and shown["seats"][0]["at"] == SECOND


def test_the_environment_lets_a_notebook_join_at_its_first_check(monkeypatch, capsys):
    with room() as server:
        monkeypatch.setenv("VOICE_KIT_ROOM", server.room)
        checks.check(written(FIRST, RIGHT[FIRST]))
        until(server, lambda shown: of(shown, FIRST)["passed"] == [1])
    assert "checks.leave()" in capsys.readouterr().out


def test_who_joined_in_one_notebook_goes_on_in_the_next_but_not_another_day(monkeypatch):
    with room() as server:
        checks.join(server.room, name="Ada")
        for hours, seats in ((1, 1), (13, 0)):
            room_join._stop(next_room=server.room)
            server.seats._seats.clear()
            monkeypatch.setattr(room_join, "_asked", False)  # as in a new kernel
            kept = json.loads((checks.home() / "room.json").read_text())
            kept["when"] = time.time() - hours * 3600
            (checks.home() / "room.json").write_text(json.dumps(kept))
            checks.mine(FIRST, otherwise=len)
            if seats:
                until(server, lambda shown: shown["seats"])
            assert (room_join._seat is not None) == bool(seats)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"when": "x", "room": 3, "key": []}', "\x00"])
def test_what_is_kept_of_a_room_may_be_anything(text):
    checks.home().mkdir(parents=True)
    (checks.home() / "room.json").write_text(text)
    assert checks.check(written(FIRST, RIGHT[FIRST])).passed
    assert room_join._seat is None


def test_settings_do_not_mind_that_a_room_is_named(monkeypatch):
    from voice_kit.settings import load_settings

    monkeypatch.setenv("VOICE_KIT_ROOM", "127.0.0.1:1/abc")
    load_settings()


def test_a_person_has_one_seat_in_all_notebooks_and_another_in_each_room():
    keys = []
    with room() as first, room() as second:
        for server in (first, first, second):
            checks.join(server.room)
            assert len(server.seats.shown()["seats"]) == 1
            keys.append(json.loads((checks.home() / "room.json").read_text())["key"])
        until(first, lambda shown: not shown["seats"])  # one sits in one room
    assert keys[0] == keys[1] != keys[2]


def test_who_leaves_is_forgotten_and_does_not_join_again_by_itself(monkeypatch):
    with room() as server:
        monkeypatch.setenv("VOICE_KIT_ROOM", server.room)
        checks.join()
        assert server.seats.shown()["seats"]
        checks.leave()
        until(server, lambda shown: not shown["seats"])
        monkeypatch.setattr(room_join, "_asked", False)  # as in the next notebook
        checks.check(written(FIRST, RIGHT[FIRST]))
        assert room_join._seat is None


def test_times_of_turns_are_told_and_their_words_are_not(monkeypatch):
    timeline = Timeline()
    monkeypatch.setattr(room_join, "names", lambda: {"timeline": timeline, "other": object()})
    with room() as server:
        bodies, take = [], server.seats.take
        server.seats.take = lambda content: bodies.append(content) or take(content)
        checks.join(server.room)
        timeline.turns.append(turn())
        shown = until(server, lambda shown: shown["seats"][0]["turns"])
        (told,) = shown["seats"][0]["turns"]
        assert told["silence"] == 0.7
        assert told["bars"] == [
            ("wait", 0.0, 0.5),
            ("transcribe", 0.1, 0.3),
            ("synthesis", 0.5, 0.7),
        ]
        assert bodies and not any(b"secret" in body for body in bodies)


@pytest.mark.needs("jupyter")
def test_a_notebooks_kernel_tells_the_times_of_its_timelines(tmp_path):
    import nbformat
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell, new_notebook

    with room() as server:
        cells = [
            "from voice_kit.workshop import checks",
            f"checks.join({server.room!r})",
            "from voice_kit.converse.timeline import Bar, Timeline, TurnTimes",
            "timeline = Timeline()\n"
            "timeline.turns.append(TurnTimes(1, heard='a secret', ended=1.0, first_sound=1.8))",
            # A cell that waits, as a live one does, until the room was told by another thread.
            "from voice_kit.workshop import room_join\n"
            "import threading\n"
            "while not room_join._seat._sent.get('turns'):\n"
            "    threading.Event().wait(0.05)",
        ]
        notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
        NotebookClient(notebook, timeout=60, kernel_name="python3").execute(cwd=str(tmp_path))
        assert "You have seat 1" in nbformat.writes(notebook)
        (seat,) = server.seats.shown()["seats"]
        assert [turn["silence"] for turn in seat["turns"]] == [0.8]


def test_only_the_last_turns_that_were_heard_are_told():
    timeline = Timeline()
    silent = turn()
    silent.first_sound = None
    timeline.turns = [turn(number / 10) for number in range(1, 9)] + [silent]
    found = room_turns.turns_in({"t": timeline, "x": 3})
    assert [each["silence"] for each in found] == [0.4, 0.5, 0.6, 0.7, 0.8]


# A room that is slow, gone, or somebody else


def test_a_dead_room_disturbs_no_check(capsys):
    checks.join(f"{refusing_url()}/abc234")
    assert "goes on without it" in capsys.readouterr().out
    for _ in range(20):
        assert checks.check(written(FIRST, RIGHT[FIRST])).passed
    assert "room" not in capsys.readouterr().out


def test_a_room_that_never_answers_holds_no_check_up(monkeypatch):
    with ScriptedServer(hangs()) as slow:
        monkeypatch.setenv("VOICE_KIT_ROOM", f"{slow.url}/abc234")
        checks.check(written(FIRST, RIGHT[FIRST]))
        assert slow.came.wait(10)
        began = time.perf_counter()
        for _ in range(5):
            assert checks.check(written(FIRST, RIGHT[FIRST])).passed
        assert time.perf_counter() - began < room_join.ANSWER / 2


@pytest.mark.parametrize("answer", [b"", b"{}", b"[]", b'{"seat": "x"}', b"\xff"])
def test_a_server_that_is_no_room_is_told_so_and_nothing_breaks(answer, capsys):
    with ScriptedServer(sends(answer)) as other:
        checks.join(f"{other.url}/abc234")
        assert checks.check(written(FIRST, RIGHT[FIRST])).passed
    assert "goes on without it" in capsys.readouterr().out


@pytest.mark.parametrize(
    "address",
    ["http://8.8.8.8:8770/abc234", "https://example.com:1/a", "example.com:80/abc", "8.8.8.8:1/a",
     "http://u:p@127.0.0.1:1/a", "", "room", "127.0.0.1:8770", "http://[2001:4860::1]:80/abc"],
)  # fmt: skip
def test_nobody_joins_a_room_that_is_not_in_the_local_network(address, capsys, monkeypatch):
    sent = []
    monkeypatch.setattr(room_join, "ask", lambda url, **_: sent.append(url))
    checks.join(address)
    assert not sent
    assert "teacher's screen" in capsys.readouterr().out
    assert room_join._seat is None


def test_a_wrong_code_is_said_when_joining(capsys):
    with room() as server:
        checks.join(server.room[:-6] + "zzzzzz")
        assert "has another code" in capsys.readouterr().out
        assert server.seats.shown()["seats"] == []


# The server's own limits


def asked(server, path, *, body=None, headers=None):
    host, port = server.server_address
    connection = http.client.HTTPConnection(host, port, timeout=10)
    method = "GET" if body is None else "POST"
    connection.request(method, path, body=body, headers=headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def told(seat=KEY, **more):
    return json.dumps({"seat": seat, **more}).encode()


def test_nothing_is_shown_to_who_does_not_know_the_code():
    with room() as server:
        for path in ("/", "/room.json", "/seat", "/aaaaaa/", "/aaaaaa/room.json", "/../x"):
            answer, content = asked(server, path)
            assert answer.status == 403 and server.code.encode() not in content
        answer, _ = asked(server, f"/{server.code}")
        assert answer.status == 307 and answer.headers["Location"] == f"/{server.code}/"


def test_codes_cannot_be_tried_out():
    clock = [0.0]
    seats = Seats(clock=lambda: clock[0])
    for _ in range(20):
        assert seats.may_guess("192.168.1.9")
        seats.guessed("192.168.1.9")
    assert not seats.may_guess("192.168.1.9") and seats.may_guess("192.168.1.8")
    clock[0] = MINUTE + 1
    assert seats.may_guess("192.168.1.9")


def test_the_page_is_strict_about_where_its_parts_come_from():
    with room() as server:
        for name, kind in (("", "text/html"), ("room.js", "text/javascript"), ("room.css", "css")):
            answer, content = asked(server, f"/{server.code}/{name}")
            assert answer.status == 200 and kind in answer.headers["Content-Type"]
            assert b"http" not in content.replace(b"http://www.w3.org/2000/svg", b"")
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Referrer-Policy"] == "no-referrer"
        answer, _ = asked(server, f"/{server.code}/../room_view.py")
        assert answer.status == 404


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"\xff", b'{"seat": "short"}', told(words="what I said"),
        told(checks={"what I said": "passed"}), told(checks={FIRST: "what I said"}),
        told(name="x" * 25), told(turns=[{"silence": 1, "bars": [], "heard": "what I said"}]),
        told(turns=[{"silence": 1, "bars": [["what I said", 0, 1]]}]), told(seat="what I said"),
        told(turns=[{"silence": float("nan"), "bars": []}]), b"[" * 5000,
        told(turns=[{"silence": 1e9, "bars": []}]), told(turns=[{"silence": 1, "bars": []}] * 6),
    ],
)  # fmt: skip
def test_a_seat_can_tell_nothing_but_checks_and_times(body):
    with room() as server:
        answer, content = asked(server, f"/{server.code}/seat", body=body)
        assert answer.status == 400 and b"what I said" not in content
        assert server.seats.shown()["seats"] == []


def test_what_is_too_long_is_not_even_read():
    with room() as server:
        for length in (str(LARGEST + 1), "-1", "x"):
            path = f"/{server.code}/seat"
            answer, _ = asked(server, path, body=b"{}", headers={"Content-Length": length})
            assert answer.status == 413


def test_forty_sit_down_and_the_next_finds_no_seat_until_one_is_away():
    clock = [0.0]
    seats = Seats(clock=lambda: clock[0])
    numbers = [seats.take(told(f"{number:016x}")) for number in range(40)]
    assert numbers == list(range(1, 41))
    with pytest.raises(RefusedError, match="All 40 seats") as refused:
        seats.take(told("f" * 16))
    assert refused.value.status == 503
    clock[0] = AWAY + 1
    for number in range(1, 40):
        seats.take(told(f"{number:016x}"))
    assert seats.take(told("f" * 16)) == 1
    assert len(seats.shown()["seats"]) == 40


def test_a_seat_that_tells_too_often_is_told_to_wait():
    clock = [0.0]
    seats = Seats(clock=lambda: clock[0])
    for _ in range(OFTEN):
        seats.take(told())
    with pytest.raises(RefusedError, match="too often"):
        seats.take(told())
    assert seats.take(told("f" * 16)) == 2
    clock[0] = WITHIN
    seats.take(told())


def test_who_was_not_heard_of_for_a_while_is_away():
    clock = [0.0]
    seats = Seats(clock=lambda: clock[0])
    seats.take(told())
    assert not seats.shown()["seats"][0]["away"]
    clock[0] = AWAY + 1
    assert seats.shown()["seats"][0]["away"]


def test_no_seats_key_is_shown_for_with_it_others_could_speak_in_its_name():
    seats = Seats()
    seats.take(told(name="Ada\u202e <b>\n"))
    assert KEY not in json.dumps(seats.shown())
    assert seats.shown()["seats"][0]["name"] == "Ada <b>"


def test_silent_connections_do_not_keep_others_out(monkeypatch):
    with room() as server:
        silent = [socket.create_connection(server.server_address) for _ in range(30)]
        try:
            answer, _ = asked(server, f"/{server.code}/room.json")
            assert answer.status == 200
        finally:
            for each in silent:
                each.close()


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("127.0.0.1", True), ("192.168.1.5", True), ("10.1.2.3", True), ("172.16.0.1", True),
        ("169.254.1.1", True), ("::1", True), ("fe80::1%eth0", True), ("::ffff:192.168.1.5", True),
        ("8.8.8.8", False), ("0.0.0.0", False), ("::", False), ("2001:4860::1", False),
        ("::ffff:8.8.8.8", False), ("example.com", False), ("", False),
    ],
)  # fmt: skip
def test_only_the_local_network_is_let_in(address, near):
    assert local(address) is near
    with room() as server:
        assert server.verify_request(None, (address, 1)) is near


@pytest.mark.parametrize("host", ["8.8.8.8", "0.0.0.0", "::", "example.com"])
def test_no_room_is_opened_at_a_public_address(host):
    with pytest.raises(VoiceKitError, match="local network alone"):
        RoomServer(host, 0)


def test_a_port_that_is_taken_is_told():
    with (
        room() as server,
        pytest.raises(VoiceKitError, match="Try another --port"),
        RoomServer("127.0.0.1", server.server_address[1]),
    ):
        pass


# The command


def test_the_command_prints_address_and_code_and_ends_with_ctrl_c():
    command = [sys.executable, "-m", "voice_kit.cli", "room", "--host", "127.0.0.1", "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=dict(os.environ), **pipes) as running:
        lines = [running.stdout.readline() for _ in range(5)]
        address = re.search(r"projector:\s+(http://127\.0\.0\.1:\d+/(\w{6})/)", lines[0])
        assert address and address[2] in lines[4]
        assert f'checks.join("{address[1][len("http://") : -1]}")' in lines[2]
        checks.join(address[1])
        checks.join(address[1])
        port = int(address[1].split(":")[2].split("/")[0])
        running.send_signal(signal.SIGINT)
        assert running.wait(20) in (0, 130)
        assert running.stdout.read() == ""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


# The page


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_shows_who_is_where_as_text_and_as_pictures(dark):
    from helpers_browser import browser, opened, picture
    from helpers_browser import until as page_until

    with room() as server:
        names = ["Ada", "<img src=x onerror=f()>", "", "Grace", "Linus", "", ""]
        for number, name in enumerate(names):
            done = dict.fromkeys(list(EXERCISES)[: 3 * number], "passed")
            wrong = {list(EXERCISES)[3 * number]: "wrong"}
            silence = 0.6 + 0.2 * number
            bars = [
                ["wait", 0, 0.5], ["transcribe", 0.1, 0.3], ["first_token", 0.3, 0.4],
                ["first_sentence", 0.4, 0.45], ["synthesis", 0.45, silence],
            ]  # fmt: skip
            turns = [{"silence": silence, "bars": bars}]
            body = told(f"{number:016x}", name=name, checks={**done, **wrong}, turns=turns)
            server.seats.take(body)
        with browser() as chromium, opened(chromium, f"{server.room}/", dark=dark) as page:
            cards = page.locator("#waterfalls li")
            page_until(page, lambda: cards.count() == 7)
            assert "7 of 40 seats are taken." in page.inner_text("#summary")
            assert "Ada" in page.inner_text("#seats") and "Seat 3" in page.inner_text("#seats")
            assert "<img src=x" in page.inner_text("#seats") and not page.locator("img").count()
            assert page.locator("#checks tr").count() == len(EXERCISES)
            row = page.locator("#checks tr").first.inner_text()
            assert FIRST in row and "6 of 7" in row and "Ada" in row
            label = page.locator("#waterfalls svg").first.get_attribute("aria-label")
            assert "waiting, if you go on 500 ms" in label and "speech to text 200 ms" in label
            picture(page, f"room_{'dark' if dark else 'light'}")
            server.seats.take(told(f"{0:016x}", checks={FIRST: "passed"}))
            page_until(page, lambda: "7 of 7" in page.inner_text("#checks"))
