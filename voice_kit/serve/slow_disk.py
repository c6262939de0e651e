"""A disk that may hang, or be away: it is waited for only so long."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class SlowDisk:
    """Has each work on it done in a thread of its own, which keeps no process from ending."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._late: threading.Thread | None = None

    def wait(self, work: Callable[[], T], late: Callable[[T], object] = lambda given: None) -> T:
        """What this work gives. Blocks, and raises what the work raises.

        Raises `TimeoutError` when it takes too long, and at once while another that did is still
        under way. What takes too long goes on: `late` is then called with what it gives.
        """
        if self._late is not None and self._late.is_alive():
            raise TimeoutError(errno.ETIMEDOUT, "the disk is too slow")
        given: Future[T] = Future()

        def do() -> None:
            try:
                result = work()
            except Exception as error:
                if given.set_running_or_notify_cancel():
                    given.set_exception(error)
                return
            if given.set_running_or_notify_cancel():
                given.set_result(result)
            else:
                late(result)

        thread = threading.Thread(target=do, name="disk", daemon=True)
        thread.start()
        try:
            return given.result(self._seconds)
        except TimeoutError as error:
            if not given.cancel():  # it was done just now, or raised this itself
                return given.result()
            self._late = thread
            raise TimeoutError(errno.ETIMEDOUT, "the disk is too slow") from error
