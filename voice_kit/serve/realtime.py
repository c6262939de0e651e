"""The socket: who may come in, and what it is closed with."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from voice_kit.errors import VoiceKitError
from voice_kit.serve.doors import Guest
from voice_kit.serve.hang_up import hang_up, shortened
from voice_kit.serve.places import UnknownConversationError
from voice_kit.serve.protocol import (
    GOING_AWAY,
    NOT_ADMITTED,
    NOT_YOURS,
    TOO_SLOW,
    BadMessageError,
    parse,
    problem,
    said,
)
from voice_kit.serve.refused import OverLimit, Refused
from voice_kit.serve.session import Session
from voice_kit.serve.shared import Shared
from voice_kit.serve.too_big import message_of

router = APIRouter(tags=["Realtime"])
log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds in which a client without a token has to show one."""
BROKEN = 1011
OVER = "rate_limit_exceeded"


class ClosedError(Exception):
    """The socket is to be closed, after an error event if there is something to say."""

    def __init__(self, close: int, code: str = "", message: str = "") -> None:
        super().__init__(message)
        self.close, self.code, self.message = close, code, message


@router.websocket("/v1/realtime")
async def realtime(socket: WebSocket, conversation: str = "", model: str = "") -> None:
    """One conversation. `voice_kit.serve.protocol` is all that is said on it."""
    shared: Shared = socket.app.state.shared
    address = socket.client.host if socket.client else None
    try:
        await socket.accept()
        _check_open(shared)
        async with shared.limits.connection(address):
            guest = await _guest(socket, shared, address or "")
            shared.limits.age(0.0, guest)
            await _session(socket, shared, guest, conversation)
    except WebSocketDisconnect:
        return
    except ClosedError as closed:
        await _close(socket, shared, closed.close, closed.code, closed.message)
    except Refused as refused:
        await _close(socket, shared, refused.close, refused.code, str(refused))
    except OverLimit as limit:
        await _close(socket, shared, limit.close, OVER, limit.message)
    except VoiceKitError as error:
        await _close(socket, shared, BROKEN, "server_error", str(error))
    except Exception:
        log.exception("a session has failed")
        await _close(socket, shared, BROKEN, "server_error", "This session failed. Connect again.")


def _check_open(shared: Shared) -> None:
    if shared.draining:
        raise ClosedError(GOING_AWAY, "going_away", "This gateway stops. Connect to another.")


async def _guest(socket: WebSocket, shared: Shared, address: str) -> Guest:
    """Who is there: by header, address or cookie, else by their first message."""
    doors = shared.doors
    try:
        return doors.guest(socket)
    except Refused as refused:
        if refused.code != "missing_api_key":
            raise
    try:
        async with asyncio.timeout(PATIENCE):
            message = await socket.receive()
        if message["type"] != "websocket.receive":
            raise WebSocketDisconnect
        first, size = message_of(message)
        shared.limits.message(size)
        asked = parse(first if isinstance(first, str) else "")
    except TimeoutError:
        raise ClosedError(NOT_ADMITTED, "missing_api_key", "Nobody has signed in.") from None
    except BadMessageError as error:
        raise ClosedError(NOT_ADMITTED, "missing_api_key", str(error)) from None
    return doors.admit(asked.token, address)


async def _session(socket: WebSocket, shared: Shared, guest: Guest, conversation: str) -> None:
    places, session = shared.places, Session(shared, guest)
    try:
        known = await places.open(guest.subject, conversation or None)
        hold = await places.take(guest.subject, known.id, session.let_go)
    except UnknownConversationError as error:
        raise ClosedError(NOT_YOURS, "conversation_not_found", str(error)) from None
    try:
        _check_open(shared)  # it may have been told to stop meanwhile: nobody would end this
        await session.run(socket.receive, socket.send, hold)
    finally:
        await hold.release()
    if session.code == TOO_SLOW:
        hang_up(socket, session.code, session.reason)
    elif session.code:
        await _close(socket, shared, session.code, "", session.reason)


async def _close(socket: WebSocket, shared: Shared, close: int, code: str, message: str) -> None:
    if code and code != OVER and close != GOING_AWAY:  # limits have told of themselves
        shared.metrics.refused(code)
    try:
        async with asyncio.timeout(PATIENCE):
            if code:
                kind = "rate_limit_error" if code.startswith("rate") else ""
                error: dict[str, Any] = problem(code, message, kind=kind)
                await socket.send_text(said("error", "event_0", error=error))
            await socket.close(close, shortened(message))
    except (TimeoutError, RuntimeError, WebSocketDisconnect, OSError):
        hang_up(socket, close, "")
