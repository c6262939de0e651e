"""One frozen `Settings`: defaults, then voice-kit.toml, then VOICE_KIT_*, then flags."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import EnvSettingsSource

from voice_kit.errors import SettingsError
from voice_kit.settings.groups import (
    Endpointing,
    Interruption,
    Memory,
    Timeouts,
    Tools,
    Wake,
)

FILE = "voice-kit.toml"  # of the working folder
PREFIX = "VOICE_KIT_"  # of environment variables
NOT_SETTINGS = {"VOICE_KIT_REQUIRE", "VOICE_KIT_HOME", "VOICE_KIT_STRICT", "VOICE_KIT_ROOM"}
"""Environment variables that share the prefix but are no settings."""


def home() -> Path:
    """Where what is yours is kept, from exercises to timers: VOICE_KIT_HOME, or ~/.voice-kit."""
    return Path(os.environ.get("VOICE_KIT_HOME") or "~/.voice-kit").expanduser()


def hub_cache() -> Path:
    """Where Hugging Face keeps downloads, by its own environment variables and defaults."""
    xdg = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    hugging_face = Path(os.environ.get("HF_HOME", xdg / "huggingface"))
    hub = os.environ.get("HUGGINGFACE_HUB_CACHE", hugging_face / "hub")
    return Path(os.path.expandvars(os.environ.get("HF_HUB_CACHE", hub))).expanduser()


class Settings(BaseModel):
    """How this assistant hears, thinks and speaks. A snapshot: it never changes.

    `Settings()` is the defaults on every machine, whatever its file and environment say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: str = Field(default="en", pattern=r"^[a-z]{2,3}$")
    """The language spoken on both sides, as an ISO 639-1 code."""
    vad: str = "auto"
    """Who hears that it is speech: auto, silero, webrtc, energy, or a plugin's."""
    stt: str = "auto"
    """Who writes it down: auto, whisper:base.en, sphinx, openai:MODEL, …"""
    llm: str = "auto"
    """Who answers: auto, ollama:qwen3:1.7b, handbook, openai:MODEL, …"""
    tts: str = "auto"
    """Who says it: auto, kokoro:af_heart, espeak, piper:VOICE, …"""
    router: str = "auto"
    """Who decides whether to talk, search or act: auto, examples, llm, embeddings, off."""
    judge: str = "auto"
    """Who says whether a sentence is finished: auto, smart-turn, text, silence."""
    device: str = "auto"
    """Where local engines run: auto, cpu, cuda, cuda:1."""
    compute: str = "auto"
    """How they calculate: auto, int8, float16, float32, …"""
    persona: str = (
        "You are a friendly voice assistant. Your answer is spoken aloud: one to three short, "
        "plain sentences, without lists, symbols or Markdown."
    )
    """The system prompt."""
    eager_starts: int = Field(default=3, ge=0)
    """At most this many early starts in one turn; at its later pauses only the judge is asked."""
    partials: float = Field(default=0.5, ge=0)
    """Seconds between two passes over speech under way, for the words so far; 0 makes none."""
    hear: Endpointing = Endpointing()
    interrupt: Interruption = Interruption()
    wake: Wake = Wake()
    tools: Tools = Tools()
    memory: Memory = Memory()
    timeouts: Timeouts = Timeouts()
    options: dict[str, dict[str, Any]] = {}
    """More for an engine, by its name: `[options.ollama]` with `host = "http://…"`."""

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """A copy with some values changed, by dotted name: `changed({"hear.stop": 0.3})`.

        Raises `SettingsError` like `load_settings`.
        """
        tree = self.model_dump()
        for name, value in changes.items():
            _put(tree, name, value)
        return _checked(tree, "the new settings")


def load_settings(
    flags: Mapping[str, Any] | None = None, file: str | Path | None = None
) -> Settings:
    """Settings from defaults, the file, the environment and `flags` (dotted names), in that order.

    `file` defaults to voice-kit.toml in the working folder, if there is one. Raises
    `SettingsError`, which names the unknown key or the bad value and what would be allowed.
    """
    path = Path(file or FILE)
    tree: dict[str, Any] = {}
    if file or path.exists():
        try:
            tree = tomllib.loads(path.read_text("utf-8"))
            tree.pop("serve", None)  # the gateway's own, as is VOICE_KIT_SERVE_*
        except OSError as error:
            fix = f"{error.strerror}. Check the name and the folder."
            raise SettingsError(f"{path} cannot be read: {fix}") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path} cannot be read: {error}. Mend or remove it.") from error
        _checked(tree, str(path))
    for key in os.environ:
        dotted = key.removeprefix(PREFIX).lower().replace("__", ".")
        if key.startswith(PREFIX) and key not in NOT_SETTINGS and not _known(dotted):
            raise SettingsError(f"In the environment: {_unknown(dotted)}")
    _merge(tree, in_environment(Settings, PREFIX))
    for name, value in (flags or {}).items():
        _put(tree, name, value)
    return _checked(tree, "the environment or the flags")


def in_environment(model: type[BaseModel], prefix: str) -> dict[str, Any]:
    """What the environment says of a model's fields, under this prefix."""
    # It asks the class for nothing that is not in every model.
    return EnvSettingsSource(model, env_prefix=prefix, env_nested_delimiter="__")()  # type: ignore[arg-type]


def names() -> list[str]:
    """Every setting's dotted name."""
    return list(_names(Settings))


def _names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, info in model.model_fields.items():
        group = info.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            yield from _names(group, f"{prefix}{name}.")
        else:
            yield prefix + name


def _known(dotted: str) -> bool:
    return dotted in names() or dotted.startswith(("options.", "serve_"))


def _put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    if not _known(dotted):
        raise SettingsError(_unknown(dotted))
    *groups, name = dotted.split(".")
    for group in groups:
        tree = tree.setdefault(group, {})
        if not isinstance(tree, dict):
            raise SettingsError(f"{dotted} cannot be set: make “{group}” a table, or remove it.")
    tree[name] = value


def _merge(tree: dict[str, Any], over: Mapping[str, Any]) -> None:
    for name, value in over.items():
        if isinstance(value, Mapping) and isinstance(tree.get(name), dict):
            _merge(tree[name], value)
        else:
            tree[name] = value


def _unknown(dotted: str) -> str:
    near = difflib.get_close_matches(dotted, names(), n=1, cutoff=0.6)
    hint = f"Did you mean “{near[0]}”? " if near else ""
    return f"There is no setting “{dotted}”. {hint}The settings are: {', '.join(names())}."


def _checked(tree: Mapping[str, Any], where: str) -> Settings:
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        problem = error.errors()[0]
        dotted = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            raise SettingsError(f"In {where}: {_unknown(dotted)}") from error
        raise SettingsError(
            f"In {where}: {dotted} cannot be {problem['input']!r}: {problem['msg']}."
        ) from error
