"""How fast a voice speaks, where its engine can change that."""

from __future__ import annotations

from voice_kit.errors import VoiceKitError

STEP = 1.15
"""One step faster: what is clearly heard."""
SLOWEST, FASTEST = 0.6, 1.8
"""Beyond these nobody follows."""


class PaceError(VoiceKitError):
    """A voice has one pace only."""


def change_pace(voice: object, steps: int) -> bool:
    """Let a voice speak so many steps faster, or slower, from its next sentence on.

    False when it cannot go any further. Raises `PaceError` for a voice without a `speed`.
    """
    speed = getattr(voice, "speed", None)
    if not isinstance(speed, int | float):
        raise PaceError("This voice cannot change its pace. Choose espeak, kokoro or piper.")
    wanted = min(max(speed * STEP**steps, min(SLOWEST, speed)), max(FASTEST, speed))
    voice.speed = wanted  # type: ignore[attr-defined]
    return abs(wanted / speed - 1) > 0.01
