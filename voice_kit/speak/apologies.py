"""What is said when a stage fails: a person who only listens must not be left waiting."""

from __future__ import annotations

from voice_kit.tables import table_of

_APOLOGIES: dict[str, dict[str, str]] = table_of(__name__)

LANGUAGES = frozenset(_APOLOGIES)
"""Other languages get the English words."""


def apology(stage: str, language: str = "en") -> str:
    """A short sentence to say when `stage` failed or took too long: "stt", "llm", "tts".

    Any other stage, such as "vad", gets one that names nothing.
    """
    said = _APOLOGIES.get(language, _APOLOGIES["en"])
    return said.get(stage, said["other"])
