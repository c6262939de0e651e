"""Reads a scenario: a conversation with a synthetic user, and what must come of it, as YAML."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    create_model,
    model_validator,
)

from voice_kit.errors import SettingsError
from voice_kit.settings import Settings
from voice_kit.workshop.scenario_checks import CHECKS
from voice_kit.workshop.scenario_notation import ANSWER, Decibel, Place, Seconds
from voice_kit.workshop.scenario_yaml import Page, ScenarioError, load
from voice_kit.workshop.user import PAUSE

SHIPPED = Path(__file__).with_name("scenarios")


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", coerce_numbers_to_str=True, arbitrary_types_allowed=True
    )


class Noise(_Part):
    """What is heard beside speech."""

    sound: str = "white"
    """white, babble (the kit's clips at once), or a sound file."""
    snr: Decibel
    """How much louder the speech is."""
    seed: int = 0


def _expectations(of: str) -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: (check.kind, None) for name, check in CHECKS.items() if check.of in (of, "both")
    }
    return create_model(f"Of{of.title()}", __base__=_Part, **fields)


OfLine, OfWhole = _expectations("line"), _expectations("whole")


class Said(_Part):
    """One line of the user's: exactly one of say, clip, file, type and hush."""

    say: str | None = None
    """The text, with pauses as “(pause 0.8)”."""
    clip: str | None = None
    file: Path | None = None
    type: str | None = None
    hush: Literal[True] | None = None
    voice: str | None = None
    gain: Decibel = 0.0
    noise: Noise | None = None
    after: Place = ANSWER
    into: Seconds | None = None
    pause: Seconds = PAUSE
    expect: OfLine = OfLine()  # type: ignore[valid-type]

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"say": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_thing(self) -> Said:
        given = self.model_fields_set
        kinds = [kind for kind in ("say", "clip", "file", "type", "hush") if kind in given]
        if len(kinds) != 1:
            have = f"not {' and '.join(kinds)}" if kinds else "none is there"
            raise ValueError(f"a line has one of say, clip, file, type, hush: {have}")
        if not any((self.say, self.clip, self.file, self.type, self.hush)):
            raise ValueError(f"{kinds[0]} is empty: write what is said")
        sounds = {"voice"} if self.say is None else set()
        sounds |= {"gain", "noise"} if self.type or self.hush else set()
        if useless := given & sounds:
            raise ValueError(f"a line with {kinds[0]} has no {useless.pop()}: remove it")
        if {"after", "into"} <= given:
            raise ValueError("a line has after or into, not both: remove one")
        if self.hush and "expect" in given:
            raise ValueError("a hush gets no answer: expect things of the line before it")
        return self


class Scenario(_Part):
    """A conversation with a synthetic user, and what must come of it."""

    name: str = ""
    about: str = ""
    settings: dict[str, Any] = {}
    """By dotted name, as with --set."""
    engines: Literal["embedded", "configured", "scripted"] = "embedded"
    answers: dict[str, str] = {}
    """What scripted engines answer, by what is said."""
    costs: dict[Literal["stt", "llm", "tts", "judge", "tool"], Seconds] = {}
    """Seconds that each step of a stage takes; what is not named takes the time it takes."""
    broken: Annotated[
        list[Literal["stt", "llm", "tts"]],
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    ] = []
    """Stages whose engine fails once, so that the next one in line takes over."""
    voice: str | None = None
    """Who speaks the lines: "flite:slt", a text-to-speech engine of the kit, or a clip's."""
    noise: Noise | None = None
    """Heard all the time."""
    patience: Seconds = 8.0
    """Seconds without an answer after which the user goes on."""
    lines: Annotated[list[Said], Field(min_length=1)]
    expect: OfWhole = OfWhole()  # type: ignore[valid-type]
    _page: Page = PrivateAttr()

    @property
    def path(self) -> Path:
        """Its file."""
        return self._page.path

    @property
    def title(self) -> str:
        """Its name, or its file's."""
        return self.name or self.path.stem.replace("_", " ")

    def where(self, *place: str | int) -> str:
        """The file, and the line of what is at this place of it."""
        return self._page.where(place)


def shipped() -> list[Path]:
    """The scenarios that come with the kit."""
    return sorted(SHIPPED.glob("*.yaml"))


def read(path: Path) -> Scenario:
    """The scenario in a file. Raises `ScenarioError` with the line, and what to write there."""
    page = load(path)
    if not isinstance(page.data, dict):
        raise ScenarioError(f"{path} is no scenario. It has “lines:” and “expect:”, at least.")
    try:
        scenario = Scenario.model_validate(page.data)
    except ValidationError as error:
        raise ScenarioError(_sentence(page, error)) from error
    scenario._page = page
    parts: list[Any] = [scenario, *scenario.lines]
    if not any(wanted(part.expect) for part in parts):
        raise ScenarioError(
            f"{path} expects nothing, so nothing could fail. Add, say, expect: {{turns: 1}}."
        )
    if scenario.answers and scenario.engines != "scripted":
        raise ScenarioError(
            f"{scenario.where('answers')}: only scripted engines have answers. "
            "Add engines: scripted, or remove them."
        )
    for name, value in scenario.settings.items():
        try:
            Settings().changed({name: value})
        except SettingsError as error:
            raise ScenarioError(f"{scenario.where('settings', name)}: {error}") from error
    return scenario


def wanted(expect: BaseModel) -> dict[str, Any]:
    """What is expected, by name."""
    given = expect.model_fields_set
    return {name: getattr(expect, name) for name in CHECKS if name in given}


def _sentence(page: Page, error: ValidationError) -> str:
    problem = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    place = [step for step in problem["loc"] if not str(step).startswith("function-")]
    name = str(place[-1]) if place else ""
    where = page.where(place)
    if problem["type"] == "extra_forbidden":
        return f"{where}: {_unknown(name, place)}"
    if problem["type"] == "missing":
        return f"{where}: {name} is missing. Add it, as README.md beside the kit's scenarios shows."
    why = problem["msg"].removeprefix("Value error, ").rstrip(".")
    if problem["type"] == "value_error":
        return f"{where}: {why}."
    return f"{where}: {name} cannot be {problem['input']!r:.60}: {why}. Mend it."


def _unknown(name: str, place: list[Any]) -> str:
    inside = place[:-1]
    known = _keys(tuple("#" if isinstance(step, int) else str(step) for step in inside))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"there is no “{name}” here. Did you mean “{near[0]}”?"
    return f"there is no “{name}” here. There are: {', '.join(known)}."


@cache
def _keys(place: tuple[str, ...]) -> list[str]:
    models: dict[str, type[BaseModel]] = {"noise": Noise, "#": Said}
    if place[-1:] == ("expect",):
        return list((OfLine if "#" in place else OfWhole).model_fields)
    return list(models.get(place[-1] if place else "", Scenario).model_fields)
