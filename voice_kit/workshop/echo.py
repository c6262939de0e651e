"""Does it answer itself, and can it still be interrupted? `python -m voice_kit.workshop.echo`.

What the assistant says comes back into its microphone, as a loudspeaker's sound would: softer,
later, through a room. A person speaks over it, or nobody; with the guard, and without it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import cycle, product
from pathlib import Path
from typing import Any

from voice_kit.engines import make
from voice_kit.errors import VoiceKitError
from voice_kit.settings import Settings
from voice_kit.types import Samples
from voice_kit.workshop.echo_rooms import Room, people, responses
from voice_kit.workshop.echo_trials import Lab, Trial
from voice_kit.workshop.lab_sounds import Recording, folder, kit

LEVELS = (-6.0, -12.0, -20.0)
"""Decibels of the echo against what is played."""
DELAYS = (0.05, 0.15, 0.25)
"""Seconds after which it comes back."""
OVER = (-6.0, 0.0, 6.0)
"""Decibels of a person's voice over the echo; with headphones, 18 less over what is played."""
INTO = (0.5, 1.0, 2.0, 3.5, 5.0, 8.0, 12.0)
"""Seconds into the first answer at which somebody begins to speak."""
LEARNT = 3.0
"""Seconds of the first answer after which the guard should know the room."""
HEADPHONES = float("-inf")


def trials(
    lab: Lab,
    rooms: dict[str, Samples],
    persons: Sequence[Recording],
    levels: Iterable[float] = (*LEVELS, HEADPHONES),
    delays: Sequence[float] = DELAYS,
    guards: Sequence[bool] = (True, False),
) -> Iterator[Trial]:
    """Every level in every room, with somebody's voice at every loudness, and alone.

    Who speaks and when goes round, the same with the guard and without.
    """
    who, when = cycle(persons), cycle(INTO)
    for level in levels:
        places = [Room(level, delay, name, rooms[name]) for name, delay in product(rooms, delays)]
        if level == HEADPHONES:
            places = [Room(level)] * 3
        else:
            yield from (lab.alone(room, guard=guard) for room in places for guard in guards)
        for room, over, _ in product(places, OVER, range(2)):
            person, into = next(who), next(when)
            loud = over if level != HEADPHONES else over - 18
            quiet = loud if level == HEADPHONES else loud + level
            able = is_stopped(lab.over(Room(HEADPHONES), person, quiet, into, guard=False))
            for guard in guards:
                yield replace(lab.over(room, person, loud, into, guard=guard), able=able)


@dataclass(frozen=True, slots=True)
class Row:
    """What happened at one level of the echo, with the guard or without. Seconds."""

    level: float | None
    """Decibels against what is played; None with headphones."""
    guard: bool
    alone: int
    """Answers over which nobody spoke."""
    itself: int
    """Those in which the assistant interrupted or answered itself."""
    needless: int
    """Pauses in them."""
    stopped: dict[str, tuple[int, int]]
    """How many were stopped by a person so many decibels over the echo, and how many spoke."""
    early: tuple[int, int]
    """The same of those who spoke in the first seconds, before the guard knows the room."""
    able: tuple[int, int]
    """How many of all would have stopped it had there been no echo: some whisper, or say little
    that the detector hears."""
    pauses_after: float | None
    """Half of the pauses came sooner after somebody's first sound."""
    stops_after: float | None


def rows(found: Sequence[Trial]) -> Iterator[Row]:
    """The trials by level and guard."""
    for level, guard in dict.fromkeys((trial.level, trial.guard) for trial in found):
        these = [each for each in found if (each.level, each.guard) == (level, guard)]
        alone = [each for each in these if not each.person]
        over = [each for each in these if each.person]
        learnt = [each for each in over if each.into >= LEARNT or level == HEADPHONES]
        yield Row(
            None if level == HEADPHONES else level,
            guard,
            len(alone),
            sum(each.itself for each in alone),
            sum(each.needless for each in alone),
            {
                f"{loud:+g}": _stopped([each for each in learnt if each.over == loud])
                for loud in sorted({each.over for each in learnt})
            },
            _stopped([each for each in over if each not in learnt]),
            (sum(each.able for each in over), len(over)),
            _median(each.paused for each in over if is_stopped(each)),
            _median(each.stopped for each in over if is_stopped(each)),
        )


def is_stopped(trial: Trial) -> bool:
    """Whether it was the person who stopped it."""
    return trial.stopped is not None and not trial.itself


def _stopped(of: Sequence[Trial]) -> tuple[int, int]:
    return sum(map(is_stopped, of)), len(of)


def _median(values: Iterable[float | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    return known[len(known) // 2] if known else None


def table(of: Sequence[Row]) -> Iterator[str]:
    """The rows, as people read them."""
    yield (
        f"{'':<12}{'':<7}{'nobody speaks':<36}somebody speaks over it, so many dB over the echo: "
        "stopped by"
    )
    heads = ("answers", "itself", "needless pauses", *(f"{over:+g} dB" for over in OVER))
    wide = "".join(f"{head:>{len(head) + 4}}" for head in heads)
    wide += f"{f'first {LEARNT:g} s':>13}{'no echo':>10}{'pauses':>10}{'stops after':>13}"
    yield f"{'echo':<12}{'guard':<7}{wide}"
    for row in of:
        name = "headphones" if row.level is None else f"{row.level:g} dB"
        cells = [
            f"{row.alone or '–':>11}",
            f"{row.itself if row.alone else '–':>10}",
            f"{row.needless if row.alone else '–':>19}",
            *(
                f"{_share(each):>{len(head) + 4}}"
                for each, head in zip(row.stopped.values(), heads[3:], strict=False)
            ),
            f"{_share(row.early):>13}{_share(row.able):>10}",
            f"{_seconds(row.pauses_after):>10}{_seconds(row.stops_after):>13}",
        ]
        yield f"{name:<12}{'on' if row.guard else 'off':<7}{''.join(cells)}"
    yield (
        f"Somebody begins {LEARNT:g} to {INTO[-1]:g} s into the first answer, or in its first "
        f"{LEARNT:g} s, while the guard learns the room. Of all of them, so many stop it without "
        f"any echo.\nWith headphones their levels are "
        f"{', '.join(f'{over - 18:g}' for over in OVER)} dB against what is played, at any time."
    )


def _share(counts: tuple[int, int]) -> str:
    return f"{counts[0]}/{counts[1]}" if counts[1] else "–"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, or with --json a line per trial and row. 1 when it cannot be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m voice_kit.workshop.echo", description=(__doc__ or "").partition("`")[0]
    )
    parser.add_argument("--json", action="store_true", help="lines of JSON: trials, then rows")
    parser.add_argument("--voice", default="espeak", help="who speaks for the assistant")
    parser.add_argument("--data", type=Path, help="a folder of recordings with a manifest.json")
    asked = parser.parse_args(arguments)
    found: list[Trial] = []
    try:
        settings = Settings()
        lab = Lab(make("vad", "silero", settings), make("tts", asked.voice, settings), settings)
        persons = list(people([*kit(), *(folder(asked.data) if asked.data else ())]))
        for number, trial in enumerate(trials(lab, responses(asked.data), persons), 1):
            found.append(trial)
            if asked.json:
                _put(asdict(trial))
            elif sys.stderr.isatty():
                print(f"\r{number} trials", end="", file=sys.stderr, flush=True)
    except VoiceKitError as error:
        print(error, file=sys.stderr)
        return 1
    for line in [] if asked.json else ["", *table(list(rows(found)))]:
        print(line)
    for row in rows(found) if asked.json else ():
        _put(asdict(row))
    return 0


def _put(line: dict[str, Any]) -> None:
    print(json.dumps({key: None if value == HEADPHONES else value for key, value in line.items()}))


if __name__ == "__main__":
    sys.exit(main())
