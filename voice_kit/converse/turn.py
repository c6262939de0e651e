"""One turn of ours: transcribe, think, speak, and remember what was heard of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from voice_kit.audio.protocols import Playback
from voice_kit.converse.desk import Desk
from voice_kit.converse.steps import StageFailedError, call, stream
from voice_kit.errors import VoiceKitError
from voice_kit.settings import Settings
from voice_kit.speak.aloud import Aloud
from voice_kit.speak.apologies import apology
from voice_kit.speak.split import Sentences
from voice_kit.speak.words import heard_text
from voice_kit.types import (
    Abandoned,
    Audio,
    Failed,
    FirstToken,
    GateOpened,
    Message,
    PlaybackStarted,
    SentenceReady,
    Speech,
    SpeechReady,
    Transcribed,
    Transcript,
    TurnFinished,
)


class Turn:
    """An answer in the making. It begins uncertain: until `open_gate`, nothing can be heard of it.

    Everything it starts dies with its task. `closed` is set once memory holds what was heard.
    """

    def __init__(
        self,
        number: int,
        desk: Desk,
        settings: Settings,
        *,
        audio: Audio | None = None,
        typed: str = "",
        covers: float = 0.0,
        before: Turn | None = None,
        instead_of: Turn | None = None,
    ) -> None:
        self.number = number
        self.desk = desk
        self.settings = settings
        self.audio = audio
        self.typed = typed
        self.covers = covers
        """When the speech it answers ended, as far as it had been heard."""
        self.before = before
        """The turn whose words memory must hold before this one thinks."""
        self.instead_of = instead_of
        """An earlier start on the same turn, which stands if the words turn out the same."""
        self.transcript: Transcript | None = None
        self.ended = False
        """Whether its speaker has finished."""
        self.certain = asyncio.Event()
        self.closed = asyncio.Event()
        self.interrupted = False
        self.dropped = ""
        """Why nothing of it is remembered; empty when it is."""
        self.spoken: list[Speech] = []
        self.playback: Playback | None = None
        self.paused = False
        self.speakable = Aloud(settings.language)
        self.task: asyncio.Task[None] | None = None

    @property
    def heard(self) -> float:
        """Seconds of the answer that were heard."""
        return self.playback.heard if self.playback else 0.0

    def open_gate(self) -> None:
        """The turn is certain now: what is ready may be heard."""
        if not self.certain.is_set():
            self.certain.set()
            self.desk.notify(GateOpened(self.number, self.desk.now()))

    def pause(self) -> bool:
        """Hold the answer, its place kept; whether it was not held already."""
        was, self.paused = self.paused, True
        if self.playback and not was:
            self.playback.pause()
        return not was

    def go_on(self) -> bool:
        """Go on from the very sample; whether it had been held."""
        was, self.paused = self.paused, False
        if self.playback and was:
            self.playback.go_on()
        return was

    def stop(self, dropped: str = "") -> None:
        """Fall silent at once and end the work. What was heard is remembered, unless `dropped`
        says why nothing is."""
        self.dropped = dropped
        if self.playback:
            self.playback.stop()
        if self.task:
            self.task.cancel()

    async def answer(self, wanted: Callable[[Turn], bool]) -> None:
        """Work the turn to its end. `wanted` says, once the words are known, whether to go on."""
        try:
            try:
                self.transcript = await self._understand()
                if wanted(self):
                    await self._reply(self.transcript.text)
            except StageFailedError as failure:
                await self._apologise(failure)
            except VoiceKitError as error:
                speaker = type(self.desk.speaker).__name__
                self.desk.notify(
                    Failed(self.number, self.desk.now(), "speaker", speaker, str(error))
                )
        finally:
            await self._close()

    async def _understand(self) -> Transcript:
        audio = self.audio
        if audio is None:
            return Transcript(self.typed, self.settings.language)
        engine = self.desk.engines.stt.current
        began = self.desk.now()
        transcript = await call(
            "stt", engine, lambda: engine.transcribe(audio), self.settings.timeouts.stt
        )
        now = self.desk.now()
        self.desk.notify(Transcribed(self.number, now, transcript, now - began, engine.name))
        return transcript

    async def _reply(self, text: str) -> None:
        if self.before is not None:
            await self.before.closed.wait()
        past = self.desk.history.prompt(self.settings.persona, self.settings.memory)
        prompt = [*past, Message("user", text)]
        async with aclosing(self._sentences(prompt)) as sentences:
            async for sentence in sentences:
                await self._say(sentence)
        if self.playback:
            await self.playback.finished()

    async def _sentences(self, prompt: list[Message]) -> AsyncGenerator[str, None]:
        engine = self.desk.engines.llm.current
        cut = Sentences(self.settings.language)
        began, first = self.desk.now(), True
        tokens = stream("llm", engine, lambda: engine.reply(prompt), self.settings.timeouts.llm)
        async with aclosing(tokens):
            async for token in tokens:
                if first:
                    now, first = self.desk.now(), False
                    self.desk.notify(FirstToken(self.number, now, now - began, engine.name))
                for sentence in cut.feed(token):
                    yield sentence
        for sentence in cut.end():
            yield sentence

    async def _say(self, sentence: str) -> None:
        """Synthesise a sentence and give it to the loudspeaker once the gate is open."""
        text = self.speakable.sentence(sentence)
        if not text:
            return
        self.desk.notify(SentenceReady(self.number, self.desk.now(), text))
        engine = self.desk.engines.tts.current
        began = self.desk.now()
        parts = stream("tts", engine, lambda: engine.speak(text), self.settings.timeouts.tts)
        async with aclosing(parts):
            async for speech in parts:
                now = self.desk.now()
                ready = SpeechReady(
                    self.number, now, speech.text, speech.audio.seconds, now - began, engine.name
                )
                self.desk.notify(ready)
                await self.certain.wait()
                if self.playback is None:
                    self.playback = self.desk.speaker.open(self._on_start)
                    if self.paused:
                        self.playback.pause()
                self.playback.play(speech.audio)
                self.spoken.append(speech)

    def _on_start(self, loop_time: float) -> None:
        late = asyncio.get_running_loop().time() - loop_time
        self.desk.notify(PlaybackStarted(self.number, self.desk.now() - late))

    async def _apologise(self, failure: StageFailedError) -> None:
        """Say aloud that a stage failed, and let the next engine in line take over."""
        while True:
            another = await self.desk.replace(self.number, failure)
            await self.certain.wait()
            try:
                if failure.stage != "tts" or another:
                    await self._say(apology(failure.stage, self.settings.language))
                if self.playback:
                    await self.playback.finished()
                return
            except StageFailedError as again:
                failure = again

    async def _close(self) -> None:
        """Remember what was heard. Runs at every end: finished, failed or cancelled."""
        heard = await self.playback.settled() if self.playback else 0.0
        said = " ".join(speech.text for speech in self.spoken)
        said_heard = heard_text(self.spoken, heard)
        words = self.transcript.text if self.transcript else ""
        now = self.desk.now()
        if not self.certain.is_set() or self.dropped:
            reason = self.dropped or "the conversation ended"
            self.desk.notify(Abandoned(self.number, now, reason))
        else:
            self.desk.history.add("user", words)
            self.desk.history.add("assistant", said_heard)
            self.desk.notify(
                TurnFinished(self.number, now, words, said, said_heard, self.interrupted)
            )
        self.before = self.instead_of = None  # or every turn would keep all earlier ones
        self.closed.set()
