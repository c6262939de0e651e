"""All that a panel shows: its widgets, and the same in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import ipywidgets  # type: ignore[import-untyped]

from voice_kit.converse.timeline import TurnTimes
from voice_kit.settings import Settings
from voice_kit.show.form import Form
from voice_kit.show.mic import Mic
from voice_kit.show.panel_engines import Loaded, apart
from voice_kit.show.panel_fields import NUMBERS, engines_here, values
from voice_kit.show.panel_hands import Hands
from voice_kit.show.panel_layout import Views, laid_out
from voice_kit.show.speaker import BrowserSpeaker
from voice_kit.show.timeline import headline, waterfall


class Board:
    """The widgets of one panel. `hands` do what a click in them asks for."""

    def __init__(
        self, settings: Callable[[], Settings], hands: Hands, *, hears: bool, speaks: bool
    ) -> None:
        """`hears` and `speaks` say whether the page's microphone and loudspeaker belong to it."""
        self._settings, self._hands = settings, hands
        self.mic = Mic() if hears else None
        self.speaker = BrowserSpeaker() if speaks else None
        self.controls = Form(on_press=hands.press)
        self.choosers = Form(title="Engines", on_set=hands.choose)
        self.sliders = Form(
            NUMBERS, title="Whose turn it is", values=values(settings()), on_set=hands.set
        )
        self.asking = Form(title="The last question again", on_press=hands.press)
        self.views = self._empty()

    def rows(self) -> tuple[ipywidgets.DOMWidget, ...]:
        """All of it, laid out."""
        sources = [each for each in (self.mic, self.speaker) if each is not None]
        forms = [self.choosers, self.sliders, self.asking]
        return laid_out(self.views, sources, self.controls, forms)

    def renew(self) -> None:
        """Forget the last conversation."""
        self.views.close()
        self.views = self._empty()

    def clear(self) -> None:
        """Say nothing any longer. Call it on the event loop, where clicks then arrive."""
        for form in (self.controls, self.sliders, self.choosers, self.asking):
            form.here()
            form.status = form.problem = ""

    def say(self, text: str, *, busy: bool = True) -> None:
        """Say what is being waited for, or just say it; "" is nothing."""
        self.controls.status, self.controls.busy = text, bool(text) and busy

    async def look_around(self, loaded: Loaded, settings: Settings) -> None:
        """Show which engines are here, which takes a second or two to find out."""
        found = await apart("doctor", partial(engines_here, settings, dict(loaded.used)))
        with self.choosers.hold_sync():
            self.choosers.show(found)
            self.choosers.values = dict(loaded.used)

    def voice(self, level: float) -> None:
        """Show how loud the voice is right now, where no page plays it."""
        self.views.orb.voice(level)

    def _empty(self) -> Views:
        near = lambda: self.mic is not None and self.mic.state == "live"  # noqa: E731
        return Views.of(self._settings, self._hands.type, near)

    def text(self, turns: Sequence[TurnTimes]) -> str:
        """The same in words, and each turn's waterfall."""
        above = [self.views.orb.text(), self.controls.status, self.controls.problem]
        lines = [line for line in above if line]
        lines += ["", self.views.transcript.text()]
        for turn in turns:
            lines += ["", headline(turn), *waterfall(turn), self.views.timeline.why(turn.number)]
        return "\n".join(lines).strip()
