"""A small form in a notebook: sliders, choices and buttons, each with its words and its unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import anywidget
import traitlets

from voice_kit.show.home_loop import HomeLoop


@dataclass(frozen=True, slots=True)
class Slider:
    """A number to choose."""

    name: str
    label: str
    unit: str
    """In words; empty for a number without one."""
    low: float
    high: float
    step: float
    help: str = ""
    kind: Literal["slider"] = "slider"


@dataclass(frozen=True, slots=True)
class Option:
    """One of several things to choose."""

    value: str
    label: str
    here: bool = True
    """Whether it can be chosen."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose from a list."""

    name: str
    label: str
    options: tuple[Option, ...]
    help: str = ""
    kind: Literal["choice"] = "choice"


@dataclass(frozen=True, slots=True)
class Button:
    """Something to press."""

    name: str
    label: str
    pressed: bool | None = None
    """Whether it is down, of one that stays down."""
    enabled: bool = True
    help: str = ""


class Form(anywidget.AnyWidget):
    """Fields and buttons. `on_set` is called with a field's name and its new value, `on_press`
    with a button's name: on the event loop that runs here, if there is one.

    What is shown is what `values` says: a change that is refused goes back by `refuse()`.
    """

    _esm = Path(__file__).parent / "form.js"

    title = traitlets.Unicode().tag(sync=True)
    """Of a form that can be folded away; empty for one that cannot."""
    fields: traitlets.List[Any] = traitlets.List().tag(sync=True)
    values: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    buttons: traitlets.List[Any] = traitlets.List().tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    """Whether something is under way that takes a while."""
    status = traitlets.Unicode().tag(sync=True)
    """What is going on, in one sentence."""
    problem = traitlets.Unicode().tag(sync=True)
    """What went wrong, with the fix, in one sentence."""
    refusals = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        fields: list[Slider | Choice] | None = None,
        buttons: list[Button] | None = None,
        *,
        on_set: Callable[[str, Any], object] | None = None,
        on_press: Callable[[str], object] | None = None,
        **more: Any,
    ) -> None:
        self.on_set, self.on_press = on_set, on_press
        super().__init__(**more)
        self.show(fields, buttons)
        self._home = HomeLoop()
        self.on_msg(self._received)

    def here(self) -> None:
        """From now on, call on the event loop that runs here."""
        self._home.here()

    def show(
        self, fields: list[Slider | Choice] | None = None, buttons: list[Button] | None = None
    ) -> None:
        """Show other fields, or other buttons."""
        with self.hold_sync():
            if fields is not None:
                self.fields = [asdict(field) for field in fields]
            if buttons is not None:
                self.buttons = [asdict(button) for button in buttons]

    def refuse(self) -> None:
        """Show the values once more: the last change was refused."""
        self.refusals += 1

    def text(self) -> str:
        """Each field and its value, as lines."""
        rows = []
        for field in self.fields:
            value = self.values.get(field["name"], "")
            rows.append(f"{field['label']}: {value} {field.get('unit', '')}".rstrip())
        return "\n".join([*rows, *filter(None, (self.status, self.problem))])

    def _received(self, _: object, content: object, buffers: object) -> None:
        """Take a change or a press from the browser, on whatever thread it comes."""
        match content:
            case {"set": str(name), "value": str() | int() | float() as value}:
                known = any(field["name"] == name for field in self.fields)
                if known and self.on_set is not None:
                    self._home.soon(self.on_set, name, value)
            case {"press": str(name)}:
                known = any(button["name"] == name for button in self.buttons)
                if known and self.on_press is not None:
                    self._home.soon(self.on_press, name)
