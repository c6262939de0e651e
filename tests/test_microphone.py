"""Frames from a recording and from a sound card."""

import asyncio

import numpy as np
import pytest
from test_convert import sine

from voice_kit.audio.microphone import FileMicrophone, frames
from voice_kit.converse.virtual import run
from voice_kit.types import FRAME, RATE, Audio


def counting(seconds: float) -> Audio:
    """Sound in which every sample says which one it is."""
    return Audio(np.arange(round(seconds * RATE), dtype=np.float32) / 2**20, RATE)


def test_frames_are_the_sound_and_the_last_is_filled_with_silence():
    audio = counting(1.0)
    cut = list(frames(audio))
    assert len(cut) == 32
    assert {frame.shape for frame in cut} == {(FRAME,)}
    assert {frame.dtype for frame in cut} == {np.dtype(np.float32)}
    joined = np.concatenate(cut)
    assert np.array_equal(joined[:RATE], audio.samples)
    assert not joined[RATE:].any()


def test_frames_are_at_16_khz_whatever_the_sound_is():
    for rate in (8_000, 44_100, 48_000):
        assert len(list(frames(sine(rate, seconds=0.64)))) == 20


def test_no_sound_has_no_frames():
    assert list(frames(Audio(np.empty(0, np.float32), 44_100))) == []


def test_each_frame_of_a_file_comes_when_its_last_sample_was_spoken():
    async def listen():
        loop = asyncio.get_running_loop()
        microphone = FileMicrophone(counting(1.0))
        assert microphone.opened is None
        return [loop.time() - microphone.opened async for _ in microphone]

    times = run(listen(), fast=True)
    assert times == pytest.approx([(index + 1) * FRAME / RATE for index in range(32)])


def test_a_late_listener_loses_nothing_and_catches_up():
    async def listen():
        loop = asyncio.get_running_loop()
        heard, times = [], []
        microphone = FileMicrophone(counting(1.0))
        async for frame in microphone:
            times.append(loop.time() - microphone.opened)
            heard.append(frame)
            if len(heard) == 5:
                await asyncio.sleep(0.4)
        return np.concatenate(heard), times

    heard, times = run(listen(), fast=True)
    assert np.array_equal(heard[:RATE], counting(1.0).samples)
    assert times[5] == times[10] == pytest.approx(5 * 0.032 + 0.4)
    assert times[-1] == pytest.approx(32 * 0.032)


def test_a_fast_file_takes_no_time_and_lets_others_run():
    async def listen():
        loop = asyncio.get_running_loop()
        turns = 0

        async def other():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = loop.create_task(other())
        count = len([frame async for frame in FileMicrophone(counting(1.0), fast=True)])
        task.cancel()
        return count, turns, loop.time()

    count, turns, took = run(listen(), fast=True)
    assert count == 32
    assert turns >= 32
    assert took == 0


def test_a_file_can_be_listened_to_twice_and_left_in_the_middle():
    async def listen():
        async with FileMicrophone(counting(0.32)) as microphone:
            async for _ in microphone:
                break
            return len([frame async for frame in microphone])

    assert run(listen(), fast=True) == 10
