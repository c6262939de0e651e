"""Whisper's network for several callers: what gathered while it was busy is computed at once."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

log = logging.getLogger(__name__)


class Window:
    """Up to 30 s of one caller's sound, and what the network made of it."""

    def __init__(self, features: Any, to_cpu: bool) -> None:
        self.features, self.to_cpu = features, to_cpu
        self.since = 0.0
        self.prompt: Sequence[int] = ()
        self.options: dict[str, Any] = {}
        self.encoded: Any = None
        """What the encoder made of it; kept for who asks for the places of words."""
        self.written: Any = None
        self.problem: Exception | None = None

    @property
    def done(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.written is not None or self.problem is not None

    def goes_with(self, other: Window) -> bool:
        """Whether the network can compute both at once."""
        alike = self.features.shape == other.features.shape and self.options == other.options
        return alike and len(self.prompt) == len(other.prompt)


class Batched:
    """The network of a faster-whisper model, to be put in its place: `model.model = Batched(…)`.

    Everything around it stays faster-whisper's: prompts, thresholds, further windows of a long
    sound, the places of words. It calls this from the thread of each caller, who waits here while
    the network is busy. Whoever finds it free computes for all who wait, `most` at once, those
    first who came first. So nobody waits for company, and a caller alone is computed alone.

    What cannot be computed together is computed one by one: nobody fails for a neighbour's sake.
    A caller whose answer nobody wants any more takes its place in the batch, and no more.
    """

    def __init__(
        self,
        network: Any,
        most: int,
        workers: int = 1,
        words: bool = False,
        waited: Callable[[float], object] = lambda seconds: None,
    ) -> None:
        """`workers` is how many batches are computed side by side; `words`, whether `align` will
        be asked for; `waited` is told how many seconds a window waited for the network."""
        self.sizes: Counter[int] = Counter()
        """How many windows were computed at once, and how often."""
        self._network, self._most, self._words = network, most, words
        self._changed = threading.Condition()
        self._waiting: list[Window] = []
        self._free, self._waited = workers, waited

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def encode(self, features: Any, to_cpu: bool = False) -> Window:
        """The window, not computed yet: that is done by `generate`, with those of others."""
        return Window(features, to_cpu)

    def generate(self, window: Window, prompts: Sequence[Sequence[int]], **options: Any) -> Any:
        """What is said in it. Blocks. Raises as the network does."""
        window.prompt, window.options, window.since = prompts[0], options, time.monotonic()
        with self._changed:
            self._waiting.append(window)
            self._changed.notify_all()
        try:
            while batch := self._batch(window):
                try:
                    now = time.monotonic()
                    for each in batch:
                        self._waited(now - each.since)
                    self._compute(batch)
                finally:
                    self._let_go(batch)
        finally:
            with self._changed:  # it is there only when this thread was interrupted
                self._waiting = [each for each in self._waiting if each is not window]
        if window.problem is not None:
            raise window.problem
        return [window.written]

    def align(self, window: Window, *about: Any, **options: Any) -> Any:
        """The places of words in it, as the network gives them."""
        return self._network.align(window.encoded, *about, **options)

    def _batch(self, window: Window) -> list[Window]:
        """What this caller has to compute now; nothing once its own window is done."""
        with self._changed:
            self._changed.wait_for(lambda: window.done or (self._free and window in self._waiting))
            if window.done:
                return []
            first = self._waiting[0]
            batch = [each for each in self._waiting if each.goes_with(first)][: self._most]
            self._waiting = [each for each in self._waiting if each not in batch]
            self._free -= 1
            return batch

    def _let_go(self, batch: list[Window]) -> None:
        with self._changed:
            self._free += 1
            self._waiting[:0] = [each for each in batch if not each.done]  # it was interrupted
            self._changed.notify_all()

    def _compute(self, batch: list[Window]) -> None:
        try:
            self._compute_at_once(batch)
        except Exception as error:
            if len(batch) == 1:
                batch[0].problem = error
                return
            problem = type(error).__name__
            log.warning("Whisper cannot compute %d sounds at once (%s).", len(batch), problem)
            for each in batch:
                self._compute([each])

    def _compute_at_once(self, batch: list[Window]) -> None:
        several, first = len(batch) > 1, batch[0]
        features = _stacked([each.features for each in batch]) if several else first.features
        to_cpu = first.to_cpu or (several and self._words)  # where it can be taken apart again
        encoded = self._network.encode(features, to_cpu=to_cpu)
        prompts = [each.prompt for each in batch]
        written = self._network.generate(encoded, prompts, **first.options)
        if self._words:
            parts = _apart(encoded) if several else [encoded]
            for each, part in zip(batch, parts, strict=True):
                each.encoded = part
        with self._changed:
            self.sizes[len(batch)] += 1
            for each, result in zip(batch, written, strict=True):
                each.written = result


def _stacked(views: list[Any]) -> Any:
    whole: Any = type(views[0]).from_array(np.concatenate([np.asarray(view) for view in views]))
    return whole


def _apart(view: Any) -> list[Any]:
    whole = np.asarray(view)
    return [type(view).from_array(whole[place : place + 1]) for place in range(len(whole))]
