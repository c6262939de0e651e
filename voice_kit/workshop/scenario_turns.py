"""Which turn of a conversation answers which line of the user's."""

from __future__ import annotations

from voice_kit.types import Event, GateOpened, TurnEnded, TurnFinished, TurnStarted


class Turns:
    """An observer that keeps, of every turn, which speech it answers."""

    def __init__(self) -> None:
        self._typed: list[int] = []
        self._question: TurnEnded | None = None
        self._asked: dict[int, TurnEnded] = {}
        self._finished: list[int] = []

    def __call__(self, event: Event) -> None:
        """Take in what happened."""
        match event:
            case TurnEnded():
                self._question = event
            case TurnStarted() if event.typed:
                self._typed.append(event.turn)
            case GateOpened() if event.turn not in self._typed and self._question is not None:
                self._asked[event.turn] = self._question
            case TurnFinished():
                self._finished.append(event.turn)
                if event.turn in self._typed and not event.heard:  # nobody asked: a timer rang
                    self._typed.remove(event.turn)

    def of(self, start: float, end: float) -> int | None:
        """The first turn that answers speech between these seconds; None if none does."""
        for number in self._finished:
            asked = self._asked.get(number)
            if asked is not None and asked.started < end and asked.ended > start:
                return number
        return None

    def typed(self, index: int) -> int | None:
        """The turn of the line that was typed so many lines after the first."""
        number = self._typed[index] if index < len(self._typed) else None
        return number if number in self._finished else None
