"""Asks whether the speaker of a turn has finished, and when the words so far are worth it."""

from __future__ import annotations

from collections.abc import Callable

from voice_kit.converse.desk import Desk
from voice_kit.converse.steps import WORK, as_failure, call, may_be_undone, name_of
from voice_kit.converse.turn import Turn
from voice_kit.hear import endpointing
from voice_kit.hear.ears import Ears
from voice_kit.hear.protocols import TurnJudge
from voice_kit.types import Judged, Transcript


def is_worth_words(desk: Desk, early: Turn | None, starts: int, took: float) -> bool:
    """Whether to transcribe what was said up to a pause, after so many starts on it, the `early`
    one the last, if the last transcription took so many seconds."""
    settings, stt = desk.settings(), desk.engines.stt.current
    # Until the judge has spoken, which needs these words, the longest wait holds.
    fits = took <= settings.hear.unfinished - settings.hear.eager
    in_time = fits and (early is None or early.transcript is not None)
    if starts >= settings.eager_starts:  # for the judge alone: where it costs little
        needed = desk.engines.judge.current.needs_words
        return needed and in_time and may_be_undone(stt) and getattr(stt, "partials", True)
    # A start that can be taken back is worth it even if it takes longer than the wait.
    return may_be_undone(stt) and (in_time or hasattr(stt, "abort"))


async def judge_end(
    turn: Turn, judge: TurnJudge, ears: Ears, standing: Callable[[], Turn | None]
) -> None:
    """Let the judge say how much quiet ends what is being said.

    `turn` began early on it, or is only its sound; the start that is `standing` when the judge has
    spoken may be another, and has then cost what the judge did.
    """
    WORK.set(lambda seconds: (standing() or turn).worked.append(seconds))
    began = turn.desk.now()
    chance = await finished(turn, judge)
    if ears.speaking and turn.covers == ears.ended:
        wait = endpointing.wait(chance, ears.rules)
        ears.expect(wait)
        if (early := standing()) and not (early.ended or early.closed.is_set()):
            early.tell(Judged, chance, wait, turn.desk.now() - began, name_of(judge))


async def finished(turn: Turn, judge: TurnJudge) -> float:
    """Chance, in [0, 1], that nothing more comes; 0.5 when it is unknown. A judge that fails is
    replaced. Of who talks over an answer it is never sure: more follows their first “no”."""
    audio, said = turn.audio, turn.transcript or Transcript("")
    held = turn.before and turn.before.paused and not turn.before.closed.is_set()
    if audio is None or (judge.needs_words and not said.text):
        return 0.5
    try:
        limit = turn.settings.timeouts.judge
        chance = await call("judge", judge, lambda: judge.finished(audio, said), limit)
        return min(0.5 if held else 1.0, max(0.0, float(chance)))
    except Exception as error:
        await turn.desk.replace(0, as_failure("judge", judge, error))
        return 0.5
