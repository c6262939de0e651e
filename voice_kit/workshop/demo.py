"""A recorded conversation, played in real time into the assistant: hear it, read it, measure it."""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from voice_kit.audio.convert import convert
from voice_kit.audio.files import to_wav, write_file
from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.protocols import Speaker
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.assistant import Assistant
from voice_kit.converse.conversation import Observer
from voice_kit.converse.line import Engines
from voice_kit.converse.loading import load_engines
from voice_kit.converse.plain import as_json, summary
from voice_kit.converse.recording import TAPE
from voice_kit.converse.timeline import Timeline
from voice_kit.converse.virtual import Cost, run
from voice_kit.engines import STAGES
from voice_kit.errors import AudioError
from voice_kit.settings import Settings
from voice_kit.show.timeline import draw
from voice_kit.sounds import clip
from voice_kit.types import RATE, Audio, Event, FrameHeard, Samples
from voice_kit.workshop.both import Both
from voice_kit.workshop.user import Line, SyntheticUser

PATIENCE = 12.0
STORY = (
    "A recorded person asks three questions and interrupts once, then wants a timer, a note and "
    "the weather. A “right”, a cough and an “mhm” are no interruptions. The assistant hears it all "
    "as from a microphone."
)


def lines() -> list[Line]:
    """What the recorded person says, as `STORY` tells it."""
    return [
        Line(clip("question_vad").audio()),
        Line(clip("backchannel_right").audio(), into=1.2),
        Line(clip("question_sample_rate").audio()),
        Line(clip("interruption_latency").audio(), into=1.6),
        Line(clip("noise_cough").audio(), into=1.4),
        Line(clip("question_barge_in").audio()),
        Line(clip("backchannel_mhm").audio(), into=0.3),
        Line(clip("command_timer").audio()),
        Line(clip("command_note").audio()),
        Line(clip("search_weather").audio()),
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What came of a conversation."""

    timeline: Timeline
    sound: Audio
    """Both sides, mixed."""
    engines: dict[str, str]
    events: list[Event]

    def summary(self) -> dict[str, Any]:
        """As plain data: the engines, and each turn with its times."""
        turns = [summary(turn) for turn in self.timeline.turns]
        return {"engines": self.engines, "turns": turns}

    def save(self, folder: Path) -> list[Path]:
        """Write conversation.wav, timeline.png and events.jsonl, and give their paths.

        Each is written whole or not at all. Raises `AudioError` when that cannot be.
        """
        picture = io.BytesIO()
        draw(self.timeline.turns).savefig(picture, dpi=110)
        lines = "".join(json.dumps(as_json(event)) + "\n" for event in self.events)
        files = {
            "conversation.wav": to_wav(self.sound),
            "timeline.png": picture.getvalue(),
            "events.jsonl": lines.encode(),
        }
        check_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write_file(folder / name, data)
        return [folder / name for name in files]


def check_folder(folder: Path) -> None:
    """Raise `AudioError` if there can be no files in that folder, which need not exist yet, or it
    holds a recorded conversation."""
    if (folder / TAPE).exists():
        raise AudioError(f"{folder} holds a recorded conversation. Choose another with --out.")
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise AudioError(f"{folder} is a file. Choose another name for the folder.")
    if not os.access(folder, os.W_OK):
        raise AudioError(f"The folder {folder} may not be written. Choose another with --out.")


async def converse(
    engines: Engines,
    settings: Settings,
    *,
    wav: Audio | None = None,
    observers: Sequence[Observer] = (),
    aloud: Speaker | None = None,
) -> Report:
    """Hold the recorded conversation, or play `wav` to the assistant, and report.

    With `aloud`, both sides are also heard on that loudspeaker.
    """
    timeline, events = Timeline(), list[Event]()
    silent = SilentSpeaker(24_000)
    speaker: Speaker = Both(silent, aloud) if aloud else silent
    user: SyntheticUser | None = None
    frames: AsyncIterable[Samples]
    if wav is None:
        user = SyntheticUser(lines(), patience=PATIENCE, on_line=_play_on(aloud))
        frames = user
    else:
        frames = FileMicrophone(wav)
        _play_on(aloud)(wav)
    watching: list[Observer] = [timeline, events.append, *([user] if user else []), *observers]
    with TemporaryDirectory() as notes:  # nothing of it is to be found in anyone's notebook
        talk = Assistant(engines, speaker, settings, observers=watching, folder=Path(notes))
        async with talk:
            loop = asyncio.get_running_loop()
            opened = loop.time()
            await talk.listen(frames)
            await talk.idle()
            seconds = loop.time() - opened
    theirs = user.sound(seconds) if user else convert(wav or Audio.silence(0), RATE)
    ours = convert(silent.rendered(opened, seconds), RATE)
    return Report(timeline, mixed(theirs, ours), names(engines), events)


TIMES = Path(__file__).with_name("demo_times.json")


def recorded_times(engines: Engines, file: Path = TIMES) -> Cost | None:
    """What each step cost when the demo was recorded with these engines; None if it never was.

    Steps are told in order, and a stage that has more of them than then takes what it took on
    average, so that one recording always gets the same decisions.
    """
    try:
        recording = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if recording["engines"] != names(engines):
        return None
    steps = {stage: iter(seconds) for stage, seconds in recording["steps"].items()}
    usual = {stage: fmean(seconds) for stage, seconds in recording["steps"].items()}
    return lambda stage, seconds: next(steps.get(stage, iter(())), usual.get(stage, seconds))


def record_times(settings: Settings, file: Path = TIMES) -> None:
    """Hold the conversation on the virtual clock, and keep what each step cost."""
    engines = load_engines(settings)
    steps: dict[str, list[float]] = {}

    def cost(stage: str, seconds: float) -> float:
        steps.setdefault(stage, []).append(round(seconds, 4))
        return seconds

    run(converse(engines, settings), fast=True, cost=cost)
    recording = {"engines": names(engines), "steps": steps}
    file.write_text(json.dumps(recording) + "\n", encoding="utf-8")


def names(engines: Engines) -> dict[str, str]:
    """What each stage's engine calls itself."""
    return {stage: getattr(engines, stage).name for stage in STAGES}


def mixed(one: Audio, other: Audio) -> Audio:
    """Two sounds at once, 16 kHz."""
    samples = np.zeros(max(len(one.samples), len(other.samples)), np.float32)
    samples[: len(one.samples)] += one.samples
    samples[: len(other.samples)] += other.samples
    return Audio(np.clip(samples, -1, 1), RATE)


def as_lines(put: Callable[[str], None]) -> Observer:
    """An observer that gives each event to `put` as a line of JSON, frames left out."""

    def tell(event: Event) -> None:
        if not isinstance(event, FrameHeard):
            put(json.dumps(as_json(event)))

    return tell


def _play_on(speaker: Speaker | None) -> Callable[[Audio], None]:
    def play(audio: Audio) -> None:
        if speaker is not None:
            speaker.open(lambda _: None).play(audio)

    return play


if __name__ == "__main__":
    record_times(Settings())
