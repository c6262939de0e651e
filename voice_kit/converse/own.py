"""Parts of somebody's own in the loop, instead of the kit's or beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from voice_kit.converse.line import Engines, Line
from voice_kit.hear.protocols import VoiceDetector
from voice_kit.think.acting import Router
from voice_kit.think.skills import Skill
from voice_kit.think.tools import Before


class Cutter(Protocol):
    """Cuts one answer into pieces to speak."""

    def feed(self, token: str) -> list[str]:
        """The pieces that are certain to be complete with this token."""

    def end(self) -> list[str]:
        """What is left, now that the text is over."""


@dataclass(frozen=True, slots=True)
class Own:
    """What an `Assistant` uses of yours. None, or nothing, leaves it to the kit."""

    vad: VoiceDetector | None = None
    """Says how likely a frame is speech. If it fails, the kit's takes over."""
    router: Callable[[Callable[[str], object]], Router] | None = None
    """Makes what decides whether to talk, search or act; it is given what tells whether a skill
    understands a sentence as a whole."""
    cutter: Callable[[str], Cutter] | None = None
    """Makes a `Cutter` for an answer in this language."""
    skills: Sequence[Skill] = ()
    """What it can do besides."""
    before_tool: Before | None = None
    """Told of each call of a tool, and of each search, before anything is done. The sentence of a
    `VoiceKitError` that it raises is said instead."""

    def among(self, engines: Engines) -> Engines:
        """These engines, with your detector in front."""
        if self.vad is None:
            return engines
        kit = engines.vad.current
        return replace(engines, vad=Line("vad", self.vad, [lambda: kit, *engines.vad.then]))
