"""Engines in a Ray cluster on this machine: they answer, end when they are told to, and may die."""

import asyncio
import os
import sys
from contextlib import aclosing, suppress
from pathlib import Path

import pytest
import tiny_whisper

pytest.importorskip("ray", reason="no ray in this Python: run make test")

from voice_kit.converse.steps import as_failure
from voice_kit.errors import EngineFailedError, VoiceKitError
from voice_kit.hear.stt_whisper import FasterWhisper
from voice_kit.serve.config import Serve
from voice_kit.serve.ray_app import Replica, ReplicaError, ongoing
from voice_kit.serve.ray_cluster import ENVIRONMENT
from voice_kit.serve.ray_engines import RayModel, RayTranscriber, RayVoice, ray_engines
from voice_kit.settings import Settings
from voice_kit.sounds import clip
from voice_kit.types import Audio, Message

pytestmark = [
    pytest.mark.needs("ray", "serve"),
    pytest.mark.soak,
    pytest.mark.skipif(
        os.environ.get("SOAK") != "whole", reason="a cluster takes a minute to start: make soak"
    ),
    pytest.mark.timeout(300),
]

SETTINGS = Settings(stt="sphinx", llm="handbook", tts="espeak", judge="silence")
ASKED = [Message("user", "What is latency?")]


@pytest.fixture(scope="module")
def cluster():
    """A cluster with the three engines, until the last test is over."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    engines = ray_engines(SETTINGS, Serve(ray="local"))
    yield engines
    engines.stt.current.close()
    import ray
    from ray import serve

    with suppress(RuntimeError):  # its handles ask for the loop they were made in
        serve.shutdown()
    ray.shutdown()
    for name, value in before.items():
        os.environ.pop(name)
        if value is not None:
            os.environ[name] = value


class Slow:
    """Says a word, and then thinks for a long time; it knows whether it was let go."""

    def __init__(self):
        self.ended = asyncio.Event()
        self.calls = 0

    async def reply(self, messages):
        self.calls += 1
        try:
            yield "One "
            await asyncio.Event().wait()
            yield "two."
        finally:
            self.ended.set()

    async def let_go(self):
        await self.ended.wait()
        return self.calls


class Mortal:
    """Dies at its first calls: `times` tells how often."""

    def __init__(self, folder, times):
        self.folder, self.times = Path(folder), times

    def _die(self):
        died = len(list(self.folder.iterdir()))
        if died < self.times:
            (self.folder / str(died)).touch()
            os._exit(1)

    async def reply(self, messages):
        self._die()
        yield "Hello."
        yield " Goodbye."

    async def transcribe(self, audio):
        self._die()
        return f"{len(audio.samples)} samples"

    async def about(self):
        return {"name": "mortal"}


class Doomed:
    """Says a word, and dies when it is told to."""

    async def reply(self, messages):
        yield "Hello."
        await asyncio.Event().wait()

    async def die(self):
        os._exit(1)


class Angry:
    """Fails, and says why."""

    async def speak(self, text):
        raise ReplicaError("espeak has lost its voice. Try: another one")
        yield


def deployed(kind, name, *about, **options):
    """A handle to one of these, which Ray is given as it stands here."""
    from ray import cloudpickle, serve

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    made = serve.deployment(kind, name=name, ray_actor_options={"num_cpus": 0}, **options)
    return serve.run(made.bind(*about), name=name, route_prefix=None)


async def all_of(items):
    async with aclosing(items):
        return [item async for item in items]


def test_engines_there_answer_as_they_do_here(cluster):
    async def scene():
        heard = await cluster.stt.current.transcribe(clip("question_latency").audio())
        words = await all_of(cluster.llm.current.reply(ASKED))
        spoken = await all_of(cluster.tts.current.speak("Hello there."))
        return heard, words, spoken

    heard, words, spoken = asyncio.run(scene())
    assert "latency" in heard.text
    assert len(words) > 5 and "Latency is the time" in "".join(words)
    assert sum(speech.audio.seconds for speech in spoken) > 0.5
    assert spoken[0].words[0].text == "Hello"
    names = [line.name for line in (cluster.stt, cluster.llm, cluster.tts)]
    assert names == ["ray:sphinx", "ray:handbook", "ray:espeak:en-us"]


def test_an_answer_that_nobody_wants_any_more_ends_there_too(cluster):
    handle = deployed(Slow, "slow")

    async def scene():
        model = RayModel(handle, "llm", {})
        async with aclosing(model.reply(ASKED)) as words:
            assert await anext(words) == "One "
        return await handle.let_go.remote()

    assert asyncio.run(scene()) == 1


def test_a_call_whose_replica_dies_before_it_said_anything_is_made_once_more(cluster, tmp_path):
    handle = deployed(Mortal, "mortal", str(tmp_path), 1)
    assert "".join(asyncio.run(all_of(RayModel(handle, "llm", {}).reply(ASKED)))) == (
        "Hello. Goodbye."
    )
    assert len(list(tmp_path.iterdir())) == 1


def test_an_answer_is_not_begun_again_when_some_of_it_was_heard(cluster):
    handle, heard = deployed(Doomed, "doomed"), []

    async def scene():
        async with aclosing(RayModel(handle, "llm", {}).reply(ASKED)) as words:
            async for word in words:
                heard.append(word)
                handle.die.remote()

    with pytest.raises(EngineFailedError):
        asyncio.run(scene())
    assert heard == ["Hello."]


def test_who_dies_twice_is_gone_and_the_gateways_own_engine_takes_over(cluster, tmp_path):
    handle = deployed(Mortal, "dies-twice", str(tmp_path), 2)
    there = RayTranscriber(handle, "stt", {})
    here = cluster.stt.then[0]()

    async def scene():
        with pytest.raises(EngineFailedError) as failed:
            await there.transcribe(Audio.silence(0.1))
        with pytest.raises(EngineFailedError, match="gone for now"):  # nobody waits again
            await there.transcribe(Audio.silence(0.1))
        from voice_kit.converse.line import Line

        line = Line("stt", there, [lambda: here])
        assert await line.replace(as_failure("stt", there, failed.value))
        return line.name

    assert asyncio.run(scene()) == "sphinx"
    assert len(list(tmp_path.iterdir())) == 2


def test_who_finds_nobody_there_is_answered_here_at_once_and_later_by_the_next_replica(
    cluster, tmp_path
):
    handle = deployed(Mortal, "mortal-once", str(tmp_path), 1)
    handle._init(_run_router_in_separate_loop=True)  # it is asked here, and in two loops
    far = RayTranscriber(handle, "stt", {}, cluster.stt.current.here)
    missed = []
    far.there.missed = lambda: missed.append(far.name)

    heard = asyncio.run(far.transcribe(clip("question_latency").audio()))
    assert "latency" in heard.text and far.away and missed == ["sphinx"]
    far.there.meet(60)
    assert far.name == "ray:mortal" and not far.away
    assert asyncio.run(far.transcribe(Audio.silence(0.1))) == "1600 samples"
    assert len(missed) == 1


class Busy:
    """Has so many to hear that it never comes to this one."""

    name = "busy"
    stops = "async"

    def __init__(self):
        self.asked, self.let_go = asyncio.Event(), False

    async def transcribe(self, audio):
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.let_go = True


def test_who_waits_for_the_gateways_own_engine_is_answered_there_once_somebody_is(
    cluster, tmp_path
):
    handle = deployed(Mortal, "immortal", str(tmp_path), 0)
    handle._init(_run_router_in_separate_loop=True)
    far = RayTranscriber(handle, "stt", {}, busy := Busy())
    far.there.gone("as in this test")

    async def scene():
        async with asyncio.TaskGroup() as tasks:
            heard = tasks.create_task(far.transcribe(Audio.silence(0.1)))
            await busy.asked.wait()
            await asyncio.to_thread(far.there.meet, 60)
        return heard.result()

    assert asyncio.run(scene()) == "1600 samples"
    assert busy.let_go


def test_what_went_wrong_there_is_told_in_its_own_words_and_not_tried_again(cluster):
    handle = deployed(Angry, "angry")
    with pytest.raises(VoiceKitError) as told:
        asyncio.run(all_of(RayVoice(handle, "tts", {}).speak("Hello.")))
    assert str(told.value) == "espeak has lost its voice. Try: another one"


@pytest.fixture(scope="module")
def whispering(cluster, tmp_path_factory):
    """A Whisper there that computes four sounds at once; and the same one here, which does not."""
    pytest.importorskip("transformers", reason="no transformers in this Python: run make test")
    folder = tiny_whisper.make(tmp_path_factory.mktemp("whisper"), seed=4)
    plain = {"device": "cpu", "filtered": False}
    there = SETTINGS.changed(
        {"stt": f"whisper:{folder}", "device": "cpu", "options.whisper": {**plain, "batch": 4}}
    )
    options = {"max_ongoing_requests": ongoing("stt", there)}
    handle = deployed(Replica, "whisper", "stt", there, **options)
    handle._init(_run_router_in_separate_loop=True)  # several tests ask it, each in its own loop
    return handle, FasterWhisper(model=str(folder), batch=1, **plain)


SAID = [
    clip(name).audio()
    for name in ("command_time", "free_book", "question_latency", "answer_yes", "command_stop")
]


def test_sounds_that_come_together_are_computed_at_once_there(whispering):
    handle, here = whispering

    waits = []

    async def scene():
        there = RayTranscriber(handle, "stt", await handle.about.remote())
        there.waited = waits.append
        found = await asyncio.gather(*(there.transcribe(audio) for audio in SAID * 4))
        return found, await handle.batches.remote()

    found, batches = asyncio.run(scene())
    assert found == [here.transcribe(audio) for audio in SAID] * 4
    assert len({transcript.text for transcript in found}) == len(SAID)
    assert batches[4] >= 3  # of twenty; the first may have been alone
    assert max(batches) == 4
    assert len(waits) == 20 and 0 <= min(waits) < max(waits)


def test_who_gives_up_leaves_the_others_of_its_batch_their_words(whispering):
    handle, here = whispering

    async def scene():
        there = RayTranscriber(handle, "stt", {})
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(there.transcribe(audio)) for audio in SAID * 3]
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            given_up = [task for task in asked if not task.done()][::3]
            for task in given_up:
                task.cancel()
        assert given_up and all(task.cancelled() for task in given_up)
        return [None if task.cancelled() else task.result() for task in asked]

    found = asyncio.run(scene())
    expected = [here.transcribe(audio) for audio in SAID] * 3
    kept = [place for place, transcript in enumerate(found) if transcript is not None]
    assert [found[place] for place in kept] == [expected[place] for place in kept]
    assert len(kept) >= 10


def test_a_sound_that_cannot_be_heard_fails_alone_there(whispering):
    handle, here = whispering
    broken = Audio(SAID[0].samples, 0)

    async def scene():
        there = RayTranscriber(handle, "stt", {})
        asked = [there.transcribe(audio) for audio in (SAID[0], broken, *SAID[1:])]
        return await asyncio.gather(*asked, return_exceptions=True)

    first, failed, *rest = asyncio.run(scene())
    assert isinstance(failed, VoiceKitError) and "0 samples per second" in str(failed)
    assert [first, *rest] == [here.transcribe(audio) for audio in SAID]


def test_the_configuration_builds_what_the_gateway_asks_for():
    from ray.serve._private.build_app import build_app

    from voice_kit.serve.ray_app import NAME, STAGES, app

    built = build_app(app({"stt": "sphinx"}), name=NAME)
    assert {each.name for each in built.deployments} >= set(STAGES)
