"""A small discrete-event simulation: processes that sleep, take places, and ride in batches.

def guest(clock, table):
    yield 3.0  # seconds
    yield table.take
    yield 1.5
    table.free()
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Generator
from functools import partial
from itertools import count

Go = Callable[[], None]
Wish = float | Callable[[Go], None]
"""What a process waits for: seconds, or what calls back once the wish is granted."""
Process = Generator[Wish, None, None]


class Clock:
    """Simulated seconds, and what is due in them."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Go]] = []
        self._numbers = count()

    def after(self, seconds: float, go: Go) -> None:
        """Call it so many seconds from now; at the same moment, who asked first goes first."""
        heapq.heappush(self._due, (self.now + seconds, next(self._numbers), go))

    def begin(self, process: Process) -> None:
        """Run a process up to its first wish."""
        self._step(process)

    def run(self, until: float = float("inf")) -> None:
        """Let everything happen that is due before then."""
        while self._due and self._due[0][0] <= until:
            self.now, _, go = heapq.heappop(self._due)
            go()

    def _step(self, process: Process) -> None:
        wish = next(process, None)
        go = partial(self._step, process)
        if isinstance(wish, float):
            self.after(wish, go)
        elif wish is not None:
            wish(go)


class Places:
    """So many may be in at a time; who comes first goes in first."""

    def __init__(self, clock: Clock, many: int) -> None:
        self.many = many
        self.taken = 0
        self.waits: list[float] = []
        self.used = 0.0
        """Seconds that places were taken, all together."""
        self._clock = clock
        self._changed = 0.0
        self._queue: deque[tuple[float, Go]] = deque()

    def take(self, go: Go) -> None:
        """Wait for a place; whoever has one calls `free` later."""
        self._queue.append((self._clock.now, go))
        self._admit()

    def free(self) -> None:
        """Give a place back."""
        self._count(-1)
        self._admit()

    def _admit(self) -> None:
        while self._queue and self.taken < self.many:
            since, go = self._queue.popleft()
            self.waits.append(self._clock.now - since)
            self._count(+1)
            self._clock.after(0.0, go)

    def _count(self, change: int) -> None:
        self.used += self.taken * (self._clock.now - self._changed)
        self._changed = self._clock.now
        self.taken += change


class Batches:
    """Servers that take whatever has gathered, up to `most` at once, for `seconds(how many)`.

    Nobody waits for company: a batch is what came while the servers were busy.
    """

    def __init__(self, clock: Clock, many: int, most: int, seconds: Callable[[int], float]) -> None:
        self.places = Places(clock, many)
        self.most = most
        self.sizes: list[int] = []
        self.waits: list[float] = []
        self._clock = clock
        self._seconds = seconds
        self._aboard: deque[tuple[float, Go]] = deque()

    def ride(self, go: Go) -> None:
        """Wait until a batch with this in it is done."""
        self._aboard.append((self._clock.now, go))
        self._clock.begin(self._serve())

    def _serve(self) -> Process:
        yield self.places.take
        riders = [self._aboard.popleft() for _ in range(min(self.most, len(self._aboard)))]
        if riders:
            self.sizes.append(len(riders))
            self.waits += (self._clock.now - since for since, _ in riders)
            yield self._seconds(len(riders))
        self.places.free()
        for _, go in riders:
            go()
