"""Other voices than the gateway's, loaded once for all who ask for them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from voice_kit.engines import make
from voice_kit.errors import VoiceKitError
from voice_kit.serve.shared import Shared

MOST = 4
"""Voices of a process beside its own: some are as big as a model."""


async def voice_of(shared: Shared, voice: str) -> Any:
    """This voice of the gateway's engine, for one conversation; "" is its own.

    Raises `VoiceKitError` where there is none, or where there are too many by now.
    """
    engine, known = shared.engines.tts.name.partition(":")[0], shared.voices
    if voice and hasattr(shared.engines.tts.current, "away"):  # it is made elsewhere
        raise VoiceKitError("There is one voice here. Leave yours out, to hear that.")
    async with shared.loading:
        if voice and voice not in known:
            if len(known) >= MOST:
                raise VoiceKitError(f"Choose one of these voices: {', '.join(known)}.")
            spec = f"{engine}:{voice}"
            known[voice] = await asyncio.to_thread(partial(make, "tts", spec, shared.settings))
    return shared.own(known[voice] if voice else shared.engines.tts.current)
