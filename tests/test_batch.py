"""Conversations that share a detector: whose frames wait for whose, and who gets which answer."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import Scene

from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.line import Line
from voice_kit.converse.virtual import run
from voice_kit.engines import make
from voice_kit.hear.batch import WAIT, Batch, Heard
from voice_kit.hear.detection import Detection, probabilities
from voice_kit.settings import Settings
from voice_kit.sounds import clip
from voice_kit.types import FRAME, RATE, Audio, Failed, FrameHeard, TurnFinished
from voice_kit.workshop.fakes import Script, scripted

FRAME_SECONDS = 0.032


class Remembering:
    """Mixes each frame with what it remembers, so that no answer fits another stream or frame."""

    name = "remembering"
    direct = True

    def __init__(self, fails=()):
        self.batches = []
        self.fails = list(fails)

    def start(self):
        return np.float32(0)

    def detect(self, frames, states):
        self.batches.append((now(), len(frames)))
        if self.fails and self.fails.pop(0):
            raise ArithmeticError("broken")
        after = [state / 2 + frame[0] for frame, state in zip(frames, states, strict=True)]
        return np.array(after, np.float32), after

    @property
    def sizes(self):
        return [size for _, size in self.batches]


def now():
    try:
        return round(asyncio.get_running_loop().time(), 6)
    except RuntimeError:
        return None


def frame(value):
    return np.full((1, FRAME), value, np.float32)


async def answered(result):
    return await result if asyncio.isfuture(result) else result


async def deliver(batch, arrivals, value=1.0):
    """Frames of one stream at these times. Gives back each chance, and when it was known."""
    loop, state, answers = asyncio.get_running_loop(), batch.start(), []
    for number, at in enumerate(arrivals):
        await asyncio.sleep(max(0.0, at - loop.time()))
        result = batch.detect(frame(value * (number + 1)), [state])
        (chance,), (state,) = await answered(result)
        answers.append((float(chance), now()))
    return answers


def ticks(count, first=0.1):
    return [first + n * FRAME_SECONDS for n in range(count)]


def together(batch, *streams):
    """All of these streams, each a list of arrivals, on one virtual clock."""

    async def all_of_them():
        deliveries = [deliver(batch, times, n + 1) for n, times in enumerate(streams)]
        return await asyncio.gather(*deliveries)

    return run(all_of_them(), fast=True)


def delays(answers, arrivals):
    return [round(at - due, 6) for (_, at), due in zip(answers, arrivals, strict=True)]


# Who waits for whom


def test_one_stream_is_computed_at_once_and_without_a_future():
    async def one():
        batch, state = Batch(Remembering()), None
        for _ in range(5):
            result = batch.detect(frame(1), [state or batch.start()])
            assert isinstance(result, tuple)
            state = result[1][0]
            await asyncio.sleep(FRAME_SECONDS)

    run(one(), fast=True)


def test_streams_in_step_are_computed_together_and_wait_for_nothing():
    detector = Remembering()
    answers = together(Batch(detector), *[ticks(6)] * 4)
    assert detector.sizes == [1, 3] + [4] * 5  # the first one knew of no other
    assert all(delays(each, ticks(6)) == [0] * 6 for each in answers)


def test_streams_in_step_are_computed_together_on_a_busy_loop_too():
    """Late together, they must not be computed one by one: that would make them later still."""
    detector = Remembering()
    late = [at + (0.024 if n % 2 else 0) for n, at in enumerate(ticks(8))]
    together(Batch(detector), *[late] * 4)
    assert detector.sizes == [1, 3] + [4] * 7


def test_a_batch_is_computed_with_the_last_one_that_is_due():
    detector = Remembering()
    first, second, third = (ticks(5, 0.1 + late) for late in (0, 0.002, 0.004))
    answers = together(Batch(detector), first, second, third)
    assert detector.sizes == [1] * 3 + [3] * 4
    assert delays(answers[0], first) == [0, *[0.004] * 4]
    assert delays(answers[1], second) == [0, *[0.002] * 4]
    assert delays(answers[2], third) == [0] * 5


def test_streams_out_of_step_do_not_wait_for_each_other():
    detector = Remembering()
    first, second = ticks(5), ticks(5, 0.116)
    answers = together(Batch(detector), first, second)
    assert detector.sizes == [1] * 10
    assert delays(answers[0], first) == delays(answers[1], second) == [0] * 5


def test_many_streams_at_any_time_share_batches():
    detector = Remembering()
    arrivals = [ticks(20, 0.1 + n * FRAME_SECONDS / 100) for n in range(100)]
    answers = together(Batch(detector), *arrivals)
    assert len(detector.batches) < 100 + 19 * 8, "the first frames, then 7 or 8 batches a tick"
    for each, due in zip(answers, arrivals, strict=True):
        assert max(delays(each, due)) <= WAIT + 1e-6


def test_a_late_frame_is_waited_for_five_milliseconds_and_no_longer():
    detector = Remembering()
    first, second = ticks(6), ticks(6)
    second[2] += 0.02
    answers = together(Batch(detector), first, second)
    assert delays(answers[0], first) == [0, 0, WAIT, 0, 0, 0]
    assert delays(answers[1], second) == [0] * 6
    assert detector.sizes == [1, 1, 2, 1, 1, 2, 2, 2]


def test_a_stream_that_is_over_delays_the_others_once():
    first, second, over = ticks(8), ticks(8), ticks(3)
    answers = together(Batch(Remembering()), first, second, over)
    assert delays(answers[0], first) == [0, 0, 0, WAIT, 0, 0, 0, 0]
    assert delays(answers[1], second) == delays(answers[0], first)


def test_a_stream_that_was_muted_is_waited_for_again_once_it_is_back():
    detector = Remembering()
    muted = ticks(3) + ticks(4, 0.1 + 20 * FRAME_SECONDS)
    answers = together(Batch(detector), ticks(30), muted)
    assert sum(delays(answers[0], ticks(30))) == pytest.approx(2 * WAIT), "for each silence"
    assert detector.sizes.count(2) == 2 + 4


def test_nothing_of_many_streams_that_are_over_is_kept():
    batch = Batch(Remembering())
    together(batch, *[ticks(2)] * 50)
    together(batch, ticks(9))
    assert len(batch._punctual) == 1
    assert not batch._waiting


# Who gets which answer


def test_each_stream_gets_its_own_answers():
    answers = together(Batch(Remembering()), *[ticks(6)] * 5)
    alone = [together(Batch(Remembering()), [], *[[]] * n, ticks(6))[-1] for n in range(5)]
    for stream, (got, _) in enumerate(zip(answers, alone, strict=True)):
        expected, state = [], 0.0
        for number in range(6):
            state = state / 2 + (stream + 1) * (number + 1)
            expected.append(state)
        assert [chance for chance, _ in got] == pytest.approx(expected)


moments = st.lists(st.floats(0.0, 0.05), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(moments, min_size=1, max_size=6))
def test_together_is_one_by_one_whenever_frames_come(gaps):
    arrivals = [np.cumsum(each).tolist() for each in gaps]
    answers = together(Batch(Remembering()), *arrivals)
    for stream, (got, due) in enumerate(zip(answers, arrivals, strict=True)):
        detector, state, at = Remembering(), np.float32(0), 0.0
        for number, (chance, known) in enumerate(got):
            (alone,), (state,) = detector.detect(frame((stream + 1) * (number + 1)), [state])
            assert chance == alone
            assert known <= max(at, due[number]) + WAIT + 1e-5
            at = known


def test_a_state_can_be_kept_and_passed_again():
    async def twice():
        batch = Batch(Remembering())
        start = batch.start()
        _, (kept,) = await answered(batch.detect(frame(3), [start]))
        both = [batch.detect(frame(4), [kept]), batch.detect(frame(4), [kept])]
        return [(await answered(each))[0][0] for each in both]

    assert run(twice(), fast=True) == [5.5, 5.5]


# What can go wrong


def test_a_detector_that_fails_fails_for_everyone_who_waits_and_then_goes_on():
    async def scene():
        batch = Batch(Remembering([False, False, True]))
        states = [batch.start(), batch.start()]
        for _ in range(3):
            results = [batch.detect(frame(1), [state]) for state in states]
            outcomes = await asyncio.gather(*map(answered, results), return_exceptions=True)
            yield [type(outcome) for outcome in outcomes]
            await asyncio.sleep(FRAME_SECONDS)

    async def collected():
        return [kinds async for kinds in scene()]

    assert run(collected(), fast=True) == [[tuple] * 2, [ArithmeticError] * 2, [tuple] * 2]


def test_who_no_longer_waits_is_left_out():
    async def scene():
        detector = Remembering()
        batch = Batch(detector)
        states = [batch.start() for _ in range(3)]
        for state in states:
            batch.detect(frame(1), [state])
        await asyncio.sleep(FRAME_SECONDS)
        gone, stays = (batch.detect(frame(2), [state]) for state in states[:2])
        gone.cancel()
        chances, _ = await stays
        assert chances[0] == 2
        assert detector.sizes == [1, 2, 1]
        gone = batch.detect(frame(2), [states[0]])
        await asyncio.sleep(FRAME_SECONDS)
        lonely = [batch.detect(frame(2), [state]) for state in states[:1]]
        for each in filter(asyncio.isfuture, [gone, *lonely]):
            each.cancel()
        await asyncio.sleep(1)
        assert not batch._waiting

    run(scene(), fast=True)


def test_what_another_event_loop_left_waiting_is_forgotten():
    batch = Batch(Remembering())

    async def leave():
        states = [batch.start(), batch.start()]
        for state in states:
            batch.detect(frame(1), [state])
        await asyncio.sleep(FRAME_SECONDS)
        assert asyncio.isfuture(batch.detect(frame(1), [states[0]]))

    run(leave(), fast=True)
    assert [at for _, at in together(batch, ticks(3))[0]] == pytest.approx(ticks(3))


def test_outside_of_an_event_loop_and_for_several_frames_it_is_the_detector_itself():
    batch = Batch(Remembering())
    chances, states = batch.detect(np.concatenate([frame(1), frame(2)]), [batch.start()] * 2)
    assert chances.tolist() == [1, 2]
    assert all(isinstance(state, Heard) for state in states)
    assert Detection(batch).probability(frame(3)[0]) == 3


def test_it_is_as_direct_as_what_it_stands_before():
    slow = Remembering()
    slow.direct = False
    assert Batch(Remembering()).direct
    assert not Batch(slow).direct
    assert Batch(slow).name == "remembering"


# In conversations


class Talks:
    """Several conversations on one clock that share a detector."""

    def __init__(self, count, detector):
        self.detector = detector
        self.batch = Batch(detector)
        self.events = [[] for _ in range(count)]
        run(self._all(), fast=True)

    async def _all(self):
        await asyncio.gather(*map(self._one, range(len(self.events))))

    async def _one(self, number):
        script = Script()
        engines = scripted(script)
        engines.vad.current = self.batch
        sound = script.sound(0.3, ("hello", 0.6), 0.2 * number, ("there", 0.3), 3.0)
        watch = [self.events[number].append]
        speaker = SilentSpeaker(16_000)
        async with Conversation(engines, speaker, Settings(), observers=watch) as talk:
            await talk.listen(FileMicrophone(sound))


class Loud(Remembering):
    """Hears loudness, as the conversations' own detector does."""

    def detect(self, frames, states):
        super().detect(frames, [np.float32(0)] * len(frames))
        return np.mean(np.abs(frames) > 0.001, axis=1).astype(np.float32), list(states)


def test_conversations_that_share_a_detector_are_as_if_each_had_its_own():
    talks = Talks(5, Loud())
    assert max(talks.detector.sizes) == 5
    for number, events in enumerate(talks.events):
        script = Script()
        own = Scene(script, 0.3, ("hello", 0.6), 0.2 * number, ("there", 0.3), 3.0)
        happened, alone = (
            [type(event) for event in each if not isinstance(event, FrameHeard)]
            for each in (events, own.events)
        )
        assert len(happened) > 10
        assert happened == alone


def test_conversations_go_on_when_the_shared_detector_fails_once():
    talks = Talks(3, Loud([False] * 9 + [True]))
    for events in talks.events:
        assert sum(isinstance(event, Failed) for event in events) == 1
        assert any(isinstance(event, TurnFinished) for event in events)


def test_a_real_network_in_a_batch_says_what_it_says_alone():
    silero = make("vad", "silero", Settings())
    hiss = np.random.default_rng(1).normal(0, 1e-4, 60 * RATE).astype(np.float32)
    names = ["question_vad", "answer_yes", "noise_cough", "pause_timer"]
    clean = [clip(name).audio().samples for name in names]
    sounds = [Audio(each + hiss[: len(each)], RATE) for each in clean]
    batch = Batch(silero)

    async def listen(sound):
        state, chances = batch.start(), []
        async for each in FileMicrophone(sound):
            (chance,), (state,) = await answered(batch.detect(each[np.newaxis], [state]))
            chances.append(chance)
        return chances

    async def all_of_them():
        return await asyncio.gather(*map(listen, sounds))

    for sound, chances in zip(sounds, run(all_of_them(), fast=True), strict=True):
        np.testing.assert_allclose(chances, probabilities(silero, sound), atol=1e-5)


def test_digital_silence_is_not_computed_and_nobody_waits_for_who_is_silent():
    detector = Remembering()
    batch = Batch(detector)

    async def scene():
        muted, state = batch.start(), batch.start()
        for at in ticks(3):
            await asyncio.sleep(at - asyncio.get_running_loop().time())
            (chance,), (muted,) = batch.detect(frame(0), [muted])
            assert chance == 0
            await asyncio.sleep(0.001)
            _, (state,) = batch.detect(frame(1), [state])

    run(scene(), fast=True)
    assert detector.sizes == [1, 1, 1]


def test_a_backlog_is_worked_off_in_batches_without_a_wait():
    detector = Remembering()
    sounds = [[0.1, 0.9] + [0.9] * 24 for _ in range(3)]
    answers = together(Batch(detector), *sounds)
    assert [at for of_one in answers for _, at in of_one[2:]] == pytest.approx([0.9] * 72)
    assert detector.sizes[-20:] == [3] * 20


def test_the_line_of_detectors_names_the_one_behind_the_batch():
    assert Line("vad", Batch(Remembering())).name == "remembering"
