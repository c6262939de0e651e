"""What loudspeakers play, when, and how they count it."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_convert import sine, sweep

from voice_kit.audio.convert import convert
from voice_kit.audio.protocols import Playback, Speaker
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.audio.tape import RAMP, Tape
from voice_kit.converse.virtual import run
from voice_kit.errors import AudioError
from voice_kit.types import Audio

CARD = 24_000


def counting(seconds: float, rate: int = CARD, first: int = 1) -> Audio:
    """Sound in which every sample says which one it is."""
    numbers = np.arange(first, first + round(seconds * rate), dtype=np.float32)
    return Audio(numbers / 2**20, rate)


def numbers(samples) -> list[int]:
    return (np.asarray(samples) * 2**20).astype(int).tolist()


def taken(tape: Tape, sizes: list[int]) -> np.ndarray:
    """Everything on the tape, in blocks of these sizes."""
    parts = []
    while not tape.drained:
        parts += [tape.take(size) for size in sizes]
    return np.concatenate(parts)


# The tape


def test_pieces_are_heard_one_after_the_other_without_a_gap():
    tape = Tape(CARD)
    tape.add(counting(0.01))
    tape.add(counting(0.01, first=241))
    assert numbers(tape.take(1000)) == list(range(1, 481))
    assert tape.drained
    assert tape.played == tape.given == pytest.approx(0.02)


def test_a_tape_gives_less_when_it_has_no_more_and_goes_on_with_what_comes():
    tape = Tape(CARD)
    assert len(tape.take(10)) == 0
    tape.add(counting(0.01))
    assert len(tape.take(1000)) == 240
    tape.add(counting(0.01, first=241))
    assert numbers(tape.take(3)) == [241, 242, 243]


@settings(deadline=None)
@given(
    rate=st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000]),
    cuts=st.lists(st.floats(0, 1), max_size=5),
    sizes=st.lists(st.integers(1, 2_000), min_size=1, max_size=5),
)
def test_a_sound_given_in_pieces_is_converted_as_one(rate, cuts, sizes):
    audio = sweep(rate, seconds=0.2)
    tape = Tape(CARD)
    for piece in np.split(audio.samples, sorted(int(cut * len(audio.samples)) for cut in cuts)):
        tape.add(Audio(piece, rate))
    heard = taken(tape, sizes)
    whole = convert(audio, CARD).samples
    assert heard.shape == whole.shape
    assert np.abs(heard - whole).max() < 1e-4
    assert tape.played == tape.given == pytest.approx(0.2)


def test_the_rate_may_change_on_the_way():
    tape = Tape(CARD)
    parts = [sine(16_000), sine(48_000), sine(CARD)]
    for part in parts:
        tape.add(part)
    heard = taken(tape, [480])
    whole = np.concatenate([convert(part, CARD).samples for part in parts])
    assert np.abs(heard - whole).max() < 1e-5
    assert tape.played == tape.given == pytest.approx(1.5)


def test_a_long_sound_is_converted_only_as_far_as_it_is_needed():
    tape = Tape(48_000)
    tape.add(sine(16_000, seconds=60))
    assert len(tape.take(480)) == 480
    assert sum(len(part) for part in tape._ready) < 48_000 * 0.1


def test_played_counts_seconds_of_what_was_given():
    tape = Tape(48_000)
    tape.add(sine(16_000, seconds=1.0))
    for block in range(1, 101):
        tape.take(480)
        assert tape.played == pytest.approx(block / 100)


def test_after_a_pause_it_goes_on_from_the_very_sample():
    tape = Tape(CARD)
    tape.add(counting(0.1))
    assert numbers(tape.take(3)) == [1, 2, 3]
    tape.pause()
    tape.pause()
    assert len(tape.take(100)) == 0
    assert tape.idle
    assert tape.played == pytest.approx(3 / CARD)
    tape.go_on()
    assert not tape.idle
    assert numbers(tape.take(3)) == [4, 5, 6]


def test_a_fading_pause_does_not_click_and_loses_no_sample():
    tape = Tape(CARD, fade=0.005)
    tape.add(sine(CARD, hertz=1000))
    before = tape.take(500)
    tape.pause()
    fading = np.concatenate([tape.take(50), tape.take(50), tape.take(500)])
    assert len(fading) == 120
    assert tape.played == pytest.approx(500 / CARD)
    tape.go_on()
    after = tape.take(1000)
    whole = sine(CARD, hertz=1000).samples
    step = np.abs(np.diff(whole)).max()
    joined = np.concatenate([before, fading, np.zeros(9), after])
    assert np.abs(np.diff(joined)).max() < step * 1.1
    ramp = round(RAMP * CARD)
    assert np.allclose(after[ramp:], whole[500 + ramp : 1500])


def test_a_pause_that_ends_at_once_was_never_there():
    tape = Tape(CARD, fade=0.005)
    tape.add(counting(0.1))
    tape.take(3)
    tape.pause()
    tape.go_on()
    assert numbers(tape.take(500)) == list(range(4, 504))


def test_stop_is_for_good_and_keeps_the_count():
    tape = Tape(CARD)
    tape.add(counting(0.1))
    tape.take(240)
    tape.stop()
    tape.go_on()
    tape.add(counting(0.1))
    assert len(tape.take(100)) == 0
    assert tape.played == pytest.approx(0.01)


def test_stop_fades_within_its_time_when_the_sound_was_loud():
    tape = Tape(CARD, fade=0.005)
    tape.add(Audio(np.ones(CARD, np.float32), CARD))
    tape.take(240)
    tape.stop()
    fading = tape.take(1000)
    assert len(fading) == 120
    assert np.abs(np.diff(np.concatenate([[1.0], fading, [0.0]]))).max() < 0.02


def test_ducking_reaches_its_level_without_a_jump():
    tape = Tape(CARD)
    tape.add(Audio(np.ones(CARD, np.float32), CARD))
    tape.take(10)
    tape.duck(0.25)
    softer = tape.take(1000)
    assert np.abs(np.diff(np.concatenate([[1.0], softer]))).max() < 0.005
    assert np.allclose(softer[round(RAMP * CARD) :], 0.25)
    tape.duck(1.0)
    louder = tape.take(1000)
    assert np.abs(np.diff(np.concatenate([[0.25], louder]))).max() < 0.005
    assert np.allclose(louder[round(RAMP * CARD) :], 1.0)


def test_ducking_before_the_first_sound_holds_from_the_first_sample():
    tape = Tape(CARD)
    tape.duck(0.5)
    tape.add(Audio(np.ones(CARD, np.float32), CARD))
    assert np.allclose(tape.take(100), 0.5)


@pytest.mark.parametrize(("asked", "level"), [(-1.0, 0.0), (7.0, 1.0)])
def test_a_level_stays_between_silence_and_all(asked, level):
    tape = Tape(CARD)
    tape.duck(asked)
    tape.add(Audio(np.ones(CARD, np.float32), CARD))
    assert np.allclose(tape.take(10), level)


def test_sound_that_is_no_number_is_silence_and_an_impossible_rate_is_refused():
    tape = Tape(CARD)
    tape.add(Audio(np.array([0.5, np.nan, 9.0], np.float32), CARD))
    assert tape.take(3).tolist() == [0.5, 0, 1]
    with pytest.raises(AudioError, match="0 samples per second"):
        tape.add(Audio(np.zeros(9, np.float32), 0))


# The pretended sound card, on a virtual clock


class Scene:
    """A `SilentSpeaker` and one playback, in virtual time that starts at `origin`."""

    def __init__(self, **options) -> None:
        self.loop = asyncio.get_running_loop()
        self.origin = self.loop.time()
        self.speaker: Speaker = SilentSpeaker(CARD, **options)
        self.starts: list[float] = []
        self.playback: Playback = self.speaker.open(self.started)

    def started(self, at: float) -> None:
        self.starts.append(at - self.origin)

    @property
    def now(self) -> float:
        return self.loop.time() - self.origin

    def rendered(self, seconds: float) -> np.ndarray:
        return self.speaker.rendered(self.origin, seconds).samples


def scene(play):
    """Run it on a clock that leaps over every wait."""
    return run(play(), fast=True)


def test_what_was_played_is_rendered_at_its_time_with_silence_elsewhere():
    async def play():
        here = Scene()
        await asyncio.sleep(1.0)
        here.playback.play(counting(0.5))
        await here.playback.finished()
        assert here.now == pytest.approx(1.5, abs=1e-4)
        assert here.starts == pytest.approx([1.0])
        await asyncio.sleep(1.0)
        sound = here.rendered(2.0)
        assert len(sound) == 2 * CARD
        assert np.flatnonzero(sound)[0] == CARD
        assert numbers(sound[CARD : CARD + CARD // 2]) == list(range(1, CARD // 2 + 1))
        assert not sound[CARD + CARD // 2 :].any()
        assert not here.speaker.rendered(here.origin + 9, 1.0).samples.any()

    scene(play)


def test_heard_grows_with_time_and_never_beyond_what_was_given():
    async def play():
        here = Scene()
        assert here.playback.heard == 0
        here.playback.play(sine(16_000, seconds=1.0))
        await asyncio.sleep(0.25)
        assert here.playback.heard == pytest.approx(0.25, abs=1e-4)
        await asyncio.sleep(5)
        assert here.playback.heard == 1.0
        here.playback.play(sine(16_000, seconds=1.0))  # late: after a silence
        await asyncio.sleep(0.5)
        assert here.playback.heard == pytest.approx(1.5, abs=1e-4)
        assert here.starts == [0]

    scene(play)


def test_finished_waits_through_a_pause_and_the_sound_goes_on_from_its_place():
    async def play():
        here = Scene()
        here.playback.play(counting(1.0))
        here.loop.call_later(0.25, here.playback.pause)
        here.loop.call_later(7.25, here.playback.go_on)
        await here.playback.finished()
        assert here.now == pytest.approx(8.0, abs=1e-4)
        sound = here.rendered(8.0)
        quarter, late = CARD // 4, int(7.25 * CARD)
        assert numbers(sound[:quarter]) == list(range(1, quarter + 1))
        assert not sound[quarter + 1 : late - 1].any()
        assert numbers(sound[np.flatnonzero(sound)]) == list(range(1, CARD + 1))

    scene(play)


def test_stop_is_silence_from_that_sample_on_and_ends_the_waiting():
    async def play():
        here = Scene()
        here.playback.play(counting(1.0))
        here.loop.call_later(0.5, here.playback.stop)
        await here.playback.finished()
        assert here.now == pytest.approx(0.5)
        assert here.playback.heard == pytest.approx(0.5, abs=1e-4)
        assert await here.playback.settled() == here.playback.heard
        here.playback.play(counting(1.0))
        here.playback.go_on()
        await here.playback.finished()
        await asyncio.sleep(3)
        assert abs(np.count_nonzero(here.rendered(4.0)) - CARD // 2) <= 1

    scene(play)


def test_ducking_is_heard_from_its_moment_on():
    async def play():
        here = Scene()
        here.playback.play(Audio(np.full(CARD, 0.5, np.float32), CARD))
        here.loop.call_later(0.5, here.playback.duck, 0.5)
        await here.playback.finished()
        sound = here.rendered(1.0)
        assert np.allclose(sound[: CARD // 2], 0.5)
        assert np.allclose(sound[CARD // 2 + round(RAMP * CARD) :], 0.25)

    scene(play)


def test_finished_waits_only_for_what_was_given_so_far():
    async def play():
        here = Scene()
        await here.playback.finished()
        here.playback.play(counting(1.0))
        here.loop.call_later(0.5, here.playback.play, counting(1.0))
        await here.playback.finished()
        assert here.now == pytest.approx(1.0, abs=1e-4)
        await here.playback.finished()
        assert here.now == pytest.approx(2.0, abs=1e-4)

    scene(play)


def test_a_sound_paused_before_it_began_starts_when_it_goes_on():
    async def play():
        here = Scene()
        here.playback.pause()
        here.playback.play(counting(1.0))
        await asyncio.sleep(1.0)
        assert here.starts == []
        here.playback.go_on()
        here.playback.pause()
        await asyncio.sleep(1.0)
        assert here.starts == []
        here.playback.go_on()
        await asyncio.sleep(0.1)
        here.playback.pause()
        here.playback.go_on()
        await here.playback.finished()
        assert here.starts == [2.0]

    scene(play)


def test_a_sound_stopped_in_the_moment_it_was_given_never_started():
    async def play():
        here = Scene()
        here.playback.play(counting(1.0))
        here.playback.stop()
        await asyncio.sleep(1.0)
        assert here.starts == []
        assert here.playback.heard == 0

    scene(play)


def test_two_playbacks_are_mixed():
    async def play():
        here = Scene()
        here.playback.play(Audio(np.full(CARD, 0.25, np.float32), CARD))
        other = here.speaker.open(here.started)
        other.play(Audio(np.full(CARD, 0.5, np.float32), CARD))
        await other.finished()
        assert np.allclose(here.rendered(1.0), 0.75)

    scene(play)


def test_everyone_who_waits_for_the_end_is_told():
    async def play():
        here = Scene()
        here.playback.play(counting(1.0))
        here.loop.call_later(0.5, here.playback.stop)
        await asyncio.gather(*(here.playback.finished() for _ in range(3)))
        assert here.now == pytest.approx(0.5)

    scene(play)


def test_it_plays_on_a_real_clock_too():
    async def play():
        here = Scene()
        here.playback.play(counting(0.05))
        await here.playback.finished()
        assert here.now >= 0.05 - 1e-3
        assert here.playback.heard == pytest.approx(0.05)

    asyncio.run(play())
