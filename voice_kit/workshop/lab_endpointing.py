"""When does a turn end? Waits and judges, tried on recordings whose end is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from voice_kit.hear import endpointing
from voice_kit.hear.ears import Ears
from voice_kit.settings import Settings
from voice_kit.settings.groups import Endpointing
from voice_kit.types import RATE, Audio, Paused, SpeechStarted, TurnEnded
from voice_kit.workshop.lab_judged import Opinion, Place
from voice_kit.workshop.lab_sounds import Turn

STARTS = (0.3, 0.5, 0.7)
STOPS = (0.128, 0.192, 0.256, 0.32, 0.384, 0.448, 0.512, 0.64, 0.8, 1.024, 1.28)
FINISHED = (0.128, 0.256, 0.32)
UNFINISHED = (0.8, 1.12, 1.6)
"""What is tried for `hear.start_above`, `hear.stop` and, where a judge is asked, `hear.finished`
and `hear.unfinished`, beside the values of the settings."""
SILENCE = "silence"
WAIT = 0.35
"""Seconds of mean wait at which the judges are compared."""
ANSWER = 0.3
"""Seconds from the beginning of a pause until an answer to what was said could be heard: in
`make bench`, with engines that take 250 ms, 299 ms go by to the first sample of the answer."""
TIMES = ("added", "added_p90", "until_sound", "answer")


@dataclass(frozen=True, slots=True)
class End:
    """A turn that the assistant takes for finished. Seconds from the beginning of its sound."""

    ended: float
    """When its last speech ended."""
    at: float
    """When it was taken for finished."""
    sounds: float
    """When the answer is heard, unless speech goes on before."""
    joined: bool = False
    """Speech went on before: nothing was heard, and both halves are one turn."""


def quiet(chance: float, known: float, rules: Endpointing) -> float:
    """Seconds of quiet that end a turn of which a judge says `chance` after `known` of them.

    While its answer is outstanding the wait goes on, up to `rules.unfinished`.
    """
    if known >= rules.unfinished:
        return rules.unfinished
    return max(known, endpointing.wait(chance, rules))


def play(
    turn: Turn, rules: Endpointing, opinion: Opinion | None = None, answer: float = ANSWER
) -> list[End]:
    """The turns that the assistant takes this one for, by these rules.

    At each pause the judge is asked, as in a conversation. Answers are ready `answer` seconds
    after the pause began and are heard once the turn has ended; speech that goes on earlier
    joins what was said before, for the judge too.
    """
    ears, ends, started, joins = Ears(rules), list[End](), 0.0, False
    before = said = np.zeros(0, np.float32)

    def sound() -> Audio:
        return Audio(np.concatenate([before, ears.sound().samples]), RATE)

    for frame, chance in zip(turn.frames, turn.chances, strict=True):
        for event in ears.feed(frame, float(chance)):
            if isinstance(event, SpeechStarted):
                joins = bool(ends) and ears.now < ends[-1].sounds
                before, started = (said, started) if joins else (said[:0], event.at)
            elif isinstance(event, Paused | TurnEnded) and joins:  # it was no cough
                ends[-1], joins = replace(ends[-1], joined=True), False
            if isinstance(event, TurnEnded):
                said = np.concatenate([before, event.audio.samples])
                ends.append(End(event.ended, event.at, max(event.at, event.ended + answer)))
            elif isinstance(event, Paused) and opinion is not None:
                place = Place(turn.name, round(started * 4), round(event.ended * 10))
                finished, took = opinion(place, sound)
                ears.expect(quiet(finished, event.at - event.ended + took, rules))
    return ends


@dataclass(frozen=True, slots=True)
class Point:
    """How a way to wait does on all turns."""

    judge: str
    start_above: float
    stop: float
    finished: float
    unfinished: float
    turns: int
    cut_off: int
    """Turns that were taken for finished before their last speech, whether or not anybody heard
    of it."""
    missed: int
    """Turns in which nobody was heard."""
    pauses: int
    pauses_cut: int
    """Pauses inside turns, and those of them that were taken for the end."""
    added: float
    """Mean seconds from the last speech to the end of the turn, where it was not cut off."""
    added_p90: float
    spoken_into: int
    """Turns in which an answer was heard before their last speech: what a person feels. Where they
    went on before it was heard, both halves are one turn."""
    until_sound: float
    """Mean seconds from the last speech to the answer's sound, where it was not spoken into."""
    answer: float
    """Seconds after the beginning of a pause at which answers are ready."""
    usual: bool
    """Whether these are the settings as they are."""

    @property
    def share(self) -> float:
        """Turns cut off, of all."""
        return self.cut_off / self.turns if self.turns else 0.0

    @property
    def spoken_into_share(self) -> float:
        """Turns spoken into, of all."""
        return self.spoken_into / self.turns if self.turns else 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain data, times in milliseconds."""
        data = {**asdict(self), "cut_off_share": round(self.share, 4)}
        data["spoken_into_share"] = round(self.spoken_into_share, 4)
        for name in TIMES:
            seconds = data.pop(name)
            data[f"{name}_ms"] = None if np.isnan(seconds) else round(seconds * 1000, 1)
        return data


def score(
    turns: Sequence[Turn],
    rules: Endpointing,
    judge: str = SILENCE,
    opinion: Opinion | None = None,
    *,
    usual: bool = False,
    answer: float = ANSWER,
) -> Point:
    """How these rules and this judge do on the turns, where answers are ready `answer` seconds
    after a pause began."""
    cut_off = spoken_into = missed = pauses = pauses_cut = 0
    added, sounds = list[float](), list[float]()
    for turn in turns:
        ends = play(turn, rules, opinion, answer)
        early = [end.at for end in ends if end.at < turn.ended]
        heard = any(end.at < turn.ended and not end.joined for end in ends)
        cut_off, missed = cut_off + bool(early), missed + (not ends)
        spoken_into += heard
        if ends and not early:
            added.append(ends[-1].at - turn.ended)
        if ends and not heard:
            sounds.append(ends[-1].sounds - turn.ended)
        pauses += len(turn.pauses)
        pauses_cut += sum(
            any(pause.start < at <= pause.end for at in early) for pause in turn.pauses
        )
    return Point(
        judge=judge,
        start_above=rules.start_above,
        stop=rules.stop,
        finished=rules.finished,
        unfinished=rules.unfinished,
        turns=len(turns),
        cut_off=cut_off,
        missed=missed,
        pauses=pauses,
        pauses_cut=pauses_cut,
        added=float(np.mean(added)) if added else float("nan"),
        added_p90=float(np.quantile(added, 0.9)) if added else float("nan"),
        spoken_into=spoken_into,
        until_sound=float(np.mean(sounds)) if sounds else float("nan"),
        answer=answer,
        usual=usual,
    )


def sweep(
    turns: Sequence[Turn],
    judges: Mapping[str, Opinion | None],
    settings: Settings,
    answer: float = ANSWER,
) -> Iterator[Point]:
    """Every way to wait, judge by judge. The first of each judge are the settings as they are."""
    for judge, opinion in judges.items():
        for number, rules in enumerate(ways(settings.hear, judged=opinion is not None)):
            yield score(turns, rules, judge, opinion, usual=number == 0, answer=answer)


def ways(usual: Endpointing, *, judged: bool) -> Iterator[Endpointing]:
    """The rules to try: the usual ones, then every other."""
    yield usual
    starts = sorted({*STARTS, usual.start_above})
    stops = sorted({*STOPS, usual.stop})
    finished = sorted({*FINISHED, usual.finished}) if judged else [usual.finished]
    unfinished = sorted({*UNFINISHED, usual.unfinished}) if judged else [usual.unfinished]
    for start, stop, short, long in product(starts, stops, finished, unfinished):
        below = min(usual.stop_below, start - 0.15) if start != usual.start_above else None
        change = {"start_above": start, "stop": stop, "finished": short, "unfinished": long}
        rules = usual.model_copy(update=change | ({"stop_below": below} if below else {}))
        possible = not judged or short <= stop <= long
        if possible and rules != usual:
            yield rules
