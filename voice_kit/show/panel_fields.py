"""What can be chosen while the assistant runs: engines that are here, and numbers that matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voice_kit.engines import STAGES, Stage, choose, engine_class, here, names, refuse_language
from voice_kit.errors import VoiceKitError
from voice_kit.settings import Settings
from voice_kit.settings.dotted import value_of
from voice_kit.show.form import Choice, Option, Slider

LABELS: Mapping[Stage, str] = {
    "vad": "Notices that somebody speaks (vad)",
    "stt": "Writes down what was said (stt)",
    "llm": "Thinks of an answer (llm)",
    "tts": "Says it (tts)",
    "judge": "Says whether a sentence is finished (judge)",
}

SECONDS = "seconds"
SLIDERS = [
    Slider(
        *("hear.stop", "Quiet that ends your turn", SECONDS, 0.1, 2.0, 0.05),
        "Where the judge is in doubt, or there is none.",
    ),
    Slider("hear.finished", "… after a finished sentence", SECONDS, 0.1, 2.0, 0.05),
    Slider("hear.unfinished", "… after an unfinished one", SECONDS, 0.1, 5.0, 0.1),
    Slider(
        *("hear.eager", "Quiet after which an answer is begun", SECONDS, 0.0, 0.5, 0.032),
        "Nobody hears it before your turn is over. 0 never begins early, and asks no judge.",
    ),
    Slider(
        *("hear.start_above", "Speech begins above this chance of it", "", 0.05, 0.95, 0.05),
        "Lower hears more, and more that is none.",
    ),
    Slider("hear.stop_below", "… and pauses below this one", "", 0.05, 0.95, 0.05),
    Slider(
        *("interrupt.after", "Speech that interrupts an answer", SECONDS, 0.1, 2.0, 0.05),
        "Whatever its words are.",
    ),
]
MODE = Choice(
    "interrupt.mode",
    "What speech does to an answer",
    (
        Option("evidence", "it pauses, then stops or goes on"),
        Option("any", "any sound stops it"),
        Option("never", "nothing: it is said to the end"),
    ),
)
NUMBERS: list[Slider | Choice] = [*SLIDERS, MODE]
"""What takes effect from the next turn on."""


def values(settings: Settings) -> dict[str, Any]:
    """What these fields show, by the setting's dotted name."""
    return {field.name: value_of(settings, field.name) for field in NUMBERS}


def in_use(settings: Settings) -> dict[str, str]:
    """The engine of each stage: what the settings say, or the best that is here. Blocks."""
    return {stage: choose(stage, settings).spec for stage in STAGES}


def engines_here(settings: Settings, used: Mapping[str, str]) -> list[Slider | Choice]:
    """A choice for each stage: what is used, what else is here, and what is not. Blocks for up to
    half a second an engine."""
    return [
        Choice(stage, LABELS[stage], tuple(_options(stage, settings, used[stage])))
        for stage in STAGES
    ]


def _options(stage: Stage, settings: Settings, used: str) -> list[Option]:
    found = [Option(used, used)]
    for name in names(stage):
        try:
            cls = engine_class(stage, name)
            refuse_language(name, cls, settings)
            model = here(name, cls, settings)
        except VoiceKitError as error:
            if name != used.partition(":")[0]:
                fix = getattr(error, "fix", "")
                found.append(Option(name, f"{name} is not here{fix and ': '}{fix}", here=False))
            continue
        spec = f"{name}:{model}" if model else name
        if spec != used:
            found.append(Option(spec, spec))
    return sorted(found, key=lambda option: not option.here)
