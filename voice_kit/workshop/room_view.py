"""The room's page for the teacher's screen: a small server for the local network alone.

It knows seats by a random number, keeps everything in memory, and ends with its command.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files
from typing import Any

from voice_kit.errors import VoiceKitError
from voice_kit.workshop.room_seats import CODE, RefusedError, Seats

PORT = 8770
LARGEST = 8192
"""Bytes that a seat may send at once."""
AT_ONCE = 64
"""Connections that are served at the same time."""
PATIENCE = 5.0
"""Seconds until a silent connection is closed."""

PAGE = {
    "": ("index.html", "text/html; charset=utf-8"),
    "room.css": ("room.css", "text/css; charset=utf-8"),
    "room.js": ("room.js", "text/javascript; charset=utf-8"),
}
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the code is in the address
    "X-Content-Type-Options": "nosniff",
}


def local(address: str) -> bool:
    """Whether an IP address is of this machine or of a local network, and of one alone."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    return ip.is_private and not ip.is_unspecified and not ip.is_multicast


def own_address() -> str:
    """This machine's address in the local network; 127.0.0.1 where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))  # sends nothing: it only chooses a way
            return str(asked.getsockname()[0])
        except OSError:
            return "127.0.0.1"


class RoomServer(socketserver.ThreadingMixIn, HTTPServer):
    """Serves the page and takes what seats tell. Raises `VoiceKitError` for a public address."""

    daemon_threads = True
    request_queue_size = AT_ONCE

    def __init__(self, host: str = "", port: int = PORT, seats: int = 40) -> None:
        host = host or own_address()
        if not local(host):
            raise VoiceKitError(
                f"{host} is not an address of a local network alone, so no room is opened there. "
                "Use a router or a telephone's hotspot, and --host with your address in it."
            )
        self.code = "".join(secrets.choice(CODE) for _ in range(6))
        self.seats = Seats(seats)
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Visit)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", "") or str(error)
            raise VoiceKitError(
                f"No room can be opened at {host}, port {port}: {why}. Try another --port."
            ) from error

    @property
    def room(self) -> str:
        """The room's address with its code: what attendees type."""
        host, port = self.server_address[:2]
        name = str(host)
        return f"http://{f'[{name}]' if ':' in name else name}:{port}/{self.code}"

    def server_bind(self) -> None:
        """As of any socket server: `HTTPServer` would look for its name in the network."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = map(str, self.server_address[:2])  # type: ignore[assignment]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Only who is in the local network is listened to."""
        return local(str(client_address[0]))

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve it in a thread, unless too many are served already."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A visitor who leaves in the middle is nobody's concern."""


class _Visit(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server: RoomServer

    def do_GET(self) -> None:
        if (path := self._inside()) is None:
            return
        if path == "room.json":
            self._answer(200, json.dumps(self.server.seats.shown()).encode(), "application/json")
        elif path in PAGE:
            name, kind = PAGE[path]
            content = files("voice_kit.workshop").joinpath("room_page", name).read_bytes()
            self._answer(200, content, kind)
        else:
            self._refuse(404, "There is no such page.")

    def do_POST(self) -> None:
        if (path := self._inside()) is None:
            return
        if path != "seat":
            return self._refuse(404, "There is no such page.")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            return self._refuse(413, "That is too long.")
        try:
            seat = self.server.seats.take(self.rfile.read(int(length)))
        except RefusedError as refused:
            return self._refuse(refused.status, str(refused))
        self._answer(200, json.dumps({"seat": seat}).encode(), "application/json")

    def _inside(self) -> str | None:
        """What is asked for in the room; None, and an answer, to who does not know its code."""
        code, slash, path = self.path.partition("?")[0].lstrip("/").partition("/")
        who = str(self.client_address[0])
        if code == "favicon.ico":  # browsers ask for it unasked
            self._refuse(404, "There is no such page.")
        elif not self.server.seats.may_guess(who):
            self._refuse(429, "Too many wrong codes. Wait a minute.")
        elif not secrets.compare_digest(code.encode(), self.server.code.encode()):
            self.server.seats.guessed(who)
            self._refuse(403, "The room's code is not that one. It stands on the teacher's screen.")
        elif not slash:
            self._answer(307, b"", "text/plain", Location=f"/{code}/")
        else:
            return path
        return None

    def _refuse(self, status: int, why: str) -> None:
        self._answer(status, json.dumps({"error": why}).encode(), "application/json")

    def _answer(self, status: int, content: bytes, kind: str, **more: str) -> None:
        self.send_response(status)
        length = {"Content-Type": kind, "Content-Length": str(len(content))}
        for name, value in {**HEADERS, **length, **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody's address is written down."""
