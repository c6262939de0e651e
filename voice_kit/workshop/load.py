"""Many callers at a gateway at once, and what they felt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from voice_kit.audio.convert import convert
from voice_kit.errors import VoiceKitError
from voice_kit.types import FRAME, RATE, Audio
from voice_kit.workshop.bench_load import begin, scenes
from voice_kit.workshop.load_caller import Caller, Others
from voice_kit.workshop.peers.scenes import BEGIN, Scene, laid_out
from voice_kit.workshop.peers.table import spread

BUSY = 32.0
"""Milliseconds: callers whose frames leave a whole frame late measure themselves."""
QUANTILES = ("p50", "p95", "p99")


async def call(
    address: str, token: str, scenes: Sequence[Scene], per_second: float
) -> list[Caller]:
    """As many callers as scenes, connected at this pace, all talking at the same time.

    `address` is where the socket is, such as ws://127.0.0.1:8765/v1/realtime.
    """
    callers = [Caller(address, token, heard) for heard in scenes]
    others = Others(callers)
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def one(number: int, caller: Caller) -> None:
        await asyncio.sleep(began + number / per_second - loop.time())
        # Within one frame, as microphones of strangers would.
        await caller.call(others, number * FRAME / RATE / len(callers))

    async with asyncio.TaskGroup() as group:
        for number, caller in enumerate(callers):
            group.create_task(one(number, caller))
    return callers


def measure(address: str, token: str, heard: Sequence[Scene], per_second: float) -> dict[str, Any]:
    """What as many callers felt as there are scenes. Blocks for as long as they last."""
    return felt(asyncio.run(call(address, token, heard, per_second)))


def asked(conversations: int, questions: int, rest: float, sounds: Sequence[Audio]) -> list[Scene]:
    """What each caller says: one of these sounds after another, each beginning with another one;
    the kit's own questions where there are none."""
    if not sounds:
        return scenes(conversations, questions, rest, ("whole",))
    turns = [("recorded", [(convert(sound, RATE), "")]) for sound in sounds]
    return [
        laid_out(
            [turns[(n + m) % len(turns)] for m in range(questions)],
            n,
            rest,
            BEGIN + begin(n, conversations, rest),
        )
        for n in range(conversations)
    ]


def felt(callers: Sequence[Caller]) -> dict[str, Any]:
    """What all of them felt: milliseconds from the end of a question to its answer's first sound,
    and what went wrong."""
    rows = [row for caller in callers for row in caller.rows]
    late = spread(each for caller in callers for each in caller.late) or {}
    return {
        **(spread(row["voice_to_voice"] for row in rows) or {"n": 0}),
        "conversations": len(callers),
        "turns": len(rows),
        "too_early": sum(row["early"] for row in rows),
        "unanswered": sum(row["silent"] for row in rows),
        "refused": sum(bool(caller.refused) for caller in callers),
        "why": sorted({caller.refused for caller in callers if caller.refused}),
        "errors": sorted({code for caller in callers for code in caller.errors}),
        "sent_late": late.get("p99", 0.0),
    }


def text(figures: dict[str, Any]) -> str:
    """The figures, as people read them."""
    gateway = figures["gateway"]
    lines = [
        f"{gateway['conversations']} conversations, {gateway['turns']} questions",
        f"{'ms from question to answer':<32}{'p50':>8}{'p95':>8}{'p99':>8}{'n':>6}",
        _line("over the socket", gateway),
    ]
    if inside := figures.get("inside"):
        lines.append(_line("inside one process", inside))
        lines.append(_line("added by the socket", figures["added"]))
        lines.append(
            f"The gateway worked {gateway['cpu_ms']:.1f} ms a second for each conversation and "
            f"grew by {gateway['mb']:.0f} MB; inside one process it is {inside['cpu_ms']:.1f} ms."
        )
    if any(gateway[what] for what in ("unanswered", "too_early", "refused", "errors")):
        lines.append(trouble(gateway))
    lines.append(f"Our own frames left {gateway['sent_late']:.0f} ms late (p99).")
    if gateway["sent_late"] > BUSY:
        lines.append("That is too late: it is this machine that is busy. Call from another.")
    return "\n".join(lines)


def trouble(gateway: dict[str, Any]) -> str:
    """What went wrong, in a sentence."""
    why = "; ".join(gateway["why"])
    told = ", ".join(gateway["errors"])
    return (
        f"{gateway['unanswered']} questions unanswered, {gateway['too_early']} answered before "
        f"their end, {gateway['refused']} callers refused"
        + (f" ({why})" if why else "")
        + (f", errors: {told}" if told else "")
        + "."
    )


def _line(name: str, of: dict[str, Any]) -> str:
    cells = "".join(f"{of[key]:>8.0f}" if key in of else f"{'–':>8}" for key in QUANTILES)
    return f"{name:<32}{cells}{of.get('n', ''):>6}"


def socket_of(address: str, token: str | None = None) -> tuple[str, str]:
    """Where the socket is, and the token, of an address as `voice-kit serve` prints it.

    Raises `VoiceKitError` for what is no address.
    """
    found = urlsplit(address if "://" in address else f"http://{address}")
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if found.scheme not in schemes or not found.hostname:
        raise VoiceKitError(
            f"“{address}” is no address of a gateway. Give the one that voice-kit serve prints."
        )
    query = dict(parse_qsl(found.query))
    shown = query.pop("token", "")
    path = found.path if found.path.endswith("/v1/realtime") else "/v1/realtime"
    where = urlunsplit((schemes[found.scheme], found.netloc, path, urlencode(query), ""))
    return where, token or shown
