"""What can go wrong, told to the person at the keyboard: each message ends with the fix."""

from __future__ import annotations

import importlib.util
from pathlib import Path


class VoiceKitError(Exception):
    """Something went wrong that a person can mend. `str(error)` is one sentence with the fix."""


class SettingsError(VoiceKitError):
    """A setting has an unknown name or a value that cannot be used."""


class AudioError(VoiceKitError):
    """A sound cannot be read, written, recorded or played."""


class TooLongError(AudioError):
    """A sound lasts longer than it may."""


class UnknownEngineError(VoiceKitError):
    """No engine of that name is known."""

    def __init__(self, stage: str, name: str, known: list[str]) -> None:
        super().__init__(f"There is no {stage} engine “{name}”. Try one of: {', '.join(known)}.")


class MissingEngineError(VoiceKitError):
    """An engine's package, model or server is not there."""

    def __init__(self, engine: str, *, fix: str) -> None:
        super().__init__(f"{engine} is not available. Try: {fix}")
        self.engine = engine
        self.fix = fix


def install(extra: str) -> str:
    """The command that adds an extra: in the checkout, where this package is one."""
    folder = Path(__file__).parents[1]
    if not (folder / "constraints.txt").exists():
        return f"pip install 'voice-kit[{extra}]'"
    here = f"pip install -c constraints.txt -e '.[{extra}]'"
    return f"{'make lab' if extra == 'workshop' else here} (in {folder.name})"


def need(engine: str, *packages: str, fix: str) -> None:
    """Raise `MissingEngineError` unless all these packages are installed. Loads none of them."""
    if any(importlib.util.find_spec(package) is None for package in packages):
        raise MissingEngineError(engine, fix=fix)


class LanguageError(VoiceKitError):
    """An engine does not speak or understand the language that was chosen."""

    def __init__(self, engine: str, language: str, *, fix: str) -> None:
        super().__init__(f"{engine} does not know the language “{language}”. Try: {fix}")


class EngineFailedError(VoiceKitError):
    """An engine that was there raised, refused, or sent something unreadable."""

    def __init__(self, engine: str, problem: str, *, fix: str) -> None:
        super().__init__(f"{engine} failed: {problem}. Try: {fix}")
        self.engine = engine


class EngineTimeoutError(VoiceKitError):
    """An engine did not answer in time."""

    def __init__(self, engine: str, seconds: float, *, fix: str) -> None:
        super().__init__(f"{engine} did not answer within {seconds:g} s. Try: {fix}")
        self.engine = engine
