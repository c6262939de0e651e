"""A conversation that was recorded: what was heard, said and done, and when."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from voice_kit.converse.asked import RecordedTurn
from voice_kit.converse.recording import EVENTS, SOUND, TAPE
from voice_kit.converse.tape import Call, Done, Step, event_of, key, samples_of
from voice_kit.converse.timeline import Timeline
from voice_kit.engines import STAGES
from voice_kit.errors import AudioError
from voice_kit.settings import Settings
from voice_kit.types import FRAME, Audio, Event, Message, Samples

RECORD = "Record one: voice-kit talk --record FOLDER."


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """What is known of a conversation. `arrivals`, `listens` and `done` go by the event loop's
    clock, from 0."""

    folder: Path
    samples: Samples
    """What the microphone heard: whole frames, 16 kHz."""
    arrivals: Sequence[float]
    """When each frame came in."""
    listens: Sequence[tuple[float, int, float | None]]
    """When the microphone was opened, from which frame on, and when it ended, if it did."""
    settings: Settings
    events: Sequence[Event]
    engines: Mapping[str, dict[str, Any]]
    """The engine of each stage that it began with: its spec, and its traits."""
    history: Sequence[Message]
    """What was said before."""
    done: Sequence[Done]
    calls: Sequence[Call]
    watched: Sequence[str]
    """The kinds of its observers, and `Sleep` if it could sleep."""
    versions: Mapping[str, str]
    speaker: str = ""
    """The Python module of its loudspeaker; empty where an earlier version recorded it."""
    sound: Audio | None = None
    """Both sides, of a replay."""

    @property
    def timeline(self) -> Timeline:
        """Where the time went."""
        timeline = Timeline()
        for event in self.events:
            timeline(event)
        return timeline

    @property
    def turns(self) -> list[RecordedTurn]:
        """The finished turns, in order."""
        return [RecordedTurn(self, times) for times in self.timeline.turns]

    def chances(self) -> list[Step]:
        """What the detector said of each frame, or another that took its place. To one that fails
        the frame is silent, as it was to who listened."""
        keys = self.frames_keys
        steps = [step for call in self.calls if call.key in keys for step in call.steps]
        return [step if step.gave is not None else Step(None, 0.0) for step in steps]

    @property
    def frames_keys(self) -> set[str]:
        """What its detectors were asked: one of them, unless it failed or another was chosen."""
        loads = [call.steps for call in self.calls if call.key == key("load", "vad")]
        known = [self.engines["vad"]["traits"], *(step.gave for steps in loads for step in steps)]
        known += [engine["traits"] for engine in self.chosen if engine["engine"] == "vad"]
        return {key("vad", traits["name"]) for traits in known if traits}

    @property
    def chosen(self) -> list[dict[str, Any]]:
        """The engines that were chosen meanwhile, in order."""
        return [each.value for each in self.done if each.what == "chosen"]


def read_recording(folder: str | Path) -> Recording:
    """The recording in `folder`; of one that was cut off, what is there.

    Raises `AudioError` when there is none, or one that this version cannot read.
    """
    folder = Path(folder)
    try:
        lines = list(_lines(folder / TAPE))
        happened = list(_lines(folder / EVENTS))
        samples = samples_of(folder / SOUND)
    except OSError as error:
        raise AudioError(f"{folder} holds no recorded conversation. {RECORD}") from error
    if not lines or "recording" not in lines[0]:
        raise AudioError(f"{folder} holds no recorded conversation. {RECORD}")
    arrivals, listens, done, calls = list[float](), list[tuple[float, int, float | None]](), [], {}
    for line in lines:
        match line:
            case {"frame": at}:
                arrivals.append(at)
            case {"listen": at}:
                listens.append((at, len(arrivals), None))
            case {"deaf": at} if listens:
                listens[-1] = (*listens[-1][:2], at)
            case {"call": number, "key": name}:
                calls[number] = Call(name)
            case {"of": number, **step} if number in calls:
                calls[number].steps.append(Step(**step))
            case {"at": at}:
                what = next(name for name in line if name not in ("at", "before"))
                done.append(Done(what, line[what], at, line.get("before")))
    settings = [(each, _settings(each.value, folder)) for each in done if each.what == "settings"]
    first, held = settings[0] if settings else (None, Settings())
    engines = dict[str, dict[str, Any]]()
    for line in lines:
        if "engine" in line:
            engines.setdefault(line["engine"], line)
    if not engines.keys() >= set(STAGES):
        raise AudioError(f"{folder} was cut off before anything was heard. {RECORD}")
    recording = Recording(
        folder,
        samples,
        arrivals,
        listens,
        held,
        [event for line in happened if (event := event_of(line)) is not None],
        engines,
        [Message(role, text) for line in lines for role, text in line.get("history", ())],
        sorted((each for each in done if each is not first), key=lambda each: each.at),
        list(calls.values()),
        [name for line in lines for name in line.get("with", ())],
        lines[0]["versions"],
        next((line["speaker"] for line in lines if "speaker" in line), ""),
    )
    known = min(len(samples) // FRAME, len(arrivals), len(recording.chances()))
    return replace(recording, samples=samples[: known * FRAME], arrivals=arrivals[:known])


def _settings(recorded: dict[str, Any], folder: Path) -> Settings:
    try:
        return Settings.model_validate(recorded)
    except ValidationError as error:
        name = ".".join(str(part) for part in error.errors()[0]["loc"])
        fix = "Read it with the version that recorded it, or record another."
        raise AudioError(
            f"{folder} has a setting that this version cannot take, {name}. {fix}"
        ) from error


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().split(b"\n"):
        try:
            yield json.loads(line)
        except ValueError:
            continue  # the last one, cut off
