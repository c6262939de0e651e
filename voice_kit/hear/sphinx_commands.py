"""The commands that PocketSphinx knows by heart, as a JSGF grammar."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from voice_kit.errors import SettingsError

KIT = Path(__file__).with_name("commands.jsgf")
_ASIDES = (
    r"/\*.*?\*/|//[^\n]*",  # comments
    r"#JSGF[^;]*;|\b(grammar|import)\b[^;]*;",
    r"<[^>]*>\s*=?|\bpublic\b|\{[^}]*\}|/[\d.]+/",  # rules, tags, weights
)


def grammar_of(commands: Sequence[str] | str | Path) -> str:
    """The kit's grammar with these phrases added, or the JSGF file that a path names.

    Raises `SettingsError` for a file that cannot be read and a phrase that cannot be spoken.
    """
    if isinstance(commands, str | Path):
        try:
            return Path(commands).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"The grammar {commands} cannot be read. Give [options.sphinx] commands a JSGF "
                "file, or a list of phrases."
            ) from error
    kit = KIT.read_text(encoding="utf-8")
    if not commands:
        return kit
    yours = " | ".join(f"({_spoken(phrase)})" for phrase in commands)
    return kit.replace("<question>;", "<question> | <yours>;", 1) + f"<yours> = {yours} ;\n"


def words_of(grammar: str) -> list[str]:
    """Every word that a JSGF grammar lets one say."""
    for aside in _ASIDES:
        grammar = re.sub(aside, " ", grammar, flags=re.DOTALL)
    return sorted(set(re.findall(r"[^\s|()\[\]*+;=\"]+", grammar)))


def _spoken(phrase: str) -> str:
    words = re.sub(r"[.,!?]", " ", phrase.lower().replace("’", "'")).split()
    if not words or not all(re.fullmatch(r"[a-z][a-z'-]*", word) for word in words):
        raise SettingsError(
            f"“{phrase}” cannot be a command. Write it in words, as it is spoken: "
            "“call extension twenty two”."
        )
    return " ".join(words)
