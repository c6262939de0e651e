"""Turns that the ears did not cut: a client did, or who replays its conversation."""

from __future__ import annotations

from voice_kit.converse.conversation import Conversation
from voice_kit.types import Audio, Misfire, TurnEnded


def answer(talk: Conversation, sound: Audio) -> None:
    """Answer this, 16 kHz, which is a whole turn. Who speaks meanwhile is interrupted before."""
    at = talk.now()
    talk._floor.react([TurnEnded(at, max(0.0, at - sound.seconds), at, sound)])


def forget(talk: Conversation) -> None:
    """What was heard so far, and is no turn yet, is none."""
    if talk.ears.end():
        talk._floor.react([Misfire(talk.ears.now, talk.ears.now)])
