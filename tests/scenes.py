"""Scripted conversations in virtual time: seconds are exact, and nothing is waited for."""

from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.virtual import run
from voice_kit.settings import Settings
from voice_kit.workshop.fakes import scripted


class Scene:
    """What happened when this sound was played to an assistant with these engines."""

    def __init__(self, script, *parts, answers=None, settings=None, engines=None, during=None):
        self.engines = engines or scripted(script, answers)
        self.settings = (settings or Settings()).changed({}) if settings else Settings()
        self.speaker = SilentSpeaker(16_000)
        self.events = []
        self.talk = None
        run(self._play(script.sound(*parts), during), fast=True)

    async def _play(self, sound, during):
        self.talk = Conversation(
            self.engines, self.speaker, self.settings, observers=[self.events.append]
        )
        async with self.talk:
            if during:
                during(self.talk, self.events)
            await self.talk.listen(FileMicrophone(sound))
            await self.talk.idle()

    def all(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def one(self, kind):
        (event,) = self.all(kind)
        return event

    @property
    def memory(self):
        return [(message.role, message.content) for message in self.talk.history.lines]
