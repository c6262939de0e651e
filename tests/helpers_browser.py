"""A real browser for the tests: a page with one of our modules, pictures of it, and what it says.

Playwright's synchronous interface has an event loop of its own: while a browser is open,
`asyncio.run` refuses, so what needs one runs before or in a thread.
"""

import io
import os
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from conftest import need

from voice_kit.audio.convert import convert
from voice_kit.audio.files import write
from voice_kit.types import Audio

ARTEFACTS = Path(os.environ.get("VOICE_KIT_ARTEFACTS") or Path(__file__).parent / "artefacts")
"""Where the pictures go. The tests never read them."""

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")

ARGUMENTS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
AUTOPLAY = "--autoplay-policy=no-user-gesture-required"

HERE = ("127.0.0.1", "localhost", "")

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>
<link rel="icon" href="data:,"><style>
:root { color-scheme: light dark } body { margin: 16px; font-family: sans-serif }
</style></head><body><main>HTML</main></body></html>"""

TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}


@contextmanager
def browser(fake_wav=None, *, autoplay=True):
    """Chromium with an empty profile; `fake_wav` plays once when its microphone opens, and
    without one that beeps. The tests that use it are marked `needs("chromium")`."""
    program, *arguments = _command(fake_wav, autoplay=autoplay)
    with _playwright().sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=arguments)
        try:
            yield chromium
        finally:
            chromium.close()


def _playwright():
    need("chromium")
    return pytest.importorskip(
        "playwright.sync_api", reason="no playwright in this Python: run make test"
    )


def _command(fake_wav, *, autoplay=True):
    found = next(filter(None, map(shutil.which, PROGRAMS)))
    microphone = f"--use-file-for-fake-audio-capture={fake_wav}%noloop"
    return [
        *(found, *ARGUMENTS),
        *([AUTOPLAY] if autoplay else []),
        *([microphone] if fake_wav is not None else []),
    ]


@contextmanager
def left_alone(fake_wav=None, *, window=(1200, 1400)):
    """Chromium with one page that nobody watches; gives a context manager that holds that page.

    Whatever drives a page is told of each message that it gets, which costs as much again as the
    page itself: to measure, let it go meanwhile.
    """
    playwright = _playwright()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            *(*_command(fake_wav), f"--user-data-dir={profile}", "--remote-debugging-port=0"),
            *(f"--window-size={window[0]},{window[1]}", "about:blank"),
        ]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as chromium:
            try:
                told = next(line for line in chromium.stderr if "DevTools listening on " in line)
                address = told.split("DevTools listening on ")[1].strip()

                @contextmanager
                def held():
                    with playwright.sync_playwright() as driver:
                        (world,) = driver.chromium.connect_over_cdp(address).contexts
                        yield world.pages[0]

                yield held
            finally:
                chromium.terminate()
                chromium.stderr.close()


class Complaints:
    """What a page said in anger: errors in its console, and requests to another host."""

    def __init__(self, *allowed):
        """Whatever contains one of `allowed` is none."""
        self.all = []
        self._allowed = allowed

    def follow(self, context):
        """Listen to every page of a browser context."""
        context.on("request", lambda request: self.went_to(request.url))
        context.on("weberror", lambda error: self.add(f"not caught: {error.error}"))
        context.on("console", self._said)
        context.on("page", lambda page: page.on("websocket", lambda s: self.went_to(s.url)))

    def went_to(self, url):
        if urlsplit(url).hostname not in (*HERE, None):
            self.add(f"asked another host: {url}")

    def add(self, text):
        if not any(each in text for each in self._allowed):
            self.all.append(text)

    def _said(self, message):
        if message.type == "error":
            self.add(f"{message.text} ({message.location.get('url', '')})")


@contextmanager
def opened(chromium, url, *, dark=False, allowed=(), before="", **context):
    """A page at an address of this machine, in which the script `before` runs first. What it
    complains of fails the test at the end."""
    own = {
        "viewport": {"width": 1000, "height": 700},
        "permissions": ["microphone"],
        "color_scheme": "dark" if dark else "light",
    }
    world = chromium.new_context(**own | context)
    complaints = Complaints(*allowed)
    complaints.follow(world)
    page = world.new_page()
    if before:
        page.add_init_script(before)
    page.complaints = complaints
    try:
        page.goto(url)
        yield page
    finally:
        world.close()
    assert not complaints.all, "\n".join(complaints.all)


@contextmanager
def page_for(module_path, html="", *, fake_wav=None, chromium=None, **more):
    """A page on this machine with `html` in it, on which the ES module is `window.module`.

    Give it a `chromium` that is open, or it opens one. Errors in the console and requests to
    another host fail the test at the end.
    """
    module = Path(module_path).resolve()
    with served(module.parent, PAGE.replace("HTML", html)) as address:
        if chromium is None:
            with browser(fake_wav) as own, _with_module(own, address, module, more) as page:
                yield page
        else:
            with _with_module(chromium, address, module, more) as page:
                yield page


@contextmanager
def _with_module(chromium, address, module, more):
    with opened(chromium, address, **more) as page:
        page.evaluate("async (name) => { window.module = await import(name); }", f"./{module.name}")
        yield page


@contextmanager
def served(folder, page):
    """The address of a tiny server: `page` at its root, and the files of a folder."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = unquote(urlsplit(self.path).path).strip("/")
            file = folder / name
            if not name:
                self._answer(200, "text/html", page.encode())
            elif "/" not in name and file.is_file():
                self._answer(200, TYPES.get(file.suffix, "text/plain"), file.read_bytes())
            else:
                self._answer(404, "text/plain", b"")

        def _answer(self, status, kind, body):
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *what):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def until(page, what, *, seconds=10, why=""):
    """Wait for something that is true here, not in the page; gives it back."""
    ends = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < ends, f"after {seconds} s: {why() if callable(why) else why}"
        page.wait_for_timeout(20)  # lets Playwright read what the browser says meanwhile
    return found


# Pictures


def pixels(png):
    """A picture as an array, shape (height, width, 3), 0 to 1."""
    from matplotlib.image import imread

    return imread(io.BytesIO(png), format="png")[..., :3]


def drawn(png):
    """The share of a picture that is not of its commonest colour."""
    colours = (pixels(png) * 255).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    _, counts = np.unique(colours, return_counts=True)
    return 1 - counts.max() / counts.sum()


def screenshot(page, name, element=None, *, least=0.002):
    """Take a picture of the page, or of one element of it, as it looks in light and in dark.

    Fails when one of the two is blank. Returns both.
    """
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    taken = []
    scheme = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else ""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        taken.append(picture(element or page, f"{name}_{theme}", least=least))
    page.emulate_media(color_scheme=scheme or "light")
    return taken


def picture(of, name, *, least=0.002):
    """Take one picture of a page or an element as it looks now; fails when it is blank."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    png = of.screenshot(path=ARTEFACTS / f"{name}.png", animations="disabled")
    share = drawn(png)
    assert share >= least, f"{name} is blank: {share:.2%} of it is drawn"
    return png


def overlaps(page, selector):
    """Pairs of elements that lie on each other: siblings by a selector, with their boxes."""
    boxes = page.eval_on_selector_all(
        selector,
        """all => all.map(element => {
          const { left, top, right, bottom } = element.getBoundingClientRect();
          return [element.className || element.tagName, left, top, right, bottom];
        }).filter(([, left, top, right, bottom]) => right > left && bottom > top)""",
    )
    assert len(boxes) > 1, f"“{selector}” finds {len(boxes)} visible elements"
    return [
        (one, other)
        for index, one in enumerate(boxes)
        for other in boxes[index + 1 :]
        if min(one[3], other[3]) - max(one[1], other[1]) > 1
        and min(one[4], other[4]) - max(one[2], other[2]) > 1
    ]


# What the microphone hears


def fake_microphone(path, *pieces):
    """A WAV for `browser(fake_wav=…)`: clips of voice_kit.sounds by name, and silences in seconds.

    Returns where each piece begins and ends, in seconds since the microphone opened.
    """
    from voice_kit.sounds import clip

    rate, parts, places, now = 48_000, [], [], 0.0
    for piece in pieces:
        sound = (
            convert(clip(piece).audio(), rate)
            if isinstance(piece, str)
            else Audio.silence(piece, rate)
        )
        parts.append(sound.samples)
        places.append((now, now + sound.seconds))
        now += sound.seconds
    write(path, Audio(np.concatenate(parts), rate))
    return places
