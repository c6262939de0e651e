"""Finds the turns that a notebook has held, and gives their times: no words."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

TURNS = 5
"""How many of the last turns are given."""


def turns_in(defined: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The times of the last turns that a notebook's timelines and panels have: no words."""
    kinds = tuple(
        getattr(sys.modules[module], name)
        for module, name in (
            ("voice_kit.converse.timeline", "Timeline"),
            ("voice_kit.show.panel", "Panel"),
        )
        if module in sys.modules  # what was never imported is not there
    )
    found = []
    for value in list(defined.values()):
        for turn in list(value.turns) if isinstance(value, kinds) else []:
            if turn.voice_to_voice is not None:
                bars = [
                    (bar.stage, _within(bar.start - turn.ended), _within(bar.end - turn.ended))
                    for bar in turn.bars
                    if bar.stage not in ("speech", "playback", "interruption")
                ]
                found.append({"silence": _within(turn.voice_to_voice), "bars": bars[:12]})
    return found[-TURNS:]


def _within(seconds: float) -> float:
    return round(min(max(seconds, -60.0), 120.0), 3)


def names() -> Mapping[str, Any]:
    """What the notebook's cells have defined; nothing outside of one."""
    if "IPython" not in sys.modules:
        return {}
    shell = sys.modules["IPython"].get_ipython()
    return {} if shell is None else shell.user_ns
