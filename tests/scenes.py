"""Scripted conversations in virtual time: seconds are exact, and nothing is waited for."""

import asyncio
from dataclasses import dataclass, field

from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.timeline import Timeline
from voice_kit.converse.virtual import run
from voice_kit.errors import AudioError
from voice_kit.settings import Settings
from voice_kit.workshop.fakes import scripted

LONGEST = 100_000.0
"""Virtual seconds after which a conversation has got stuck."""


class Scene:
    """What happened when this sound was played to an assistant with these engines."""

    def __init__(
        self,
        script,
        *parts,
        answers=None,
        settings=None,
        engines=None,
        speaker=None,
        microphone=FileMicrophone,
        during=None,
    ):
        self.engines = engines or scripted(script, answers)
        self.settings = settings or Settings()
        self.speaker = speaker or SilentSpeaker(16_000)
        self.events = []
        self.timeline = Timeline()
        self.talk = None
        run(self._play(microphone(script.sound(*parts)), during), fast=True)

    async def _play(self, frames, during):
        self.talk = Conversation(
            self.engines, self.speaker, self.settings, observers=[self.timeline, self.events.append]
        )
        async with asyncio.timeout(LONGEST), self.talk:
            if during:
                during(self.talk, self.events)
            await self.talk.listen(frames)
            await self.talk.idle()

    def all(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def one(self, kind):
        (event,) = self.all(kind)
        return event

    @property
    def memory(self):
        return [(message.role, message.content) for message in self.talk.history.lines]


def after(*moments):
    """A `during` that calls `do(talk)` so many seconds into the scene, for each (seconds, do)."""

    def arrange(talk, events):
        loop = asyncio.get_running_loop()
        for seconds, do in moments:
            loop.call_later(seconds, do, talk)

    return arrange


@dataclass
class Faulty:
    """Another engine, whose calls fail as planned, each in turn; then it works."""

    engine: object
    plan: list[str] = field(default_factory=list)
    name: str = "faulty"
    stops: str = "async"
    in_loop_time: bool = True

    @property
    def needs_words(self):
        return self.engine.needs_words

    async def _fault(self):
        match self.plan.pop(0) if self.plan else "works":
            case "hangs":
                await asyncio.Event().wait()
            case "raises":
                raise RuntimeError

    async def transcribe(self, audio):
        await self._fault()
        return await self.engine.transcribe(audio)

    async def finished(self, audio, transcript):
        await self._fault()
        return await self.engine.finished(audio, transcript)

    async def reply(self, messages):
        await self._fault()
        async for token in self.engine.reply(messages):
            yield token

    async def speak(self, text):
        await self._fault()
        async for speech in self.engine.speak(text):
            yield speech


class FarSpeaker(SilentSpeaker):
    """Needs a while to say how much was heard, and may be unplugged."""

    def __init__(self, settling, gone_at=None):
        super().__init__(16_000)
        self.settling = settling
        self.gone_at = gone_at

    def open(self, on_start):
        speaker, playback = self, super().open(on_start)
        settled, finished = playback.settled, playback.finished

        def check():
            if speaker.gone_at and asyncio.get_running_loop().time() >= speaker.gone_at:
                raise AudioError("The loudspeaker is gone. Plug it in and start again.")

        async def settle():
            await asyncio.sleep(speaker.settling)
            return await settled()

        async def finish():
            await finished()
            check()

        check()
        playback.settled, playback.finished = settle, finish
        return playback
