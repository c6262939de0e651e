# ruff: noqa: E402
"""A phone as the room's microphone: which address, which certificate, and a code to scan."""

import asyncio
import hashlib
import json
import os
import re
import socket
import ssl
import stat
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("cryptography", reason="the serve extra is not installed")
segno = pytest.importorskip("segno", reason="the serve extra is not installed")

import httpx
import websockets
from helpers_serve import command, say, until

from voice_kit.errors import VoiceKitError
from voice_kit.serve import lan
from voice_kit.serve.certificates import certificate
from voice_kit.serve.lan import Address, choose, invitation

WIFI, CABLE = Address("192.168.1.20", "wlan0"), Address("10.20.0.4", "eth0")
DOCKER, TUNNEL = Address("172.17.0.1", "docker0"), Address("10.8.0.2", "tun0")
ELSEWHERE = Address("203.0.113.77", "eth1")
URL = "https://192.168.100.200:8765/?token=" + "aB3_" * 11


# Which address


@pytest.mark.parametrize(
    ("found", "way_out", "chosen", "why"),
    [
        ([WIFI], "192.168.1.20", WIFI, "the way out"),
        ([DOCKER, WIFI], "", WIFI, "tunnels or virtual machines"),
        ([DOCKER, CABLE, WIFI], "192.168.1.20", WIFI, "the way out"),
        ([DOCKER, TUNNEL, WIFI], "10.8.0.2", WIFI, "tunnels or virtual machines"),
        ([CABLE, WIFI], "", CABLE, "nothing tells"),
        ([DOCKER], "172.17.0.1", DOCKER, "the way out"),
        ([WIFI], "", WIFI, "the only one"),
        ([Address("8.8.4.4", "eth1"), WIFI], "8.8.4.4", WIFI, "the only one"),
    ],
)
def test_the_phone_is_told_the_address_that_it_can_reach_and_why(found, way_out, chosen, why):
    told = choose(found=found, way_out=way_out)
    assert told.address == chosen
    assert why in told.why
    assert chosen not in told.others


def test_the_host_that_was_asked_for_is_the_one():
    told = choose("10.20.0.4", [WIFI, CABLE], "192.168.1.20")
    assert told.address == CABLE and "--host" in told.why and told.others == (WIFI,)
    assert choose("laptop.local", [WIFI], "").address.ip == "laptop.local"


@pytest.mark.parametrize("host", ["", "0.0.0.0", "127.0.0.1", "localhost", "::"])
def test_a_host_that_a_phone_cannot_dial_leaves_the_choice_to_us(host):
    assert choose(host, [WIFI], "").address == WIFI


def test_in_no_network_it_says_what_to_do():
    with pytest.raises(VoiceKitError, match="Join the one the phone is in"):
        choose(found=[Address("8.8.4.4", "eth0")], way_out="8.8.4.4")
    with pytest.raises(VoiceKitError, match="--host"):
        choose(found=[], way_out="")


def test_this_machines_own_addresses_are_found_without_asking_anybody(monkeypatch):
    monkeypatch.setattr(lan, "way_out_of_here", lambda: "192.168.7.7")
    found = lan.addresses()
    assert Address("192.168.7.7") in found
    assert not [each for each in found if each.ip.startswith("127.")]


# The certificate


def test_it_is_for_these_addresses_and_for_this_machine_itself(tmp_path):
    file, fingerprint = certificate(["192.168.1.20"], tmp_path)
    assert re.fullmatch("(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", fingerprint)
    for name in ("192.168.1.20", "127.0.0.1", "localhost"):
        assert handshake(file, name) == "done"
    assert "192.168.1.21" in handshake(file, "192.168.1.21")


def handshake(file, name):
    """What a browser that trusts this certificate says when it opens https://name."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)  # as uvicorn does: one file for both
    client = ssl.create_default_context(cafile=file)
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def answer():
            try:
                server.wrap_socket(ours, server_side=True).close()
            except OSError:
                ours.close()

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            client.wrap_socket(theirs, server_hostname=name).close()
            return "done"
        except ssl.SSLCertVerificationError as error:
            return str(error)
        finally:
            theirs.close()
            thread.join(10)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_the_key_is_readable_by_its_owner_alone(tmp_path):
    old = os.umask(0)
    try:
        file, _ = certificate(["192.168.1.20"], tmp_path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [each.name for each in file.parent.iterdir()] == ["lan.pem"]


def test_it_is_kept_in_the_home_of_voice_kit(monkeypatch, tmp_path):
    monkeypatch.setenv("VOICE_KIT_HOME", str(tmp_path / "kit"))
    assert certificate(["192.168.1.20"])[0].is_relative_to(tmp_path / "kit")


def test_it_stays_the_same_so_that_the_phone_asks_once(tmp_path):
    made = certificate(["192.168.1.20", "10.0.0.4"], tmp_path)
    assert certificate(["10.0.0.4"], tmp_path) == made
    assert certificate(["10.0.0.4", "192.168.1.20"], tmp_path) == made


def test_it_is_made_anew_when_the_address_changes(tmp_path):
    _, first = certificate(["192.168.1.20"], tmp_path)
    file, second = certificate(["192.168.1.21"], tmp_path)
    assert first != second and handshake(file, "192.168.1.21") == "done"


@pytest.mark.parametrize(("days", "anew"), [(0, False), (60, False), (84, True), (200, True)])
def test_it_is_made_anew_before_it_ends(tmp_path, days, anew):
    _, first = certificate(["192.168.1.20"], tmp_path)
    later = datetime.now(UTC) + timedelta(days=days)
    assert (certificate(["192.168.1.20"], tmp_path, now=later)[1] != first) is anew


def test_it_is_made_anew_when_the_clock_was_wrong(tmp_path):
    wrong = datetime.now(UTC) + timedelta(days=30)
    _, first = certificate(["192.168.1.20"], tmp_path, now=wrong)
    assert certificate(["192.168.1.20"], tmp_path)[1] != first


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_a_key_that_others_could_read_is_not_used_again(tmp_path):
    file, first = certificate(["192.168.1.20"], tmp_path)
    file.chmod(0o644)
    _, second = certificate(["192.168.1.20"], tmp_path)
    assert first != second and stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_file_is_made_anew(tmp_path, damage):
    file, first = certificate(["192.168.1.20"], tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert certificate(["192.168.1.20"], tmp_path)[1] != first
    assert handshake(file, "192.168.1.20") == "done"


def test_a_folder_that_cannot_be_written_is_told_with_the_fix(tmp_path):
    (tmp_path / "lan").write_text("a file where the folder should be")
    with pytest.raises(VoiceKitError, match="VOICE_KIT_HOME"):
        certificate(["192.168.1.20"], tmp_path)


# The code


def modules(drawn):
    """The rows of a drawn code: 1 is dark, as a camera sees it with light blocks on black."""
    dark = {" ": (1, 1), "▀": (0, 1), "▄": (1, 0), "█": (0, 0)}
    rows = []
    for line in drawn.splitlines():
        plain = re.sub(r"\x1b\[[\d;]*m", "", line)
        rows += [[dark[each][half] for each in plain] for half in (0, 1)]
    return rows


@pytest.mark.parametrize("colours", [True, False])
def test_the_code_is_the_address_with_room_around_it(colours):
    rows = modules(invitation(URL, colours))
    size = len(rows[0])
    code = segno.make_qr(URL, error="l", boost_error=False)
    assert size == code.symbol_size()[0] <= 80
    assert [row[4:-4] for row in rows[4 : size - 4]] == [list(row) for row in code.matrix]
    around = rows[:4] + rows[size - 4 : size] + [row[:4] + row[-4:] for row in rows[:size]]
    assert not any(map(any, around))


def test_in_colours_it_brings_its_own_background_so_that_a_light_terminal_shows_it_too():
    lines = invitation(URL, True).splitlines()
    assert all(re.fullmatch(r"\x1b\[97;40m[ ▀▄█]+\x1b\[0m", line) for line in lines)
    assert "\x1b" not in invitation(URL, False)


def test_colours_are_for_terminals_and_not_for_those_who_want_none(monkeypatch, capsys):
    assert "\x1b" not in invitation(URL)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert "\x1b" in invitation(URL)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in invitation(URL)


def test_an_address_too_long_for_eighty_columns_has_no_code():
    assert invitation("https://10.0.0.1:8765/?token=" + "x" * 350, False)
    assert invitation("https://10.0.0.1:8765/?token=" + "x" * 500, False) == ""


# The command, as it is typed

ENGINES = ("--vad", "energy", "--stt", "sphinx", "--llm", "handbook", "--tts", "espeak")
FINGERPRINT = "SHA-256 fingerprint is ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})"


@contextmanager
def serving(*arguments, home):
    """`voice-kit serve --lan` in a process, and its lines: `said` and, until it listens, `notes`.
    What it still says is in `notes` once it has ended."""
    process = command("--lan", "--port", "0", *ENGINES, *arguments, home=home)
    alarm = threading.Timer(60, process.kill)  # then its lines end, and what is missing is seen
    alarm.start()
    try:
        running = SimpleNamespace(url=process.stdout.readline().strip(), notes=[], said=[])
        if "--json" not in arguments:
            running.said = list(takewhile(str.strip, process.stdout))
        for line in process.stderr:
            running.notes.append(line)
            if "startup complete" in line:
                break
        yield running
        process.terminate()
        running.notes += process.communicate(timeout=60)[1].splitlines()
    finally:
        alarm.cancel()
        process.kill()
        process.communicate()


def shown(running):
    """What a person at that terminal reads: address, token, fingerprint."""
    parts = urlsplit(running.url)
    (found,) = re.findall(FINGERPRINT, "".join(running.notes))
    return parts, parse_qs(parts.query)["token"][0], found


def certificate_at(host, port):
    """The certificate that is shown there, whoever it is from: its bytes."""
    nobody_known = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody_known.check_hostname, nobody_known.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((host, port), timeout=30) as plain,
        nobody_known.wrap_socket(plain) as secure,
    ):
        return secure.getpeercert(binary_form=True)


@pytest.mark.needs("lan")
def test_a_phone_gets_in_with_what_the_command_prints_and_with_nothing_less(tmp_path):
    with serving(home=tmp_path) as running:
        parts, token, fingerprint = shown(running)
        rows, code = (
            modules("".join(running.said)),
            segno.make_qr(running.url, error="l", boost_error=False),
        )
        assert [row[4:-4] for row in rows[4 : len(rows[0]) - 4]] == list(map(list, code.matrix))
        assert parts.scheme == "https" and parts.hostname not in ("127.0.0.1", "localhost")
        assert f"Phones reach it at {parts.hostname}" in "".join(running.notes)

        der = certificate_at(parts.hostname, parts.port)
        assert hashlib.sha256(der).hexdigest().upper() == fingerprint.replace(":", "")
        trusting = ssl.create_default_context(cadata=der)  # as one who has compared it
        site = f"https://{parts.netloc}"
        with httpx.Client(base_url=site, verify=trusting, timeout=30) as stranger:
            assert stranger.get("/").status_code == 401
            assert stranger.get("/v1/models").status_code == 401
        with httpx.Client(verify=trusting, timeout=30, follow_redirects=True) as phone:
            page = phone.get(running.url)
            assert page.is_success and str(page.url) == f"{site}/"
            assert [each.name for each in phone.cookies.jar if each.secure] == [
                f"__Host-voice-kit-{parts.port}"
            ]
            assert phone.get(f"{site}/v1/models").is_success
        asyncio.run(conversation(f"wss://{parts.netloc}/v1/realtime", token, trusting))
    assert token not in "".join(running.notes)


async def conversation(at, token, trusting):
    async with asyncio.timeout(60):
        async with websockets.connect(at, ssl=trusting) as socket:
            await say(socket, type="session.authenticate", token="a-guess-of-many-letters")
            assert (await until(socket, "error"))["error"]["code"] == "invalid_api_key"
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd.code == 4401
        async with websockets.connect(f"{at}?token={token}", ssl=trusting) as socket:
            assert (await until(socket, "session.created"))["session"]["id"]
            content = [{"type": "input_text", "text": "what is two plus two"}]
            item = {"type": "message", "role": "user", "content": content}
            await say(socket, type="conversation.item.create", item=item)
            await say(socket, type="response.create")
            done = await until(socket, "response.done", seconds=60)
            assert done["response"]["output"][0]["content"][0]["transcript"] == "That is 4."
        with pytest.raises(ssl.SSLCertVerificationError):
            await websockets.connect(at, ssl=ssl.create_default_context())


@pytest.mark.needs("lan")
def test_a_program_is_told_the_fingerprint_too_and_the_next_start_has_the_same(tmp_path):
    told = []
    for _ in range(2):
        with serving("--json", home=tmp_path) as running:
            told.append(json.loads(running.url))
    assert re.fullmatch("(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", told[0]["fingerprint"])
    assert told[0]["fingerprint"] == told[1]["fingerprint"]
    assert told[0]["token"] != told[1]["token"]
