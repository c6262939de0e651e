"""What the gateway writes down: what happened, when and how long; no word said, and no token."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from voice_kit.errors import EngineTimeoutError, MissingEngineError
from voice_kit.types import (
    Abandoned,
    EngineChanged,
    Event,
    Failed,
    Interrupted,
    ToolUsed,
    Transcribed,
    TurnEnded,
    TurnFinished,
)

log = logging.getLogger("voice_kit.serve")

HIDDEN = "…"
FIELDS = {
    *("session", "conversation", "turn", "stage", "engine", "milliseconds", "code", "tool"),
    *("worked", "interrupted", "method", "path", "status", "address", "gateway", "count"),
}
"""What a line may tell beside its event. Nothing here holds what people say."""
SECRETS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\beyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*)*",  # a JWT
        r"(?<=\bbearer )\s*[^\s\"',;\\]+",
        r"(?<=\bbasic )\s*[^\s\"',;\\]+",
        r"(?:proxy-)?authorization\\*[\"']?\s*[:=,]\s*b?\\*[\"']?[^\s\"',;\\]+",
        r"(?:set-)?cookie\\*[\"']?\s*[:=,]\s*b?\\*[\"']?[^\"'\\\n]+",
        r"[\w-]*(?:token|secret|password|passwd|api[_-]?key|public_key)\\*[\"']?\s*(?:=|:|%3D)\s*"
        r"\\*[\"']?[^\s\"'&,;}\\]+",
        r"\bsk-[\w-]{8,}",
        r"(?<=://)[^\s/@\"']+(?=@)",  # a password in an address, as Redis' may have
    )
]
QUERY = re.compile(r"\?[^\s\"'?]+")
NAME = re.compile(r"[\w.:/-]{1,80}")
OURS = ("voice_kit", "uvicorn")
PROBES = {"/health", "/ready", "/metrics"}
WORDLESS = (MissingEngineError, EngineTimeoutError)
"""Errors whose text is the same whatever was said."""


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without tokens, cookies and passwords, and without these secrets."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    for pattern in SECRETS:
        text = pattern.sub(HIDDEN, text)
    return text


def happened(event: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Write one line: `event`, and of `fields` those that `FIELDS` names."""
    told = {name: value for name, value in fields.items() if name in FIELDS and value is not None}
    log.log(level, "%s", event, extra={"voice_kit": {"event": event, **told}})


def observer(session: str) -> Callable[[Event], None]:
    """Writes down a conversation's events under this session: times, stages, engines, codes."""

    def observe(event: Event) -> None:
        told = _told(event)
        if told is not None:
            name, fields = told
            level = logging.WARNING if isinstance(event, Failed) else logging.INFO
            happened(name, level=level, session=session, **fields)

    return observe


def _told(event: Event) -> tuple[str, dict[str, Any]] | None:
    match event:
        case TurnEnded():
            spoken = round((event.ended - event.started) * 1000)
            return "turn_ended", {"milliseconds": spoken}
        case Transcribed() | ToolUsed():
            fields = {"turn": event.turn, "milliseconds": round(event.took * 1000)}
            if isinstance(event, ToolUsed):
                asked = event.call.tool  # a model may ask for what is no tool at all
                tool = asked if NAME.fullmatch(asked) else "unknown"
                return "tool_used", fields | {"tool": tool, "worked": event.worked}
            return "transcribed", fields | {"stage": "stt", "engine": event.engine}
        case Interrupted() | Abandoned() if event.turn:  # 0: a pause that was none, which are many
            return type(event).__name__.lower(), {"turn": event.turn}
        case Failed():
            return "failed", {"turn": event.turn, "stage": event.stage, "engine": event.engine}
        case EngineChanged():
            return "engine_changed", {"stage": event.stage, "engine": event.engine}
        case TurnFinished():
            return "turn_finished", {"turn": event.turn, "interrupted": event.interrupted}
    return None


class Lines(logging.Formatter):
    """One line for each record, as JSON or as text.

    What our own code and uvicorn say is written; of others only where they said it, since their
    words may be somebody's. Of an error its kind and its way are written, and its text where it
    is one of `WORDLESS`.
    """

    def __init__(self, kind: Literal["text", "json"] = "json", secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._kind = kind
        self._secrets = tuple(secret for secret in secrets if len(secret) >= 6)

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **self._clean(_fields(record)),
        }
        if self._kind == "json":
            return json.dumps(fields)
        clock = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        told = " ".join(
            f"{name}={value}" if name not in ("event", "message") else str(value)
            for name, value in fields.items()
            if name not in ("time", "level") and (name, value) != ("event", "log")
        )
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return "".join(each if each.isprintable() else " " for each in f"{clock} {level}{told}")

    def _clean(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._clean(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._clean(each) for each in value]
        return redacted(value, self._secrets) if isinstance(value, str) else value


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    place = f"{record.module}.py:{record.lineno}"
    structured = getattr(record, "voice_kit", None)
    if isinstance(structured, dict):
        return structured
    if record.name == "uvicorn.access" and isinstance(record.args, tuple) and len(record.args) == 5:
        address, method, path, _, status = record.args
        fields = {"event": "request", "method": method, "path": QUERY.sub("", str(path))}
        return fields | {"status": status, "address": str(address).rpartition(":")[0]}
    ours = record.name.partition(".")[0] in OURS
    if not ours or record.levelno < logging.INFO:  # uvicorn's traces hold whole messages
        fields = {"event": "log", "logger": record.name, "where": place}
    else:
        message = QUERY.sub(f"?{HIDDEN}", _message(record))
        fields = {"event": "log", "logger": record.name, "message": message}
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    return fields if error is None else fields | {"error": type(error).__name__, **_way(error)}


def _message(record: logging.LogRecord) -> str:
    if isinstance(record.msg, OSError):  # such as an address in use
        return record.msg.strerror or type(record.msg).__name__
    if isinstance(record.msg, BaseException):
        return type(record.msg).__name__
    text = record.getMessage()
    return text.partition("\nTraceback")[0].partition("Traceback (most")[0].strip() or "an error"


def _way(error: BaseException) -> dict[str, Any]:
    """Where it happened, innermost last, and the fix where it is one of `WORDLESS`."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    way = [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
    return {"way": way} | ({"fix": str(error)} if isinstance(error, WORDLESS) else {})


def _short(filename: str) -> str:
    return "/".join(filename.replace("\\", "/").rsplit("/", 2)[-2:])


class ButProbes(logging.Filter):
    """Lets every request pass but those by which the gateway is watched, while all is well."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this is written."""
        if not isinstance(record.args, tuple) or len(record.args) != 5:
            return True
        _, _, path, _, status = record.args
        return QUERY.sub("", str(path)) not in PROBES or status != 200


def of_process(kind: Literal["text", "json"], secrets: Iterable[str]) -> Lines:
    """Lines for all that this process would print by itself: warnings and errors nobody caught."""
    logging.captureWarnings(True)
    sys.excepthook = lambda kind, error, way: _uncaught(error)
    threading.excepthook = lambda told: _uncaught(told.exc_value)
    sys.unraisablehook = lambda told: _uncaught(told.exc_value)
    return Lines(kind, secrets)


def _uncaught(error: BaseException | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        return
    log.error("uncaught", exc_info=error)


def log_config(kind: Literal["text", "json"], secrets: Iterable[str] = ()) -> dict[str, Any]:
    """For `uvicorn.run(log_config=…)`, which sets it in each of its processes."""
    lines = {"()": "voice_kit.serve.logs.of_process", "kind": kind, "secrets": list(secrets)}
    ours = {"level": "INFO", "handlers": [], "propagate": True}
    names = ("voice_kit", "uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": lines},
        "filters": {"but_probes": {"()": "voice_kit.serve.logs.ButProbes"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {name: dict(ours) for name in names}
        | {"uvicorn.access": {**ours, "filters": ["but_probes"]}},
    }
