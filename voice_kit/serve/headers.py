"""What every answer tells the browser: nothing from elsewhere, no frame, the microphone here."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' blob:",  # an AudioWorklet's code comes as a blob
        "worker-src 'self' blob:",
        "style-src 'self' 'unsafe-inline'",  # the modules bring their own styles
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HSTS = "max-age=31536000"


class SafeHeaders:
    """The app, with these headers on each answer that does not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; sockets and the start of the app pass as they are."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope.get("scheme") == "https" and _named(scope):
                    headers.setdefault("Strict-Transport-Security", HSTS)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
                else:
                    headers.setdefault("Cache-Control", "no-cache")  # asks whether it has changed
            await send(message)

        await self.app(scope, receive, send_with_headers)


def behind(app: Any, proxies: tuple[str, ...]) -> Any:
    """The app, believing X-Forwarded-For and -Proto of these proxies alone.

    uvicorn believes whoever connects from this machine: run it with `proxy_headers=False`.
    """
    if not proxies:
        return app
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    return ProxyHeadersMiddleware(app, trusted_hosts=list(proxies))


def _named(scope: Scope) -> bool:
    """Whether we are called by a name: to keep to https would bind all ports of this machine."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    try:
        host = urlsplit(f"//{hosts[0]}").hostname or "localhost"
    except (IndexError, ValueError):
        return False
    try:
        ip_address(host)
    except ValueError:
        return not host.endswith("localhost")
    return False
