"""A widget and its own ES module in a real browser, wired to each other as Jupyter would do it."""

import asyncio
import base64
import json
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from helpers_browser import ARGUMENTS, AUTOPLAY, PROGRAMS

SHOW = Path(__file__).parents[1] / "voice_kit" / "show"
SITE = "http://localhost:9999"  # nobody is there: the test answers; a secure page, as localhost is

MODEL = """
import make, * as module from "/MODULE";
const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
const text = (buffer) => {
  const data = new Uint8Array(buffer.buffer ?? buffer);
  let all = "";
  for (const byte of data) all += String.fromCharCode(byte);
  return btoa(all);
};
class Model {
  constructor(state) { Object.assign(this, { state, heard: [], changed: {} }); }
  get(name) { return this.state[name]; }
  set(name, value) {
    const given = typeof name === "object" ? name : { [name]: value };
    const same = (key) => JSON.stringify(given[key]) === JSON.stringify(this.state[key]);
    const names = Object.keys(given).filter((key) => !same(key));
    Object.assign(this.state, given);
    for (const key of names) { this.changed[key] = given[key]; this.trigger(`change:${key}`); }
    if (names.length) this.trigger("change");
  }
  save_changes() { toKernel(JSON.stringify({ update: this.changed }), []); this.changed = {}; }
  send(content, _, buffers = []) {
    if (window.dead) throw new Error("Comm is closed");
    window.sent?.push({ content, buffers });
    toKernel(JSON.stringify(content), buffers.map(text));
  }
  on(name, call) { this.heard.push([name, call]); }
  off(name, call) { this.heard = this.heard.filter(([n, c]) => n !== name || c !== call); }
  trigger(name, ...given) {
    for (const [heard, call] of [...this.heard]) if (heard === name) call(...given);
  }
}
window.module = module;
window.model = new Model(STATE);
window.fromKernel = (content, buffers) => {
  const views = buffers.map((each) => new DataView(bytes(each).buffer));
  if (!content.update) return model.trigger("msg:custom", content, views);
  model.set(content.update);
  model.changed = {};
};
const widget = make();
window.leave = widget.initialize({ model });
window.look = () => {
  const el = document.body.appendChild(document.createElement("div"));
  return widget.render({ model, el });
};
window.hide = look();
"""


_runner = _shared = _driver = None


def in_the_browser(scene):
    """Run a coroutine on the event loop of the browser that the tests of this module share."""
    global _runner
    if _runner is None:
        _runner = asyncio.Runner()
    return _runner.run(scene)


@pytest.fixture(scope="module", autouse=True)
def the_browser_is_closed():
    """Close it, and all that belongs to it, after the last test of a module that imports this."""
    yield
    global _runner, _shared, _driver
    if _runner is not None:
        if _driver is not None:
            _runner.run(_driver.__aexit__(None, None, None))
        _runner.close()
    _runner = _shared = _driver = None


@asynccontextmanager
async def browser(wav=None, *, allowed=True):
    """Chromium: one for all tests of a module, or with a WAV for a microphone one of its own."""
    global _shared, _driver
    playwright = pytest.importorskip(
        "playwright.async_api", reason="no playwright in this Python: run make test"
    )
    if _driver is None:
        _driver = playwright.async_playwright()
        _driver.started = await _driver.__aenter__()
    if wav is None and allowed:
        _shared = _shared or await _launch()
        yield _shared
        return
    own = await _launch(wav, allowed=allowed)
    try:
        yield own
    finally:
        await own.close()


async def _launch(wav=None, *, allowed=True):
    arguments = [each for each in ARGUMENTS if allowed or "fake-ui" not in each]
    arguments += [AUTOPLAY]
    arguments += [f"--use-file-for-fake-audio-capture={wav}%noloop"] if wav else []
    program = next(filter(None, map(shutil.which, PROGRAMS)))
    return await _driver.started.chromium.launch(executable_path=program, args=arguments)


class Page:
    """The widget's ES module in a page of its own; `page` is Playwright's, `errors` its console."""

    def __init__(self, widget, page, module):
        self.widget, self.page, self.module = widget, page, module
        self.errors = []
        self._out = asyncio.Queue()

    @classmethod
    @asynccontextmanager
    async def open(cls, widget, chromium, module, *, site=SITE, dark=False, before="", **more):
        context = await chromium.new_context(
            permissions=more.get("permissions", ["microphone"] if site == SITE else []),
            color_scheme="dark" if dark else "light",
            viewport={"width": 720, "height": 160},
        )
        await context.add_init_script(before or "0")
        self = cls(widget, await context.new_page(), module)
        await self._begin(site)
        writing = asyncio.create_task(self._write())
        widget.observe(self._traits, list(self._synced()))
        widget.send = self._send
        try:
            yield self
        finally:
            widget.unobserve(self._traits, list(self._synced()))
            writing.cancel()
            await context.close()

    async def _begin(self, site):
        files = {
            "/": ("text/html", "<!doctype html><html lang=en><title>A widget</title><body>"),
            f"/{self.module}": ("text/javascript", (SHOW / self.module).read_text()),
        }

        async def answer(route):
            kind, body = files.get(route.request.url.removeprefix(site), ("text/plain", ""))
            await route.fulfill(content_type=kind, body=body)

        self.page.on("console", lambda said: self._note(said))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        await self.page.route("**/*", answer)
        await self.page.goto(f"{site}/")
        await self.page.expose_function("toKernel", self._heard)
        code = MODEL.replace("MODULE", self.module).replace("STATE", json.dumps(self._synced()))
        await self.page.add_script_tag(content=code, type="module")
        try:
            await self.page.wait_for_function("!!window.hide", timeout=10_000)
        except Exception as error:
            raise AssertionError(f"{self.module} did not load: {self.errors}") from error

    def _note(self, said):
        if said.type in ("error", "warning"):
            self.errors.append(said.text)

    def _synced(self):
        keys = self.widget.keys
        return {key: getattr(self.widget, key) for key in keys if not key.startswith("_")} | (
            {"layout": None, "tooltip": None}
        )

    def _heard(self, text, buffers):
        content = json.loads(text)
        if "update" in content:
            for name, value in content["update"].items():
                setattr(self.widget, name, value)
        else:
            self.widget._handle_custom_msg(content, [base64.b64decode(each) for each in buffers])

    def _traits(self, change):
        self._out.put_nowait(({"update": {change.name: change.new}}, []))

    def _send(self, content, buffers=None):
        self._out.put_nowait((content, [base64.b64encode(each).decode() for each in buffers or []]))

    async def _write(self):
        while True:
            content, buffers = await self._out.get()
            await self.page.evaluate(
                "([content, buffers]) => fromKernel(content, buffers)", [content, buffers]
            )
