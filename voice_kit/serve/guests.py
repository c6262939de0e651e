"""What a request may use of what all share, and whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request

from voice_kit.serve.doors import Guest

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


def within_limits(request: Request, seconds: float) -> None:
    """Count the sound that a request brings. Raises `OverLimit`.

    One recording that is longer than a minute's share uses all of it up.
    """
    shared = shared_of(request)
    counted = min(seconds, shared.serve.sound_per_minute)
    shared.limits.sound(f"http:{guest_of(request).subject}", counted)
