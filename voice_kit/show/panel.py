"""The whole assistant in a notebook: microphone, orb, transcript, timeline, and what to change."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, cast

import ipywidgets  # type: ignore[import-untyped]

from voice_kit.converse.assistant import Assistant
from voice_kit.converse.conversation import Observer
from voice_kit.converse.line import Engines
from voice_kit.converse.own import Own
from voice_kit.converse.timeline import TurnTimes
from voice_kit.errors import VoiceKitError
from voice_kit.settings import Settings
from voice_kit.show.loudspeaker import Loudspeaker
from voice_kit.show.panel_again import Again
from voice_kit.show.panel_board import Board
from voice_kit.show.panel_ending import Ending
from voice_kit.show.panel_engines import apart
from voice_kit.show.panel_fields import values
from voice_kit.show.panel_hands import Hands, root, sentence
from voice_kit.show.panel_keep import Kept
from voice_kit.show.panel_loop import Live
from voice_kit.types import Audio

LIMIT = 30.0
"""Seconds that the answer to a recording may take."""
NO_EXPORT = "This panel writes no files. Try: Panel(export=voice_kit.workshop.export.export)."


class Panel(ipywidgets.VBox):  # type: ignore[misc]
    """One assistant, live in a notebook: `panel = Panel().start()`, and show it.

    `start` returns at once, and what is said is answered from then on, until `stop`. A `sound` is
    heard instead of the microphone, and then it is over. Where nobody shows the panel, or it is
    not `live`, all of it runs, and the loudspeaker only pretends.
    """

    _awake: ClassVar[weakref.WeakSet[Panel]] = weakref.WeakSet()

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        engines: Engines | None = None,
        live: bool = True,
        sound: Audio | None = None,
        limit: float = LIMIT,
        export: Callable[..., object] | None = None,
        notes: Path | None = None,
        own: Own | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        """`engines` are loaded ones; without them those are loaded that the settings ask for, and
        your `own` parts go before the kit's. `limit` is how many seconds the answer to `sound` may
        take, `notes` where timers and notes are kept; `export(file, settings, force=…)` writes the
        assistant into a file."""
        self._settings = settings or Settings()
        self._engines, self._sound, self._limit = engines, sound, limit
        self._write, self._notes, self._own, self._watching = export, notes, own, list(observers)
        self.error: Exception | None = None
        """What ended the last conversation."""
        self.kept = Kept()
        self._live: Live | None = None
        self._task: asyncio.Task[None] | None = None
        self._hands = Hands(self)
        hears = live and sound is None
        self.board = Board(lambda: self._settings, self._hands, hears=hears, speaks=live)
        super().__init__(self.board.rows())
        self._hands.show()

    def start(self) -> Panel:
        """Begin a conversation, if none is under way. Returns at once; call it in a notebook, or
        wherever an event loop runs. Only one panel talks: any other is stopped."""
        if self.running:
            return self
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError as error:
            raise VoiceKitError("It needs an event loop. Start it in a notebook.") from error
        for other in self._awake - {self}:
            other.stop()
        self._awake.add(self)
        if self._live is not None:
            self.board.renew()
            self.children = self.board.rows()
        self.board.clear()
        self.error = None
        self._live = Live(
            self._settings,
            Loudspeaker(self.board.speaker, self.board.voice),
            engines=self._engines,
            observers=[*self.board.views.all, self._hands, *self._watching],
            say=self.board.say,
            notes=self._notes,
            own=self._own,
        )
        self._task = loop.create_task(self._run(self._live), name="voice-kit panel")
        self._task.add_done_callback(partial(self._over, self._live))
        self._hands.show()
        return self

    def stop(self) -> Ending:
        """End the conversation: `await` it to see it end, or go on at once."""
        if self._task is not None and not self._task.done():
            with suppress(RuntimeError):  # its loop was closed: it ended with that
                self._task.cancel()
            self._hands.end()
        return Ending(self._task, *self._hands.errands)

    async def ended(self) -> None:
        """Return once the conversation is over. Raises what ended it."""
        await Ending(self._task, *self._hands.errands)
        if self.error is not None:
            raise self.error

    async def ready(self) -> Assistant:
        """The assistant, once it can be talked to; it is started if need be."""
        live = self._alive()
        return await live.beside(live.ready())

    @property
    def running(self) -> bool:
        """Whether a conversation is under way, or its engines are being loaded."""
        return self._task is not None and not (self._task.done() or self._task.cancelling())

    @property
    def talk(self) -> Assistant | None:
        """The assistant, while it can be talked to."""
        return self._live.talk if self._live is not None and self.running else None

    # What can be done meanwhile

    async def play(self, audio: Audio, limit: float | None = None) -> list[TurnTimes]:
        """Hear this recording as if it were the microphone, and give the turns that came of it.

        Raises `EngineTimeoutError` when it is not answered within `limit` seconds after its end.
        """
        live = self._alive()
        if self.board.mic is not None:
            self.board.mic.stop()
        return await live.beside(live.play(audio, limit or self._limit))

    async def ask(self, text: str) -> list[TurnTimes]:
        """Answer a typed line, and give the turns that came of it."""
        live = self._alive()
        return await live.beside(live.ask(text))

    async def again(
        self, changes: Mapping[str, Any] | None = None, *, aloud: bool = True, **more: Any
    ) -> Again:
        """The last question with the settings as they are now, and these changes: `again(stop=0.3)`
        or `again({"hear.stop": 0.3})`. It is shown, and played where it can be heard."""
        live, form, page = self._alive(), self.board.asking, self.board.speaker
        form.busy, shown = True, ""
        form.status = "Asking it again …"
        try:
            result = await live.beside(live.again({**(changes or {}), **more}))
            shown = form.status = str(result)
            if aloud and page is not None and page.page:
                await live.beside(live.play_to(page, result.sound))
        finally:
            form.busy, form.status = False, shown
        return result

    async def use(self, **engines: str) -> None:
        """Load other engines, by stage, and use them from the next turn on: `use(tts="piper")`."""
        for stage, spec in engines.items():
            live = self._alive()
            await live.beside(live.use(stage, spec))
            self._settings, self._engines = live.settings, live.loaded.engines

    @property
    def settings(self) -> Settings:
        """What it goes by: others from the next turn on, `wake` from the next conversation on."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings = settings
        if self._live is not None:
            self._live.change(settings)
        self.board.sliders.values = values(settings)

    def record(self, folder: str | Path | None = "") -> Path | None:
        """Keep this conversation, from its beginning, when it is over: in `folder`, or one named by
        the time of now. None keeps nothing. Raises `AudioError` if it is in use."""
        self.kept.choose(folder)
        self._hands.show()
        return self.kept.folder

    def export(self, file: str | Path, *, force: bool = False) -> Path:
        """Write the assistant with its engines and settings of now as a Python file that runs."""
        if self._write is None:
            raise VoiceKitError(NO_EXPORT)
        self._write(Path(file), self._settings, force=force)
        return Path(file)

    @property
    def turns(self) -> list[TurnTimes]:
        """The finished turns, in order."""
        return [] if self._live is None else list(self._live.times.turns)

    def text(self) -> str:
        """All that it shows, in words."""
        return self.board.text(self.turns)

    def close(self) -> None:
        """Stop, and take it off the page."""
        if hasattr(self, "_task"):
            self.stop()
        super().close()

    def _alive(self) -> Live:
        self.start()
        return cast(Live, self._live)

    async def _run(self, live: Live) -> None:
        with TemporaryDirectory(prefix="voice-kit-", ignore_cleanup_errors=True) as folder:
            try:
                await live.hold(Path(folder), lambda: self._listen(live))
            except Exception as error:
                self.error = root(error)
                self.board.controls.problem = sentence(error)
            finally:
                save = partial(self.kept.save, Path(folder))
                self.board.say(await apart("recording", save), busy=False)

    def _over(self, live: Live, task: asyncio.Task[None]) -> None:
        if self._live is live:
            if self.board.mic is not None:
                self.board.mic.stop()
            self._engines = live.loaded.engines
            self._hands.end()

    async def _listen(self, live: Live) -> None:
        look = self.board.look_around(live.loaded, self._settings)
        self._hands.begin(live.beside(look), self.board.choosers)
        if self._sound is not None:
            await live.play(self._sound, self._limit)
        else:
            await live.listen(self.board.mic)
