"""From `"name:model"` to an engine: what is built in, what others add, what is best here."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from voice_kit.errors import (
    LanguageError,
    MissingEngineError,
    SettingsError,
    UnknownEngineError,
    VoiceKitError,
)
from voice_kit.settings import Settings

Stage = Literal["vad", "stt", "llm", "tts", "judge"]  # what engines can be chosen for
STAGES: tuple[Stage, ...] = ("vad", "stt", "llm", "tts", "judge")  # all of them

BUILT_IN: dict[Stage, dict[str, str]] = {
    "vad": {
        "silero": "voice_kit.hear.vad_silero:Silero",
        "webrtc": "voice_kit.hear.vad_webrtc:WebRtc",
        "energy": "voice_kit.hear.vad_energy:Energy",
    },
    "stt": {
        "whisper": "voice_kit.hear.stt_whisper:FasterWhisper",
        "sphinx": "voice_kit.hear.stt_sphinx:PocketSphinx",
        "openai": "voice_kit.hear.stt_openai:OpenAITranscriber",
    },
    "llm": {
        "ollama": "voice_kit.think.llm_ollama:Ollama",
        "llamacpp": "voice_kit.think.llm_llamacpp:LlamaCpp",
        "openai": "voice_kit.think.llm_openai:OpenAIModel",
        "litellm": "voice_kit.think.llm_litellm:LiteLLM",
        "handbook": "voice_kit.think.llm_handbook:Handbook",
    },
    "tts": {
        "kokoro": "voice_kit.speak.tts_kokoro:Kokoro",
        "piper": "voice_kit.speak.tts_piper:Piper",
        "openai": "voice_kit.speak.tts_openai:OpenAISpeech",
        "elevenlabs": "voice_kit.speak.tts_elevenlabs:ElevenLabs",
        "espeak": "voice_kit.speak.tts_espeak:Espeak",
    },
    "judge": {
        "smart-turn": "voice_kit.hear.judge_smart_turn:SmartTurn",
        "text": "voice_kit.hear.judge_text:TextJudge",
        "silence": "voice_kit.hear.judge_silence:Silence",
    },
}
"""The engines of the kit: by stage and name, the module and class of each."""

LINE: dict[Stage, tuple[str, ...]] = {
    "vad": ("silero", "energy"),
    "stt": ("whisper", "sphinx"),
    "llm": ("ollama", "llamacpp", "handbook"),
    "tts": ("kokoro", "piper", "espeak"),
    "judge": ("smart-turn", "text", "silence"),
}
"""What `auto` tries, best first. Nothing here sends sound or words to another company."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, and why it is this one."""

    stage: Stage
    spec: str
    why: str
    better: str = ""
    """How to get a better one; empty when there is none."""

    def __str__(self) -> str:
        return f"{self.stage}: {self.spec} ({self.why})" + (
            f". For better: {self.better}" if self.better else ""
        )


def names(stage: Stage) -> list[str]:
    """Every engine of a stage: the built-in ones and those of other packages."""
    return sorted({*BUILT_IN[stage], *(point.name for point in _plugins(stage))})


def engine_class(stage: Stage, name: str) -> Callable[..., Any]:
    """The class behind a name. Its libraries are not loaded yet. Raises `UnknownEngineError`."""
    for point in _plugins(stage):
        if point.name == name:
            return _loaded(point)
    if name not in BUILT_IN[stage]:
        raise UnknownEngineError(stage, name, names(stage))
    module, _, attribute = BUILT_IN[stage][name].partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found


def _loaded(point: EntryPoint) -> Callable[..., Any]:
    try:
        found: Callable[..., Any] = point.load()
    except Exception as error:
        package = point.dist.name if point.dist else point.value
        fix = f"install or mend the package {package}: {type(error).__name__}: {error}"
        raise MissingEngineError(point.name, fix=fix) from error
    return found


def make(stage: Stage, spec: str, settings: Settings) -> Any:
    """The engine that `spec` names, such as "whisper:base.en", loaded and ready.

    It is given those of `model`, `language`, `device`, `compute` and its own `options` that its
    constructor takes. Raises `VoiceKitError` with the fix when it cannot be had.
    """
    name, _, model = spec.partition(":")
    cls = engine_class(stage, name)
    refuse_language(spec, cls, settings)
    try:
        return cls(**arguments(name, model, cls, settings))
    except (TypeError, ValueError) as error:
        problem = f"{spec} cannot be made with these options: {error}. Mend options.{name}."
        raise SettingsError(problem) from error


def choose(stage: Stage, settings: Settings) -> Choice:
    """Which engine `settings` asks for; for "auto", the best that is here. At most 2 s."""
    spec = getattr(settings, stage)
    if spec != "auto":
        refuse_language(spec, engine_class(stage, spec.partition(":")[0]), settings)
        return Choice(stage, spec, "as you asked")
    missing: list[str] = []
    for name in LINE[stage]:
        cls = engine_class(stage, name)
        try:
            refuse_language(name, cls, settings)
            model = here(name, cls, settings)
        except VoiceKitError as error:
            missing.append(f"{name}: {getattr(error, 'fix', error)}")
            continue
        why = "the best that is here" if missing else "the best there is"
        return Choice(stage, f"{name}:{model}" if model else name, why, "; or ".join(missing[:1]))
    raise MissingEngineError(
        f"An engine for {stage} in the language “{settings.language}”", fix="; or ".join(missing)
    )


def here(name: str, cls: Callable[..., Any], settings: Settings) -> str:
    """The best model of this engine that can be used right now without a download.

    Asks the class's `here()`, which takes the same options as its constructor, needs at most half
    a second, and raises `MissingEngineError` with the fix; an engine without it is always here.
    """
    ask = getattr(cls, "here", None)
    if ask is None:
        return ""
    model: str = ask(**arguments(name, "", ask, settings))
    return model


def in_line(choice: Choice) -> Iterator[str]:
    """The engine chosen, then those that take over when it fails, best first."""
    yield choice.spec
    line = LINE[choice.stage]
    name = choice.spec.partition(":")[0]
    yield from line[line.index(name) + 1 :] if name in line else line[-1:]


def refuse_language(spec: str, cls: Callable[..., Any], settings: Settings) -> None:
    """Raise `LanguageError` when the engine says that it does not know the language."""
    languages = getattr(cls, "languages", None)
    if languages is not None and settings.language not in languages:
        known = ", ".join(sorted(languages))
        raise LanguageError(
            spec, settings.language, fix=f"another engine, or one of its languages: {known}"
        )


def arguments(
    name: str, model: str, call: Callable[..., Any], settings: Settings
) -> dict[str, Any]:
    """Those of the settings that `call`, an engine's class or its `here`, takes.

    Raises `SettingsError` for an option that the class does not have.
    """
    options = settings.options.get(name, {})
    given = {"language": settings.language, "device": settings.device, "compute": settings.compute}
    given |= {"model": model} if model else {}
    accepted = inspect.signature(call).parameters
    if inspect.isclass(call):
        known = set(accepted) | _options_elsewhere(name)
        for option in options:
            if option not in known:
                raise SettingsError(
                    f"{name} has no option “{option}”. Its options are: {', '.join(accepted)}."
                )
    return {key: value for key, value in (given | options).items() if key in accepted}


def _options_elsewhere(name: str) -> set[str]:
    """What engines of this name take in any stage: “openai” hears, thinks and speaks."""
    stages = [stage for stage in STAGES if name in BUILT_IN[stage]]
    classes = [engine_class(stage, name) for stage in stages]
    return {option for cls in classes for option in inspect.signature(cls).parameters}


@cache
def _plugins(stage: Stage) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=f"voice_kit.{stage}"))
