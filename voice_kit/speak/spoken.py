"""How signs are said, language by language, as spoken.toml has it."""

from __future__ import annotations

from dataclasses import dataclass

from voice_kit.tables import table_of


@dataclass(frozen=True, slots=True)
class Spoken:
    """The words of one language for what is written in signs."""

    code: str
    """Said once in place of a block of code."""
    dot: str
    at: str
    slash: str
    to: str
    """Between the ends of a range: "3 to 5"."""
    number: str
    about: str
    cents: str
    """Between units and hundredths: "3 dollars 50"."""
    fraction_and: str
    """Between a whole number and a fraction: "2 and one half"."""
    hour: str
    """Between hours and minutes."""
    full_hour: str
    """After an hour without minutes."""
    signs: dict[str, str]
    """One sign, one word, said with spaces around it."""
    units: dict[str, str]
    """Said after a number."""
    money: dict[str, list[str]]
    """One of it, and several."""
    fractions: dict[str, str]


SPOKEN = {language: Spoken(**words) for language, words in table_of(__name__).items()}
