"""Amounts in other units."""

from __future__ import annotations

import re
import threading
from fractions import Fraction
from functools import cache
from typing import Any

from voice_kit.tables import table_of
from voice_kit.think.skills.numbers import number, said_number
from voice_kit.think.tools import ToolError

_PINT = re.compile(r"[a-zA-Z_]+(?: ?\*\* ?-?[1-9])?(?: ?[*/] ?[a-zA-Z_]+(?: ?\*\* ?-?[1-9])?){0,3}")
"""What pint is given to read: it would happily compute 9 ** 9 ** 9."""
_AMOUNT = re.compile(r"((?:minus |-)?[\d.,]+) ?(.+)")
_loading = threading.Lock()

ONE_OF_IT = {
    **dict.fromkeys(("a", "an", "one"), Fraction(1)),
    **dict.fromkeys(("half a", "half an"), Fraction(1, 2)),
    **dict.fromkeys(("a quarter of a", "a quarter of an", "quarter of a"), Fraction(1, 4)),
}


@cache
def units() -> dict[str, str]:
    """pint's name of every unit in units.toml, by what it is called in lower case."""
    return {called.lower(): name for name, ways in _spoken().items() for called in ways}


def quantity(words: str) -> dict[str, Any] | None:
    """ "five and a half miles" or "10km" as arguments: `{"amount": 5.5, "unit": "mile"}`."""
    if written := _AMOUNT.fullmatch(words):
        splits = [written.groups()]
    else:
        said = words.split()
        splits = [(" ".join(said[:at]), " ".join(said[at:])) for at in range(1, len(said))]
    for amount, called in splits:
        found = ONE_OF_IT.get(amount) or number(amount)
        if found is not None and called in units():
            plain = int(found) if found.denominator == 1 else float(found)
            return {"amount": plain, "unit": units()[called]}
    return None


def converted(amount: float, unit: str, to: str) -> float:
    """The same amount in another unit. Raises `ToolError`."""
    names = [units().get(name.lower().strip(), name.strip()) for name in (unit, to)]
    if not all(len(name) <= 60 and _PINT.fullmatch(name) for name in names):
        raise ToolError("I do not know that unit.")
    import pint

    try:
        here = _registry().Quantity(amount, names[0])
        value = float(here.to(names[1]).magnitude)
    except pint.UndefinedUnitError as error:
        raise ToolError("I do not know that unit.") from error
    except pint.DimensionalityError as error:
        what = f"{called(names[0], 2)} cannot be turned into {called(names[1], 2)}"
        raise ToolError(f"{what[0].upper()}{what[1:]}.") from error
    except (pint.errors.PintError, ArithmeticError, ValueError, TypeError) as error:
        raise ToolError("I cannot convert that.") from error
    return float(f"{value:.12g}")


def called(unit: str, amount: float) -> str:
    """What so many of a unit are called."""
    ways = _spoken().get(unit)
    if ways is None:
        return unit.replace(" / ", " per ").replace("_", " ")
    return ways[0] if amount == 1 else ways[1]


def said_quantity(amount: float, unit: str) -> str:
    """An amount with its unit, fit to be spoken."""
    return f"{said_number(amount)} {called(units().get(unit.lower(), unit), amount)}"


@cache
def _spoken() -> dict[str, list[str]]:
    return table_of(__name__)


def _registry() -> Any:
    """pint's units, read at the first conversion: it takes a third of a second."""
    with _loading:
        return _made()


@cache
def _made() -> Any:
    import pint

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
