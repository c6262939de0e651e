"""A page of results as DuckDuckGo's looks to ddgs, from a server on this machine."""

from __future__ import annotations

import html
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

RESULT = (
    '<div class="result__body"><h2><a href="{url}">{title}</a></h2>'
    '<a class="result__snippet" href="{url}">{text}</a></div>'
)


def page(*results):
    """Results as (title, address, text)."""
    items = (
        RESULT.format(title=html.escape(title), url=html.escape(url), text=html.escape(text))
        for title, url, text in results
    )
    return f"<html><body>{''.join(items)}</body></html>"


class Page:
    """What is answered, and what was asked."""

    def __init__(self, text="", status=200):
        self.text, self.status, self.asked = text, status, []
        self.silent = False
        self.ended = threading.Event()


@contextmanager
def search_page(monkeypatch, *results, status=200):
    """A `Page` that ddgs takes for DuckDuckGo's while this lasts."""
    shown = Page(page(*results), status)

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            shown.asked.append({key: each[0] for key, each in parse_qs(body.decode()).items()})
            if shown.silent:
                shown.ended.wait()
                return
            content = shown.text.encode()
            self.send_response(shown.status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    from ddgs.engines.duckduckgo import Duckduckgo

    monkeypatch.setattr(Duckduckgo, "search_url", f"http://127.0.0.1:{server.server_port}/html/")
    try:
        yield shown
    finally:
        shown.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
