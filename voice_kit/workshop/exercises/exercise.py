"""What a learner is asked to write, always a function, and how it is looked at."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal

PATIENCE = 5.0
"""Seconds until a function counts as one that never ends."""

Function = Callable[..., Any]


class WrongError(Exception):
    """An answer is not right. The message says what is wrong and where to look."""


class EndlessError(BaseException):
    """A function does not come back. No learner's `except Exception` holds it up."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of looking at an answer. It shows itself."""

    name: str
    state: Literal["passed", "not yet", "wrong"]
    says: str

    @property
    def passed(self) -> bool:
        """Whether it is right."""
        return self.state == "passed"

    def __repr__(self) -> str:
        return f"{self.name}: {self.state}. {self.says}"


@dataclass(frozen=True, slots=True)
class Exercise:
    """A function to be written."""

    name: str
    """The function's."""
    notebook: str
    """The number of the notebook that asks for it, such as "01"."""
    where: str
    """The heading there under which to look again."""
    try_out: Callable[[Function], None]
    """Calls the answer and raises `WrongError` for the first thing that is not right."""
    hints: tuple[str, str, str]
    """From a nudge to nearly the answer."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """Names its code may use without importing them."""

    def check(self, answer: Function) -> Checked:
        """What is wrong with an answer, if anything. Never raises; ends within seconds."""
        try:
            with time_limit(PATIENCE):
                self.try_out(answer)
        except NotImplementedError:
            return Checked(self.name, "not yet", f"Write it above. `hint({self.name!r})` helps.")
        except EndlessError:
            return self._wrong("it does not come back. Does a loop in it have an end?")
        except WrongError as wrong:
            return self._wrong(str(wrong))
        except Exception as error:
            return self._wrong(f"it stops with {type(error).__name__}: {error}{_line(error)}")
        return Checked(self.name, "passed", "That is right.")

    def _wrong(self, what: str) -> Checked:
        said = what[:1].upper() + what[1:] + ("" if what.endswith((".", "?", "!")) else ".")
        look = f"See “{self.where}”, or ask: hint({self.name!r})"
        return Checked(self.name, "wrong", f"{said} {look}")


def sure(right: object, otherwise: str) -> None:
    """Raise `WrongError` with these words unless it is right."""
    if not right:
        raise WrongError(otherwise)


def given_back(found: object) -> None:
    """Raise `WrongError` for an answer that has forgotten its `return`."""
    sure(found is not None, "it gives nothing back. Is there a `return`?")


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `EndlessError` in Python code that is still running after this time.

    Works in any thread and on any system, which signals do not; a call into C that never comes
    back holds it up.
    """
    until, before = time.monotonic() + seconds, sys.gettrace()

    def look(frame: FrameType, event: str, argument: Any) -> Any:
        if time.monotonic() > until:
            raise EndlessError
        return look

    sys.settrace(look)
    try:
        yield
    finally:
        sys.settrace(before)


def _line(error: Exception) -> str:
    """Where in the learner's own cell it happened."""
    trace, found = error.__traceback__, 0
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if "ipykernel" in name or name.startswith("<ipython"):
            found = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {found} of your cell)" if found else ""
