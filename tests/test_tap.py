"""What a loudspeaker plays comes out of its tap in the microphone's frames."""

import asyncio

import numpy as np
import pytest

from voice_kit.audio.echo import Tapped, without_echo
from voice_kit.audio.microphone import FileMicrophone, Microphone
from voice_kit.audio.speaker import SilentSpeaker, SoundCardSpeaker
from voice_kit.audio.tap import LAG, Tap
from voice_kit.audio.volume import Volume
from voice_kit.converse.virtual import run
from voice_kit.types import FRAME, RATE, Audio


def tone(rate, seconds=1.0):
    return np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate).astype(np.float32)


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
def test_what_is_played_comes_out_at_16_khz_within_10_ms(rate):
    tap, played = Tap(rate), tone(rate)
    frames = []
    for index in range(RATE // FRAME):
        first, last = (round(at * FRAME * rate / RATE) for at in (index, index + 1))
        tap.write(played[first:last])
        frames.append(tap.take())
    got, wanted = np.concatenate(frames), tone(RATE)[: len(frames) * FRAME]
    late = int(np.argmax([np.dot(got[n:], wanted[: len(wanted) - n]) for n in range(LAG + 400)]))
    assert all(frame.shape == (FRAME,) for frame in frames)
    assert late - LAG <= 0.01 * RATE
    rest = got[late:][4000:12000] - wanted[4000:12000]
    assert np.abs(rest).max() < 0.1


def test_a_tap_that_gets_nothing_gives_silence():
    tap = Tap(48_000)
    assert not np.any(tap.take())
    tap.write(tone(48_000, 0.01))
    assert tap.take().shape == (FRAME,)


def test_frames_that_the_microphone_lost_do_not_pile_up():
    tap = Tap(RATE)
    tap.take()
    for _ in range(50):
        tap.write(np.ones(FRAME, np.float32))
    count = 0
    while np.any(tap.take()):
        count += 1
    assert count <= 8


@pytest.mark.parametrize("steps", [0, -2, 2])
def test_the_tap_gives_what_is_played_after_its_volume(steps):
    async def scene():
        inside = SilentSpeaker(RATE)
        speaker, tap = Volume(inside), inside.tap()
        speaker.change(steps)
        speaker.open(lambda at: None).play(Audio(0.1 * tone(RATE), RATE))
        frames = []

        async def silence():
            for _ in range(20):
                await asyncio.sleep(FRAME / RATE)
                frames.append(tap.take())
                yield np.zeros(FRAME, np.float32)

        assert isinstance(inside, Tapped)
        assert not isinstance(speaker, Tapped)
        async for _ in without_echo(silence(), inside):
            pass
        return np.abs(np.concatenate(frames)).max(), speaker.gain

    loudest, gain = run(scene(), fast=True)
    assert loudest == pytest.approx(0.1 * gain, rel=0.02)


def test_the_sound_cards_loudspeaker_and_microphone_say_what_a_guard_must_know():
    assert callable(SoundCardSpeaker.tap)
    assert Microphone.open_air
    assert not hasattr(FileMicrophone, "open_air")
