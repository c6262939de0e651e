"""The loudspeaker of a notebook: the page's where one is open, else one that only pretends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from voice_kit.audio.protocols import Playback, Speaker
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.types import Audio

EVERY = 0.05
"""Seconds between two looks at what is heard: as often as a page says it."""
PATIENCE = 5.0
"""Seconds without progress after which nobody looks any longer."""


class Loudspeaker:
    """Opens each playback where it can be heard.

    `page` is the page's loudspeaker; it counts as there while its `page` is not empty. Of what is
    not played there, `on_level` is told how loud it is.
    """

    def __init__(
        self, page: Speaker | None = None, on_level: Callable[[float], object] | None = None
    ) -> None:
        self._page = page
        self._on_level = on_level

    @property
    def audible(self) -> bool:
        """Whether there is somebody to hear it."""
        return bool(getattr(self._page, "page", ""))

    def open(self, on_start: Callable[[float], None]) -> Playback:
        """A new playback. Call it on the event loop."""
        if self._page is not None and self.audible:
            return self._page.open(on_start)
        playback = SilentSpeaker().open(on_start)  # a new one: it keeps all that it plays
        return playback if self._on_level is None else _Watched(playback, self._on_level)


class _Watched:
    """The sound of one answer, and how loud it is where it is heard."""

    def __init__(self, playback: Playback, on_level: Callable[[float], object]) -> None:
        self._playback, self._on_level = playback, on_level
        self._loop = asyncio.get_running_loop()
        self._levels: list[float] = []  # of each stretch of `EVERY` seconds
        self._look: asyncio.TimerHandle | None = None
        self._heard, self._still = 0.0, 0.0
        self.duck = playback.duck
        self.finished, self.settled = playback.finished, playback.settled

    def play(self, audio: Audio) -> None:
        """Append sound of any rate."""
        self._playback.play(audio)
        step = max(1, round(EVERY * audio.rate))
        whole = len(audio.samples) // step * step
        pieces = np.asarray(audio.samples[:whole], np.float32).reshape(-1, step)
        self._levels += np.sqrt(np.mean(pieces**2, axis=1)).tolist()
        self._watch()

    def pause(self) -> None:
        """Fall silent and keep the place."""
        self._playback.pause()
        self._rest()

    def go_on(self) -> None:
        """Go on from the very sample where `pause` stopped."""
        self._playback.go_on()
        self._watch()

    def stop(self) -> None:
        """Fall silent for good."""
        self._playback.stop()
        self._rest()

    @property
    def heard(self) -> float:
        """Seconds of the given sound that have left the loudspeaker."""
        return self._playback.heard

    def _watch(self) -> None:
        if self._look is None:
            self._still = 0.0
            self._look = self._loop.call_later(EVERY, self._tell)

    def _rest(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None
            self._on_level(0.0)

    def _tell(self) -> None:
        heard = self._playback.heard
        self._still = 0.0 if heard > self._heard else self._still + EVERY
        self._heard = heard
        place = int(heard / EVERY)
        if place >= len(self._levels) or self._still > PATIENCE:
            self._rest()
            return
        self._on_level(self._levels[place])
        self._look = self._loop.call_later(EVERY, self._tell)
