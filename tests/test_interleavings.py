"""Random conversations in virtual time: whatever happens at once, some things always hold."""

import asyncio
import gc
import os
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rules import (
    assert_every_turn_is_whole,
    assert_memory_is_what_finished_turns_say,
    assert_one_voice_at_a_time,
)
from scenes import FarSpeaker, Faulty, Scene, after

from voice_kit.settings import Settings
from voice_kit.workshop.fakes import (
    HummingVoice,
    Script,
    ScriptedJudge,
    ScriptedModel,
    ScriptedTranscriber,
    scripted,
)

SHORT = st.sampled_from([0.06, 0.13, 0.2, 0.3])
LONG = st.sampled_from([0.45, 0.7, 1.2, 2.5])
GAP = st.sampled_from([0.05, 0.1, 0.3, 0.45, 0.6, 0.9, 1.5, 3.0])
DELAY = st.sampled_from([0.0, 0.032, 0.1, 0.3, 0.43, 1.0])
PLAN = st.lists(st.sampled_from(["works", "works", "raises", "hangs"]), max_size=4)
MOMENT = st.sampled_from([0.0, 0.7, 1.0, 1.3, 1.6, 2.0, 2.2, 2.5, 3.1, 4.0, 6.0])
WORKS = st.just([])


@dataclass
class Story:
    """A conversation that may happen."""

    sounds: list
    typed: list
    hushed: list
    mode: str
    eager: float
    starts: int
    stt: float
    first: float
    token: float
    tts: float
    settling: float
    plans: dict
    fallback: bool
    confident: bool = True
    judged: float = 0.5
    judge: float = 0.0
    hears: bool = False

    def play(self, *, gone_at=None, during=None):
        parts, script = [0.3], Script()
        for number, (kind, seconds, gap) in enumerate(self.sounds):
            parts += [(f"q{number}" if kind == "words" else kind, seconds), gap]
        model = ScriptedModel({}, first=self.first, token=self.token)
        good = {
            "stt": ScriptedTranscriber(script, self.stt, confident=self.confident),
            "llm": model,
            "tts": HummingVoice(self.tts),
            "judge": ScriptedJudge({}, self.judge, script if self.hears else None, self.judged),
        }
        faulty = {stage: Faulty(good[stage], list(plan)) for stage, plan in self.plans.items()}
        then = {stage: [lambda stage=stage: good[stage]] for stage in good if self.fallback}
        changes = {
            "interrupt.mode": self.mode,
            "hear.eager": self.eager,
            "eager_starts": self.starts,
            "timeouts.stt": 3,
            "timeouts.judge": 3,
            "timeouts.llm": 3,
            "timeouts.tts": 3,
        }
        moments = [(at, lambda talk, at=at: talk.type(f"typed {at}")) for at in self.typed]
        moments += [(at, lambda talk: talk.hush()) for at in self.hushed]

        def arrange(talk, events):
            after(*moments)(talk, events)
            if during:
                during(talk, events)

        return Scene(
            script,
            *parts,
            7.0,
            settings=Settings().changed(changes),
            engines=scripted(script, **(good | faulty), then=then),
            speaker=FarSpeaker(self.settling, gone_at),
            during=arrange,
        )


SOUND = st.one_of(
    st.tuples(st.just("words"), st.one_of(SHORT, LONG), GAP),
    st.tuples(st.sampled_from(["", "mhm"]), st.one_of(SHORT, LONG), GAP),
)


def stories(plan=PLAN, typed=True, hushed=True):
    return st.builds(
        Story,
        sounds=st.lists(SOUND, min_size=1, max_size=7),
        typed=st.lists(MOMENT, max_size=2, unique=True) if typed else WORKS,
        hushed=st.lists(MOMENT, max_size=1) if hushed else WORKS,
        mode=st.sampled_from(["evidence", "evidence", "any", "never"]),
        eager=st.sampled_from([0.0, 0.064, 0.064, 0.128]),
        starts=st.sampled_from([1, 3, 9]),
        stt=DELAY,
        first=DELAY,
        token=st.sampled_from([0.0, 0.2]),
        tts=DELAY,
        settling=st.sampled_from([0.0, 0.15]),
        plans=st.fixed_dictionaries(dict.fromkeys(("stt", "llm", "tts", "judge"), plan)),
        fallback=st.booleans(),
        confident=st.sampled_from([True, True, False]),
        judged=st.sampled_from([0.0, 0.5, 1.0]),
        judge=DELAY,
        hears=st.booleans(),
    )


HARD = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    max_examples=1000 if os.environ.get("SOAK") == "whole" else 40,
)


def assert_the_rules(scene):
    assert_every_turn_is_whole(scene.events)
    assert_memory_is_what_finished_turns_say(scene.events, scene.memory)
    assert_one_voice_at_a_time(scene.speaker)
    assert not scene.timeline._open
    assert len(scene.timeline.turns) * 2 >= len(scene.memory)


@HARD
@given(stories())
def test_whatever_breaks_every_turn_is_whole_and_the_conversation_comes_to_rest(story):
    assert_the_rules(story.play())


@HARD
@given(stories(plan=WORKS))
def test_nothing_that_was_said_is_lost_and_the_order_is_kept(story):
    story.confident = True
    scene = story.play()
    assert_the_rules(scene)
    said = " ".join(text for role, text in scene.memory if role == "user").split()
    asked = [
        f"q{number}"
        for number, (kind, seconds, _) in enumerate(story.sounds)
        if kind == "words" and seconds >= 0.2
    ]
    kept = [word for word in said if word in asked]
    assert kept == asked
    typed = [f"{at}" for at in sorted(story.typed)]
    assert [word for word in said if "." in word] == typed


@HARD
@given(stories(), MOMENT)
def test_a_loudspeaker_that_is_unplugged_ends_its_turns_and_no_more(story, gone_at):
    scene = story.play(gone_at=gone_at)
    assert_every_turn_is_whole(scene.events)
    assert_memory_is_what_finished_turns_say(scene.events, scene.memory)


EVERYTHING = Story(
    sounds=[("words", 0.7, 1.5), ("mhm", 0.3, 1.5), ("words", 0.3, 0.3), ("words", 0.3, 3.0)],
    typed=[4.0],
    hushed=[],
    mode="evidence",
    eager=0.064,
    starts=3,
    stt=0.1,
    first=0.1,
    token=0.2,
    tts=0.1,
    settling=0.15,
    plans={"stt": [], "llm": ["works", "works", "raises"], "tts": []},
    fallback=True,
)


def test_a_conversation_cancelled_at_any_event_leaves_nothing_behind():
    def cancelled(nth, at_once=False):
        """What happened in a conversation that was cancelled at its n-th event."""
        seen, speakers, main = [], [], []

        def arrange(talk, events):
            seen.append(events)
            speakers.append(talk._desk.speaker)
            main.append(asyncio.current_task())

            def cancel(event):
                if len(events) == nth:
                    if at_once:
                        main[0].cancel()
                    else:
                        asyncio.get_running_loop().call_soon(main[0].cancel)

            talk.observers.append(cancel)

        try:
            EVERYTHING.play(during=arrange)
        except asyncio.CancelledError:
            return seen[0], speakers[0]
        return None

    count = len(EVERYTHING.play().events)
    assert count > 200
    for nth in range(1, count + 1):
        for at_once in (True, False):
            events, speaker = cancelled(nth, at_once) or (None, None)
            if events is None:
                continue
            assert_every_turn_is_whole(events)
            assert all(playback._tape.stopped for playback in speaker._playbacks)
    gc.collect()
    assert not [
        task for task in gc.get_objects() if isinstance(task, asyncio.Task) and not task.done()
    ]
