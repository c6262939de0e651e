"""What can be done without any model: skills that understand whole sentences."""

from __future__ import annotations

from pathlib import Path

from voice_kit.settings import home
from voice_kit.settings.groups import Tools as ToolSettings
from voice_kit.think.skills.alarms import Alarms
from voice_kit.think.skills.machine import machine_skills
from voice_kit.think.skills.notebook import Notebook
from voice_kit.think.skills.notes import note_skills
from voice_kit.think.skills.pages import Folder, Pages
from voice_kit.think.skills.room import Room
from voice_kit.think.skills.skill import Phrased, Skill, Skills, skill
from voice_kit.think.skills.sums import sum_skills
from voice_kit.think.skills.talking import talking_skills
from voice_kit.think.skills.time_and_date import time_skills
from voice_kit.think.skills.timers import timer_skills
from voice_kit.think.skills.timers_set import alarm_skills

__all__ = [
    "Alarms",
    "Folder",
    "Notebook",
    "Pages",
    "Phrased",
    "Room",
    "Skill",
    "Skills",
    "all_skills",
    "skill",
]


def all_skills(
    room: Room | None = None,
    settings: ToolSettings | None = None,
    *,
    alarms: Alarms | None = None,
    pages: Pages | None = None,
) -> Skills:
    """Every skill that comes with the kit, for one room.

    Give it the `alarms` that ring there: `await alarms.ring_forever(talk.announce)`, and `pages`
    where notes are not to be kept in a folder. Nothing is opened, loaded or written before a skill
    is used.
    """
    room, settings = room or Room(), settings or ToolSettings()
    alarms = alarms or Alarms(Folder(home()), room)
    folder = Path(settings.notes).expanduser() if settings.notes else home() / "notes"
    usable: list[Skill] = []

    def can() -> list[str]:
        on = [each for each in usable if not each.tool.off or each.tool.name in settings.allow]
        return [each.can for each in on if each.can]

    usable += [
        *time_skills(room),
        *timer_skills(room, alarms),
        *alarm_skills(room, alarms),
        *note_skills(Notebook(pages or Folder(folder), room)),
        *sum_skills(),
        *machine_skills(room, folder / "pictures", settings.apps),
        *talking_skills(room, alarms, can),
    ]
    return Skills(usable)
