"""How the lines of a scenario sound: recordings, voices, pauses, loudness and noise."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from voice_kit.audio.convert import convert
from voice_kit.audio.files import read
from voice_kit.engines import make
from voice_kit.errors import AudioError, MissingEngineError, VoiceKitError
from voice_kit.settings import Settings
from voice_kit.sounds import clip, clips
from voice_kit.sounds.make import flite
from voice_kit.types import RATE, Audio, Samples
from voice_kit.workshop.scenario import Noise, Said, Scenario
from voice_kit.workshop.scenario_notation import parts_of
from voice_kit.workshop.scenario_yaml import ScenarioError
from voice_kit.workshop.wer import plain

FLITE = ("slt", "rms", "awb", "kal16", "kal")
BABBLE = 5
"""Voices that speak at once."""


def words_of(line: Said) -> str:
    """What is said in a line, without its pauses; empty for a file, whose words nobody wrote."""
    text = clip(line.clip).text if line.clip else line.type or line.say or ""
    return " ".join(part for part in parts_of(text) if isinstance(part, str))


class Sounds:
    """The sounds of one scenario's lines. Loads each voice once."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario

    def line(self, number: int) -> Audio:
        """The line with this number, from 0, at 16 kHz. Raises `ScenarioError`."""
        line = self._scenario.lines[number]
        try:
            sound = self._spoken(line).samples
            if line.gain:
                sound = sound * np.float32(10 ** (line.gain / 20))
            if line.noise:
                sound = sound + self._noise(line.noise, [sound], len(sound))
        except VoiceKitError as error:
            if isinstance(error, ScenarioError):
                raise
            raise ScenarioError(f"{self._scenario.where('lines', number)}: {error}") from error
        return Audio(np.clip(sound, -1, 1).astype(np.float32), RATE)

    def background(self, lines: Sequence[Audio]) -> Audio | None:
        """What is heard all the time beside these lines, to be repeated; None for nothing."""
        noise = self._scenario.noise
        spoken = [line.samples for line in lines if len(line.samples)]
        if noise is None:
            return None
        try:
            if not spoken:
                raise AudioError("Noise needs speech that it is softer than. Remove it.")
            return Audio(self._noise(noise, spoken, 10 * RATE), RATE)
        except VoiceKitError as error:
            raise ScenarioError(f"{self._scenario.where('noise')}: {error}") from error

    def _spoken(self, line: Said) -> Audio:
        if line.clip:
            return _at_16k(clip(line.clip).audio())
        if line.file:
            return _at_16k(read(self._beside(line.file)))
        text, voice = line.say or "", line.voice or self._scenario.voice
        if voice is None and (whole := _paused_clip(text)):
            return whole
        pieces = [
            Audio.silence(part) if isinstance(part, float) else _said(voice, part)
            for part in parts_of(text)
        ]
        return Audio(np.concatenate([piece.samples for piece in pieces]), RATE)

    def _noise(self, noise: Noise, speech: Sequence[Samples], count: int) -> Samples:
        """So many samples of it, as loud as it must be beside this speech."""
        generator = np.random.default_rng(noise.seed)
        if noise.sound == "white":
            sound = generator.standard_normal(count).astype(np.float32)
        elif noise.sound == "babble":
            said = [each.name for each in clips() if each.kind in ("free", "question")]
            voices = [clip(str(name)) for name in generator.choice(said, BABBLE, replace=False)]
            sound = np.zeros(count, np.float32)
            for voice in voices:
                piece = _at_16k(voice.audio()).samples
                sound += np.roll(np.resize(piece, count), int(generator.integers(count)))
        else:
            sound = np.resize(_at_16k(read(self._beside(Path(noise.sound)))).samples, count)
        loudness = float(np.sqrt(np.mean(np.square(sound)))) if count else 0.0
        if not loudness:
            raise AudioError("The noise is silent. Take another sound.")
        target = _level(np.concatenate(speech)) * 10 ** (-noise.snr / 20)
        return (sound * np.float32(target / loudness)).astype(np.float32)

    def _beside(self, path: Path) -> Path:
        """A path in a scenario counts from its own folder."""
        return self._scenario.path.parent / path.expanduser()


def _level(speech: Samples) -> float:
    """How loud its louder half is: pauses and breath do not count."""
    blocks = np.square(speech[: len(speech) // 160 * 160].reshape(-1, 160)).mean(axis=1)
    return float(np.sqrt(blocks[blocks >= np.median(blocks)].mean())) if len(blocks) else 0.0


def _at_16k(audio: Audio) -> Audio:
    return convert(audio, RATE)


def _paused_clip(text: str) -> Audio | None:
    """The recording of a text with one pause in it, which is made as long as the text says."""
    parts = parts_of(text)
    if len(parts) != 3:
        return None
    first, pause, last = parts
    found = [each for each in clips() if each.text == f"{first} … {last}"]
    if not found or not isinstance(pause, float):
        return None
    samples = _at_16k(found[0].audio()).samples
    loud = np.flatnonzero(np.abs(samples) > 1e-3)
    gap = int(np.diff(loud).argmax())
    before, after = samples[: loud[gap] + 1], samples[loud[gap + 1] :]
    quiet = np.zeros(round(pause * RATE), np.float32)
    return Audio(np.concatenate([before, quiet, after]), RATE)


@cache
def _said(voice: str | None, text: str) -> Audio:
    """The text in a voice, or the recording of it."""
    if voice is None:
        return _recorded(text)
    program, _, name = voice.partition(":")
    if program == "flite":
        return _by_flite(name or "slt", text)
    speech = [part.audio for part in _voice(voice).speak(text)]
    return Audio(np.concatenate([_at_16k(part).samples for part in speech]), RATE)


@cache
def _voice(spec: str) -> Any:
    engine = make("tts", spec, Settings())
    if engine.stops == "async":
        raise AudioError(f"{spec} speaks from afar. Record it once, and name the file.")
    return engine


def _recorded(text: str) -> Audio:
    for each in clips():
        if each.text and plain(each.text) == plain(text):
            return _at_16k(each.audio())
    raise AudioError(
        f"The kit has no recording of “{text}”. Name who speaks it, as in voice: flite:slt, or "
        "take what one of its clips says."
    )


def _by_flite(name: str, text: str) -> Audio:
    if name not in FLITE:
        raise AudioError(f"flite has no voice “{name}”. Take one of {', '.join(FLITE)}.")
    if shutil.which("flite") is None:
        fix = "on Debian, apt-get install flite; or another voice, such as kokoro:af_heart"
        raise MissingEngineError("The program flite", fix=fix)
    return Audio(flite(name, "-t", text).astype(np.float32), RATE)
