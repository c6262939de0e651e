"""Who may come in: one token on this machine, as Jupyter's, or a JWT for each person."""

from __future__ import annotations

import hmac
import logging
import secrets
import time
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from starlette.requests import HTTPConnection

from voice_kit.errors import VoiceKitError
from voice_kit.serve.config import Serve
from voice_kit.serve.jwts import LOCAL, NEW_SECRET, Key, key_of
from voice_kit.serve.logs import happened
from voice_kit.serve.refused import Refused, forbidden
from voice_kit.serve.shares import Shares

SHORT = 16
"""Fewer characters than this in a token of one's own can be guessed from the network."""
LONGEST = 8_192
"""Characters in a credential; a longer one is not even looked at."""
SAFE = {"GET", "HEAD", "OPTIONS"}
NO_TOKEN = "Open the address that voice-kit serve has printed, with its token."
NO_JWT = "Show the token that you were given (Authorization: Bearer …)."
FOREIGN = (
    "A page of another site may not do this. If it is yours, name it in VOICE_KIT_SERVE_ORIGINS."
)


@dataclass(frozen=True)
class Guest:
    """Somebody who was let in."""

    subject: str
    """Whose memory this is: a name that is safe in a key or a path. "local" is this machine's."""
    expires: float | None
    """When they must go, in seconds since 1970."""
    name: str = ""
    """What to call them, where the token says so."""


class Doors:
    """Lets in who shows the right token, and no page that is not ours.

    Raises `VoiceKitError` with the command that helps where the gateway would be open to the
    network without a sign-in. Each process of several needs the same `serve.token`.
    """

    def __init__(self, serve: Serve) -> None:
        self._key: Key | None = key_of(serve)
        if self._key is None and not serve.lan and not is_loopback(serve.host):
            raise VoiceKitError(
                f"{serve.host} can be reached by others, and nobody would have to sign in. Listen "
                "on this machine only (--host 127.0.0.1), let phones of this network in (--lan), "
                f"or give out tokens: {NEW_SECRET}"
            )
        if serve.lan and self._key is None and is_public(serve.host):
            raise VoiceKitError(
                f"{serve.host} is no address of a local network: leave --host out, or give out "
                f"tokens: {NEW_SECRET}"
            )
        if serve.lan and 0 < len(serve.token) < SHORT and self._key is None:
            raise VoiceKitError(
                f"The token has {len(serve.token)} characters, which can be guessed from the "
                f"network. Leave it out, or take {SHORT} or more."
            )
        self.token = "" if self._key else serve.token or secrets.token_urlsafe(32)
        """The local token; "" where JWTs are asked for."""
        self._origins = {site for origin in serve.origins if (site := _site(origin)) is not None}
        self._port = serve.port
        self._lines = Shares(5, 10)

    @property
    def jwts(self) -> bool:
        """Whether people sign in with tokens of their own."""
        return self._key is not None

    def admit(self, credential: str, address: str = "") -> Guest:
        """Whose credential this is. Raises `Refused` for every other one, and logs the address."""
        try:
            return self._admit(credential)
        except Refused as error:
            self._log(error, address)
            raise

    def _log(self, error: Refused, address: str) -> None:
        if error.code != "missing_api_key" and not self._lines.add(address, 1, time.monotonic()):
            happened("refused", level=logging.WARNING, code=error.code, address=address or None)

    def _admit(self, credential: str) -> Guest:
        if not credential:
            raise Refused(NO_TOKEN if self._key is None else NO_JWT, code="missing_api_key")
        if len(credential) > LONGEST:
            raise Refused("This token is too long to be one of ours.")
        if self._key is None:
            if not _same(credential, self.token):
                raise Refused("This token is not the one. " + NO_TOKEN)
            return Guest(LOCAL, None)
        subject, expires, name = self._key.read(credential)
        return Guest(quote(subject, safe="@:|._-+"), expires, name)

    def same_origin(self, origin: str | None, host: str) -> bool:
        """Whether a page at `origin` may speak to us, whom it calls `host`. No page: it may."""
        if origin is None:
            return True
        site = _site(origin)
        if site is None:
            return False
        return site in self._origins or site == _site(f"{site[0]}://{host}")

    def guest(self, connection: HTTPConnection) -> Guest:
        """Who sends this request or opens this socket, by its header, its address or its cookie.

        Raises `Refused`: 401 for who is not known, 403 where a foreign page sends what they have
        not asked for.
        """
        address = connection.client.host if connection.client else ""
        credential, by_cookie = self.credential(connection)
        origin, host = connection.headers.get("origin"), connection.headers.get("host", "")
        if not self.same_origin(origin, host):
            raise self._foreign(address)
        if not by_cookie:
            return self.admit(credential, address)
        try:
            found = self._admit(credential)
        except Refused as error:  # an old one; nobody meant to show it
            raise Refused(str(error), code="missing_api_key") from None
        if origin is None and connection.scope.get("method", "GET") not in SAFE:
            raise self._foreign(address)  # a browser always says where from
        return found

    def _foreign(self, address: str) -> Refused:
        error = forbidden(FOREIGN, "origin_not_allowed")
        self._log(error, address)
        return error

    def credential(self, connection: HTTPConnection) -> tuple[str, bool]:
        """What they show ("" for nothing), and whether the browser sent it by itself."""
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and given.strip():
            return given.strip(), False
        if asked := connection.query_params.get("token"):
            return asked, False
        kept = connection.cookies.get(self.cookie(connection), "")
        return kept, bool(kept)

    def enter(self, request: Request) -> Response | None:
        """For the page opened with ?token=: keeps it as a cookie and goes to the bare address.

        None where there is no ?token= and the guest is known. Raises `Refused`.
        """
        if not request.query_params.get("token"):
            self.guest(request)
            return None
        token = request.query_params["token"]
        guest = self.admit(token)
        kept = urlencode(
            [pair for pair in request.query_params.multi_items() if pair[0] != "token"]
        )
        path = "/" + request.url.path.lstrip("/")  # “//host” would lead away from here
        answer = RedirectResponse(urlunsplit(("", "", path, kept, "")), status_code=303)
        answer.headers["Cache-Control"] = "no-store"
        answer.set_cookie(
            self.cookie(request),
            token,
            httponly=True,
            samesite="strict",
            secure=_tls(request),
            path="/",
            max_age=None if guest.expires is None else _left(guest.expires),
        )
        return answer

    def cookie(self, connection: HTTPConnection) -> str:
        """The cookie's name: browsers send one host's cookies to all of its ports."""
        return f"__Host-voice-kit-{self._port}" if _tls(connection) else f"voice-kit-{self._port}"


async def guest(request: Request) -> Guest:
    """Who asks (a FastAPI dependency): `Authorization: Bearer`, else ?token=, else the cookie."""
    found: Guest = request.app.state.shared.doors.guest(request)
    return found


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach this address."""
    bare = host.strip("[]").partition("%")[0]
    if bare.lower() == "localhost":
        return True
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return False


def is_public(host: str) -> bool:
    """Whether the whole internet may reach this address. A name or 0.0.0.0 does not tell."""
    try:
        return ip_address(host.strip("[]").partition("%")[0]).is_global
    except ValueError:
        return False


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(*(text.encode("utf-8", "backslashreplace") for text in (one, other)))


def _left(expires: float) -> int:
    return max(0, min(int(expires - time.time()), 30 * 86_400))


def _tls(connection: HTTPConnection) -> bool:
    return connection.scope.get("scheme") in {"https", "wss"}


def _site(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin; None for what is none."""
    try:
        parts = urlsplit(origin.strip())
        port = parts.port
    except ValueError:
        return None
    default = {"http": 80, "https": 443}.get(parts.scheme)
    if default is None or not parts.hostname or parts.path.strip("/") or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port or default
