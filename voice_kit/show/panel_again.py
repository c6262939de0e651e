"""Asks the last question of a conversation again, while it is held, with something changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voice_kit.converse.asked import RecordedTurn
from voice_kit.converse.recorded import Recording, read_recording
from voice_kit.converse.timeline import TurnTimes
from voice_kit.errors import AudioError
from voice_kit.settings import Settings, names
from voice_kit.settings.dotted import value_of
from voice_kit.types import Audio


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Again:
    """A turn as it was, and what came of the same question with something changed."""

    before: TurnTimes
    after: Recording

    @property
    def sound(self) -> Audio:
        """Both sides."""
        return self.after.sound or Audio.silence(0)

    def __str__(self) -> str:
        turns = self.after.turns
        if not turns:
            return f"“{self.before.heard}” was answered before only."
        return "\n".join(f"{compared(self.before, turn.times)}\n{turn.why()}" for turn in turns)

    __repr__ = __str__


def ask_again(
    folder: Path, now: Settings | None, changes: Mapping[str, Any], make: Callable[..., Any]
) -> Again:
    """The last question in `folder` with the settings of `now`, and these changes. Blocks.

    `make` gives the engines that are asked what the recording does not hold. Raises
    `AudioError` when nobody was answered yet.
    """
    turns = read_recording(folder).turns
    if not turns:
        raise AudioError("Nobody was answered yet. Ask something first.")
    asked: RecordedTurn = turns[-1]
    different = {} if now is None else changed(asked.settings, now)
    short = {name: value for name, value in changes.items() if "." not in name}
    dotted = {name: value for name, value in changes.items() if "." in name}
    return Again(asked.times, asked.again(different | dotted, make=make, **short))


def changed(before: Settings, after: Settings) -> dict[str, Any]:
    """What differs between two settings, by dotted name. Options are left out: a recording does
    not hold those that are secret."""
    return {
        name: value_of(after, name)
        for name in names()
        if not name.startswith(("options", "tools."))
        and value_of(before, name) != value_of(after, name)
    }


def compared(was: TurnTimes, now: TurnTimes) -> str:
    """A turn before and after, in one line."""
    line = f"“{was.heard}”" if was.heard == now.heard else f"“{was.heard}” → “{now.heard}”"
    line += f": {_silence(was)}"
    if _silence(was) != _silence(now):
        line += f" → {_silence(now)}"
    if was.said != now.said:
        line += f", “{was.said}” → “{now.said}”"
    return f"{line} ({now.problem})" if now.problem else line


def _silence(turn: TurnTimes) -> str:
    seconds = turn.voice_to_voice
    return "nothing heard" if seconds is None else f"{1000 * seconds:.0f} ms"
