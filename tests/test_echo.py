"""What the loudspeaker plays is told from somebody who speaks over it."""

import numpy as np
import pytest

from voice_kit.audio.convert import convert
from voice_kit.audio.echo import EchoGuard
from voice_kit.audio.echo_delay import EchoDelay
from voice_kit.audio.echo_filter import BLOCKS, EchoFilter
from voice_kit.sounds import clip
from voice_kit.types import FRAME, RATE

OURS = ("question_token", "question_voice", "question_language_model", "free_dinner") * 2
THEIRS = ("question_vad", "command_alarm", "free_train")


def sound(names):
    pieces = [convert(clip(name).audio(), RATE).samples for name in names]
    return np.concatenate(pieces)


def passed(played, heard):
    """Which frames pass."""
    guard, count = EchoGuard(), min(len(played), len(heard)) // FRAME
    places = [slice(at * FRAME, (at + 1) * FRAME) for at in range(count)]
    return np.array([np.any(guard.feed(heard[place], played[place])) for place in places])


def echo(played, decibels, delay):
    late = np.concatenate([np.zeros(round(delay * RATE), np.float32), played])[: len(played)]
    return (late * 10 ** (decibels / 20)).astype(np.float32)


@pytest.mark.parametrize("decibels", [-6, -12, -20])
@pytest.mark.parametrize("delay", [0.05, 0.15, 0.25])
def test_our_own_voice_does_not_pass(decibels, delay):
    played = sound(OURS)
    assert passed(played, echo(played, decibels, delay)).mean() < 0.05


@pytest.mark.parametrize("second", [-12, -13.5, -18])
def test_our_own_voice_does_not_pass_where_it_comes_from_two_loudspeakers(second):
    played = sound(OURS)
    heard = echo(played, -12, 0.1) + echo(played, second, 0.14)
    assert passed(played, heard).mean() < 0.05


@pytest.mark.parametrize("first", [0.05, 0.1])
@pytest.mark.parametrize("later", [0.2, 0.25])
def test_our_own_voice_does_not_pass_where_a_far_wall_gives_it_back_once_more(first, later):
    played, noise = sound(OURS)[: 4 * RATE], np.random.default_rng(1).standard_normal(4 * RATE)
    heard = echo(played, -12, first) + echo(played, -18, first + later)
    assert not passed(played, heard + 3e-4 * noise).any()


@pytest.mark.parametrize("seconds", [0.5, 0.6])
@pytest.mark.parametrize("decibels", [-6, -12])
def test_a_short_first_sentence_does_not_make_the_second_pass(seconds, decibels):
    ours, quiet = sound(OURS)[: 3 * RATE], np.zeros(round(0.35 * RATE), np.float32)
    first, second = np.split(ours, [round(seconds * RATE)])
    played = np.concatenate([first, quiet, second])
    noise = 3e-4 * np.random.default_rng(1).standard_normal(len(played))
    assert not passed(played, echo(played, decibels, 0.1) + noise).any()


def in_a_room(played):
    """What comes back of it in a room made of noise, from its first sound on."""
    noise = np.random.default_rng(1).standard_normal(3 * RATE)
    room = noise[: RATE // 4] * 10 ** (-7.5 * np.arange(RATE // 4) / RATE) * 0.05
    room[0] = 1.0
    return np.convolve(played, room).astype(np.float32)[: len(played)]


def spoken_over(decibels, into, seconds, delay=0.1, room=lambda played: played):
    """The share that passes of somebody, so loud against our echo, so far into what we say."""
    played = sound(OURS)
    heard = echo(room(played), -12, delay)
    theirs, first = sound(THEIRS)[: seconds * RATE], round(into * RATE)
    level = np.sqrt(np.square(heard).mean() / np.square(theirs).mean()) * 10 ** (decibels / 20)
    heard[first : first + len(theirs)] += theirs * level
    return passed(played, heard)[first // FRAME :][: len(theirs) // FRAME].mean()


@pytest.mark.parametrize("decibels", [0, 6])
def test_somebody_who_speaks_over_it_passes(decibels):
    assert spoken_over(decibels, 8, seconds=5) > 0.6


@pytest.mark.parametrize("decibels", [-6, 0])
def test_somebody_who_speaks_in_our_first_second_passes(decibels):
    assert spoken_over(decibels, 0.8, seconds=2) > 0.6


def test_somebody_who_speaks_while_we_get_to_know_a_room_passes():
    assert spoken_over(-6, 1.2, seconds=2, delay=0.2, room=in_a_room) > 0.9


@pytest.mark.parametrize("decibels", [-6, 0, 6])
def test_somebody_who_says_a_word_passes_again_when_they_go_on(decibels):
    """We fall silent as soon as they speak, as they do, and both go on."""
    ours, theirs = sound(OURS), sound(THEIRS)
    word, quiet = theirs[: RATE // 4], np.zeros(round(0.55 * RATE), np.float32)
    before, after = ours[: round(2.1 * RATE)], ours[round(2.1 * RATE) : 5 * RATE]
    played = np.concatenate([before, quiet[: round(0.45 * RATE)], after])
    heard = echo(played, -12, 0.1) + 3e-4 * np.random.default_rng(1).standard_normal(len(played))
    level = np.sqrt(np.square(heard).mean() / np.square(theirs).mean()) * 10 ** (decibels / 20)
    said = np.concatenate([word, quiet, quiet[: RATE // 20], theirs[RATE // 4 : 2 * RATE]]) * level
    heard[2 * RATE : 2 * RATE + len(said)] += said
    passes = passed(played, heard.astype(np.float32))
    assert passes[2 * RATE // FRAME :][: len(word) // FRAME].any(), "the word was not heard"
    last = (2 * RATE + len(said)) // FRAME
    assert passes[last - RATE // FRAME : last].mean() > 0.9


def left_by(learns, played, heard):
    """What this filter leaves of what was heard, in whole frames."""
    places = [slice(at, at + FRAME) for at in range(0, len(played) - FRAME + 1, FRAME)]
    return np.concatenate([learns.feed(heard[place], played[place]) for place in places])


def softer(left, heard):
    """By how many decibels."""
    return 10 * np.log10(np.square(heard).sum() / np.square(left).sum())


def test_a_second_of_an_echo_in_a_room_is_enough_to_take_most_of_it_out():
    played, noise = sound(OURS)[: 3 * RATE], np.random.default_rng(1).standard_normal(3 * RATE)
    heard = echo(in_a_room(played), -12, 0.1)
    left = left_by(EchoFilter(lambda power: None), played, heard + 3e-4 * noise)
    second = slice(round(1.1 * RATE), 2 * RATE)
    assert softer(left[second], heard[second]) > 14


def test_while_the_path_is_looked_for_again_what_was_known_is_taken_out():
    told = []
    learns, played = EchoFilter(told.append), sound(OURS)
    heard = echo(played, -12, 0.1)
    at = 3 * RATE // FRAME * FRAME
    left_by(learns, played[:at], heard[:at])
    assert told, "the path was never found: this tests nothing"
    learns.look_again()
    told.clear()
    soon = slice(at, at + 4 * FRAME)
    left = left_by(learns, played[soon], heard[soon])
    assert not told, "it was found at once: this tests nothing"
    assert softer(left, heard[soon]) > 10


def told_when_looked_for_again(*paths):
    """What is told each time that the path is looked for, in so many seconds of each (decibels,
    delay)."""
    told, played = [], sound(OURS)
    learns = EchoFilter(lambda power: told.append(power is None))
    for number, (decibels, delay) in enumerate(paths):
        place = slice(number * 94 * FRAME, (number + 1) * 94 * FRAME)
        left_by(learns, played[place], echo(played, decibels, delay)[place])
        learns.look_again()
    assert len(told) == len(paths), "the path was not found: this tests nothing"
    return told


def test_a_path_that_is_as_it_was_is_not_learnt_anew():
    assert told_when_looked_for_again((-12, 0.1), (-12, 0.1)) == [False, True]


@pytest.mark.parametrize("change", [(-8, 0.1), (-12, 0.13)])
def test_a_path_that_is_another_is_learnt_anew(change):
    assert told_when_looked_for_again((-12, 0.1), change) == [False, False]


def test_a_path_that_seems_as_it_was_is_learnt_anew_the_second_time():
    assert told_when_looked_for_again(*[(-12, 0.1)] * 3) == [False, True, False]


def delay_of(played, heard, seconds):
    """How loud each frame of the past is found to come back within so many seconds, and when."""
    finder, spectra = EchoDelay(BLOCKS), np.zeros((BLOCKS, FRAME + 1), np.complex64)
    for at in range(FRAME, round(seconds * RATE), FRAME):
        frame = np.pad(heard[at : at + FRAME], (FRAME, 0))
        spectra = np.roll(spectra, 1, axis=0)
        spectra[0] = np.fft.rfft(played[at - FRAME : at + FRAME])
        found = finder.feed(np.fft.rfft(frame), spectra)
        if found is not None:
            return found, at / RATE
    return None


@pytest.mark.parametrize("second", [-12, -13.5, -18])
@pytest.mark.parametrize("later", [0.04, 0.2])
def test_two_loudspeakers_are_found_as_soon_as_one(second, later):
    played, noise = sound(OURS), np.random.default_rng(1).standard_normal(8 * RATE)
    heard = echo(played, -12, 0.1) + echo(played, second, 0.1 + later)
    power, at = delay_of(played, heard[: 8 * RATE] + 3e-4 * noise, 2.0)
    assert np.argmax(power) in [delay * RATE // FRAME for delay in (0.1, 0.1 + later)]
    assert at <= 0.1 + later + 0.5


@pytest.mark.parametrize("decibels", [-6, -20])
@pytest.mark.parametrize("delay", [0.05, 0.15, 0.25])
def test_half_a_second_tells_when_our_voice_comes_back_and_how_loud(decibels, delay):
    played, noise = sound(OURS), np.random.default_rng(1).standard_normal(8 * RATE)
    heard = echo(played, decibels, delay)[: 8 * RATE] + 3e-4 * noise
    power, at = delay_of(played, heard, 2.0)
    assert np.argmax(power) == delay * RATE // FRAME
    assert 10 * np.log10(power.max()) == pytest.approx(decibels, abs=6)
    assert at <= delay + 0.5


def test_of_somebody_else_no_delay_is_found():
    theirs = sound(THEIRS)
    noise = 3e-4 * np.random.default_rng(1).standard_normal(len(theirs))
    assert delay_of(sound(OURS), theirs + noise, 5.0) is None


def test_without_a_loudspeaker_every_frame_passes_as_it_is():
    theirs, guard = sound(THEIRS), EchoGuard()
    quiet = np.zeros(FRAME, np.float32)
    for at in range(len(theirs) // FRAME):
        frame = theirs[at * FRAME : (at + 1) * FRAME]
        assert np.array_equal(guard.feed(frame, quiet), frame)
