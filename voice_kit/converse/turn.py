"""One turn of ours: transcribe, think, speak, and remember what was heard of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from voice_kit.audio.protocols import Playback
from voice_kit.converse.desk import Desk
from voice_kit.converse.question import Question
from voice_kit.converse.steps import WORK, StageFailedError, as_failure, call, may_be_undone, stream
from voice_kit.errors import VoiceKitError
from voice_kit.settings import Settings
from voice_kit.speak.aloud import Aloud
from voice_kit.speak.apologies import apology
from voice_kit.speak.heard import told
from voice_kit.speak.split import Sentences
from voice_kit.types import (
    Abandoned,
    Audio,
    Event,
    Failed,
    FirstToken,
    GateOpened,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    SentenceReady,
    Speech,
    SpeechReady,
    ToolUsed,
    Transcribed,
    Transcript,
    TurnFinished,
)


@dataclass(eq=False, repr=False, slots=True)
class Turn:
    """An answer in the making. It begins uncertain: until `open_gate`, nothing can be heard of it.

    Everything it starts dies with its task.
    """

    number: int
    desk: Desk
    settings: Settings
    eager: bool = False
    """Whether it thinks and speaks, behind its gate, before it is certain; else it only listens."""
    audio: Audio | None = None
    """What was said; None when it was typed."""
    typed: str = ""
    announced: str = ""
    """What is said of our own accord, without a question."""
    covers: float = 0.0
    """When the speech it answers ended, as far as it had been heard."""
    before: Turn | None = None
    """The turn whose words memory must hold before those of this one."""
    instead_of: Turn | None = None
    """An earlier start on the same turn, which stands if the words turn out the same."""
    ended: bool = False
    """Whether its speaker has finished."""
    transcript: Transcript | None = None
    paused: bool = False
    interrupted: bool = False
    dropped: str = ""
    """Why nothing of it is remembered; empty when it is."""
    certain: asyncio.Event = field(default_factory=asyncio.Event)
    acted: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once memory holds what was heard."""
    playback: Playback | None = None
    spoken: list[Speech] = field(default_factory=list)
    task: asyncio.Task[None] | None = None
    worked: list[float] = field(default_factory=list)
    """Seconds that engines have worked on it, step by step."""
    used: list[ToolUsed] = field(default_factory=list)
    made: bool = False
    """Whether the whole answer was made, and all that tools gave is told in it."""

    @property
    def heard(self) -> float:
        """Seconds of the answer that were heard."""
        return self.playback.heard if self.playback else 0.0

    def tell(self, event: Callable[..., Event], *fields: Any) -> None:
        """Let observers know that this happens in this turn now."""
        told = event(self.number, self.desk.now(), *fields)
        if isinstance(told, ToolUsed):
            self.used.append(told)
        self.desk.notify(told)

    def open_gate(self) -> None:
        """The turn is certain now: what is ready may be heard."""
        self.certain.set()
        self.tell(GateOpened)

    def hold(self, paused: bool = True) -> None:
        """Hold the answer, its place kept; or, not `paused`, go on from the very sample."""
        if self.playback and paused != self.paused:
            (self.playback.pause if paused else self.playback.go_on)()
            if self.heard:
                self.tell(PlaybackPaused if paused else PlaybackResumed)
        self.paused = paused

    def stop(self, dropped: str = "") -> None:
        """Fall silent at once and end the work, that on an earlier start too.

        What was heard is remembered, and what the user said, for which it goes on until the words
        are known; unless `dropped` says why nothing is.
        """
        self.dropped = dropped
        if self.instead_of:
            self.instead_of.stop("its speaker went on before it was heard")
        if self.playback:
            self.playback.stop()
        if self.task and (dropped or self.transcript):
            self.task.cancel()

    async def answer(self, wanted: Callable[[Turn], bool]) -> None:
        """Work the turn to its end. `wanted` says, once the words are known or known to be lost,
        whether to go on."""
        WORK.set(self.worked.append)
        try:
            await self._answer(wanted)
            if self.playback:
                await self.playback.finished()
        except VoiceKitError as error:
            self.tell(Failed, "speaker", type(self.desk.speaker).__name__, str(error))
        finally:
            if self.playback:
                self.playback.stop()
                await self.playback.settled()
            if self.before and self.certain.is_set() and not self.dropped:
                await self.before.closed.wait()

    def close(self) -> None:
        """Remember what was heard. Comes after every end: finished, failed or cancelled."""
        self.closed.set()
        said_heard, left = told(self.spoken, self.heard)
        self.before = self.instead_of = self.playback = self.task = None  # or no turn is let go
        if self.dropped or not self.certain.is_set():
            self.tell(Abandoned, self.dropped or "the conversation ended", sum(self.worked))
            return
        words = self.transcript.text if self.transcript else self.typed
        self.desk.history.add("user", words)
        for use in () if self.made and not left else self.used:
            self.desk.history.add("tool", use.result, use.call)
        self.desk.history.add("assistant", said_heard)
        self.tell(TurnFinished, words, said_heard + left, said_heard, self.interrupted)

    async def _answer(self, wanted: Callable[[Turn], bool]) -> None:
        try:
            self.transcript = await self._understand()
            if self.announced and not self.interrupted:
                await self._say(self.announced)
            elif not self.announced and wanted(self):
                await self._reply(self.transcript.text)
        except StageFailedError as failure:
            if self.transcript or wanted(self):
                await self._apologise(failure)
            else:
                await self.desk.replace(self.number, failure)

    async def _understand(self) -> Transcript:
        audio, engine, limit = self.audio, self.desk.engines.stt.current, self.settings.timeouts.stt
        if audio is None:
            return Transcript(self.typed, self.settings.language)
        began = self.desk.now()
        transcript = await call("stt", engine, lambda: engine.transcribe(audio), limit)
        self.tell(Transcribed, transcript, self.desk.now() - began, engine.name)
        return transcript

    async def _reply(self, words: str) -> None:
        if self.before is not None:
            await self.before.closed.wait()
        await self._unless_final(self.desk.engines.llm.current)
        speakable = Aloud(self.settings.language)
        async with aclosing(self._sentences(words)) as sentences:
            async for sentence in sentences:
                if said := speakable.sentence(sentence):
                    self.tell(SentenceReady, said)
                    await self._say(said)
        self.made = True
        if not self.spoken:  # silence would leave them waiting
            await self._say(apology("llm", self.settings.language))

    async def _sentences(self, words: str) -> AsyncGenerator[str, None]:
        llm, brain = self.desk.engines.llm, self.desk.engines.brain.current
        known = words, self.settings, self.desk.history, llm
        question = Question(*known, self.certain, self.tell, self.acted)
        began, first = self.desk.now(), True
        try:
            cut = getattr(brain, "cutter", Sentences)(self.settings.language)
            async with aclosing(brain.answer(question)) as tokens:
                async for token in tokens:
                    if first:
                        first = False
                        self.tell(FirstToken, self.desk.now() - began, question.by or llm.name)
                    for sentence in cut.feed(token):
                        yield sentence
            for sentence in cut.end():
                yield sentence
        except Exception as error:
            raise as_failure("brain", brain, error) from error

    async def _say(self, text: str) -> None:
        """Synthesise a sentence and give it to the loudspeaker once the gate is open."""
        engine = self.desk.engines.tts.current
        await self._unless_final(engine)
        began = self.desk.now()
        parts = stream("tts", engine, lambda: engine.speak(text), self.settings.timeouts.tts)
        async with aclosing(parts):
            async for speech in parts:
                took = self.desk.now() - began
                if not isinstance(speech, Speech):
                    raise as_failure("tts", engine, TypeError())
                self.tell(SpeechReady, speech.text, speech.audio.seconds, took, engine.name)
                await self.certain.wait()
                if self.playback is None:
                    self.playback = self.desk.speaker.open(self._on_start)
                    if self.paused:
                        self.playback.pause()
                self.playback.play(speech.audio)
                self.spoken.append(speech)

    async def _unless_final(self, engine: object) -> None:
        """Call nothing early that cannot be taken back, nor anything for a turn that listens."""
        if not self.eager or not may_be_undone(engine):
            await self.certain.wait()

    def _on_start(self, loop_time: float) -> None:
        late = asyncio.get_running_loop().time() - loop_time
        if not self.closed.is_set():
            self.desk.notify(PlaybackStarted(self.number, self.desk.now() - late))

    async def _apologise(self, failure: StageFailedError) -> None:
        """Let the next engine in line take over, and say aloud that a stage failed."""
        another = await self.desk.replace(self.number, failure)
        await self.certain.wait()
        if failure.stage != "tts" or another:
            try:
                await self._say(self.announced or apology(failure.stage, self.settings.language))
            except StageFailedError as again:
                await self._apologise(again)
