"""Shows a view's module on an empty page of a real browser, without a notebook."""

import base64
import importlib.util
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

SHOW = Path(__file__).parents[1] / "voice_kit" / "show"
ARGUMENTS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
COUNTED = """
(() => {
  const real = window.requestAnimationFrame.bind(window);
  window.spent = [];
  window.requestAnimationFrame = (draw) => real((now) => {
    const began = performance.now();
    draw(now);
    window.spent.push(performance.now() - began);
  });
})();
"""
"""Counts what is drawn, and how many milliseconds of script each time takes."""

RATE = """async (seconds) => {
  const from = window.spent.length, began = performance.now();
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  const spent = window.spent.slice(from);
  const total = spent.reduce((sum, each) => sum + each, 0);
  return { fps: 1000 * spent.length / (performance.now() - began), script: total / spent.length };
}"""
NO_GL = "HTMLCanvasElement.prototype.getContext = ((real) => function (kind, ...more) { return kind.startsWith('webgl') ? null : real.call(this, kind, ...more); })(HTMLCanvasElement.prototype.getContext);"  # noqa: E501


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, or Playwright's own."""
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("needs Playwright: pip install playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = shutil.which("chromium") or playwright.chromium.executable_path
        if not Path(found).exists():
            pytest.skip("needs Chromium: playwright install chromium")
        chromium = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield chromium
        chromium.close()


@contextmanager
def page_with(browser, name, *, before="", paper=None, **context):
    """A page with the factory of `voice_kit/show/NAME.js` as `window.view.NAME`; fails on any
    error of the page. `paper` is its colour."""
    errors = []
    opened = browser.new_context(**{"viewport": {"width": 640, "height": 420}} | context)
    page = opened.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: _stays_here(asked, errors))
    page.add_init_script(COUNTED + before)
    page.goto("about:blank")
    dark = context.get("color_scheme") == "dark"
    paper = paper or ("#111418" if dark else "#ffffff")
    page.set_content(f"<body style='margin:0;background:{paper}'><div id='here'></div></body>")
    code = base64.b64encode((SHOW / f"{name}.js").read_bytes()).decode()
    page.evaluate(
        f"async () => {{ window.view = await import('data:text/javascript;base64,{code}'); }}"
    )
    yield page
    opened.close()
    assert not errors


def _stays_here(request, errors):
    if not request.url.startswith(("data:", "blob:", "about:")):
        errors.append(f"asked for {request.url}")
