"""Builds the slides into slides/build, serves them on this machine, or prints them as a PDF."""

from __future__ import annotations

import argparse
import functools
import html
import os
import re
import shutil
import sys
import tomllib
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from desk import HERE, ROOT, Desk, SlideError
from material import make

REVEAL = HERE / "node_modules" / "reveal.js"
FIGURES = ROOT / "notebooks" / "figures"
OUT = HERE / "build"
OWN = ("theme.css", "deck.js")
TAKEN = ("reveal.js", "reveal.css", "reset.css", "plugin/markdown.js", "plugin/notes.js")
PORT = 8017
BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "chrome", "msedge"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
NO_REVEAL = "reveal.js is not here. Type: make slides (it runs `npm ci` in slides/)."
SLIDE = re.compile(r"^---\s*$", re.MULTILINE)
MADE = re.compile(r"^@[a-z]+\b.*$", re.MULTILINE)


def sections() -> list[Path]:
    """The Markdown of each notebook's slides, in order."""
    return sorted((HERE / "sections").glob("[0-9][0-9]_*.md"))


def slides_of(text: str) -> list[str]:
    """The slides of a section, one after the other."""
    return [slide.strip() for slide in SLIDE.split(text)]


def build(out: Path = OUT, repository: str = "", reveal: Path | None = REVEAL) -> Path:
    """Write everything into a folder, which then needs nothing else; gives its index.html.

    Without `reveal` the slides are complete, but nothing shows them. Raises `SlideError`.
    """
    if reveal is not None and not (reveal / "dist" / "reveal.js").exists():
        raise SlideError(NO_REVEAL)
    out.mkdir(parents=True, exist_ok=True)
    desk = Desk(out, repository)
    stacks = []
    for path in sections():
        text = path.read_text(encoding="utf-8").replace("{repository}", repository or "ADDRESS")
        try:
            text = MADE.sub(lambda line: make(desk, line[0]), text)
        except (SlideError, LookupError, TypeError, ValueError) as error:
            raise SlideError(f"{path.name}: {error}") from error
        slides = "".join(
            f'<section data-markdown data-separator-notes="^Note:">'
            f"<textarea data-template>\n{html.escape(slide, quote=False)}</textarea></section>\n"
            for slide in slides_of(text)
        )
        stacks.append(
            f'<section id="{path.name[:2]}" data-title="{path.stem}">\n{slides}</section>\n'
        )
    page = (HERE / "index.html").read_text(encoding="utf-8")
    index = out / "index.html"
    index.write_text(page.replace("<!-- sections -->", "".join(stacks)), encoding="utf-8")
    for name in OWN:
        shutil.copy(HERE / name, out / name)
    shutil.copytree(FIGURES, out / "figures", dirs_exist_ok=True)
    if reveal is not None:
        for name in TAKEN:
            (out / "reveal" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(reveal / "dist" / name, out / "reveal" / name)
        shutil.copy(reveal / "LICENSE", out / "reveal" / "LICENSE")
    return index


def serve(folder: Path, port: int = PORT) -> None:
    """Serve a folder to this machine alone, until Ctrl-C."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    print(f"The slides: http://127.0.0.1:{server.server_port}/   (Ctrl-C stops)", flush=True)
    print("F fills the screen, S opens your notes, Enter plays the sound, D is dark, ? lists all.")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()


def print_pdf(index: Path, pdf: Path) -> None:
    """Print the slides through Chromium. Raises `SlideError`."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SlideError(
            "Printing needs Chromium or Chrome, and none is on the PATH. Install one (on Debian "
            "and Ubuntu: sudo apt install chromium), then run make slides-pdf again."
        )
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as missing:
        raise SlideError("Printing needs playwright. Type: make slides-pdf.") from missing
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    quiet = ["--no-first-run", "--disable-sync", "--disable-background-networking"]
    try:
        with sync_playwright() as driver:
            chromium = driver.chromium.launch(
                executable_path=browser, args=[*quiet, *(["--no-sandbox"] if root else [])]
            )
            page = chromium.new_page(reduced_motion="reduce")
            page.goto(f"{index.resolve().as_uri()}?view=print")
            page.wait_for_selector("html[data-printable]", state="attached")
            page.wait_for_function("() => [...document.images].every((image) => image.complete)")
            page.pdf(path=pdf, print_background=True, prefer_css_page_size=True)
            chromium.close()
    except Error as error:
        raise SlideError(f"{Path(browser).name} could not print: {error.message}") from error


def main(arguments: list[str] | None = None) -> int:
    """Build, and then serve or print if asked. 0 when all is well."""
    setting = tomllib.loads((HERE / "slides.toml").read_text(encoding="utf-8"))["repository"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", default="", help="its address, for the QR code")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--serve", action="store_true", help="and show them at an address")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--pdf", type=Path, help="and print them into this file")
    asked = parser.parse_args(arguments)
    try:
        index = build(asked.out, asked.repository or setting)
        if asked.pdf:
            print_pdf(index, asked.pdf.resolve())
            print(f"Printed: {asked.pdf}")
    except SlideError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Built: {index} (with all it needs, so that the folder can be copied onto a stick)")
    if asked.serve:
        serve(asked.out, asked.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
