"""From settings to loaded engines."""

from __future__ import annotations

from functools import partial
from typing import Any

from voice_kit.converse.line import Engines, Line
from voice_kit.engines import STAGES, Choice, Stage, choose, in_line, make
from voice_kit.errors import VoiceKitError
from voice_kit.settings import Settings


def load_engines(settings: Settings) -> Engines:
    """The engines that `settings` asks for, loaded. Blocks.

    Where it says “auto”, an engine that cannot be loaded after all gives way to the next. Raises
    `VoiceKitError` with the fix.
    """
    choices: list[Choice] = []

    def line(stage: Stage) -> Line[Any]:
        choice = choose(stage, settings)
        first, *then = in_line(choice)
        while True:
            try:
                engine = make(stage, first, settings)
                break
            except VoiceKitError as error:
                if getattr(settings, stage) != "auto" or not then:
                    raise
                first, *then = then
                choice = Choice(stage, first, "the best that works here", str(error))
        choices.append(choice)
        return Line(stage, engine, [partial(make, stage, spec, settings) for spec in then])

    vad, stt, llm, tts, judge = (line(stage) for stage in STAGES)
    return Engines(vad, stt, llm, tts, judge, choices=tuple(choices))
