"""Recordings are replayed to the same events, or with one thing changed."""

import asyncio
import json
import logging
import shutil
from dataclasses import dataclass, field

import numpy as np
import pytest
from helpers_recording import nobody, record
from scenes import Faulty, after

from voice_kit.audio.convert import convert
from voice_kit.audio.files import read
from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.ahead import Ahead
from voice_kit.converse.captions import Captions
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.differs import difference, pairs
from voice_kit.converse.line import Line
from voice_kit.converse.loading import load_engines
from voice_kit.converse.recorded import read_recording
from voice_kit.converse.recording import Recorder
from voice_kit.converse.replay import replay
from voice_kit.converse.virtual import run
from voice_kit.errors import AudioError
from voice_kit.settings import Settings
from voice_kit.sounds import clip
from voice_kit.types import (
    RATE,
    Abandoned,
    Audio,
    EngineChanged,
    Failed,
    FellAsleep,
    Interrupted,
    Partial,
    PlaybackResumed,
    Speech,
    Transcript,
    TurnFinished,
    Woke,
)
from voice_kit.workshop.fakes import (
    HummingVoice,
    Script,
    ScriptedJudge,
    ScriptedModel,
    ScriptedTranscriber,
    scripted,
)

TALK = (0.5, ("hello there", 0.8), 3.0, ("what is it", 0.6), 4.0)


@dataclass
class SlowVoice:
    """A blocking voice: hums one piece after another."""

    name: str = "slow"
    stops: str = "steps"
    speed: float = 1.0

    def speak(self, text):
        for word in text.split():
            yield Speech(word, Audio(np.full(4000, 0.1, np.float32), RATE))


@dataclass
class Napper:
    """Sleeps, wakes and sleeps again at these frames."""

    wakes: int
    sleeps: int
    asleep: bool = True
    frames: int = 0

    def feed(self, frame, now, busy):
        self.frames += 1
        if self.frames == self.wakes:
            self.asleep = False
            return Woke(now, now)
        if self.frames == self.sleeps:
            self.asleep = True
            return FellAsleep(now)
        return None


Napper.__name__ = "Sleep"


def plain(script, folder):
    return record(folder, scripted(script), script.sound(*TALK))


def interrupted(script, folder):
    answers = {"tell me all": "one two three four five six seven eight nine ten eleven twelve."}
    sound = script.sound(0.5, ("tell me all", 0.8), 1.5, ("stop it", 0.9), 4.0)
    return record(folder, scripted(script, answers), sound)


def doubted(script, folder):
    answers = {"tell me all": "one two three four five six seven eight nine ten eleven twelve."}
    sound = script.sound(0.5, ("tell me all", 0.8), 1.5, ("mhm", 0.3), 6.0)
    return record(folder, scripted(script, answers), sound)


def breathing(script, folder):
    sound = script.sound(0.5, ("set a timer for", 0.8), 0.3, ("ten minutes", 0.7), 4.0)
    return record(folder, scripted(script), sound)


def judged(script, folder):
    judge = ScriptedJudge({"hello there": 0.9, "set a timer for": 0.1}, delay=0.02)
    parts = ("hello there", 0.8), 3.0, ("set a timer for", 0.8), 0.9, ("ten minutes", 0.7), 4.0
    return record(folder, scripted(script, judge=judge), script.sound(0.5, *parts))


def typed_and_hushed(script, folder):
    def change(talk):
        talk.settings = talk.settings.changed({"hear.stop": 0.2})

    moments = (
        (0.3, lambda talk: talk.type("a typed line")),
        (1.1, lambda talk: talk.hush()),
        (3.0, lambda talk: talk.announce("the tea is ready")),
        (4.0, change),
    )
    sound = script.sound(6.0, ("hello there", 0.8), 4.0)
    return record(folder, scripted(script), sound, during=lambda talk: after(*moments)(talk, []))


def failing(script, folder):
    spare = ScriptedTranscriber(script, name="spare")
    engines = scripted(
        script,
        stt=Faulty(ScriptedTranscriber(script), ["raises", "raises", "raises"]),
        tts=Faulty(HummingVoice(), ["works", "hangs"]),
        then={"stt": [broken, lambda: spare], "tts": [lambda: HummingVoice(name="spare voice")]},
    )
    return record(folder, engines, script.sound(*TALK), Settings().changed({"timeouts.tts": 2.0}))


def broken():
    raise OSError


def ahead_and_captions(script, folder):
    def watch(talk):
        talk.observers.append(Captions(talk))
        Ahead.of(talk)

    long = ("this is a long sentence of many words", 2.5)
    engines = scripted(script, stt=ScriptedTranscriber(script, delay=0.05))
    return record(folder, engines, script.sound(0.5, long, 3.0, long, 3.0), during=watch)


def asleep(script, folder):
    sleep = Napper(wakes=100, sleeps=230)
    sound = script.sound(
        0.5, ("nobody hears", 0.8), 2.5, ("hello there", 0.8), 3.0, ("no", 0.8), 2.0
    )
    return record(folder, scripted(script), sound, sleep=sleep)


def blocking(script, folder):
    engines = scripted(script, tts=SlowVoice())
    return record(folder, engines, script.sound(*TALK), cost=lambda stage, seconds: 0.0371)


SCENES = {
    plain: TurnFinished,
    interrupted: Interrupted,
    doubted: PlaybackResumed,
    breathing: Abandoned,
    judged: TurnFinished,
    typed_and_hushed: Interrupted,
    failing: EngineChanged,
    ahead_and_captions: Partial,
    asleep: Woke,
    blocking: TurnFinished,
}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_with_nothing_changed_the_same_happens_at_the_same_time_and_nobody_is_asked(
    scene, tmp_path
):
    before = scene(Script(), tmp_path / "talk")
    assert any(isinstance(event, SCENES[scene]) for event in before.events)
    assert any(isinstance(event, TurnFinished) for event in before.events)
    after_it = replay(before, make=nobody)
    assert difference(before.events, after_it.events, 1e-6) == ""
