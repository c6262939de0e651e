"""A room with a clock that is set by hand, and all skills in it."""

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

from voice_kit.converse.question import Question
from voice_kit.settings import Settings
from voice_kit.settings.groups import Tools as ToolSettings
from voice_kit.think.skills import Alarms, Folder, Room, all_skills
from voice_kit.think.tools import Tools

ZURICH = ZoneInfo("Europe/Zurich")
APPS = {"calculator": ("calc",), "text editor": ("edit", "--new")}
MACHINE = ("open_app", "open_page", "screenshot", "volume")


class Clock:
    """Stands still until it is moved."""

    def __init__(self, written="2026-11-21 08:30", zone=ZURICH):
        self.zone = zone
        self.set(written)

    def set(self, written):
        self.now = datetime.fromisoformat(written).replace(tzinfo=self.zone).timestamp()

    def __call__(self):
        return self.now


class AtHome:
    """All skills, in a folder of their own, used as the brain uses them."""

    def __init__(self, folder, written="2026-11-21 08:30", zone=ZURICH, allow=(), **room):
        self.clock = Clock(written, zone)
        self.folder = folder
        self.room = Room(self.clock, zone, **room)
        self.alarms = Alarms(Folder(folder), self.room)
        self.settings = ToolSettings(apps=APPS, allow=allow, notes=str(folder / "notes"))
        self.skills = all_skills(self.room, self.settings, alarms=self.alarms)
        self.tools = Tools(self.skills.tools, allow)

    def use(self, call):
        """What comes of a call, as a `Result`."""

        async def certainly():
            certain = asyncio.Event()
            certain.set()
            thought = Question("", Settings(), None, None, certain, lambda *_: None)
            return await self.tools.use(thought, call, lambda: 0.0)

        return asyncio.run(certainly())

    def say(self, words):
        """The answer to a sentence that a skill understands."""
        call = self.skills.find(words)
        assert call is not None, f"not understood: {words}"
        return self.use(call).said

    def asked(self, words):
        """What is to be answered with yes first; empty when it is done at once."""
        tool, arguments = self.tools.prepared(self.skills.find(words))
        return tool.asks(**arguments) if tool.asks else ""

    def due(self):
        """What is announced now."""
        return list(self.alarms.due())
