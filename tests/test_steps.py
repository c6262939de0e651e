import asyncio
import threading
from contextlib import aclosing

import pytest

from voice_kit.converse.line import Line
from voice_kit.converse.steps import StageFailedError, call, stream
from voice_kit.converse.virtual import run
from voice_kit.errors import EngineTimeoutError, MissingEngineError


class Blocking:
    """An engine that blocks until it is let go."""

    name = "blocking"
    stops = "steps"

    def __init__(self):
        self.started = threading.Event()
        self.go = threading.Event()
        self.closed = threading.Event()

    def wait(self):
        self.started.set()
        self.go.wait()
        return "late"

    def count(self):
        try:
            yield 1
            self.started.set()
            self.go.wait()
            yield 2
        finally:
            self.closed.set()


def test_a_blocking_engine_does_not_block_the_loop():
    engine = Blocking()

    async def scene():
        async with asyncio.TaskGroup() as tasks:
            result = tasks.create_task(call("stt", engine, engine.wait, 30))
            await asyncio.to_thread(engine.started.wait)
            engine.go.set()  # only a free loop gets here
        return result.result()

    assert asyncio.run(scene()) == "late"


def test_an_engine_that_takes_too_long_fails_with_the_setting_to_change():
    engine = Blocking()

    async def scene():
        with pytest.raises(StageFailedError) as failure:
            await call("stt", engine, engine.wait, 0.01)
        return failure.value

    failure = asyncio.run(scene())
    engine.go.set()
    assert isinstance(failure.cause, EngineTimeoutError)
    assert "timeouts.stt" in str(failure.cause)


def test_the_next_call_does_not_wait_for_one_that_hangs():
    engine = Blocking()

    async def scene():
        with pytest.raises(StageFailedError):
            await call("stt", engine, engine.wait, 0.01)
        return await call("stt", engine, lambda: "next", 30)

    assert asyncio.run(scene()) == "next"
    engine.go.set()


def test_closing_a_stream_closes_its_generator_once_its_step_is_over():
    engine = Blocking()

    async def scene():
        async with aclosing(stream("tts", engine, engine.count, 30)) as items:
            async for item in items:
                assert item == 1
                break

    asyncio.run(scene())
    assert engine.closed.wait(30)


def test_a_cancelled_step_is_dropped_and_its_generator_closed():
    engine = Blocking()

    async def read():
        async with aclosing(stream("tts", engine, engine.count, 30)) as items:
            return [item async for item in items]

    async def scene():
        task = asyncio.ensure_future(read())
        await asyncio.to_thread(engine.started.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())
    assert not engine.closed.is_set()
    engine.go.set()
    assert engine.closed.wait(30)


def test_a_late_result_is_dropped_without_a_word():
    engine = Blocking()
    complaints = []

    async def scene():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        with pytest.raises(StageFailedError):
            await call("stt", engine, engine.wait, 0.01)
        engine.go.set()
        for thread in threading.enumerate():
            if thread.name == "voice-kit engine":
                await asyncio.to_thread(thread.join, 30)

    asyncio.run(scene())
    assert not complaints


@pytest.mark.parametrize("fast", [False, True])
def test_what_an_engine_gives_that_can_be_closed_is_closed(fast):
    class Items:
        closed = threading.Event()

        def __iter__(self):
            return self

        def __next__(self):
            return 1

        def close(self):
            self.closed.set()

    items = Items()

    async def scene():
        async with aclosing(stream("tts", object(), lambda: items, 30)) as parts:
            async for _ in parts:
                break

    Items.closed.clear()
    run(scene(), fast=fast)
    assert items.closed.wait(30)


def test_an_engine_that_never_stops_is_aborted():
    class Stubborn(Blocking):
        stops = "never"
        aborted = 0

        def abort(self):
            self.aborted += 1
            self.go.set()

    engine = Stubborn()

    async def scene():
        with pytest.raises(StageFailedError):
            await call("stt", engine, engine.wait, 0.01)

    asyncio.run(scene())
    assert engine.aborted == 1


def test_what_an_async_engine_gives_that_can_be_closed_is_closed():
    class Items:
        closed = False

        def __aiter__(self):
            return self

        async def __anext__(self):
            return 1

        async def aclose(self):
            self.closed = True

    class Remote:
        stops = "async"

    items = Items()

    async def scene():
        async with aclosing(stream("tts", Remote(), lambda: items, 30)) as parts:
            async for _ in parts:
                break

    asyncio.run(scene())
    assert items.closed


def test_an_engine_that_has_answered_is_not_aborted():
    class Stubborn(Blocking):
        stops = "never"
        aborted = 0

        def abort(self):
            self.aborted += 1

    engine = Stubborn()
    assert asyncio.run(call("stt", engine, lambda: "text", 30)) == "text"
    assert engine.aborted == 0


def test_an_async_engine_is_cancelled_with_its_request():
    class Remote:
        name = "remote"
        stops = "async"
        closed = False

        async def reply(self):
            try:
                yield "one"
                await asyncio.Event().wait()
            finally:
                self.closed = True

    engine = Remote()

    async def scene():
        with pytest.raises(StageFailedError):
            async with aclosing(stream("llm", engine, engine.reply, 0.01)) as tokens:
                assert [token async for token in tokens] == ["one"]

    asyncio.run(scene())
    assert engine.closed


def test_a_strangers_error_is_told_without_its_words():
    class Leaky:
        name = "leaky"

    def fail():
        raise ValueError("what somebody said")

    async def scene():
        with pytest.raises(StageFailedError) as failure:
            await call("llm", Leaky(), fail, 1)
        return str(failure.value)

    assert "ValueError" in asyncio.run(scene())
    assert "somebody" not in asyncio.run(scene())


class Odd:
    """Raises what no engine should, here or in its thread."""

    name = "odd"

    def __init__(self, error, stops="async"):
        self.error, self.stops = error, stops
        if stops == "in place":
            self.direct = True

    def work(self):
        raise self.error

    async def reply(self):
        raise self.error
        yield

    def count(self):
        raise self.error
        yield


async def failed(work):
    with pytest.raises(StageFailedError) as failure:
        await work
    return failure.value.cause


@pytest.mark.parametrize("stops", ["async", "steps", "in place"])
@pytest.mark.parametrize("error", [asyncio.CancelledError, TimeoutError])
def test_what_an_engine_raises_is_its_failure_although_we_raise_it_ourselves(error, stops):
    engine = Odd(error(), stops)
    cause = asyncio.run(failed(call("llm", engine, engine.work, 20)))
    assert f"it raised {error.__name__}" in str(cause)
    assert not isinstance(cause, EngineTimeoutError)


@pytest.mark.parametrize("error", [asyncio.CancelledError, TimeoutError])
def test_a_stream_that_says_it_was_cancelled_or_late_when_it_was_not_has_failed(error):
    engine = Odd(error())

    async def read():
        return [item async for item in stream("llm", engine, engine.reply, 20)]

    assert f"it raised {error.__name__}" in str(asyncio.run(failed(read())))


def test_an_engine_that_exits_in_its_thread_ends_nothing_but_its_call():
    engine = Odd(SystemExit(3), "steps")

    async def read():
        return [item async for item in stream("llm", engine, engine.count, 20)]

    assert "it raised SystemExit" in str(asyncio.run(failed(read())))


@pytest.mark.parametrize("stops", ["async", "in place"])
def test_whoever_cancels_a_call_has_cancelled_it(stops):
    engine = Odd(None, stops)

    async def scene():
        task = asyncio.ensure_future(call("llm", engine, asyncio.Event().wait, 20))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(scene())


def test_an_error_of_ours_keeps_its_fix():
    def fail():
        raise MissingEngineError("x", fix="do this")

    async def scene():
        with pytest.raises(StageFailedError) as failure:
            await call("llm", object(), fail, 1)
        return str(failure.value)

    assert "do this" in asyncio.run(scene())


@pytest.mark.parametrize("fast", [False, True])
def test_an_empty_stream_ends_at_once(fast):
    async def scene():
        return [item async for item in stream("llm", object(), lambda: iter(()), 5)]

    assert run(scene(), fast=fast) == []


def test_on_the_virtual_clock_a_step_costs_what_was_recorded():
    async def scene():
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await call("stt", object(), lambda: "text", 100) == "text"
        return loop.time() - began

    assert run(scene(), fast=True, cost=lambda stage, _: 7.0 if stage == "stt" else 0.0) == 7.0


def test_a_line_passes_over_engines_that_cannot_be_had():
    def gone():
        raise MissingEngineError("gone", fix="fetch it")

    first, last = Blocking(), Blocking()
    line = Line("stt", first, [gone, lambda: last, Blocking])
    failure = StageFailedError("stt", first, MissingEngineError("x", fix="y"))

    async def scene():
        return await line.replace(failure), await line.replace(failure)

    assert asyncio.run(scene()) == (True, True)
    assert line.current is last


def test_two_that_meet_the_same_dead_engine_load_the_next_one_once():
    dead, good, last = Blocking(), Blocking(), Blocking()
    line = Line("llm", dead, [good.wait, lambda: last])
    failures = [StageFailedError("llm", dead, MissingEngineError("x", fix="y")) for _ in range(2)]

    async def scene():
        async with asyncio.TaskGroup() as turns:
            both = [turns.create_task(line.replace(each)) for each in failures]
            await asyncio.to_thread(good.started.wait)
            good.go.set()
        return [each.result() for each in both]

    assert asyncio.run(scene()) == [True, True]
    assert line.current == "late" and line.met is failures[0]
    assert len(line.then) == 1


def test_an_engine_whose_loading_is_given_up_with_a_turn_stays_in_line():
    dead, slow = Blocking(), Blocking()
    line = Line("llm", dead, [slow.wait])
    failure = StageFailedError("llm", dead, MissingEngineError("x", fix="y"))

    async def scene():
        given_up = asyncio.ensure_future(line.replace(failure))
        await asyncio.to_thread(slow.started.wait)
        given_up.cancel()
        await asyncio.wait([given_up])
        slow.go.set()
        return await line.replace(failure)

    assert asyncio.run(scene()) is True
    assert line.current == "late"


def test_an_engine_that_is_chosen_while_another_loads_stays():
    dead, slow, chosen = Blocking(), Blocking(), Blocking()
    line = Line("llm", dead, [slow.wait])
    failure = StageFailedError("llm", dead, MissingEngineError("x", fix="y"))

    async def scene():
        loading = asyncio.ensure_future(line.replace(failure))
        await asyncio.to_thread(slow.started.wait)
        line.current, line.then = chosen, [Blocking]
        slow.go.set()
        return await loading

    assert asyncio.run(scene()) is True
    assert line.current is chosen and line.then == [Blocking]


def test_the_last_engine_of_a_line_stays():
    only = Blocking()
    line = Line("stt", only)
    failure = StageFailedError("stt", only, MissingEngineError("x", fix="y"))
    assert asyncio.run(line.replace(failure)) is False
    assert line.current is only
