"""What makes an answer stop? Interruptions, backchannels and noises, played into one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio.microphone import FileMicrophone
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.line import Engines, Line
from voice_kit.converse.virtual import run
from voice_kit.hear.backchannels import is_backchannel
from voice_kit.hear.detection import at_16k, probabilities
from voice_kit.hear.protocols import Transcriber, VoiceDetector
from voice_kit.settings import Settings
from voice_kit.settings.groups import Interruption
from voice_kit.speak.heard import heard_text
from voice_kit.speak.protocols import Synthesizer
from voice_kit.types import (
    FRAME,
    RATE,
    Audio,
    Event,
    Interrupted,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    SentenceReady,
    Speech,
    TurnFinished,
)
from voice_kit.workshop.fakes import ScriptedModel
from voice_kit.workshop.lab_engines import (
    KeepingSpeaker,
    Remembering,
    Repeating,
    Replayed,
    spoken,
)
from voice_kit.workshop.lab_sounds import Recording

Kind = Literal["interruption", "backchannel", "noise"]
INTO = (0.6, 2.0, 4.5)
"""Seconds into the answer at which someone makes a sound, about."""
AFTERS = (0.15, 0.25, 0.35, 0.5, 0.75, 1.0)
"""What is tried for `interrupt.after`, beside the value of the settings."""
BEHIND = 2.56
"""Seconds of quiet behind each sound: by then it is decided."""
LONGEST = 6.0
"""Longer sounds are left out. Seconds."""
QUESTION = "Tell me about echoes."
ANSWER = (
    "An echo is a sound that comes back after it has met a wall or a hill. You hear it apart from "
    "the first one when it is late enough, about a tenth of a second or more. In a small room it "
    "comes so soon that both become one, which makes a voice sound full. Bats and dolphins find "
    "their way by echoes in complete darkness, and ships measure how deep the sea is below them."
)


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """What someone does while the assistant speaks, ready to be heard again and again."""

    name: str
    kind: Kind
    audio: Audio = field(repr=False)
    """16 kHz, from its first sound on, with quiet behind it."""
    chances: NDArray[np.float32] = field(repr=False)


def sounds(
    recordings: Iterable[Recording], vad: VoiceDetector, language: str = "en"
) -> Iterator[Sound]:
    """Noises, backchannels, and what is said to be an interruption or a command."""
    for recording in recordings:
        if recording.audio.seconds > LONGEST:
            continue
        if recording.kind == "noise":
            kind: Kind = "noise"
        elif is_backchannel(recording.text, language):
            kind = "backchannel"
        elif recording.text and recording.kind in ("interruption", "command", "speech"):
            kind = "interruption"
        else:
            continue
        samples = at_16k(recording.audio)
        first = int(np.argmax(np.abs(samples) > 0.01 * np.abs(samples).max()))
        whole = np.concatenate([samples[first:], np.zeros(round(BEHIND * RATE), np.float32)])
        audio = Audio(np.pad(whole, (0, -len(whole) % FRAME)), RATE)
        yield Sound(recording.name, kind, audio, probabilities(vad, audio))


def laughter(tts: Synthesizer) -> Recording:
    """Laughter in the assistant's own voice, for want of a recording."""
    parts = [speech.audio for speech in spoken(tts, "ha ha ha ha ha ha")]
    samples = np.concatenate([at_16k(part) for part in parts])
    return Recording("laughter", "", Audio(samples, RATE), "noise")


@dataclass(frozen=True, slots=True)
class Trial:
    """What happened when a sound was made into an answer. Seconds since the sound began."""

    sound: str
    kind: Kind
    mode: str
    after: float
    into: float = 0.0
    """Seconds of the answer that were heard before it."""
    quiet: float | None = None
    """When the answer fell silent first; None when it did not."""
    stopped: float | None = None
    """When it stopped for good; None when it went on."""
    held: float = 0.0
    """Seconds for which it was held and then went on."""
    words_heard: int | None = 0
    """Words of the answer that left the loudspeaker, by its samples, where it stopped for good;
    None where its voice does not tell when it says which word."""
    words_kept: int = 0
    """Words of it that memory keeps."""
    words_by_share: int = 0
    """Those it would keep of a voice that does not tell."""


class Lab:
    """Plays sounds into the same answer, on a virtual clock."""

    def __init__(
        self, stt: Transcriber, tts: Synthesizer, settings: Settings, latency: float | None = None
    ) -> None:
        self.settings = settings
        self.stt = Remembering(stt, latency)
        self._tts = Repeating(tts)

    def trial(self, sound: Sound, into: float, interrupt: Interruption) -> Trial:
        """What happens when `sound` is made so many seconds into the answer."""
        before = round((0.3 + into) * RATE / FRAME)
        chances = np.concatenate([np.zeros(before, np.float32), sound.chances])
        silence = np.zeros(before * FRAME, np.float32)
        scene = Audio(np.concatenate([silence, sound.audio.samples]), RATE)
        settings = self.settings.model_copy(update={"interrupt": interrupt})
        speaker, events = KeepingSpeaker(), list[Event]()
        engines = Engines(
            Line("vad", Replayed(chances)),
            Line("stt", self.stt),
            Line("llm", ScriptedModel({QUESTION: ANSWER})),
            Line("tts", self._tts),
        )
        run(_play(Conversation(engines, speaker, settings), scene, events), fast=True, cost=_free)
        blank = Trial(sound.name, sound.kind, interrupt.mode, interrupt.after)
        trial = _timed(blank, [each for each in events if getattr(each, "turn", 0) == 1], before)
        return trial if trial.stopped is None else self._counted(trial, events, speaker.played())

    def _counted(self, trial: Trial, events: Sequence[Event], played: float) -> Trial:
        """With the words of the answer that were played, and those that memory keeps."""
        answer = [
            speech
            for event in events
            if isinstance(event, SentenceReady) and event.turn == 1
            for speech in self._tts.speak(event.text)
        ]
        (kept,) = (
            event.said_heard
            for event in events
            if isinstance(event, TurnFinished) and event.turn == 1
        )
        by_share = heard_text([replace(speech, words=()) for speech in answer], played)
        return replace(
            trial,
            words_heard=_words_in(answer, played),
            words_kept=len(kept.split()),
            words_by_share=len(by_share.split()),
        )


async def _play(talk: Conversation, scene: Audio, events: list[Event]) -> None:
    """Let it answer, and make the sound. What comes of ending the scene is no event of it."""
    over = False

    def watch(event: Event) -> None:
        if not over or isinstance(event, TurnFinished):
            events.append(event)

    talk.observers.append(watch)
    async with talk:
        talk.type(QUESTION)
        await talk.listen(FileMicrophone(scene))
        over = True
        talk.hush()


def _timed(trial: Trial, events: Sequence[Event], before: int) -> Trial:
    """With the times of what happened, in seconds since the sound began."""
    onset = before * FRAME / RATE
    since: float | None = None
    for event in events:
        at = getattr(event, "at", 0.0) - onset
        match event:
            case PlaybackStarted():
                trial = replace(trial, into=-at)
            case PlaybackPaused():
                since = at
                trial = replace(trial, quiet=at if trial.quiet is None else trial.quiet)
            case PlaybackResumed() if since is not None:
                trial, since = replace(trial, held=trial.held + at - since), None
            case Interrupted():
                trial = replace(trial, stopped=at, quiet=at if trial.quiet is None else trial.quiet)
    return trial


def _words_in(speeches: Sequence[Speech], played: float) -> int | None:
    """Words of which more than half was played; None where nobody knows when they are said."""
    count, at = 0, 0.0
    for speech in speeches:
        if speech.text.strip() and not speech.words:
            return None
        for word in speech.words:
            middle = at + (word.start + word.end) / 2
            count += len(word.text.split()) * (middle < played)
        at += speech.audio.seconds
    return count


def sweep(
    lab: Lab,
    heard: Sequence[Sound],
    afters: Sequence[float] = AFTERS,
    into: Sequence[float] = INTO,
) -> Iterator[list[Trial]]:
    """Every sound at every place, for one setting after the other: the usual one first."""
    usual = lab.settings.interrupt
    change: list[dict[str, Any]] = [{"mode": "evidence", "after": after} for after in afters]
    ways = [usual.model_copy(update=each) for each in [*change, {"mode": "any"}, {"mode": "never"}]]
    seen: set[tuple[str, float]] = set()
    for way in [usual, *ways]:
        key = way.mode, way.after if way.mode == "evidence" else 0.0
        if key not in seen:
            seen.add(key)
            yield [lab.trial(sound, place, way) for sound in heard for place in into]


def _free(stage: str, seconds: float) -> float:
    return 0.0
