"""Speaks as much of the hub's HTTP as fetching a model takes, Range requests included."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c0ffee" + "0" * 34
LARGE = 10_000
"""A file of so many bytes counts as large: the hub knows its SHA-256."""


class HubServer:
    """Serves `repos`: the files of each by name.

    `cut` is after how many bytes an answer breaks off, for the first `cuts` answers of each large
    file; `damaged` are names whose content is not what the hub says it is; without `ranges` a
    Range is not heeded. `ranged` collects what Range headers came.
    """

    def __init__(self, repos, *, cut=0, cuts=0, damaged=(), ranges=True):
        self.repos, self.cut, self.cuts = repos, cut, cuts
        self.damaged, self.ranges = set(damaged), ranges
        self.ranged, self.sent, self.answers = [], 0, {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                hub.answer(self, body=True)

            def do_HEAD(self):
                hub.answer(self, body=False)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def answer(self, request, *, body):
        path = request.path.partition("?")[0].strip("/")
        for repo, files in self.repos.items():
            if path.startswith(f"api/models/{repo}"):
                return self._tell(request, repo, files)
            if path.startswith(f"{repo}/resolve/"):
                name = path.removeprefix(f"{repo}/resolve/").partition("/")[2]
                if name in files:
                    return self._file(request, name, files[name], body)
        request.send_response(404)
        request.send_header("X-Error-Code", "EntryNotFound")
        request.send_header("Content-Length", "0")
        request.end_headers()

    def _tell(self, request, repo, files):
        siblings = []
        for name, content in files.items():
            one = {"rfilename": name, "size": len(content), "blobId": git_sha1(content)}
            if len(content) >= LARGE:
                sha256 = hashlib.sha256(content).hexdigest()
                one["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 130}
            siblings.append(one)
        text = json.dumps({"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings})
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text.encode())

    def _file(self, request, name, content, body):
        large = len(content) >= LARGE
        etag = hashlib.sha256(content).hexdigest() if large else git_sha1(content)
        if name in self.damaged:
            content = content[:-1] + b"?"
        start, asked = 0, request.headers.get("Range")
        if asked and self.ranges:
            start = int(asked.removeprefix("bytes=").partition("-")[0])
        if asked:
            self.ranged.append((name, asked))
        request.send_response(206 if start else 200)
        request.send_header("X-Repo-Commit", COMMIT)
        request.send_header("ETag", f'"{etag}"')
        request.send_header("Content-Length", str(len(content) - start))
        if start:
            total = f"bytes {start}-{len(content) - 1}/{len(content)}"
            request.send_header("Content-Range", total)
        request.end_headers()
        if not body:
            return
        rest = content[start:]
        if large and self.answers.get(name, 0) < self.cuts:
            self.answers[name] = self.answers.get(name, 0) + 1
            rest = rest[: self.cut]
            request.close_connection = True
        self.sent += len(rest)
        request.wfile.write(rest)


def git_sha1(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
