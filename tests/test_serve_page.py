"""The gateway's page in a real browser: talked to, interrupted, reloaded, cut off, looked at."""

import contextlib
import dataclasses
import json
import re
import socket
import threading
from pathlib import Path

import pytest
from conftest import ROOT, need
from helpers_browser import browser, fake_microphone, opened, overlaps, screenshot, until
from helpers_serve import TOKEN, Parrot, Tone, served, stubs

from voice_kit.converse.line import Line
from voice_kit.hear.vad_silero import Silero
from voice_kit.serve.app import create_app
from voice_kit.serve.config import Serve
from voice_kit.serve.jwts import issue
from voice_kit.serve.protocol import HEADER, SILENCE, SOUND
from voice_kit.serve.shared import Shared
from voice_kit.settings import Settings
from voice_kit.types import Transcript

pytestmark = [pytest.mark.needs("chromium", "serve")]

STATIC = ROOT / "voice_kit" / "serve" / "static"
AXE = ROOT / ".envs" / "axe-core-4.14.1" / "axe.min.js"
LONG = " ".join(f"Word number {number}." for number in range(30))
SECRET = "a-secret-of-some-length-for-these-tests"
PATIENCE = 60
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}


@dataclasses.dataclass
class Heard:
    """Always hears these words."""

    words: str = "tell me a long story please"
    name: str = "heard"
    stops: str = "async"

    async def transcribe(self, audio):
        return Transcript(self.words if len(audio.samples) > 4000 else "")


@dataclasses.dataclass
class Mindful:
    """Knows the name that it was told in this conversation, as any language model does."""

    name: str = "mindful"
    stops: str = "async"

    async def reply(self, messages):
        lines = [message.content for message in messages if message.role == "user"]
        told = re.findall(r"my name is (\w+)", " ".join(lines))
        yield f"You are {told[0]}." if told else "Nobody has told me."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gateway")


@contextlib.contextmanager
def gateway(folder, engines, settings=None, **changes):
    """A gateway whose notes and timers lie in this folder."""
    plenty = {"per_address": 1000, "connects_per_second": 1000.0, "drain_seconds": 1.0}
    serve = Serve(**({"token": TOKEN, "port": 0} | plenty | changes))
    shared = Shared(settings or Settings(), serve, engines, folder=folder)
    with served(serve=serve, app=create_app(shared)) as address:
        yield address


def quick(answer=LONG, word=0.25):
    engines = stubs(stt=Heard(), llm=Parrot(answer), tts=Tone(word))
    return dataclasses.replace(engines, vad=Line("vad", Silero()))


@pytest.fixture(scope="module")
def stub(folder):
    """A gateway that tells long stories."""
    with gateway(folder / "stub", quick()) as address:
        yield address


@pytest.fixture(scope="module")
def mind(folder):
    """A gateway that remembers names."""
    engines = dataclasses.replace(quick(word=0.05), llm=Line("llm", Mindful()))
    with gateway(folder / "mind", engines) as address:
        yield address


@pytest.fixture(scope="module")
def real(folder):
    """A gateway with the embedded engines."""
    patient = {"stt": 60.0, "llm": 60.0, "tts": 60.0}  # on a busy machine
    settings = Settings(stt="sphinx", llm="handbook", tts="espeak", judge="text", timeouts=patient)
    with gateway(folder / "real", None, settings) as address:
        yield address


@pytest.fixture(scope="module")
def chromium(folder):
    """Its microphone hears a question, and a second one into the answer."""
    sound = folder / "talk.wav"
    fake_microphone(sound, 1.5, "question_vad", 4.0, "interruption_wait", 6.0)
    with browser(sound) as chromium:
        yield chromium


def at(address):
    return f"{address}/?token={address.token}"


def state(page):
    return page.locator("#state").inner_text()


def said(page):
    return page.locator("#transcript [role=log]").inner_text()


def wait_for(page, what, why=""):
    return until(
        page, what, seconds=PATIENCE, why=lambda: f"{why}\n{page.locator('body').inner_text()}"
    )


def connected(page):
    wait_for(page, lambda: state(page) == "Connected")
    return page


def type_line(page, text):
    page.get_by_label("Type a line").fill(text)
    page.keyboard.press("Enter")


@contextlib.contextmanager
def talking(chromium, address, **more):
    """The page, signed in and connected."""
    with opened(chromium, at(address), viewport={"width": 1280, "height": 900}, **more) as page:
        yield connected(page)


# A conversation


def test_a_spoken_question_is_answered(real, chromium):
    with talking(chromium, real) as page:
        page.get_by_role("button", name="Start talking").click()
        wait_for(page, lambda: re.search(r"kit\s+\S+", said(page)))
        assert page.get_by_role("button", name="Stop talking").is_visible()
        assert "you" in said(page)
        wait_for(page, lambda: page.locator(".vk-timeline .bar").count() > 3)
        page.locator(".vk-timeline .bar").first.click()
        assert re.search(r"\d ?(ms|s)", page.locator(".vk-timeline .figures").inner_text())
        page.get_by_role("button", name="Stop talking").click()
        assert page.get_by_role("button", name="Start talking").is_visible()


def test_an_interruption_stops_the_answer_and_says_what_was_not_heard(stub, chromium):
    with talking(chromium, stub) as page:
        page.get_by_role("button", name="Start talking").click()
        wait_for(page, lambda: page.locator(".vk-orb[data-state=speaking]").count())
        wait_for(page, lambda: "you interrupt:" in said(page))
        assert "not heard" in said(page)
        heard = re.search(r"kit\s+(.*?)\s+Word number \d+", said(page), re.DOTALL)
        assert heard, said(page)
        page.get_by_role("button", name="Stop talking").click()


def test_what_is_sent_is_counted_in_frames_and_quiet_costs_next_to_nothing(mind, chromium):
    with talking(chromium, mind) as page:
        sent = []
        page.on("websocket", lambda wire: wire.on("framesent", lambda data: sent.append(data)))
        page.get_by_role("button", name="New conversation").click()  # on a wire that is followed
        connected(page)
        page.get_by_role("button", name="Start talking").click()

        def messages():
            found = [each for each in sent if isinstance(each, bytes)]
            return [HEADER.unpack_from(each) for each in found]

        def quiet_again():  # for two seconds, after something was heard
            kinds = [kind for kind, _, count, _ in messages() for _ in range(count)]
            return SOUND in kinds and len(kinds) > 150 and kinds[-60:] == [SILENCE] * 60

        wait_for(page, quiet_again)
        page.get_by_role("button", name="Stop talking").click()
        expected = 0
        for _, flags, count, number in messages():
            assert (flags, number) == (0, expected)
            expected += count
        silences = [count for kind, _, count, _ in messages() if kind == SILENCE]
        assert max(silences[:-1]) * 0.032 <= 0.5  # the last is all that was held back
        assert len([each for each in sent if isinstance(each, bytes)][-1]) == HEADER.size
        page.get_by_role("button", name="Start talking").click()  # time goes on
        wait_for(page, lambda: sum(count for *_, count, _ in messages()) > expected + 10)
        later = [number for _, _, _, number in messages() if number >= expected]
        assert later[0] == expected


def test_a_reload_goes_on_with_its_memory(mind, chromium):
    with talking(chromium, mind) as page:
        type_line(page, "my name is Ada")
        wait_for(page, lambda: "You are Ada." in said(page))
        wait_for(page, lambda: page.locator("#list .open[aria-current]").count() == 1)
        before = page.url
        page.reload()
        connected(page)
        assert page.url == before
        assert "my name is Ada" in said(page)  # what was said before is shown
        type_line(page, "what is my name")
        wait_for(page, lambda: said(page).count("You are Ada.") == 2)


def test_two_tabs_do_not_hear_each_other(mind, chromium):
    with talking(chromium, mind) as page:
        type_line(page, "my name is Ada")
        wait_for(page, lambda: "You are Ada." in said(page))
        other = page.context.new_page()
        other.goto(f"{mind}/")
        connected(other)
        assert other.url != page.url
        type_line(other, "what is my name")
        wait_for(other, lambda: "Nobody has told me." in said(other))
        assert "Ada" not in said(other)
        assert "what is my name" not in said(page)


def test_a_conversation_goes_on_in_the_window_that_took_it_last(stub, chromium):
    with talking(chromium, stub) as page:
        type_line(page, "hello")
        wait_for(page, lambda: "kit" in said(page))
        other = page.context.new_page()
        other.goto(page.url)
        connected(other)
        notice = page.locator("#notice")
        wait_for(page, lambda: "goes on in another window" in notice.inner_text())
        page.get_by_role("button", name="Go on here").click()
        connected(page)
        wait_for(other, lambda: "another window" in other.locator("#notice").inner_text())


def test_what_is_said_can_be_saved_as_text(stub, chromium):
    with talking(chromium, stub) as page:
        type_line(page, "hello there")
        wait_for(page, lambda: "Word number 1" in said(page))
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as text").click()
        text = Path(download.value.path()).read_text("utf-8")
        assert "hello there" in text
        assert "Word number 0" in text
        wait_for(page, lambda: page.get_by_role("button", name="Be quiet").is_visible())
        page.get_by_role("button", name="Be quiet").click()
        wait_for(page, lambda: "not heard" in said(page))


# What goes wrong


class Cable:
    """A line to the gateway that can be cut."""

    def __init__(self, port):
        self._port = port
        self._ends = []
        self._open = True
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                end, _ = self._door.accept()
                if not self._open:
                    end.close()
                    continue
                other = socket.create_connection(("127.0.0.1", self._port))
                self._ends += [end, other]
                for pair in ((end, other), (other, end)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        self._open = False
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def mend(self):
        self._open = True

    def close(self):
        self.cut()
        self._door.close()


def test_a_lost_gateway_is_found_again_and_the_conversation_goes_on(mind, chromium):
    line = Cable(int(mind.rpartition(":")[2]))
    ours = f"http://127.0.0.1:{line.port}"
    allowed = ("ERR_CONNECTION", "ERR_EMPTY", "WebSocket connection to", "Failed to load")
    with (
        contextlib.closing(line),
        opened(chromium, f"{ours}/?token={mind.token}", allowed=allowed) as page,
    ):
        connected(page)
        type_line(page, "my name is Ada")
        wait_for(page, lambda: "You are Ada." in said(page))
        where = page.url
        line.cut()
        wait_for(page, lambda: "Not connected" in state(page))
        notice = page.locator("#notice").inner_text()
        assert "The gateway cannot be reached" in notice
        type_line(page, "what is my name")
        wait_for(page, lambda: "not answered yet" in said(page))
        line.mend()
        connected(page)
        assert page.url == where
        wait_for(page, lambda: said(page).count("You are Ada.") == 2)
        assert page.locator("#notice").is_hidden()


def test_who_has_no_token_is_asked_for_one(folder, chromium):
    serve = {"secret": SECRET, "token": ""}
    with (
        gateway(folder / "jwt", quick("Hello."), **serve) as address,
        opened(chromium, f"{address}/", allowed=("401",)) as page,
    ):
        field = page.get_by_label("Token")
        field.wait_for()
        wait_for(page, lambda: state(page) == "Not signed in")
        field.fill("no-token")
        page.get_by_role("button", name="Sign in").click()
        wait_for(page, lambda: "token" in page.locator("#signin-help").inner_text().lower())
        assert field.is_visible()
        token, _ = issue(Serve(**serve), "ada", 1.0)
        field.fill(token)
        page.get_by_role("button", name="Sign in").click()
        connected(page)
        assert field.is_hidden()
        assert token not in page.url
        type_line(page, "hello")
        wait_for(page, lambda: "Hello." in said(page))


def test_a_full_gateway_says_when_it_is_tried_again(folder, chromium):
    with (
        gateway(folder / "full", quick(), max_connections=1) as address,
        talking(chromium, address),
        opened(chromium, at(address), allowed=("429",)) as page,
    ):
        wait_for(page, lambda: "next try in" in state(page))
        assert "This gateway is full." in page.locator("#notice").inner_text()
        assert re.search(r"next try in \d+ s", state(page))


NO_MICROPHONE = """navigator.mediaDevices.getUserMedia = async () => {
  throw new DOMException("gone", "NAME"); };"""


@pytest.mark.parametrize(
    ("name", "fix"),
    [("NotFoundError", "plug one in"), ("NotAllowedError", "allow it")],
)
def test_without_a_microphone_it_says_what_to_do_and_can_be_typed_to(stub, chromium, name, fix):
    with talking(chromium, stub, before=NO_MICROPHONE.replace("NAME", name)) as page:
        page.get_by_role("button", name="Start talking").click()
        wait_for(page, lambda: fix in page.locator("#mic").inner_text())
        assert page.get_by_role("button", name="Start talking").is_visible()
        type_line(page, "hello")
        wait_for(page, lambda: "Word number" in said(page))


def test_an_insecure_page_says_how_to_open_it(stub, chromium):
    before = "Object.defineProperty(navigator, 'mediaDevices', { value: undefined });"
    with talking(chromium, stub, before=before) as page:
        page.get_by_role("button", name="Start talking").click()
        wait_for(page, lambda: "https" in page.locator("#mic").inner_text())


# Settings and the list


def test_settings_reach_the_gateway_and_stay_in_this_browser(stub, chromium):
    def rules():
        return [session.settings for session in stub.shared.sessions]

    with talking(chromium, stub) as page:
        page.locator("#settings-part summary").click()
        slider = page.get_by_label("Quiet that ends your turn")
        slider.focus()
        page.keyboard.press("Home")
        page.get_by_label("What speech does to an answer").select_option("any")
        page.get_by_label("Who answers").fill("You are a pirate.")
        page.get_by_label("Voice").focus()
        wait_for(page, lambda: any(each.hear.stop == 0.1 for each in rules()))
        wait_for(page, lambda: any(each.persona == "You are a pirate." for each in rules()))
        assert any(each.interrupt.mode == "any" for each in rules())
        page.reload()
        connected(page)
        wait_for(
            page,
            lambda: any(
                each.hear.stop == 0.1 and each.persona == "You are a pirate." for each in rules()
            ),
        )
        page.locator("#settings-part summary").click()
        assert page.get_by_label("Quiet that ends your turn").input_value() == "0.1"
        page.get_by_label("Voice").fill("no such voice")
        page.get_by_label("Who answers").focus()
        wait_for(page, lambda: "no voice" in page.locator("#settings-problem").inner_text())
        page.get_by_role("button", name="As the gateway has it").click()
        wait_for(page, lambda: all(each.hear.stop == Settings().hear.stop for each in rules()))


def test_conversations_can_be_opened_named_and_deleted(mind, chromium):
    with talking(chromium, mind) as page:
        type_line(page, "the first one")
        titles = page.locator("#list .title")
        wait_for(page, lambda: "the first one" in titles.all_inner_texts())
        page.get_by_role("button", name="New conversation").click()
        connected(page)
        wait_for(page, lambda: "the first one" not in said(page))
        type_line(page, "the second one")
        wait_for(page, lambda: "the second one" in titles.all_inner_texts())
        page.get_by_role("button", name="Rename “the first one”").click()
        field = page.get_by_label("New title")
        assert field.evaluate("field => field === document.activeElement")
        field.fill("Stories")
        page.keyboard.press("Enter")
        wait_for(page, lambda: "Stories" in titles.all_inner_texts())
        page.locator("#list .open", has_text="Stories").click()
        connected(page)
        wait_for(page, lambda: "the first one" in said(page))
        assert "the second one" not in said(page)
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Delete “the second one”").click()
        wait_for(page, lambda: "the second one" not in titles.all_inner_texts())
        assert state(page) == "Connected"


# How it looks, and how it is used without seeing or pointing


def test_everything_can_be_reached_by_keyboard_and_left_again(stub, chromium):
    with talking(chromium, stub) as page:
        page.keyboard.press("Tab")
        skip = page.locator(":focus")
        assert skip.inner_text() == "Skip to the conversation"
        assert skip.bounding_box()["y"] >= 0
        reached, widths = [], []
        for _ in range(45):
            page.keyboard.press("Tab")
            reached.append(
                page.evaluate(
                    "document.activeElement.ariaLabel || document.activeElement.id"
                    " || document.activeElement.textContent.trim()"
                )
            )
            style = "getComputedStyle(document.activeElement)"
            widths.append(page.evaluate(f"[{style}.outlineStyle, document.activeElement.tagName]"))
        for name in ("start", "new", "Send", "device"):
            assert name in reached, reached
        assert "Skip to the conversation" in reached, "the keyboard does not come round"
        assert all(outline != "none" for outline, tag in widths if tag not in ("BODY", "HTML"))
        page.locator("#start").focus()
        page.keyboard.press("Enter")
        wait_for(page, lambda: "Stop talking" in page.locator("#start").inner_text())
        page.keyboard.press("Enter")


@pytest.mark.parametrize("size", SIZES)
def test_it_looks_right_and_is_accessible(stub, chromium, size):
    width, height = SIZES[size]
    with opened(chromium, at(stub), viewport={"width": width, "height": height}) as page:
        connected(page)
        type_line(page, "tell me a story")
        wait_for(page, lambda: "Word number 3" in said(page))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        screenshot(page, f"page_{size}")
        assert overlaps(page, "header > *") == []
        assert overlaps(page, "main > :not([hidden])") == []
        assert overlaps(page, ".buttons > *") == []
        start = page.locator("#start").bounding_box()
        assert start["height"] >= 56
        field = page.get_by_label("Type a line").bounding_box()
        assert field["y"] + field["height"] <= height  # without scrolling
        for part in page.locator("details").all():
            part.evaluate("part => part.open = true")
        page.screenshot(
            path=ROOT / "tests" / "artefacts" / f"page_{size}_whole.png", full_page=True
        )
        if not AXE.exists():
            pytest.skip("no .envs/axe-core: the page was only looked at")
        page.evaluate(AXE.read_text("utf-8"))
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
            problems = [
                (each["id"], each["help"], [node["target"] for node in each["nodes"]][:3])
                for each in found["violations"]
            ]
            assert not problems, json.dumps(problems, indent=1)


def test_whoever_is_recorded_is_told_before_they_speak(stub, folder, chromium):
    kept = gateway(folder / "kept", quick(), record=str(folder / "recordings"))
    with kept as recording, talking(chromium, recording) as page:
        told = page.get_by_role("status").filter(has_text="This conversation is recorded")
        told.wait_for()
        assert page.get_by_role("button", name="Start talking").is_visible()
        screenshot(page, "page_recorded")
    with talking(chromium, stub) as page:
        page.get_by_text("Connected", exact=True).wait_for()
        assert page.locator("#recorded").is_hidden()


def test_whoever_wants_less_motion_gets_less(stub, chromium):
    with talking(chromium, stub, reduced_motion="reduce") as page:
        style = "getComputedStyle(document.documentElement).scrollBehavior"
        assert page.evaluate(style) == "auto"


# How it is made


def test_the_page_is_small_modules_without_anything_from_elsewhere():
    files = list(STATIC.iterdir())
    assert {file.name for file in files} >= {"index.html", "page.js", "gate.js", "style.css"}
    for file in files:
        text = file.read_text("utf-8")
        assert len(text.splitlines()) <= 300, file.name
        outside = [url for url in re.findall(r"https?://[^\s\"')]+", text) if "w3.org" not in url]
        assert outside == [], file.name
    page = (STATIC / "index.html").read_text("utf-8")
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == [""]
    assert not re.search(r"\son\w+=|style=", page)


def test_the_page_comes_with_a_policy_and_is_not_kept(stub):
    need("serve")
    import httpx

    with httpx.Client(base_url=str(stub), headers=stub.headers) as client:
        page = client.get("/", headers=stub.headers)
        assert page.status_code == 200
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        for path in ("page.js", "show/orb.js", "manifest.webmanifest", "icon.svg", "style.css"):
            assert client.get(f"/static/{path}").status_code == 200, path
