"""Who sits in the room, and what their seats have told: checks and times, never a word."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from voice_kit.converse.timeline import STAGES
from voice_kit.workshop.exercises import EXERCISES

CODE = "23456789abcdefghjkmnpqrstuvwxyz"
"""The letters of a room's code: none that is taken for another."""
TURNS = 5
"""How many of a seat's last turns are shown."""
OFTEN, WITHIN = 20, 10.0
"""How often a seat may tell something, within how many seconds."""
GUESSES, MINUTE = 20, 60.0
"""How many wrong codes may come from one address, within how many seconds."""
AWAY = 180.0
"""Seconds of silence after which a seat counts as away; in a full room it is then given away."""

Check = Literal["passed", "wrong", "not yet"]
Stage = Literal["wait", "transcribe", "first_token", "first_sentence", "synthesis"]
Seconds = Annotated[float, Field(ge=-60, le=120, allow_inf_nan=False)]


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Turn(_Told):
    """Where the time of a turn went, in seconds after the last word of the question."""

    silence: Seconds
    bars: Annotated[list[tuple[Stage, Seconds, Seconds]], Field(max_length=12)]


class Told(_Told):
    """All that a seat can tell."""

    seat: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    name: Annotated[str, Field(max_length=24)] = ""
    checks: dict[str, Check] = {}
    turns: Annotated[list[Turn], Field(max_length=TURNS)] = []
    leaves: bool = False

    @field_validator("checks")
    @classmethod
    def _of_the_course(cls, checks: dict[str, Check]) -> dict[str, Check]:
        if unknown := checks.keys() - EXERCISES.keys():
            raise ValueError(f"{len(unknown)} of these are no exercises")
        return checks

    @field_validator("name")
    @classmethod
    def _of_one_line(cls, name: str) -> str:
        return " ".join("".join(sign for sign in name if sign.isprintable()).split())


class RefusedError(Exception):
    """A seat is not listened to. The message says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(slots=True)
class _Seat:
    number: int
    name: str = ""
    checks: dict[str, Check] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    seen: float = 0.0
    lately: deque[float] = field(default_factory=lambda: deque(maxlen=OFTEN))


class Seats:
    """The seats of one room, in memory. May be asked from many threads."""

    def __init__(self, most: int = 40, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock, self._lock = most, clock, threading.Lock()
        self._seats: dict[str, _Seat] = {}
        self._wrong: dict[str, deque[float]] = {}

    def take(self, content: bytes) -> int:
        """Remember what a seat tells, and give its number. Raises `RefusedError`."""
        try:
            told = Told.model_validate_json(content)
        except (ValidationError, RecursionError):
            raise RefusedError(400, "That is not what a seat tells.") from None
        with self._lock:
            now = self._clock()
            seat = self._seats.get(told.seat) or self._new(told.seat, now)
            if len(seat.lately) == OFTEN and now - seat.lately[0] < WITHIN:
                raise RefusedError(429, "That was too often. Wait a moment.")
            seat.lately.append(now)
            if told.leaves:
                del self._seats[told.seat]
                return seat.number
            seat.seen, seat.name = now, told.name or seat.name
            seat.checks |= told.checks
            seat.turns = told.turns or seat.turns
            return seat.number

    def _new(self, key: str, now: float) -> _Seat:
        if len(self._seats) >= self._most:
            longest = min(self._seats, key=lambda each: self._seats[each].seen)
            if now - self._seats[longest].seen < AWAY:
                raise RefusedError(503, f"All {self._most} seats are taken.")
            del self._seats[longest]
        taken = {seat.number for seat in self._seats.values()}
        number = next(number for number in range(1, self._most + 1) if number not in taken)
        return self._seats.setdefault(key, _Seat(number))

    def may_guess(self, who: str) -> bool:
        """Whether few enough wrong codes came from this address lately."""
        with self._lock:
            wrong = self._wrong.get(who)
            return not wrong or len(wrong) < GUESSES or self._clock() - wrong[0] > MINUTE

    def guessed(self, who: str) -> None:
        """A wrong code came from this address."""
        with self._lock:
            if len(self._wrong) > 1000 and who not in self._wrong:
                self._wrong.pop(next(iter(self._wrong)))
            self._wrong.setdefault(who, deque(maxlen=GUESSES)).append(self._clock())

    def shown(self) -> dict[str, Any]:
        """Everything that the page shows: no key of a seat, which would let others speak for it."""
        with self._lock:
            now = self._clock()
            seats = sorted(self._seats.values(), key=lambda seat: seat.number)
            return {
                "most": self._most,
                "stages": {stage: STAGES[stage] for stage in get_args(Stage)},
                "checks": [
                    {
                        "name": name,
                        "notebook": exercise.notebook,
                        **{
                            state: [seat.number for seat in seats if _state(seat, name) == state]
                            for state in ("passed", "wrong", "not yet")
                        },
                    }
                    for name, exercise in EXERCISES.items()
                ],
                "seats": [
                    {
                        "number": seat.number,
                        "name": seat.name,
                        "passed": sum(state == "passed" for state in seat.checks.values()),
                        "at": next((e for e in EXERCISES if _state(seat, e) != "passed"), ""),
                        "away": now - seat.seen > AWAY,
                        "turns": [turn.model_dump() for turn in seat.turns],
                    }
                    for seat in seats
                ],
            }


def _state(seat: _Seat, name: str) -> Check:
    return seat.checks.get(name, "not yet")
