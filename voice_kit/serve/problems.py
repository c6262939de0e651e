"""What went wrong, told as OpenAI's clients read it; and routes that tell it so."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from voice_kit.converse.steps import StageFailedError
from voice_kit.errors import AudioError, TooLongError, VoiceKitError
from voice_kit.serve.config import Serve
from voice_kit.serve.doors import guest
from voice_kit.serve.limits import room
from voice_kit.serve.places import AwayError, UnknownConversationError
from voice_kit.serve.refused import OverLimit, Refused, openai_error

PATIENCE = 5.0
"""Seconds after which it may be tried again where an engine failed."""

SAID = {
    404: "There is nothing at this address. See /docs for what there is.",
    405: "This address does not take that method. See /docs for what it takes.",
}

CODES = {404: "not_found", 405: "method_not_allowed", 413: "message_too_big"}


class Problem(VoiceKitError):  # noqa: N818 - most are no error of ours
    """A request that cannot be answered. Its text never holds what people said."""

    def __init__(
        self,
        message: str,
        status: int = 400,
        *,
        code: str = "invalid_request",
        param: str | None = None,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param, self.retry_after = status, code, param, retry_after


def problem_of(error: BaseException) -> Problem | None:
    """What an error means to who asked; None for one that is our own mistake."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            said = SAID.get(error.status_code, str(error.detail))
            code = CODES.get(error.status_code, "invalid_request")
            return Problem(said, error.status_code, code=code)
        case ClientDisconnect():
            return Problem("The request broke off. Send it again.", code="incomplete")
        case StageFailedError():
            return Problem(
                str(error.cause), 503, code=f"{error.stage}_failed", retry_after=PATIENCE
            )
        case TooLongError():
            return Problem(str(error), 413, code="too_long", param="file")
        case AudioError():
            return Problem(str(error), code="invalid_audio", param="file")
        case UnknownConversationError():
            return Problem(str(error), 404, code="not_found", param="conversation")
        case AwayError():
            return Problem(str(error), 503, code="memory_failed", retry_after=PATIENCE)
    return None


def told(problem: Problem) -> JSONResponse:
    """The answer that says so."""
    kind = "invalid_request_error" if problem.status < 500 else "server_error"
    body = openai_error(str(problem), kind=kind, code=problem.code, param=problem.param)
    wait = math.ceil(problem.retry_after)
    return JSONResponse(body, problem.status, {"Retry-After": str(wait)} if wait else None)


def tell_problems(app: FastAPI) -> None:
    """Make this app tell alike what no route of ours has told: a wrong path or method, say."""

    async def answer(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        assert problem is not None
        answer = told(problem)
        answer.headers.update(getattr(error, "headers", None) or {})
        return answer

    app.add_exception_handler(HTTPException, answer)
    app.add_exception_handler(RequestValidationError, answer)


class _Error(BaseModel):
    message: str
    type: str
    param: str | None = None
    code: str | None = None


class Told(BaseModel):
    """Why a request was not answered, in one sentence with what helps."""

    error: _Error


PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Told, "description": "The request cannot be answered as it is."},
    503: {"model": Told, "description": "An engine failed. Retry-After says when to ask again."},
}
"""For `APIRouter(responses=…)`."""


class Route(APIRoute):
    """Asks who it is before it reads anything, reads no more than it may, and tells problems."""

    computes = False
    """Whether a request needs room, from before it is read until it was answered."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, inside of that."""
        handle = super().get_route_handler()

        async def told_or_answered(request: Request) -> Response:
            try:
                request.state.guest = await guest(request)
                most = self.most(request.app.state.shared.serve)
                if _declared(request) > most:
                    raise _too_big(most)
                async with AsyncExitStack() as held:
                    if self.computes:
                        await held.enter_async_context(asynccontextmanager(room)(request))
                    bounded = Request(request.scope, _bounded(request.receive, most))
                    return _Answer(await handle(bounded), held.pop_all())
            except (Refused, OverLimit):
                raise  # these the whole app tells alike
            except Exception as error:
                if (problem := problem_of(error)) is None:
                    raise
                if problem.status == 413:
                    request.app.state.shared.metrics.refused(problem.code)
                return told(problem)

        return told_or_answered

    def most(self, serve: Serve) -> int:
        """Bytes that a request may have."""
        return serve.max_message


class ComputingRoute(Route):
    """One that has an engine work."""

    computes = True


class SoundRoute(ComputingRoute):
    """One to which sound is sent."""

    def most(self, serve: Serve) -> int:
        """Bytes: 25 MB, as OpenAI takes, where nothing else is set."""
        return 25 * serve.max_message


class _Answer(Response):
    """An answer that holds something until all of it was sent."""

    def __init__(self, answer: Response, held: AsyncExitStack) -> None:
        self._answer, self._held = answer, held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        async with self._held:
            await self._answer(scope, receive, send)


def _invalid(error: RequestValidationError) -> Problem:
    found = error.errors() or [{"loc": (), "msg": "cannot be read"}]
    first = max(found, key=lambda each: len(each["loc"]))  # where it came nearest to what is taken
    outside = {"body", "query", "path", "str"}  # or which of several kinds it was compared with
    named = [str(place) for place in first["loc"]]
    places = [each for each in named if each not in outside and "[" not in each]
    param = ".".join(places) or None
    if first.get("type") == "json_invalid":
        return Problem("The body is no JSON. Send it as application/json.", code="invalid_json")
    said = str(first["msg"]).removeprefix("Value error, ")
    return Problem(f"{param or 'The body'}: {said}. See /docs for what is taken.", param=param)


def _declared(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0


def _too_big(most: int) -> HTTPException:
    # The one error that is let through while a body is read.
    return HTTPException(413, f"The request has more than {most} bytes. Send it in parts.")


def _bounded(receive: Receive, most: int) -> Receive:
    came = 0

    async def bounded() -> MutableMapping[str, Any]:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > most:
            raise _too_big(most)
        return message

    return bounded
