"""What a panel is made of, and where each part of it is on the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ipywidgets  # type: ignore[import-untyped]

from voice_kit.converse.conversation import Observer
from voice_kit.settings import Settings
from voice_kit.show.form import Button, Form
from voice_kit.show.orb import Orb
from voice_kit.show.timeline_view import TimelineView
from voice_kit.show.transcript import Transcript
from voice_kit.show.waveform import Waveform

PIECE = {"min_width": "0", "flex": "1 1 22em"}


@dataclass(frozen=True, slots=True)
class Views:
    """What shows one conversation."""

    orb: Orb
    waveform: Waveform
    transcript: Transcript
    timeline: TimelineView

    @classmethod
    def of(
        cls,
        settings: Callable[[], Settings],
        on_line: Callable[[str], object],
        near: Callable[[], bool],
    ) -> Views:
        """Empty ones, for a conversation with these settings. `near` is as in `Orb`."""
        return cls(
            Orb(settings(), near=near, size=200),
            Waveform(settings()),
            Transcript(on_line),
            TimelineView(settings=settings),
        )

    @property
    def all(self) -> list[Observer]:
        """Each as an observer."""
        return [self.orb, self.waveform, self.transcript, self.timeline]

    def close(self) -> None:
        """Take them away, everywhere."""
        for view in (self.orb, self.waveform, self.transcript, self.timeline):
            view.close()


def laid_out(
    views: Views, sources: list[ipywidgets.DOMWidget], controls: Form, forms: list[Form]
) -> tuple[ipywidgets.DOMWidget, ...]:
    """The rows of the panel: who is there, what is said, where the time goes, what to change."""
    orb = ipywidgets.Box([views.orb], layout={"flex": "0 0 auto", "margin": "0 16px 0 0"})
    beside = _column([controls, *sources, views.waveform])
    rows = [
        _row([orb, beside]),
        _row([_column([views.transcript])]),
        _row([_column([views.timeline])]),
        _row([_column([form]) for form in forms]),
    ]
    return tuple(rows)


def buttons(*, running: bool, recording: bool) -> list[Button]:
    """What can be pressed now."""
    start = Button("start", "Start", help="Load the engines and begin a conversation.")
    stop = Button("stop", "Stop", help="End the conversation.")
    hush = Button("hush", "Be quiet", enabled=running, help="End the answer that is heard.")
    keep = "Keep a recording of this conversation in a folder, from its beginning on."
    return [
        stop if running else start,
        hush,
        Button("record", "Record", pressed=recording, help=keep),
    ]


AGAIN = [
    Button(
        "again",
        "Ask it again",
        help="The same question, heard with the settings as they are now.",
    )
]


def _row(pieces: list[ipywidgets.DOMWidget]) -> ipywidgets.Box:
    layout = {"display": "flex", "flex_flow": "row wrap", "align_items": "flex-start"}
    return ipywidgets.Box(pieces, layout={**layout, "grid_gap": "12px", "margin": "0 0 12px 0"})


def _column(pieces: list[ipywidgets.DOMWidget]) -> ipywidgets.Box:
    layout = {"display": "flex", "flex_flow": "column", "align_items": "stretch"}
    return ipywidgets.Box(pieces, layout={**layout, **PIECE, "grid_gap": "8px"})
