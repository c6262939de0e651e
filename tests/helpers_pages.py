"""A blank page in a real browser, with one of our modules loaded as `module`."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

import voice_kit

SHOW = Path(voice_kit.__file__).parent / "show"

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>
<style>:root { color-scheme: light dark }</style><body></body></html>"""


def pictures():
    """Where screenshots go: the folder PICTURES, or one that is thrown away."""
    folder = Path(os.environ.get("PICTURES") or tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def page_for(name):
    """A page on which `module` is voice_kit/show/NAME; whatever it complains of fails the test."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    complaints = []
    with playwright.sync_playwright() as driver:
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic"]
        browser = driver.chromium.launch(executable_path=chromium, args=arguments)
        try:
            page = browser.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on(
                "console",
                lambda message: complaints.append(message.text) if message.type == "error" else 0,
            )
            page.route("**/*", lambda route: answer(route, name))
            page.goto("http://localhost/")
            page.evaluate("async () => { window.module = await import('/module.js') }")
            yield page
            assert not complaints
        finally:
            browser.close()


def answer(route, name):
    if route.request.url == "http://localhost/module.js":
        route.fulfill(path=SHOW / name, content_type="text/javascript")
    elif route.request.url == "http://localhost/":
        route.fulfill(body=PAGE, content_type="text/html")
    else:
        route.fulfill(body="", content_type="text/plain")
