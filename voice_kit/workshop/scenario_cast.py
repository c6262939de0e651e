"""The engines that play a part in a scenario: the kit's own, yours, broken ones, scripted ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from voice_kit.converse.line import Engines, Line
from voice_kit.converse.loading import load_engines
from voice_kit.converse.steps import stream
from voice_kit.engines import STAGES, in_line, make
from voice_kit.errors import EngineFailedError
from voice_kit.settings import Settings
from voice_kit.types import Audio, Message, Transcript
from voice_kit.workshop import fakes
from voice_kit.workshop.overheard import Listener
from voice_kit.workshop.scenario import Scenario
from voice_kit.workshop.scenario_notation import parts_of
from voice_kit.workshop.scenario_sounds import words_of
from voice_kit.workshop.scenario_yaml import ScenarioError
from voice_kit.workshop.wer import plain

EMBEDDED = {
    "vad": "silero",
    "stt": "sphinx",
    "llm": "handbook",
    "tts": "espeak",
    "judge": "text",
}
NO_JUDGES = {"handbook", "scripted", "broken"}
JUDGE = (
    "You check what a voice assistant said. You are asked one question about it. Answer with the "
    "single word yes or no."
)
Ask = Callable[[str, str], Awaitable[str]]
"""(what was said, a question about it) -> yes or no, in a model's words."""


@dataclass
class Cast:
    """The engines of all scenarios, each loaded once."""

    configured: Settings = field(default_factory=Settings)
    """For scenarios that want the engines as they are configured here."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Settings for all of them, by dotted name; they count more than a scenario's own."""
    _loaded: dict[str, Engines] = field(default_factory=dict)

    def settings(self, scenario: Scenario) -> Settings:
        """Those that a scenario is played with."""
        base = self.configured
        if scenario.engines != "configured":
            base = Settings().changed(EMBEDDED)
        return base.changed(scenario.settings).changed(self.changes)

    def engines(self, scenario: Scenario, settings: Settings, listener: Listener) -> Engines:
        """The engines that the settings name, in lines of their own, the voices overheard."""
        loaded = self._load(settings)
        lines: dict[str, Any] = {}
        for choice in loaded.choices:
            stage = choice.stage
            overheard: Callable[[Any], Any] = listener.voice if stage == "tts" else _itself
            engine = overheard(getattr(loaded, stage).current)
            then: list[Callable[[], Any]] = [
                partial(lambda make_one, wrap: wrap(make_one()), one, overheard)
                for one in [partial(make, stage, spec, settings) for spec in in_line(choice)][1:]
            ]
            if stage in scenario.broken:
                engine, then = Broken(), [partial(_itself, engine), *then]
            lines[stage] = Line(stage, engine, then)
        return Engines(**lines, choices=loaded.choices)

    def _load(self, settings: Settings) -> Engines:
        wants = [getattr(settings, stage) for stage in STAGES]
        key = repr((wants, settings.language, settings.device, settings.compute, settings.options))
        if key not in self._loaded:
            self._loaded[key] = load_engines(settings)
        return self._loaded[key]


def _itself(engine: Any) -> Any:
    return engine


class Broken:
    """An engine of any stage that fails at once."""

    name = "broken"
    stops = "steps"

    def transcribe(self, audio: Audio) -> Transcript:
        """Never."""
        raise EngineFailedError("The broken engine", "the scenario wants it", fix="remove broken")

    def reply(self, messages: Sequence[Message]) -> Any:
        """Never."""
        return self.transcribe(Audio.silence(0))

    def speak(self, text: str) -> Any:
        """Never."""
        return self.transcribe(Audio.silence(0))


def judge_of(engines: Engines, settings: Settings) -> Ask | None:
    """What asks the language model about an answer; None if it is one that cannot know."""
    model = engines.llm.current
    if model.name.partition(":")[0] in NO_JUDGES:
        return None

    async def ask(said: str, question: str) -> str:
        told = f"The assistant said: “{said}”\n\n{question} Answer yes or no."
        prompt = [Message("system", JUDGE), Message("user", told)]
        tokens = stream("llm", model, lambda: model.reply(prompt), settings.timeouts.llm)
        return "".join([token async for token in tokens])

    return ask


def scripted(
    scenario: Scenario, costs: Mapping[str, float], listener: Listener
) -> tuple[Engines, list[Audio]]:
    """Engines with no model inside that answer as the scenario says, and how its lines sound."""
    script, sounds = fakes.Script(), []
    for number, line in enumerate(scenario.lines):
        if line.clip or line.file or line.voice or line.noise or line.gain or scenario.noise:
            raise ScenarioError(
                f"{scenario.where('lines', number)}: scripted engines hear only what a line says, "
                "without voice, noise or gain. Write say alone, or remove engines: scripted."
            )
        parts = [
            part if isinstance(part, float) else (part, 0.3 * len(part.split()))
            for part in parts_of(line.say or "")
        ]
        sounds.append(script.sound(*parts) if parts else Audio.silence(0))
    known = {plain(asked): answer for asked, answer in scenario.answers.items()}
    heard = {words_of(line) for line in scenario.lines}
    answers = {words: known[plain(words)] for words in heard if plain(words) in known}
    stt, llm, tts = (costs.get(stage, 0.1) for stage in ("stt", "llm", "tts"))
    engines = fakes.scripted(
        script,
        stt=fakes.ScriptedTranscriber(script, stt),
        llm=fakes.ScriptedModel(answers, llm),
        tts=listener.voice(fakes.HummingVoice(tts)),
    )
    return engines, sounds
