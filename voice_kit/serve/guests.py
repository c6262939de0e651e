"""What a request may use of what all share, and whose it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fastapi import Request

from voice_kit.errors import TooLongError
from voice_kit.serve.doors import Guest
from voice_kit.serve.sound_in import LONGEST, sound_in
from voice_kit.serve.turnstile import Turnstile
from voice_kit.types import Audio

if TYPE_CHECKING:
    from voice_kit.serve.shared import Shared


def shared_of(request: Request) -> Shared:
    """What all sessions and requests of this process share."""
    found: Shared = request.app.state.shared
    return found


def guest_of(request: Request) -> Guest:
    """Who sent it, as its route found out."""
    found: Guest = request.state.guest
    return found


async def sound_of(
    request: Request, data: bytes, kind: str, turnstile: Turnstile
) -> tuple[Audio, float]:
    """The sound that a request brings, which is counted, and the seconds it waited for its turn.

    No more of it is decoded than is left to its sender, rounded up to a second; one recording that
    is longer than a minute's share uses all of it up. Raises `AudioError`, `OverLimit`, and
    `Problem` as the turnstile does.
    """
    limits, most = shared_of(request).limits, shared_of(request).serve.sound_per_minute
    account = limits.account(guest_of(request))
    limits.sound_left(account)  # who has none is told so, and waits for nothing
    async with turnstile.turn() as waited:
        left = limits.sound_left(account)
        longest = min(LONGEST, math.ceil(left)) if left < most else LONGEST
        try:
            audio = await sound_in(data, kind, longest)
        except TooLongError:
            if longest < LONGEST:
                limits.sound(account, math.inf)
            raise
        limits.sound(account, min(audio.seconds, most))
    return audio, waited
