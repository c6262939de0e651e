"""The slides' own scripts, and a page that shows the slides, for their tests."""

import functools
import importlib.util
import sys
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from helpers_browser import browser, opened

ROOT = Path(__file__).parents[1]
SLIDES = ROOT / "slides"
REVEAL = SLIDES / "node_modules" / "reveal.js"
FRAME = {"width": 1920, "height": 1080}

sys.path.insert(0, str(SLIDES))

import desk  # noqa: E402
import figures  # noqa: E402
import material  # noqa: E402

_spec = importlib.util.spec_from_file_location("slides_build", SLIDES / "build.py")
build = importlib.util.module_from_spec(_spec)  # the notebooks have one of that name too
_spec.loader.exec_module(build)
sys.path.remove(str(SLIDES))

__all__ = ["REVEAL", "ROOT", "SLIDES", "build", "desk", "figures", "material", "name_of", "shown"]


@contextmanager
def shown(folder):
    """A page of 1920 by 1080 pixels that shows the slides in a folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *what):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/"
    try:
        with (
            browser() as chromium,
            opened(chromium, address, viewport=FRAME, reduced_motion="reduce") as page,
        ):
            page.wait_for_selector("html[data-ready]")
            page.slides = page.evaluate(
                "() => Reveal.getSlides().map((slide) => Object.values(Reveal.getIndices(slide))"
                ".slice(0, 2).map((n) => n ?? 0))"
            )
            yield page
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def name_of(place):
    """A slide as its number says it: the notebook, and which of its slides."""
    return f"{place[0]:02}_{place[1] + 1}"
