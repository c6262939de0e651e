"""What many conversations need: `python -m voice_kit.workshop.sizing`, measured beside simulated.

With `--write` the table goes into serve/deploy/SIZING.md.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from voice_kit.workshop.sizing_measured import Loop, loop_of, loop_points, queue_points
from voice_kit.workshop.sizing_world import STAGES, Figures, Seen, cycle, enough, figures

PAGE = Path(__file__).parents[1] / "serve" / "deploy" / "SIZING.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of the table -->\n"
CELL = 1000
"""Conversations that are simulated at most: more are several such cells, which share no queue."""
SIZES = (("cores", 100), ("cards", 100), ("cards", 1000), ("cards", 100_000))
MONTH = 30 * 24 * 3600.0


class Need(NamedTuple):
    """What so many conversations take."""

    kind: str
    conversations: int
    turns: float
    """A second."""
    gateways: int
    cores: int
    memory: float
    """Gigabytes of all gateways."""
    many: dict[str, int]
    """Engines: replicas of each, with one more of each to lose."""
    units: int
    """Cores or cards for them."""
    seen: Seen
    redis_commands: float
    """A second."""
    redis_memory: float
    """Gigabytes."""
    network: float
    """Megabits a second, both ways."""
    euros: float


def need(of: Figures, kind: str, conversations: int, loop: Loop) -> Need:
    """What so many conversations take, with engines on cores or on cards."""
    cells = math.ceil(conversations / CELL)
    many, seen = enough(of, kind, conversations // cells, loop.late.tolist())
    many = {stage: cells * count + max(1, cells * count // 50) for stage, count in many.items()}
    engines = of["engines"][kind]
    units = math.ceil(sum(many[stage] * engines[stage]["takes"] for stage in STAGES))
    gateways = max(2, math.ceil(conversations / loop.carries * 1.1))
    wire, people, prices = of["wire"], of["people"], of["prices"]
    turns = seen.turns * cells
    asked = cycle(of) - people["answer"] - people["pause"] - 0.6
    up = conversations * wire["up"] * asked / cycle(of)
    down = conversations * wire["down"] * people["answer"] / cycle(of)
    commands = turns * wire["redis"]
    cores = gateways + max(1, math.ceil(commands / 50_000)) * 2
    terabytes = down * MONTH * people["busy"] / 1e12
    return Need(
        kind=kind,
        conversations=conversations,
        turns=turns,
        gateways=gateways,
        cores=cores,
        memory=(gateways * wire["empty"] + conversations * of["loop"]["megabytes"]) / 1000,
        many=many,
        units=units,
        seen=seen,
        redis_commands=commands,
        redis_memory=conversations * wire["history"] / 1e9,
        network=(up + down) * 8 / 1e6,
        euros=cores * prices["cores"] + units * prices[kind] + terabytes * prices["terabyte"],
    )


def table(of: Figures) -> str:
    """The needs, as Markdown."""
    loop = loop_of(of)
    needs = [need(of, kind, conversations, loop) for kind, conversations in SIZES]
    names = {"cores": "engines on cores", "cards": "engines on cards"}

    def row(name: str, *cells: str) -> str:
        return "| " + " | ".join((name, *cells)) + " |"

    def stage(each: Need, name: str) -> str:
        return f"{each.many[name]:,} ({100 * each.seen.use[name]:.0f} %)"

    def felt(each: Need, share: int) -> str:
        return f"{np.percentile(each.seen.heard, share):.2f} s"

    return (
        "\n".join(
            (
                row("conversations at once", *(f"{each.conversations:,}" for each in needs)),
                "|" + "---|" * (len(needs) + 1),
                row("", *(names[each.kind] for each in needs)),
                row("turns a second", *(f"{each.turns:,.0f}" for each in needs)),
                row("gateway processes", *(f"{each.gateways:,}" for each in needs)),
                row("cores, for them and Redis", *(f"{each.cores:,}" for each in needs)),
                row("memory of the gateways", *(f"{each.memory:,.1f} GB" for each in needs)),
                row("speech-to-text replicas", *(stage(each, "stt") for each in needs)),
                row("language-model replicas", *(stage(each, "llm") for each in needs)),
                row("text-to-speech replicas", *(stage(each, "tts") for each in needs)),
                row(
                    "cores or cards for engines", *(f"{each.units:,} {each.kind}" for each in needs)
                ),
                row("Redis, commands a second", *(f"{each.redis_commands:,.0f}" for each in needs)),
                row("Redis, memory", *(f"{each.redis_memory * 1000:,.0f} MB" for each in needs)),
                row("network, both ways", *(f"{each.network:,.0f} Mbit/s" for each in needs)),
                row("voice to voice, half are below", *(felt(each, 50) for each in needs)),
                row("95 of 100 are below", *(felt(each, 95) for each in needs)),
                row("euros a month", *(f"{round(each.euros, -2):,.0f}" for each in needs)),
                row(
                    "a conversation",
                    *(f"{each.euros / each.conversations:.2f}" for each in needs),
                ),
            )
        )
        + "\n"
    )


def main(arguments: Sequence[str]) -> None:
    """Print what was measured beside what is simulated, then what follows."""
    of = figures()
    print(f"{'':<52}{'measured':>10}{'simulated':>11}")
    for point in (*loop_points(of), *queue_points()):
        print(f"{point.name:<52}{point.measured:>10.1f}{point.simulated:>11.1f}  {point.note}")
    loop = loop_of(of)
    print(
        f"\nOne gateway process carries {loop.carries} conversations with sound both ways. "
        f"Real answers were {loop.scale:.2f} times as late as the model's: it is scaled.\n"
    )
    made = table(of)
    print(made)
    if "--write" in arguments:
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        PAGE.write_text(before + BEGIN + made + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
