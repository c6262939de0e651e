"""Several sounds at once: each has the words that it has alone, whatever happens to the others."""

import asyncio
import json
import threading
from functools import cache

import numpy as np
import pytest
import tiny_whisper
from helpers_hear import SHARED, sounds, voice

from voice_kit.converse.steps import call
from voice_kit.errors import EngineFailedError
from voice_kit.hear import stt_whisper
from voice_kit.hear.stt_whisper import FasterWhisper
from voice_kit.hear.stt_whisper_batch import Batched
from voice_kit.serve.ray_app import ONGOING, ongoing
from voice_kit.settings import Settings
from voice_kit.sounds import clip
from voice_kit.types import RATE, Audio
from voice_kit.workshop import bench_batch

pytestmark = [pytest.mark.models, pytest.mark.needs("torch")]
PATIENCE = 30
"""Seconds; nothing here takes as long."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    pytest.importorskip("transformers", reason="no transformers in this Python: run make test")
    return tiny_whisper.make(tmp_path_factory.mktemp("whisper"), seed=4)


@cache
def one_by_one(folder, **options):
    return whisper(folder, batch=1, **options)


def whisper(folder, **options):
    options = {"filtered": False, **options}
    engine = FasterWhisper(model=str(folder), device="cpu", **options)
    engine._model.max_length = 64  # tokens: random weights seldom find an end
    return engine


def hiss(seconds=2.0, seed=0, rate=RATE):
    random = np.random.default_rng(seed)
    return Audio(random.normal(0, 0.1, round(seconds * rate)).astype(np.float32), rate)


SOUNDS = [
    clip("free_book").audio(),
    hiss(1.5),
    hiss(40, seed=1),  # longer than a window
    voice(2, 48_000),
    clip("answer_yes").audio(),
    hiss(5, seed=2),
]
"""In each of these the tiny Whisper hears something else."""


class Gate:
    """A network that computes nothing before it is opened, and fails when it is told to."""

    def __init__(self, network, fails=lambda features: None):
        self.network, self.fails = network, fails
        self.open = threading.Event()
        self.reached = threading.Event()
        self.batches = []

    def __getattr__(self, name):
        return getattr(self.network, name)

    def encode(self, features, to_cpu=False):
        self.reached.set()
        assert self.open.wait(PATIENCE)
        self.batches.append(np.array(features))
        self.fails(self.batches[-1])
        return self.network.encode(features, to_cpu=to_cpu)


def gated(folder, fails=lambda features: None, **options):
    """An engine, and the gate of its network."""
    engine = whisper(folder, **options)
    batched = engine._model.model
    assert isinstance(batched, Batched)
    batched._network = Gate(batched._network, fails)
    return engine, batched._network


def wait_for(engine, many):
    """Until so many sounds wait for the network."""
    batched = engine._model.model
    with batched._changed:
        assert batched._changed.wait_for(lambda: len(batched._waiting) == many, PATIENCE)


class Caller(threading.Thread):
    """Somebody who has a sound transcribed."""

    def __init__(self, engine, audio):
        super().__init__(daemon=True)
        self.engine, self.audio = engine, audio
        self.found = self.problem = None
        self.start()

    def run(self):
        try:
            self.found = self.engine.transcribe(self.audio)
        except BaseException as error:
            self.problem = error

    def over(self):
        self.join(PATIENCE)
        assert not self.is_alive()
        return self


def together(engine, gate, audios):
    """Callers whose sounds gather while the network is busy with somebody else's."""
    Caller(engine, hiss(0.5, seed=99))
    assert gate.reached.wait(PATIENCE)
    callers = []
    for audio in audios:
        callers.append(Caller(engine, audio))
        wait_for(engine, len(callers))
    gate.open.set()
    return [caller.over() for caller in callers]


@pytest.mark.parametrize("options", [{}, {"words": True}, {"beam": 3}, {"language": "fr"}], ids=str)
def test_sounds_that_are_computed_at_once_have_the_words_that_each_has_alone(tiny, options):
    engine, gate = gated(tiny, batch=8, **options)
    found = [caller.found for caller in together(engine, gate, SOUNDS)]
    alone = one_by_one(tiny, **options)
    assert found == [alone.transcribe(sound) for sound in SOUNDS]
    assert engine.batches[len(SOUNDS)] >= 1
    if not options:  # each processor rounds its own way: two may have the same, not most
        assert len({transcript.text for transcript in found}) > len(SOUNDS) / 2
    if options.get("words"):
        assert all(transcript.words for transcript in found)


def test_how_long_each_sound_waited_for_the_network_is_told(tiny):
    engine, gate = gated(tiny, batch=8)
    engine.waited = (told := []).append
    together(engine, gate, [hiss(0.5, seed=number) for number in range(3)])
    assert len(told) == 4 and 0 <= told[0] < min(told[1:])


def test_what_people_say_has_the_same_words_too(tiny):
    spoken = sounds(SHARED / "speech", "cards-*.wav", "LJ001-000[1-3].flac", "jfk.flac")
    audios = list(spoken.values())
    assert len(audios) > 8
    engine, gate = gated(tiny, batch=8, words=True)
    found = [caller.found for caller in together(engine, gate, audios)]
    assert found == [one_by_one(tiny, words=True).transcribe(audio) for audio in audios]
    assert engine.batches[8] >= 1


def test_inventions_are_left_out_of_each_by_its_own_sound(tiny):
    engine, gate = gated(tiny, batch=4, filtered=True)
    found = [caller.found for caller in together(engine, gate, SOUNDS[:4])]
    assert found == [one_by_one(tiny, filtered=True).transcribe(sound) for sound in SOUNDS[:4]]


def test_who_comes_alone_is_computed_at_once_and_alone(tiny):
    engine = whisper(tiny, batch=8)
    assert engine.transcribe(voice(2)) == one_by_one(tiny).transcribe(voice(2))
    assert set(engine.batches) == {1}


def test_no_more_are_computed_at_once_than_it_was_told_and_who_came_first_is_first(tiny):
    engine, gate = gated(tiny, batch=2)
    callers = together(engine, gate, SOUNDS[:2] + SOUNDS[3:])
    assert all(caller.found.text for caller in callers)
    assert max(engine.batches) == 2
    first = one_by_one(tiny)._model.feature_extractor(SOUNDS[0].samples)
    np.testing.assert_array_equal(gate.batches[1][0, :, :100], first[:, :100])


def test_one_at_a_time_is_one_at_a_time(tiny):
    engine = one_by_one(tiny)
    assert not isinstance(engine._model.model, Batched)
    assert not engine.batches


def test_a_sound_that_cannot_be_computed_fails_for_its_caller_alone(tiny, caplog):
    bad = voice(1, seed=5)
    marks = one_by_one(tiny)._model.feature_extractor(bad.samples)[:, :50]

    def refuse(features):
        if any(np.array_equal(each[:, :50], marks) for each in features):
            raise RuntimeError("cannot")

    engine, gate = gated(tiny, refuse, batch=8)
    first, failed, last = together(engine, gate, [SOUNDS[0], bad, SOUNDS[1]])
    assert isinstance(failed.problem, EngineFailedError)
    alone = one_by_one(tiny)
    assert [first.found, last.found] == [alone.transcribe(sound) for sound in SOUNDS[:2]]
    assert "cannot compute 3 sounds at once (RuntimeError)" in caplog.text
    assert engine.transcribe(SOUNDS[1]) == last.found  # and it goes on


def test_where_memory_is_too_small_for_several_each_is_computed_alone(tiny):
    def refuse(features):
        if len(features) > 1:
            raise RuntimeError("out of memory")

    engine, gate = gated(tiny, refuse, batch=8, words=True)
    found = [caller.found for caller in together(engine, gate, SOUNDS[:2])]
    assert found == [one_by_one(tiny, words=True).transcribe(sound) for sound in SOUNDS[:2]]


def test_an_answer_that_nobody_wants_any_more_does_not_spoil_those_beside_it(tiny):
    engine, gate = gated(tiny, batch=8)

    async def scene():
        async with asyncio.TaskGroup() as tasks:
            asked = [
                tasks.create_task(call("stt", engine, lambda s=sound: engine.transcribe(s), None))
                for sound in (hiss(0.5, seed=99), *SOUNDS[:3])
            ]
            await asyncio.to_thread(wait_for, engine, 3)
            asked[2].cancel()
            gate.open.set()
        assert asked[2].cancelled()
        return [asked[place].result() for place in (1, 3)]

    alone = one_by_one(tiny)
    assert asyncio.run(scene()) == [alone.transcribe(SOUNDS[place]) for place in (0, 2)]


def test_who_is_interrupted_while_it_computes_for_others_leaves_them_to_the_next(tiny):
    """As by Ctrl-C in a notebook, whose own thread may be the one that computes for all."""
    stopped = []

    def interrupt(features):
        if len(features) == 2 and not stopped:
            stopped.append(1)
            raise KeyboardInterrupt

    engine, gate = gated(tiny, interrupt, batch=2)
    callers = together(engine, gate, SOUNDS[:2])
    assert [type(caller.problem) for caller in callers].count(KeyboardInterrupt) == 1
    for caller, sound in zip(callers, SOUNDS, strict=False):
        if not caller.problem:
            assert caller.found == one_by_one(tiny).transcribe(sound)
    assert engine.transcribe(SOUNDS[0]).text


def test_batches_are_computed_side_by_side_where_there_are_several_workers(tiny):
    engine, gate = gated(tiny, batch=2, workers=2)
    callers = [Caller(engine, sound) for sound in (*SOUNDS, *SOUNDS)]
    gate.open.set()
    alone = one_by_one(tiny)
    expected = [alone.transcribe(sound) for sound in SOUNDS]
    assert [caller.over().found for caller in callers] == expected * 2


def test_a_replica_far_away_may_have_two_batches_under_way():
    many = Settings(stt="auto").changed({"options.whisper.batch": 20})
    assert ongoing("stt", many) == 40
    assert ongoing("stt", many.changed({"stt": "whisper:base"})) == 40
    assert ongoing("stt", many.changed({"stt": "sphinx"})) == ONGOING["stt"]
    assert ongoing("llm", many) == ONGOING["llm"]
    assert ONGOING["stt"] >= 2 * max(stt_whisper.BATCH.values())


def test_what_it_saves_is_measured(tiny, monkeypatch, capsys):
    monkeypatch.setattr(bench_batch, "BATCHES", (1, 2))
    monkeypatch.setattr(bench_batch, "ROUNDS", 2)
    bench_batch.main(str(tiny), "cpu")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["batch"] for row in rows] == [1, 2]
    assert all(row["same"] == row["of"] == 4 for row in rows)
    assert rows[1]["at_once"]["2"] >= 1
