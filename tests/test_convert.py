"""Number formats, channels and rates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from voice_kit.audio.convert import convert
from voice_kit.audio.formats import to_float, to_int16
from voice_kit.audio.resampler import Resampler
from voice_kit.errors import AudioError
from voice_kit.types import RATE, Audio

USUAL = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000]


def sine(rate: int, hertz: float = 440, seconds: float = 0.5, loud: float = 0.5) -> Audio:
    time = np.arange(round(rate * seconds)) / rate
    return Audio((loud * np.sin(2 * np.pi * hertz * time)).astype(np.float32), rate)


def sweep(rate: int, seconds: float = 1.0) -> Audio:
    """From 20 Hz to almost the highest tone that this rate can carry."""
    time = np.arange(round(rate * seconds)) / rate
    rise = (0.45 * rate - 20) / seconds
    wave = 0.8 * np.sin(2 * np.pi * (20 * time + rise * time**2 / 2))
    return Audio(wave.astype(np.float32), rate)


def streamed(audio: Audio, rate: int, sizes: list[int]) -> np.ndarray:
    resampler = Resampler(audio.rate, rate)
    parts, start = [], 0
    while start < len(audio.samples):
        for size in sizes:
            parts.append(resampler.feed(audio.samples[start : start + size]))
            start += size
    return np.concatenate([*parts, resampler.end()])


@pytest.mark.parametrize("source", USUAL)
def test_a_tone_keeps_its_pitch_loudness_and_length_at_16_khz(source):
    heard = convert(sine(source), RATE)
    assert heard.rate == RATE
    assert heard.samples.dtype == np.float32
    assert abs(heard.seconds - 0.5) <= 1.01 / RATE
    middle = slice(RATE // 10, RATE * 4 // 10)  # away from the edges, where a filter rings
    assert np.abs(heard.samples[middle] - sine(RATE).samples[middle]).max() < 1e-3


@pytest.mark.parametrize("source", USUAL)
@pytest.mark.parametrize("target", [8_000, 16_000, 44_100, 48_000])
def test_a_sweep_streamed_in_blocks_equals_the_whole_without_a_click(source, target):
    audio = sweep(source)
    whole = convert(audio, target).samples
    for sizes in ([source // 50], [1, 7, 480, 3000]):
        blocks = streamed(audio, target, sizes)
        assert blocks.shape == whole.shape
        assert np.abs(blocks - whole).max() < 1e-5


def test_converting_block_by_block_as_if_each_were_a_whole_would_click():
    audio = sweep(44_100)
    whole = convert(audio, RATE).samples
    blocks = [
        convert(Audio(audio.samples[start : start + 441], 44_100), RATE).samples
        for start in range(0, len(audio.samples), 441)
    ]
    assert np.abs(np.concatenate(blocks) - whole).max() > 0.05


@settings(deadline=None, max_examples=60)
@given(
    source=st.integers(8_000, 192_000),
    target=st.integers(8_000, 192_000),
    sizes=st.lists(st.integers(1, 5_000), min_size=1, max_size=8),
)
def test_any_rate_and_any_blocks_give_the_whole(source, target, sizes):
    audio = sweep(source, seconds=0.1)
    whole = convert(audio, target)
    assert abs(len(whole.samples) - len(audio.samples) * target / source) <= 1
    assert np.isfinite(whole.samples).all()
    blocks = streamed(audio, target, sizes)
    assert blocks.shape == whole.samples.shape
    assert np.abs(blocks - whole.samples).max() < 1e-4


def test_what_is_fed_after_the_end_is_a_new_sound():
    audio, resampler = sine(48_000), Resampler(48_000, RATE)
    for _ in range(2):
        again = np.concatenate([resampler.feed(audio.samples), resampler.end()])
        assert np.array_equal(again, convert(audio, RATE).samples)


def test_nothing_becomes_nothing():
    assert len(convert(Audio(np.empty(0, np.float32), 44_100), RATE).samples) == 0
    resampler = Resampler(44_100, RATE)
    assert len(resampler.feed(np.empty(0, np.float32))) == len(resampler.end()) == 0


@pytest.mark.parametrize("rate", [0, -16_000, 999, 10**9])
def test_an_impossible_rate_is_refused_with_the_fix(rate):
    for refused in (
        lambda: convert(Audio(np.zeros(9, np.float32), rate), RATE),
        lambda: convert(Audio(np.zeros(9, np.float32), RATE), rate),
        lambda: Resampler(rate, RATE),
        lambda: Resampler(RATE, rate),
    ):
        with pytest.raises(AudioError, match=rf"{rate} samples per second\. Use a rate between"):
            refused()


@pytest.mark.parametrize(
    ("dtype", "low", "zero", "high"),
    [
        (np.uint8, 0, 128, 255),
        (np.int16, -(2**15), 0, 2**15 - 1),
        (np.int32, -(2**31), 0, 2**31 - 1),
        (np.float16, -1, 0, 1),
        (np.float32, -1, 0, 1),
        (np.float64, -1, 0, 1),
    ],
)
def test_each_number_format_keeps_its_own_full_scale(dtype, low, zero, high):
    samples = to_float(np.array([low, zero, high], dtype))
    assert samples.dtype == np.float32
    assert samples[0] == -1
    assert samples[1] == 0
    assert 0.99 <= samples[2] <= 1


@pytest.mark.parametrize("channels", [1, 2, 6, 11])
def test_channels_are_averaged(channels):
    each = np.arange(channels, dtype=np.float32) / channels
    samples = to_float(np.tile(each, (100, 1)))
    assert samples.shape == (100,)
    assert np.allclose(samples, each.mean())


def test_stereo_int16_at_full_scale_does_not_overflow():
    assert np.array_equal(to_float(np.full((4, 2), -32768, np.int16)), np.full(4, -1, np.float32))


@given(arrays.arrays(np.int16, st.integers(0, 300)))
def test_16_bit_sound_survives_the_way_there_and_back(numbers):
    assert np.array_equal(to_int16(to_float(numbers)), numbers)


FORMATS = st.sampled_from([np.uint8, np.int16, np.int32, np.float16, np.float32, np.float64])


@given(
    FORMATS.flatmap(
        lambda dtype: arrays.arrays(dtype, st.tuples(st.integers(0, 99), st.integers(1, 11)))
    )
)
def test_live_sound_of_any_format_becomes_finite_mono_in_range(array):
    samples = to_float(array, live=True)
    assert samples.shape == (len(array),)
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()
    assert (np.abs(samples) <= 1).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_values_that_are_not_numbers_are_refused_and_in_live_sound_are_silence(bad):
    sound = np.array([0.5, bad, -0.5])
    with pytest.raises(AudioError, match=r"not numbers.*Export it again"):
        to_float(sound)
    assert np.array_equal(to_float(sound, live=True), np.array([0.5, 0, -0.5], np.float32))
    stereo = np.array([[0.5, bad], [0.5, 0.5]])
    assert np.array_equal(to_float(stereo, live=True), np.array([0.25, 0.5], np.float32))


def test_int16_is_silent_where_sound_is_no_number_and_full_where_it_is_too_loud():
    sound = np.array([np.nan, np.inf, 2.0, -2.0], np.float32)
    assert to_int16(sound).tolist() == [0, 0, 32767, -32768]


@pytest.mark.parametrize("array", [np.zeros((2, 3, 4)), np.array(1.0), np.zeros((5, 0))])
def test_a_shape_that_is_no_sound_is_refused(array):
    with pytest.raises(AudioError, match="Give it as"):
        to_float(array)


def test_a_number_format_that_is_no_sound_is_refused():
    for array in (np.array(["a"]), np.array([True]), np.array([1j])):
        with pytest.raises(AudioError, match="Use int16"):
            to_float(array)
