"""A brain with every way to answer that the settings ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from voice_kit.settings import Settings, home
from voice_kit.think.acting import Router
from voice_kit.think.brain import Acting
from voice_kit.think.mcp_tools import McpServers
from voice_kit.think.memory import KeptHistory
from voice_kit.think.memory.skills import memory_skills
from voice_kit.think.protocols import LanguageModel
from voice_kit.think.routers import make_router
from voice_kit.think.search import DuckDuckGo
from voice_kit.think.search_answer import Searching
from voice_kit.think.skills import Alarms, Folder, Pages, Room, Skill, Skills, all_skills
from voice_kit.think.tools import Before, Tools

BOOK = "handbook"
"""The model that is none: it can neither sum up what was found nor say things differently."""


def make_brain(
    settings: Settings,
    model: Callable[[], LanguageModel],
    history: KeptHistory,
    *,
    room: Room | None = None,
    alarms: Alarms | None = None,
    servers: McpServers | None = None,
    router: Router | None = None,
    decides: Callable[[Callable[[str], object]], Router] | None = None,
    folder: Path | None = None,
    pages: Pages | None = None,
    more: Sequence[Skill] = (),
    before_tool: Before | None = None,
) -> Acting:
    """The brain of one conversation. Blocks while the router learns, unless one is given, or made
    by what `decides`.

    `model` is the language model of the moment; notes and timers are kept in `folder`, or on
    these `pages`; it has `more` skills besides the kit's; `before_tool` is told of each use of a
    tool, and may refuse it. Raises `VoiceKitError` for settings that cannot be had here.
    """
    room, folder, wanted = room or Room(), folder or home(), settings.tools
    if not wanted.notes:
        wanted = wanted.model_copy(update={"notes": str(folder / "notes")})
    alarms = alarms or Alarms(pages or Folder(folder), room)
    kits = all_skills(room, wanted, alarms=alarms, pages=pages)
    skills = Skills([*more, *kits, *memory_skills(history)])
    tools, search = list(skills.tools), None
    if wanted.search != "off":
        searcher = DuckDuckGo(language=settings.language)
        searching = Searching(searcher, reads=lambda: model().name != BOOK, before=before_tool)
        tools, search = [*tools, searching.tool], searching.answer
    late = servers.tools if servers else None
    if router is None and decides is not None:
        router = decides(skills.find)
    router = router or make_router(settings, model(), skills.find)
    return Acting(
        router,
        skills,
        Tools(tools, wanted.allow, more=late, before=before_tool),
        search,
        reads_calls=lambda: bool(getattr(model(), "calls_tools", False)),
    )
