"""Asks whether the speaker of a turn has finished."""

from __future__ import annotations

from voice_kit.converse.steps import as_failure, call
from voice_kit.converse.turn import Turn
from voice_kit.hear.protocols import TurnJudge
from voice_kit.types import Transcript

UNKNOWN = 0.5


async def finished(turn: Turn, judge: TurnJudge) -> float:
    """Chance, in [0, 1], that nothing more comes. A judge that fails is replaced."""
    audio, said = turn.audio, turn.transcript or Transcript("")
    if audio is None or (judge.needs_words and not said.text):
        return UNKNOWN
    try:
        limit = turn.settings.timeouts.judge
        chance = await call("judge", judge, lambda: judge.finished(audio, said), limit)
        return min(1.0, max(0.0, float(chance)))
    except Exception as error:
        await turn.desk.replace(0, as_failure("judge", judge, error))
        return UNKNOWN
