"""Servers: whose address it is, a quick question, and what can go wrong, in our own sentences."""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from voice_kit.errors import (
    EngineFailedError,
    EngineTimeoutError,
    MissingEngineError,
    SettingsError,
    VoiceKitError,
)

CONNECT = 5.0
"""Seconds for a server to take a connection. How long it may then take is the engine's to say."""


def near(url: str) -> bool:
    """Whether a server is on this machine or in the same room, where no proxy is to be asked."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local"))


def free(url: str, asked: bool | None = None) -> bool:
    """Whether a call may be made though it may be thrown away: as `asked`, else where the server is
    near. A far one bills each call, so that by default it is called once the turn is certain."""
    return near(url) if asked is None else asked


def address(url: str) -> str:
    """The URL without a slash at its end. Raises `SettingsError` when it is none."""
    url = url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or " " in url:
            raise ValueError("no URL")
        _ = parts.port
    except ValueError as error:
        raise SettingsError(
            f"“{url}” is no address of a server. Try one such as http://localhost:1234/v1."
        ) from error
    return url


def openai_server(base_url: str | None, api_key: str | None) -> tuple[str, str]:
    """Address and key of an OpenAI-compatible server, each as given, else from the environment.

    The key is "" for a server in the same room that needs none. Raises `SettingsError`, or
    `MissingEngineError` for a far server without a key.
    """
    given = base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com"
    url = address(given)
    key = (api_key or os.environ.get("OPENAI_API_KEY") or "").strip()
    if not key and not near(url):
        raise MissingEngineError(
            "openai", fix="a key in OPENAI_API_KEY, or a base_url of a server in the same room"
        )
    return (url if urlsplit(url).path else f"{url}/v1"), key


def bearer(key: str) -> dict[str, str]:
    """The header that carries a key; none without one."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def ask(
    url: str,
    *,
    within: float = 0.5,
    headers: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Any:
    """The JSON that a server answers within so many seconds, the look-up of its name included.

    Loads no HTTP library. Raises `OSError` when there is no answer or a refusal, and `ValueError`
    when the answer is no JSON.
    """
    opener = build_opener(*([ProxyHandler({})] if near(url) else []))
    answers: SimpleQueue[Any] = SimpleQueue()

    def work() -> None:
        try:
            data = json.dumps(body).encode() if body is not None else None
            request = Request(url, data, {"Content-Type": "application/json", **(headers or {})})
            with opener.open(request, timeout=within) as response:
                answers.put(json.load(response))
        except (OSError, ValueError) as error:
            answers.put(error)
        except http.client.HTTPException as error:
            answers.put(ValueError(f"{type(error).__name__} instead of an answer"))

    # A thread, because nothing else bounds a name server that is silent.
    Thread(target=work, name="voice-kit-ask", daemon=True).start()
    try:
        answer = answers.get(timeout=within)
    except Empty:
        raise TimeoutError(f"no answer within {within:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


@dataclass(frozen=True, slots=True)
class Server:
    """A server, and the sentences for its failures. None repeats what was said to it or by it."""

    engine: str
    url: str
    sends: str = "answer"
    """What its answers are."""
    kind: str = "OpenAI-compatible"
    key: str = "OPENAI_API_KEY"
    start: str = ""
    """How to get one that answers there."""
    another: str = ""
    """What to try when it does not have what was asked for."""
    change: str = "check the model and the options, or see the server's log"
    """What to try when it refuses for a reason of its own."""

    def problem(self, error: BaseException, seconds: float = CONNECT) -> VoiceKitError:
        """Our error for one of an HTTP library, or of reading what came.

        `seconds` is what the server had. The libraries are told apart by the names of their
        errors, which httpx and its successors share, so that none has to be loaded.
        """
        names = {cls.__name__ for cls in type(error).__mro__}
        if "ProxyError" in names:
            fix = f"put the host of {self.url} into NO_PROXY"
            return self.failed("the proxy in between refused", fix)
        if names & {"ConnectError", "ConnectTimeout", "ConnectionError", "UnsupportedProtocol"}:
            fix = self.start or f"start the server, or check the address {self.url}"
            return MissingEngineError(self.engine, fix=fix)
        if names & {"TimeoutError", "TimeoutException"}:
            fix = f"another engine, or see {self.url}"
            return EngineTimeoutError(self.engine, seconds, fix=fix)
        if isinstance(error, ValueError | TypeError | AttributeError | LookupError):
            fix = f"check that {self.url} is an {self.kind} server"
            return self.failed(f"what it sent is no {self.sends}", fix)
        return self.broke_off()

    def refused(self, status: int) -> VoiceKitError:
        """Our error for an HTTP status."""
        match status:
            case 401 | 403:
                return MissingEngineError(self.engine, fix=f"a valid key in {self.key}")
            case 404:
                fix = self.another or f"a model that {self.url}/models names, if it is the server"
                return MissingEngineError(self.engine, fix=fix)
            case 413:
                return self.failed("what it was sent is too long for it", "a shorter piece of it")
            case 402 | 429:
                fix = "wait a little, or check your plan there"
                return self.failed("its limit is used up", fix)
        return self.failed(f"the server refused ({status})", self.change)

    def broke_off(self) -> EngineFailedError:
        """The error for an answer without its end."""
        fix = f"ask again; if it stays so, see {self.url}"
        return self.failed("the answer broke off", fix)

    def failed(self, problem: str, fix: str) -> EngineFailedError:
        """The error for an answer that cannot be used."""
        return EngineFailedError(self.engine, problem, fix=fix)
