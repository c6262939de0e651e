"""Waits that are short, and those that last too long."""

import asyncio

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="no FastAPI: pip install 'voice-kit[serve]'")

from voice_kit.converse.virtual import run
from voice_kit.serve.patience import Patience
from voice_kit.serve.protocol import Sound
from voice_kit.serve.socket_audio import IDLE, SocketMicrophone
from voice_kit.types import FRAME


def now():
    return asyncio.get_running_loop().time()


def frame(number):
    return Sound(number, np.full((1, FRAME), 1000, np.int16))


def test_only_a_wait_that_lasts_too_long_is_told_and_then_at_once():
    async def scene():
        began, told = None, []
        with Patience(1.0, lambda: began, lambda: told.append(now())):
            for _ in range(100):  # short waits, with work between them
                began = now()
                await asyncio.sleep(0.3)
                began = None
                await asyncio.sleep(0.4)
            assert not told
            for _ in range(2):
                start = began = now()
                await asyncio.sleep(1.2)
                assert told == pytest.approx([start + 1.0])
                told.clear()
        await asyncio.sleep(100)
        assert not told

    run(scene(), fast=True)


def test_a_microphone_ends_a_turn_once_nothing_has_come_for_its_time_and_not_sooner():
    async def scene():
        microphone, heard = SocketMicrophone(), 0

        async def talk():
            for number in range(40):
                await asyncio.sleep(0.032 if number != 20 else IDLE - 0.1)
                microphone.take(frame(number))

        talking, last = asyncio.ensure_future(talk()), 0.0
        async for _ in microphone.frames():
            heard, last = heard + 1, now()
        await talking
        assert heard == 40
        assert now() - last == pytest.approx(IDLE)
        assert microphone._bell is None

    run(scene(), fast=True)


def test_work_on_a_frame_that_takes_long_is_no_silence():
    async def scene():
        microphone, heard = SocketMicrophone(), 0
        microphone.take(frame(0))
        async for _ in microphone.frames():
            heard += 1
            if heard == 1:
                await asyncio.sleep(3 * IDLE)
                asyncio.get_running_loop().call_later(
                    IDLE - 0.1, lambda: [microphone.take(frame(1)), microphone.close()]
                )
        assert heard == 2

    run(scene(), fast=True)
