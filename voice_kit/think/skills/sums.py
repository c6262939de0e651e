"""Skills: sums, and amounts in other units."""

from __future__ import annotations

from voice_kit.think.skills.arithmetic import computed, is_sum
from voice_kit.think.skills.numbers import said_number
from voice_kit.think.skills.phrases import Kind
from voice_kit.think.skills.skill import Phrased, skill
from voice_kit.think.skills.units import called, converted, quantity, said_quantity, units
from voice_kit.think.tools import Result

SUM = {"expression": Kind(r"\S.*?", lambda words: words if is_sum(words) else None)}
_UNIT = Kind(r"[a-z°][a-z°/ ]*?", lambda words: units().get(words))
UNITS = {
    "quantity": Kind(r"\S.*?", quantity),
    "unit": _UNIT,
    "to": _UNIT,
    "one": Kind(r"[a-z°][a-z°/ ]*?", lambda words: quantity(f"one {words}")),
}


def sum_skills() -> list[Phrased]:
    """Those that compute."""

    @skill(
        "[what is | what are | how much is | calculate | compute | work out | solve | evaluate]"
        " {expression} [equals | equal to | is | makes] [what]",
        "what (does | do) {expression} (equal | make | come to | give)",
        "how much (does | do) {expression} (equal | make | come to | give)",
        "[what is] the (result | value | answer) (of | to) {expression}",
        kinds=SUM,
        can="do sums and convert units",
    )
    def calculate(expression: str) -> Result:
        """Compute a sum exactly, in signs or in words: "12 * (7 + 3)", "15 percent of 80",
        "the square root of 2", "2 to the power of 10"."""
        value = computed(expression)
        whole = value.denominator == 1
        return Result(f"That is {said_number(value)}.", int(value) if whole else float(value))

    @skill(
        "(what is | what are | how much is | how much are | convert | change | turn | how far is"
        " | how long is | how hot is | how cold is | how warm is | how heavy is | how fast is)"
        " {quantity} (in | to | into | as | two) {to}",
        "{quantity} (in | to | into) {to}",
        "how many {to} (are | is | are there | is there | make | makes | do you get | go | fit)"
        " (in | from | to | into) {quantity}",
        "how many {to} (are | is | does | make | in | for | equal) {quantity} [have | make]",
        "how many {to} (are | is | are there | is there) in [a | an | one] {one}",
        "how many {to} (in | make | to) [a | an | one | the] {one}",
        kinds=UNITS,
    )
    def convert(amount: float, unit: str, to: str) -> Result:
        """Convert an amount into another unit: amount=5, unit="mile", to="kilometer"."""
        value = converted(amount, unit, to)
        said = said_number(value)
        verb = "is" if amount == 1 or "degree" in unit else "are"
        whole = f"{said_quantity(amount, unit)} {verb} {said} {called(_name(to), value)}."
        return Result(whole[0].upper() + whole[1:], value)

    return [calculate, convert]


def _name(unit: str) -> str:
    return units().get(unit.lower(), unit)
