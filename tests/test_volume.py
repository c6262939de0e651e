"""A loudspeaker that can be made louder, and a voice that can be made slower."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.audio.volume import LOUDEST, SOFTEST, Volume, amplified
from voice_kit.converse.virtual import run
from voice_kit.speak.pace import FASTEST, SLOWEST, PaceError, change_pace
from voice_kit.speak.tts_espeak import Espeak
from voice_kit.types import Audio

RATE = 16_000


def tone(level, seconds=0.5):
    at = np.arange(round(seconds * RATE)) / RATE
    return Audio((level * np.sin(2 * np.pi * 220 * at)).astype(np.float32), RATE)


def played(change, level=0.2):
    """How loud the first and the second half second were, when `change` comes in between."""
    speaker = SilentSpeaker(RATE)

    async def scene():
        volume = Volume(speaker)
        started = []
        playback = volume.open(started.append)
        playback.play(tone(level))
        change(volume)
        playback.play(tone(level))
        await playback.finished()
        assert started == [0.0]
        assert playback.heard == pytest.approx(1.0)
        assert await playback.settled() == pytest.approx(1.0)
        return speaker.rendered(0, 1.0).samples

    sound = run(scene(), fast=True)
    return [float(np.abs(half).max()) for half in np.split(sound, 2)]


def test_what_is_played_from_now_on_is_louder_by_a_step():
    before, after = played(lambda volume: volume.change(1))
    assert before == pytest.approx(0.2, abs=1e-3)
    assert 20 * np.log10(after / before) == pytest.approx(4, abs=0.05)


def test_what_is_played_from_now_on_is_quieter_by_a_step():
    before, after = played(lambda volume: volume.change(-1))
    assert 20 * np.log10(after / before) == pytest.approx(-4, abs=0.05)


def test_it_has_a_loudest_and_a_softest_and_comes_back():
    volume = Volume(SilentSpeaker())
    assert [volume.change(1) for _ in range(5)] == [True] * 3 + [False] * 2
    assert volume.gain == pytest.approx(LOUDEST)
    assert [volume.change(-1) for _ in range(10)] == [True] * 8 + [False] * 2
    assert volume.gain == pytest.approx(SOFTEST)


def test_an_untouched_volume_touches_no_sample():
    sound = tone(0.9)
    given_to = []

    class Recorder(SilentSpeaker):
        def open(self, on_start):
            playback = super().open(on_start)
            playback.play = given_to.append
            return playback

    async def scene():
        Volume(Recorder()).open(print).play(sound)

    asyncio.run(scene())
    assert given_to == [sound]


@given(st.floats(0.01, 1), st.floats(0.1, 4))
def test_louder_sound_bends_and_never_breaks(level, gain):
    sound = tone(level).samples
    louder = amplified(sound, gain)
    assert louder.dtype == np.float32
    assert np.abs(louder).max() <= 1
    assert np.all(np.sign(louder) == np.sign(sound))
    order = np.argsort(sound)
    assert np.all(np.diff(louder[order]) >= -1e-6), "what was louder stays louder"
    if gain <= 1:
        assert np.array_equal(louder, sound * np.float32(gain))


def test_quiet_sound_is_made_louder_without_any_change_of_its_shape():
    sound = tone(0.1).samples
    assert np.allclose(amplified(sound, 3.0), 3 * sound)


def test_integers_are_sound_too():
    async def scene():
        speaker = SilentSpeaker(RATE)
        playback = Volume(speaker, 0.5).open(print)
        playback.play(Audio((tone(0.5).samples * 32767).astype(np.int16), RATE))
        await playback.finished()
        return float(np.abs(speaker.rendered(0, 0.5).samples).max())

    assert run(scene(), fast=True) == pytest.approx(0.25, abs=0.01)


def test_pause_duck_and_stop_reach_the_loudspeaker():
    async def scene():
        speaker = SilentSpeaker(RATE)
        playback = Volume(speaker, 2.0).open(lambda at: None)
        playback.play(tone(0.2, 2.0))
        await asyncio.sleep(0.5)  # fast
        playback.pause()
        await asyncio.sleep(1.0)
        assert playback.heard == pytest.approx(0.5, abs=0.01)
        playback.go_on()
        playback.duck(0.5)
        await asyncio.sleep(0.5)
        playback.stop()
        await playback.finished()
        assert playback.heard == pytest.approx(1.0, abs=0.01)

    run(scene(), fast=True)


def test_a_voice_is_slower_from_its_next_sentence_on():
    voice = Espeak()

    def seconds():
        parts = voice.speak("The quick brown fox jumps over the lazy dog.")
        return sum(part.audio.seconds for part in parts)

    usual = seconds()
    assert change_pace(voice, -3)
    slow = seconds()
    assert change_pace(voice, 6)
    fast = seconds()
    assert slow > 1.2 * usual > 1.2 * 1.2 * fast


def test_a_pace_has_its_limits():
    voice = Espeak()
    while change_pace(voice, 1):
        pass
    assert voice.speed == FASTEST
    while change_pace(voice, -1):
        pass
    assert voice.speed == SLOWEST


def test_a_voice_that_was_set_beyond_the_limits_stays_there():
    voice = Espeak(speed=3.0)
    assert not change_pace(voice, 1)
    assert voice.speed == 3.0
    assert change_pace(voice, -1)


def test_a_voice_without_a_pace_says_so():
    with pytest.raises(PaceError, match="Choose espeak, kokoro or piper"):
        change_pace(object(), 1)
