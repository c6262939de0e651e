"""Makes what strangers wrote safe to show: a text stays on its line, a link leads to a web page."""

from __future__ import annotations

import unicodedata
from urllib.parse import urlsplit

from voice_kit.types import Source

JOINERS = "\u200c\u200d"
"""Invisible, but Indian scripts and emoji are wrong without them."""


def one_line(text: str, longest: int = 0) -> str:
    """A text that stays on its line: without the signs that steer a screen, and cut if too long."""
    seen = (sign if sign in JOINERS or unicodedata.category(sign) != "Cf" else "" for sign in text)
    shown = "".join(" " if unicodedata.category(sign) == "Cc" else sign for sign in "".join(seen))
    line = " ".join(shown.split())
    return line[: longest - 1].rstrip() + "…" if 0 < longest < len(line) else line


def reference(source: Source) -> dict[str, str]:
    """A source as it may be shown: `url` is empty unless it leads to a web page, at `host`."""
    url, host = source.url.strip(), ""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https"):
            host = parts.hostname or ""
    except ValueError:
        pass  # no address at all
    if not host or url != one_line(url) or " " in url:
        url = host = ""
    return {"title": one_line(source.title, 120) or host, "url": url, "host": host}
