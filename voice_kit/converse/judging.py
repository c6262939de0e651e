"""Asks whether the speaker of a turn has finished."""

from __future__ import annotations

from voice_kit.converse.steps import StageFailedError, call
from voice_kit.converse.turn import Turn
from voice_kit.hear import endpointing
from voice_kit.hear.protocols import TurnJudge
from voice_kit.settings import Endpointing
from voice_kit.types import Judged, Transcript


async def judged(turn: Turn, judge: TurnJudge, rules: Endpointing) -> float:
    """How many seconds of quiet end this turn. A judge that fails is replaced."""
    audio, said, began = turn.audio, turn.transcript or Transcript(""), turn.desk.now()
    assert audio is not None
    chance, limit = 0.5, turn.settings.timeouts.judge
    try:
        if said.text or not judge.needs_words:
            chance = await call("judge", judge, lambda: judge.finished(audio, said), limit)
    except StageFailedError as failure:
        await turn.desk.replace(turn.number, failure)
    wait = endpointing.wait(chance, rules)
    turn.tell(Judged, chance, wait, turn.desk.now() - began, judge.name)
    return wait
