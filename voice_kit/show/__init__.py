"""Widgets for a notebook, and views for a terminal. Each is loaded when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from voice_kit.errors import MissingEngineError, install

if TYPE_CHECKING:
    from voice_kit.show.mic import Mic
    from voice_kit.show.orb import Orb
    from voice_kit.show.panel import Panel
    from voice_kit.show.recorder import ClipRecorder
    from voice_kit.show.speaker import BrowserSpeaker
    from voice_kit.show.timeline_view import TimelineView
    from voice_kit.show.transcript import Transcript
    from voice_kit.show.waveform import Waveform

__all__ = [
    "BrowserSpeaker",
    "ClipRecorder",
    "Mic",
    "Orb",
    "Panel",
    "TimelineView",
    "Transcript",
    "Waveform",
]

WHERE = {
    "BrowserSpeaker": "speaker",
    "Mic": "mic",
    "Orb": "orb",
    "Panel": "panel",
    "ClipRecorder": "recorder",
    "TimelineView": "timeline_view",
    "Transcript": "transcript",
    "Waveform": "waveform",
}


def __getattr__(name: str) -> Any:
    if name not in WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"voice_kit.show.{WHERE[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in ("anywidget", "ipywidgets", "traitlets"):
            raise
        raise MissingEngineError(f"The notebook's {name}", fix=install("workshop")) from error
