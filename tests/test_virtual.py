import asyncio
import time

from voice_kit.converse.virtual import run


def test_an_hour_passes_at_once_and_in_order():
    order = []

    async def after(seconds):
        await asyncio.sleep(seconds)
        order.append((seconds, asyncio.get_running_loop().time()))

    async def scene():
        async with asyncio.TaskGroup() as tasks:
            for seconds in (3600.0, 0.25, 60.0, 0.0):
                tasks.create_task(after(seconds))

    began = time.perf_counter()
    run(scene(), fast=True)
    assert time.perf_counter() - began < 30
    assert order == [(seconds, seconds) for seconds in (0.0, 0.25, 60.0, 3600.0)]


def test_a_timeout_counts_virtual_seconds():
    async def scene():
        try:
            async with asyncio.timeout(5):
                await asyncio.Event().wait()
        except TimeoutError:
            return asyncio.get_running_loop().time()

    assert run(scene(), fast=True) == 5.0


def test_what_comes_from_a_thread_is_waited_for():
    async def scene():
        return await asyncio.to_thread(lambda: "done")

    assert run(scene(), fast=True) == "done"


def test_while_something_outside_is_waited_for_the_clock_runs_like_ours():
    async def scene():
        loop = asyncio.get_running_loop()
        began, real = loop.time(), time.perf_counter()
        with loop.real_time():
            await asyncio.get_running_loop().run_in_executor(None, sum, range(3_000_000))
        return loop.time() - began, time.perf_counter() - real

    virtual, real = run(scene(), fast=True)
    assert 0 < virtual <= real
