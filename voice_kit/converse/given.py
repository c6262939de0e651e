"""What a client does to a conversation, or who replays it: it gives a whole turn, or an engine."""

from __future__ import annotations

from typing import Any

from voice_kit.converse.ahead import Ahead
from voice_kit.converse.conversation import Conversation
from voice_kit.engines import Stage
from voice_kit.types import Audio, EngineChanged, Misfire, TurnEnded

CHOSEN = "it was chosen"
"""Why an engine changed that did not fail."""


def answer(talk: Conversation, sound: Audio) -> None:
    """Answer this, 16 kHz, which is a whole turn. Who speaks meanwhile is interrupted before."""
    at = talk.now()
    talk._floor.react([TurnEnded(at, max(0.0, at - sound.seconds), at, sound)])


def forget(talk: Conversation) -> None:
    """What was heard so far, and is no turn yet, is none."""
    if talk.ears.end():
        talk._floor.react([Misfire(talk.ears.now, talk.ears.now)])


def use(talk: Conversation, stage: Stage, spec: str, engine: Any) -> None:
    """Go on with this engine, which is called `spec`. Call it while no answer is under way."""
    getattr(talk.engines, stage).current = engine
    if stage == "stt" and any(isinstance(each, Ahead) for each in talk.observers):
        talk.observers[:] = [each for each in talk.observers if not isinstance(each, Ahead)]
        Ahead.of(talk)
    talk.tell(EngineChanged(talk.now(), stage, spec, CHOSEN))
