"""What is said when a stage fails: a person who only listens must not be left waiting."""

from __future__ import annotations

import tomllib
from importlib.resources import files

_TEXT = files("voice_kit.speak").joinpath("apologies.toml").read_text(encoding="utf-8")
_APOLOGIES: dict[str, dict[str, str]] = tomllib.loads(_TEXT)

LANGUAGES = frozenset(_APOLOGIES)
"""Other languages get the English words."""


def apology(stage: str, language: str = "en") -> str:
    """A short sentence to say when `stage` failed or took too long: "stt", "llm", "tts".

    Any other stage, such as "vad", gets one that names nothing.
    """
    said = _APOLOGIES.get(language, _APOLOGIES["en"])
    return said.get(stage, said["other"])
