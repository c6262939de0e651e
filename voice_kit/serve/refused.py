"""What a visitor is told who may not come in, or not now; over HTTP in the shape OpenAI's has."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

from voice_kit.errors import VoiceKitError

if TYPE_CHECKING:
    from fastapi import FastAPI


class Refused(VoiceKitError):  # noqa: N818 - it says what happened to them, not to us
    """Somebody may not come in here. The credential they showed is never in the text."""

    def __init__(
        self, reason: str, *, code: str = "invalid_api_key", status: int = 401, close: int = 4401
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.status = status
        """Over HTTP: 401 for who is not known, 403 for who is but may not."""
        self.close = close
        """What a socket is closed with: 4401, or 4403."""


def forbidden(reason: str, code: str = "forbidden") -> Refused:
    """The refusal of one whom we know, or whose page may not speak for them."""
    return Refused(reason, code=code, status=403, close=4403)


class OverLimit(VoiceKitError):  # noqa: N818 - a limit is no error of the gateway's
    """Somebody wants more than their share. `code` says of what."""

    def __init__(
        self, code: str, message: str, retry_after: float, *, status: int = 429, close: int = 4429
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after
        """Seconds until it may be tried again; 0 where waiting does not help."""
        self.status = status
        self.close = close


def openai_error(message: str, *, kind: str, code: str, param: str | None = None) -> dict[str, Any]:
    """The body of a refusal, as OpenAI's clients read it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


SIGN_IN = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in – voice-kit</title>
<style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }}
main {{ max-width: 28rem; margin: 15vh auto; padding: 0 1rem }}
input, button {{ font: inherit; padding: .5rem .75rem; box-sizing: border-box; width: 100% }}
label, button {{ display: block; margin-top: 1rem }}
</style>
<main>
<h1>Sign in</h1>
<p role="status">{reason}</p>
<form action="/" method="get">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Sign in</button>
</form>
</main>
</html>
"""
"""What a browser shows to somebody who came without a token. It asks as a link with one does."""


def tell_refusals(app: FastAPI) -> None:
    """Make this app answer `Refused` with 401 or 403 and `OverLimit` with 429 and Retry-After.

    A browser that opens a page gets a form for the token instead of JSON.
    """
    from fastapi import Request, Response
    from fastapi.responses import HTMLResponse, JSONResponse

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if page and error.status == 401:
            return HTMLResponse(SIGN_IN.format(reason=html.escape(str(error))), error.status)
        body = openai_error(str(error), kind="invalid_request_error", code=error.code)
        headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
        return JSONResponse(body, error.status, headers)

    async def over(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, OverLimit)
        wait = {"Retry-After": str(math.ceil(error.retry_after))} if error.retry_after > 0 else None
        code = "rate_limit_exceeded" if error.status == 429 else error.code
        body = openai_error(error.message, kind="rate_limit_error", code=code, param=error.code)
        return JSONResponse(body, error.status, wait)

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(OverLimit, over)
