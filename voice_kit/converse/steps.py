"""Runs an engine's work beside the event loop: bounded in time, stopped as the engine can stop.

The only module that knows whether an engine blocks, and the only one with threads.
"""

from __future__ import annotations

import asyncio
import inspect
import queue
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, aclosing, nullcontext, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

from voice_kit.errors import EngineFailedError, EngineTimeoutError, VoiceKitError

T = TypeVar("T")
_DONE: Any = object()
_uncounted: Callable[[float], object] = lambda seconds: None  # noqa: E731
WORK: ContextVar[Callable[[float], object]] = ContextVar("worked", default=_uncounted)
"""What is told, in the task that waits for it, how many seconds an engine worked on each step; once
only, where an engine calls another."""


class Clock:
    """An event loop whose time is not ours: it decides how long an engine's steps take."""

    steps: Callable[[str, Callable[[], Iterator[Any]]], AsyncGenerator[Any, None]]
    """Each item of a blocking generator, which the function starts, of this stage."""
    real_time: Callable[[], AbstractContextManager[None]]
    """While this lasts, its clock runs like ours: something outside is being waited for."""


class StageFailedError(Exception):
    """A stage could not do its work. `cause` says why, to the person at the keyboard."""

    def __init__(self, stage: str, engine: Any, cause: VoiceKitError) -> None:
        super().__init__(str(cause))
        self.stage = stage
        self.engine = engine
        self.cause = cause


async def call(
    stage: str, engine: Any, work: Callable[[], T | Awaitable[T]], seconds: float | None
) -> T:
    """What `work` gives back: a blocking function of `engine`, or one that gives an awaitable.

    A `direct` engine is called in place and never late. Raises `StageFailedError` when it fails
    or takes longer than `seconds`.
    """
    if getattr(engine, "direct", False):
        try:
            at_once = work()
            return await at_once if inspect.isawaitable(at_once) else at_once
        except (Exception, asyncio.CancelledError) as error:
            if _is_ours(error):
                raise
            raise as_failure(stage, engine, error) from error

    def once() -> Iterator[T]:
        yield work()  # type: ignore[misc]

    async def once_async() -> AsyncIterator[T]:
        result = work()
        yield await result if inspect.isawaitable(result) else result

    is_async = getattr(engine, "stops", "steps") == "async"
    async with aclosing(stream(stage, engine, once_async if is_async else once, seconds)) as one:
        return await anext(one)


async def stream(
    stage: str,
    engine: Any,
    start: Callable[[], Iterator[T] | AsyncIterator[T]],
    seconds: float | None,
) -> AsyncGenerator[T, None]:
    """Each item of the engine's generator, as soon as it is there.

    A step in progress when the stream is closed is stopped as the engine declares: an async one is
    cancelled, a blocking one finishes in its thread and its result is dropped, one that never
    stops is aborted. Raises `StageFailedError` when a step fails or takes over `seconds`.
    """
    steps, now = _steps(stage, engine, start), asyncio.get_running_loop().time
    try:
        async with aclosing(steps):
            while True:
                began, worked = now(), WORK.get()
                within = WORK.set(_uncounted)
                try:
                    async with asyncio.timeout(seconds):
                        try:
                            item = await anext(steps, _DONE)
                        except TimeoutError as error:  # the engine's own
                            raise as_failure(stage, engine, error) from error
                finally:
                    WORK.reset(within)
                    worked(now() - began)
                if item is _DONE:
                    return
                yield item
    except TimeoutError as error:
        fix = f"a faster engine, or a longer timeouts.{stage} in the settings"
        late = EngineTimeoutError(name_of(engine), seconds or 0.0, fix=fix)
        raise StageFailedError(stage, engine, late) from error
    except (Exception, asyncio.CancelledError) as error:
        if _is_ours(error):
            raise
        raise as_failure(stage, engine, error) from error


def _is_ours(error: BaseException) -> bool:
    """Whether this says that we are cancelled; from an engine that was not, it is a failure."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and bool(task and task.cancelling())


def may_be_undone(engine: object) -> bool:
    """Whether a call of this engine may be made before it is certain that it is wanted."""
    return bool(getattr(engine, "speculative", True))


def name_of(engine: Any) -> str:
    """What an engine calls itself."""
    return str(getattr(engine, "name", type(engine).__name__))


def as_failure(stage: str, engine: Any, error: BaseException) -> StageFailedError:
    """What an engine raised, as a failure of its stage. A stranger's message is left out: it may
    quote what people said."""
    if isinstance(error, StageFailedError):
        return error
    if not isinstance(error, VoiceKitError):
        problem, fix = f"it raised {type(error).__name__}", f"voice-kit doctor, or another {stage}"
        error = EngineFailedError(name_of(engine), problem, fix=fix)
    return StageFailedError(stage, engine, error)


def _steps(stage: str, engine: Any, start: Callable[[], Any]) -> AsyncGenerator[Any, None]:
    loop = asyncio.get_running_loop()
    if getattr(engine, "stops", "steps") == "async":
        return _awaited(engine, start, loop)
    if isinstance(loop, Clock):
        return loop.steps(stage, start)
    return _in_thread(stage, engine, start, loop)


async def _awaited(
    engine: Any, start: Callable[[], AsyncIterator[T]], loop: asyncio.AbstractEventLoop
) -> AsyncGenerator[T, None]:
    items = start()
    inside = getattr(engine, "in_loop_time", False)
    waiting = loop.real_time if isinstance(loop, Clock) and not inside else nullcontext
    try:
        while True:
            with waiting():
                item = await anext(items, _DONE)
            if item is _DONE:
                return
            yield item
    finally:
        if hasattr(items, "aclose"):
            await items.aclose()


async def _in_thread(
    stage: str, engine: Any, start: Callable[[], Iterator[T]], loop: asyncio.AbstractEventLoop
) -> AsyncGenerator[T, None]:
    wanted: queue.SimpleQueue[asyncio.Future[T] | None] = queue.SimpleQueue()

    def settle(step: asyncio.Future[T], outcome: Callable[[], None]) -> None:
        if not step.cancelled():  # else it is late, and dropped
            outcome()

    def work() -> None:
        items: Iterator[T] | None = None
        try:
            while (step := wanted.get()) is not None:
                try:
                    items = items or start()
                    outcome = partial(step.set_result, next(items, _DONE))
                except BaseException as error:
                    # As it is, SystemExit would end the loop and all that is in it.
                    plain = isinstance(error, Exception)
                    cause = error if plain else as_failure(stage, engine, error)
                    outcome = partial(step.set_exception, cause)
                with suppress(RuntimeError):  # the loop was closed: nobody waits
                    loop.call_soon_threadsafe(settle, step, outcome)
        finally:
            if items is not None and hasattr(items, "close"):
                items.close()

    # A daemon of its own, not a pool's: a hung engine must hold up neither the next call nor exit.
    threading.Thread(target=work, name="voice-kit engine", daemon=True).start()
    step: asyncio.Future[T] | None = None
    try:
        while True:
            step = loop.create_future()
            wanted.put(step)
            item = await step
            if item is _DONE:
                return
            yield item
    finally:
        wanted.put(None)
        if step is not None and step.cancelled() and hasattr(engine, "abort"):
            engine.abort()
