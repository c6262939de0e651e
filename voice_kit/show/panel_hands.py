"""What a click in the panel does."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from voice_kit.converse.steps import StageFailedError
from voice_kit.errors import VoiceKitError
from voice_kit.show.form import Form
from voice_kit.show.panel_layout import AGAIN, buttons
from voice_kit.types import EngineChanged, Event, TurnFinished

if TYPE_CHECKING:
    from voice_kit.show.panel import Panel


class Hands:
    """Called by a panel's forms, and told what happens, on the event loop.

    What takes a while is done beside it, and what goes wrong is said in the form that was used.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self.errands: set[asyncio.Task[None]] = set()
        """What was begun and is not over."""

    def __call__(self, event: Event) -> None:
        """Take notice of what happens in the conversation."""
        match event:
            case TurnFinished() if not self._panel.board.asking.buttons:
                self.show()
            case EngineChanged():
                form = self._panel.board.choosers
                form.values = form.values | {event.stage: event.engine}

    def press(self, name: str) -> None:
        """A button was pressed."""
        panel = self._panel
        try:
            match name:
                case "start":
                    panel.start()
                case "stop":
                    panel.stop()
                case "hush" if panel.talk is not None:
                    panel.talk.hush()
                case "record":
                    kept = panel.record(None if panel.kept.folder else "")
                    where = f"It will be kept in {kept} once you stop." if kept else ""
                    panel.board.controls.status = where
                case "again" if not panel.board.asking.busy:
                    self.begin(panel.again(), panel.board.asking)
        except VoiceKitError as error:
            panel.board.controls.problem = sentence(error)

    def set(self, name: str, value: Any) -> None:
        """A slider was moved."""
        panel = self._panel
        try:
            panel.settings = panel.settings.changed({name: value})
            panel.board.sliders.problem = ""
        except VoiceKitError as error:
            panel.board.sliders.problem = sentence(error)
            panel.board.sliders.refuse()

    def choose(self, stage: str, spec: str) -> None:
        """Another engine was chosen."""
        self.begin(self._panel.use(**{stage: spec}), self._panel.board.choosers)

    def type(self, text: str) -> None:
        """A line was typed."""
        self.begin(self._panel.ask(text), self._panel.board.controls)

    def show(self) -> None:
        """Show which buttons there are now."""
        panel = self._panel
        panel.board.controls.show(
            buttons=buttons(running=panel.running, recording=panel.kept.folder is not None)
        )
        panel.board.asking.show(buttons=AGAIN if panel.turns else [])

    def end(self) -> None:
        """The conversation is over: what was begun ends, whatever it was waiting for."""
        for task in self.errands:
            task.cancel()
        self._panel.board.controls.busy = False
        self.show()

    def begin(self, work: Coroutine[Any, Any, Any], form: Form) -> None:
        """Do this beside what else goes on, and say in `form` what goes wrong."""

        async def errand() -> None:
            try:
                await work
            except Exception as error:
                form.problem = sentence(error)
                form.refuse()

        form.problem = ""
        task = asyncio.get_running_loop().create_task(errand(), name="voice-kit errand")
        self.errands.add(task)
        task.add_done_callback(self.errands.discard)
        task.add_done_callback(lambda _: work.close())  # of one that did not even begin


def root(error: Exception) -> Exception:
    """The error itself, out of what is wrapped around it."""
    match error:
        case StageFailedError():
            return error.cause
        case ExceptionGroup():
            return root(error.exceptions[0])
    return error


def sentence(error: Exception) -> str:
    """What went wrong, for the person at the notebook. A stranger's message may quote what was
    said, and is left out."""
    error = root(error)
    if isinstance(error, VoiceKitError):
        return str(error)
    return f"Something raised {type(error).__name__}. Try: voice-kit doctor, or press Start again."
