"""Records a conversation into one folder, from which it can be replayed."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from voice_kit.audio.files import Recording as Wav
from voice_kit.audio.files import to_wav
from voice_kit.audio.formats import to_float, to_int16
from voice_kit.audio.private import new_file, write_all
from voice_kit.converse.conversation import HUSHED, Conversation
from voice_kit.converse.kept import traits
from voice_kit.converse.line import Engines, Line
from voice_kit.converse.plain import as_json
from voice_kit.converse.public import public
from voice_kit.converse.takeover import Loading
from voice_kit.converse.tape import as_fields
from voice_kit.converse.taped import Taped
from voice_kit.converse.taped_brain import TapedBrain
from voice_kit.converse.versions import versions
from voice_kit.engines import STAGES, Stage
from voice_kit.errors import AudioError
from voice_kit.settings import Settings
from voice_kit.think.protocols import Chat
from voice_kit.types import (
    RATE,
    Audio,
    Event,
    FrameHeard,
    GateOpened,
    Interrupted,
    Samples,
    Speech,
)

log = logging.getLogger(__name__)

SOUND, EVENTS, TAPE, SPOKEN = "microphone.wav", "events.jsonl", "tape.jsonl", "spoken"
"""The files of a recording, and the folder of what was said."""


class Recorder:
    """Writes down a conversation while it is held: `folder` then holds what both sides said.

    ```python
    with Recorder("talk") as recorder:
        async with Conversation(recorder.engines(engines), speaker, settings) as talk:
            recorder.follow(talk)
            await talk.listen(recorder.microphone(frames))
    ```

    Every line and frame is on its way to the disk at once, so a killed process loses next to
    nothing; its owner alone can read it. A full or unwritable disk ends the recording, not the
    conversation: `problem` then says why. Raises `AudioError` where there is one already.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.problem = ""
        """Why it was given up; empty while it was not."""
        self._lock = threading.Lock()
        self._calls = self._sounds = self._frames = 0
        self._zero: float | None = None  # the loop's time when the recording began
        self._talk: Conversation | None = None
        self._settings: Settings | None = None
        self._files: dict[str, IO[bytes]] = {}
        self._wav: Wav | None = None
        taken = False
        try:
            taken = any((self.folder / name).is_file() for name in (TAPE, EVENTS, SOUND))
            if not taken:
                self._open()
        except (OSError, ValueError, AudioError) as error:  # the second: no name of a folder
            self._give_up(error)
        if taken:
            raise AudioError(f"{folder} holds a conversation already. Choose another folder.")
        self.put({"recording": 1, "versions": versions()})

    def _open(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.folder / SPOKEN).mkdir(mode=0o700, exist_ok=True)
        for name in (EVENTS, TAPE):
            self._files[name] = new_file(self.folder / name)
        self._wav = Wav(self.folder / SOUND, RATE, private=True)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            for file in self._files.values():
                file.close()
            if self._wav:
                self._wav.close()
            self._files, self._wav = {}, None

    # What a conversation is given instead of its own

    async def microphone(self, frames: AsyncIterable[Samples]) -> AsyncIterator[Samples]:
        """The same frames in the 16 bits in which they are kept, so that a replay hears them
        to the bit."""
        self.put({"listen": self._now()})
        try:
            async for frame in frames:
                kept = to_float(to_int16(frame))
                try:
                    if self._wav and not self.problem:
                        self._wav.append(kept)
                except AudioError as error:
                    self._give_up(error)
                self.put({"frame": self._now()})
                self._frames += 1
                yield kept
        finally:
            self.put({"deaf": self._now()})

    def engines(self, engines: Engines) -> Engines:
        """The same engines, taped, and taped those that take over."""
        specs = {choice.stage: choice.spec for choice in engines.choices}
        lines: dict[str, Any] = {}
        for stage in STAGES:
            line: Line[Any] = getattr(engines, stage)
            spec = specs.get(stage) or line.name
            self.put({"engine": stage, "spec": spec, "traits": traits(line.current)})
            then = [Loading(stage, make, self) for make in line.then]
            first = Taped(stage, traits(line.current), line.current, self)
            lines[stage] = Line(stage, first, then)
        return replace(engines, **lines)

    def follow(self, talk: Conversation) -> None:
        """Keep what happens in it. Call it once all that is to observe it does."""
        self._talk = talk
        self._now()
        self.put({"history": [[line.role, line.content] for line in talk.history.lines]})
        watching = [talk._sleep, *talk.observers]
        self.put({"with": [type(each).__name__ for each in watching if each is not None]})
        speaker = getattr(talk._desk.speaker, "speaker", talk._desk.speaker)  # without its volume
        self.put({"speaker": type(speaker).__module__})
        self._keep_settings(None)
        talk.observers.insert(0, self)
        brain = talk.engines.brain
        if brain.name != Chat.name:
            self.put({"engine": "brain", "spec": brain.name, "traits": {"name": brain.name}})
            brain.current = TapedBrain(brain.name, self, brain.current)

    # What happens in it

    def said(self, sound: Audio) -> Audio:
        """Keep a turn that came as a whole, and give it in the 16 bits in which it is kept."""
        kept = Audio(to_float(to_int16(sound.samples)), sound.rate)
        self.did("said", self.put_sound(Speech("", kept)))
        return kept

    def voice(self, engine: Any) -> Taped:
        """This voice, taped, which speaks from now on."""
        known = traits(engine)
        self.did("voice", known)
        return Taped("tts", known, engine, self)

    def engine(self, stage: Stage, spec: str, engine: Any) -> Taped:
        """This engine, taped, which is used from now on."""
        known = traits(engine)
        self.did("chosen", {"engine": stage, "spec": spec, "traits": known})
        return Taped(stage, known, engine, self)

    def did(self, what: str, value: Any = True) -> None:
        """Keep what was done just now, and no event tells of: see `replay`."""
        self._keep_settings(None)
        self.put({what: value, "at": self._now()})

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        self._keep_settings(self._frames - 1 if isinstance(event, FrameHeard) else None)
        match event:
            case GateOpened() if self._talk and (turn := self._talk._floor._answer):
                if turn.audio is None:
                    what = ("typed", turn.typed) if turn.typed else ("announced", turn.announced)
                    self.did(*what)
            case Interrupted(reason=reason) if reason == HUSHED:
                self.did("hushed")
        self._write(EVENTS, json.dumps(as_json(event), default=as_fields).encode() + b"\n")

    def _keep_settings(self, frame: int | None) -> None:
        if self._talk is not None and self._talk.settings is not self._settings:
            self._settings = self._talk.settings
            self.put({"settings": public(self._settings), "at": self._now(), "before": frame})

    # Where it goes

    def put(self, line: dict[str, Any]) -> None:
        """Keep a line of the tape."""
        self._write(TAPE, json.dumps(line, default=as_fields).encode() + b"\n")

    def put_sound(self, speech: Speech) -> str:
        """Keep a sound, and say where it is."""
        with self._lock:
            self._sounds += 1
            name = f"{SPOKEN}/{self._sounds:04}.wav"
        self._write(name, to_wav(speech.audio))
        return name

    def next_call(self) -> int:
        """The number of another call."""
        with self._lock:
            self._calls += 1
            return self._calls

    def _now(self) -> float:
        now = asyncio.get_running_loop().time()
        self._zero = now if self._zero is None else self._zero
        return now - self._zero

    def _write(self, name: str, data: bytes) -> None:
        with self._lock:
            if self._files and not self.problem:
                try:
                    self._put(name, data)
                except OSError as error:
                    self._give_up(error)

    def _put(self, name: str, data: bytes) -> None:
        """Write it now: more of a file that is open, or the whole of another one."""
        if name not in self._files:
            with new_file(self.folder / name) as file:
                return write_all(data, file)
        write_all(data, self._files[name])

    def _give_up(self, error: Exception) -> None:
        why = error.strerror if isinstance(error, OSError) else str(error)
        self.problem = f"{self.folder} cannot be written: {why}."
        self._tell()

    def _tell(self) -> None:
        log.warning("Nothing more is recorded, the conversation goes on. %s", self.problem)
